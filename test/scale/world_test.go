package scale

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/gitlab"
	"gitlab.com/lorehook/lorehook/internal/queue"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/sweep"
	"gitlab.com/lorehook/lorehook/internal/tables"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/cost"
	fakedynamodb "gitlab.com/lorehook/lorehook/test/fake/dynamodb"
	fakeembedder "gitlab.com/lorehook/lorehook/test/fake/embedder"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
	fakesqs "gitlab.com/lorehook/lorehook/test/fake/sqs"
	"gitlab.com/lorehook/lorehook/test/fake/stepfunctions"
	"gitlab.com/lorehook/lorehook/test/faults"
)

// world is GitLab, a queue, workers and the workflow, at work at the same time in a
// bubble: each call takes as long as package cost assumes, and each worker and the crawler
// have their own client of GitLab with its own rate.
type world struct {
	t      *testing.T
	clock  *cloud.Clock
	gitlab *fakegitlab.Server
	// requests and bulk are the queues that the workers poll.
	requests, bulk *fakesqs.Queue
	db             *fakedynamodb.DB
	machine        *stepfunctions.Machine
	// workers are the functions of each worker, after those of webhooks those of passes,
	// stages those of the workflow, of the crawler and of the sweeper.
	workers []*cloud.Functions
	stages  *cloud.Functions
	sender  *queue.Sender
	random  *rand.Rand

	// down is set while GitLab answers nothing but 503.
	down    atomic.Bool
	stopped atomic.Bool
	// executions run.
	executions sync.WaitGroup

	mu sync.Mutex
	// sent is when each request to GitLab was sent, refused how many got 429.
	sent    []time.Time
	refused int
	events  []event
	// began is when the last fetch of an entity began, commits what became visible.
	began    map[string]time.Time
	commits  map[string][]commit
	numbered int
}

type event struct {
	entity string
	at     time.Time
}

// commit is a fetch that began at one time and became visible at another.
type commit struct{ began, visible time.Time }

// poll is how long a worker waits before it looks at an empty queue again.
const poll = 100 * time.Millisecond

// simulate runs a test in a bubble.
func simulate(t *testing.T, s Setting, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, s)
		var workers sync.WaitGroup
		for i, functions := range w.workers {
			queue := w.requests
			if i >= s.Workers {
				queue = w.bulk
			}
			workers.Go(func() { w.work(queue, functions) })
		}
		workers.Go(w.sweep)
		test(w)
		w.end()
		w.stopped.Store(true)
		workers.Wait()
		w.executions.Wait()
	})
}

func newWorld(t *testing.T, s Setting) *world {
	w := &world{
		t: t, clock: cloud.NewClock(time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC)), random: rand.New(rand.NewPCG(1, 2)),
		began: map[string]time.Time{}, commits: map[string][]commit{},
	}
	w.clock.Follow()
	var err error
	if w.machine, err = stepfunctions.Load(); err != nil {
		t.Fatal(err)
	}
	w.gitlab = fakegitlab.New(fakegitlab.Options{Clock: w.clock.Now, Token: cloud.Token})
	db, names := fakedynamodb.New()
	w.db = db
	queued := func(name string) *fakesqs.Queue {
		return fakesqs.New(fakesqs.Options{Name: name, Clock: w.clock.Now, Delay: surgical.Settle, Visibility: surgical.Visibility, Retention: surgical.Retention})
	}
	w.requests, w.bulk = queued("requests.fifo"), queued("bulk.fifo")
	queues := []*fakesqs.Queue{w.requests, queued("hides.fifo"), w.bulk, queued("dead-letters.fifo")}
	w.sender = queue.NewSender(fakesqs.Client(queues), w.requests.URL())
	e := cloud.Environment{
		DB: cloud.Intercept(db.Client(), w.database), Tables: names, Clock: w.clock.Now,
		SQS:      fakesqs.Client(queues, cloud.InterceptAPI(cloud.SQS, w.call)),
		Requests: queues[0].URL(), Hides: queues[1].URL(), Bulk: queues[2].URL(), DeadLetters: queues[3].URL(),
		StepFunctions: stepfunctions.Client(func(input json.RawMessage) error { w.executions.Go(func() { w.execute(input) }); return nil }, cloud.InterceptAPI(cloud.StepFunctions, w.call)),
		Embedder:      fakeembedder.Words{},
		Jitter: func(d time.Duration) time.Duration {
			w.mu.Lock()
			defer w.mu.Unlock()
			return time.Duration(w.random.Int64N(max(1, int64(d))))
		},
		Log: slog.New(slog.DiscardHandler),
	}
	functions := func() *cloud.Functions {
		client, err := gitlab.NewClient(gitlab.Options{
			BaseURL: "https://gitlab.example.com", Clock: w.clock.Now, RequestsPerSecond: s.Rate,
			HTTP:  cloud.InterceptHTTP(inProcess{w.gitlab}, w.request),
			Token: func(context.Context) (string, error) { return cloud.Token, nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		e.Fetch, e.Project, e.Lists = w.fetching(client.Fetch), client.ShowsProject, client
		return e.Functions()
	}
	for range s.Workers + s.Bulk {
		w.workers = append(w.workers, functions())
	}
	w.stages = functions()
	return w
}

// inProcess serves requests without a network, which has no place in a bubble.
type inProcess struct{ http.Handler }

// RoundTrip implements [http.RoundTripper].
func (h inProcess) RoundTrip(req *http.Request) (*http.Response, error) {
	server := req.Clone(req.Context())
	server.RequestURI = req.URL.RequestURI()
	if server.Body == nil {
		server.Body = http.NoBody
	}
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, server)
	resp := recorder.Result()
	resp.Request = req
	return resp, nil
}

// call lets a call take its time.
func (w *world) call(_ context.Context, call cloud.Call, send func() error) error {
	time.Sleep(cost.Latency(call))
	return send()
}

// request counts a request to GitLab.
func (w *world) request(ctx context.Context, call cloud.Call, send func() error) error {
	w.mu.Lock()
	w.sent = append(w.sent, w.clock.Now())
	w.mu.Unlock()
	time.Sleep(cost.Latency(call))
	if w.down.Load() {
		return faults.Unavailable.Do(ctx, call, send)
	}
	err := send()
	if resp, ok := call.Output().(*http.Response); ok && resp.StatusCode == http.StatusTooManyRequests {
		w.mu.Lock()
		w.refused++
		w.mu.Unlock()
	}
	return err
}

// fetching remembers when fetches began.
func (w *world) fetching(fetch cloud.Fetch) cloud.Fetch {
	return func(ctx context.Context, ref surgical.EntityRef) (surgical.Snapshot, error) {
		snap, err := fetch(ctx, ref)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.began["P#"+ref.Key()] = snap.FetchedAt
		return snap, err
	}
}

// database lets a call take its time, and remembers the commits of heads.
func (w *world) database(_ context.Context, call cloud.Call, send func() error) error {
	time.Sleep(cost.Latency(call))
	err := send()
	in, ok := call.Input.(*dynamodb.TransactWriteItemsInput)
	if !ok || err != nil {
		return err
	}
	for _, item := range in.TransactItems {
		var key map[string]types.AttributeValue
		switch {
		case item.Put != nil:
			key = item.Put.Item
		case item.Update != nil:
			key = item.Update.Key
		default:
			continue
		}
		sk, _ := key["sk"].(*types.AttributeValueMemberS)
		if pk, ok := key["pk"].(*types.AttributeValueMemberS); ok && sk != nil && sk.Value == "head" {
			w.mu.Lock()
			w.commits[pk.Value] = append(w.commits[pk.Value], commit{w.began[pk.Value], w.clock.Now()})
			w.mu.Unlock()
		}
	}
	return nil
}

// work is one worker: Lambda's polling of its queue, and the function.
func (w *world) work(queue *fakesqs.Queue, f *cloud.Functions) {
	for !w.stopped.Load() {
		batch := queue.Batch(surgical.BatchSize)
		if len(batch.Records) == 0 {
			time.Sleep(poll)
			continue
		}
		ctx, cancel := context.WithTimeout(cloud.In(w.t.Context(), "worker"), surgical.WorkerTimeout)
		response, err := f.Worker.Handle(ctx, batch)
		cancel()
		if err != nil {
			w.t.Error(err)
		}
		queue.Done(batch, response)
		time.Sleep(cost.Between())
	}
}

// sweep is the sweeper, which starts every minute and must not find anything to do: nothing
// dies here, so each run has to end by itself.
func (w *world) sweep() {
	for ; !w.stopped.Load(); time.Sleep(surgical.SweepInterval) {
		ctx, cancel := context.WithTimeout(cloud.In(w.t.Context(), "sweeper"), surgical.SweeperTimeout)
		report, err := w.stages.Sweeper.Handle(ctx)
		if err != nil {
			w.t.Error(err)
		}
		if report != (sweep.Report{}) {
			w.t.Errorf("the sweeper had to help: %+v", report)
		}
		cancel()
	}
}

// execute runs an execution of the workflow.
func (w *world) execute(input json.RawMessage) {
	e, err := w.machine.Start(input)
	if err != nil {
		w.t.Error(err)
		return
	}
	for e.Status == stepfunctions.Running {
		call := e.Call()
		time.Sleep(call.Wait)
		ctx, cancel := context.WithTimeout(cloud.In(w.t.Context(), call.Function), cloud.TimeLimit(call))
		answer, err := w.stages.Invoke(ctx, call.Function, call.Payload)
		cancel()
		if err != nil {
			e.Fail(stepfunctions.FailureOf(err))
		} else {
			e.Succeed(answer)
		}
	}
}

// known makes issues, without copies, that changed a day ago: what changed just now would
// be found by a reconcile as well.
func (w *world) known(n int) {
	for i := range n {
		w.gitlab.SetIssue(fakegitlab.NewIssue(int64(1000+i), "An issue", "", fakegitlab.Time{Time: w.clock.Now().Add(-24 * time.Hour)}))
	}
}

// send is an event about the entity: GitLab's delivery has been accepted.
func (w *world) send(ref surgical.EntityRef) {
	w.mu.Lock()
	w.numbered++
	key := fmt.Sprint("key-", w.numbered)
	w.mu.Unlock()
	req := surgical.Request{
		RunID: surgical.RunID(surgical.OriginWebhook, key), ProjectID: ref.ProjectID, Origin: surgical.OriginWebhook,
		IdempotencyKey: key, EventAt: w.clock.Now(), Targets: []surgical.Target{ref.Target},
	}
	w.events = append(w.events, event{"P#" + ref.Key(), req.EventAt})
	if err := w.sender.Send(w.t.Context(), req); err != nil {
		w.t.Fatal(err)
	}
}

// change changes an issue, and sends the event.
func (w *world) change(ref surgical.EntityRef) {
	w.gitlab.SetIssue(fakegitlab.NewIssue(ref.IID, fmt.Sprint("An issue, edited ", w.numbered), "", fakegitlab.Time{Time: w.clock.Now()}))
	w.send(ref)
}

// load changes random ones of the load's issues for some time, each of them so many times
// together.
func (w *world) load(l Load, together int, lasts time.Duration) {
	n, each := int(l.Entities), l.Events
	w.known(n)
	issue := 0
	for i := range int(each * lasts.Seconds()) {
		if i%together == 0 {
			issue = w.random.IntN(n)
		}
		w.change(fakegitlab.IssueRef(int64(1000 + issue)))
		time.Sleep(seconds(1 / each))
	}
}

// drain waits until the queue is empty, and returns how long that took.
func (w *world) drain(most time.Duration) time.Duration {
	began := w.clock.Now()
	for len(w.requests.Messages()) > 0 {
		if w.clock.Now().Sub(began) > most {
			w.t.Fatalf("%d messages are left after %s", len(w.requests.Messages()), most)
		}
		time.Sleep(poll)
	}
	return w.clock.Now().Sub(began)
}

// backfill copies the project, with the crawler starting every minute, and returns how long
// it takes.
func (w *world) backfill() time.Duration {
	began, ctx := w.clock.Now(), w.t.Context()
	id := surgical.NewPassID(fakegitlab.ProjectID, surgical.PassBackfill, "scale")
	if _, err := w.stages.Ledger.StartBackfill(ctx, surgical.NewBackfill(fakegitlab.ProjectID, id, id, began)); err != nil {
		w.t.Fatal(err)
	}
	for {
		started := w.clock.Now()
		limited, cancel := context.WithTimeout(cloud.In(ctx, "crawler"), surgical.CrawlerTimeout)
		_, err := w.stages.Crawler.Handle(limited)
		cancel()
		if err != nil {
			w.t.Fatal(err)
		}
		pass, err := w.stages.Ledger.Pass(ctx, fakegitlab.ProjectID, surgical.PassBackfill)
		switch took := w.clock.Now().Sub(began); {
		case err != nil:
			w.t.Fatal(err)
		case pass.Status.Terminal() && pass.Outstanding == 0:
			return took
		case took > 2*time.Hour:
			w.t.Fatalf("the backfill does not end: %+v", pass)
		}
		time.Sleep(started.Add(surgical.CrawlInterval).Sub(w.clock.Now()))
	}
}

// end waits until every run has ended, for less time than the sweeper would wait.
func (w *world) end() {
	for began := w.clock.Now(); ; time.Sleep(time.Second) {
		open := 0
		for _, row := range w.db.Items(tables.SyncRuns().Name) {
			status, _ := row["status"].(*types.AttributeValueMemberS)
			if !surgical.RunStatus(status.Value).Terminal() {
				open++
			}
		}
		if open == 0 {
			return
		}
		if w.clock.Now().Sub(began) > surgical.SweepGrace {
			w.t.Errorf("%d runs have not ended after %s", open, surgical.SweepGrace)
			return
		}
	}
}

// measured is what was seen of the events between two times.
type measured struct {
	events, fetches, requests float64
	// lag is the mean, longest the longest time until the copy showed an event.
	lag, longest time.Duration
	// shown is when the last of them was.
	shown time.Time
}

func (w *world) measure(from, until time.Time) (m measured) {
	w.mu.Lock()
	defer w.mu.Unlock()
	within := func(at time.Time) bool { return !at.Before(from) && at.Before(until) }
	for _, at := range w.sent {
		if within(at) {
			m.requests++
		}
	}
	for _, all := range w.commits {
		for _, c := range all {
			if within(c.began) {
				m.fetches++
			}
		}
	}
	var sum time.Duration
	for _, e := range w.events {
		if !within(e.at) {
			continue
		}
		shown := false
		for _, c := range w.commits[e.entity] {
			if shown = c.began.After(e.at.Add(surgical.Settle)); shown {
				lag := c.visible.Sub(e.at)
				sum, m.longest, m.events = sum+lag, max(m.longest, lag), m.events+1
				if c.visible.After(m.shown) {
					m.shown = c.visible
				}
				break
			}
		}
		if !shown {
			w.t.Errorf("nothing shows the event of %s at %s", e.entity, e.at)
		}
	}
	m.lag = sum / time.Duration(max(1, m.events))
	return m
}
