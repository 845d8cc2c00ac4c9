package cloud

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/crawl"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/function/logs"
	"gitlab.com/lorehook/lorehook/internal/function/metrics"
	"gitlab.com/lorehook/lorehook/internal/function/trace"
	"gitlab.com/lorehook/lorehook/internal/gitlab"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/queue"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/sweep"
	"gitlab.com/lorehook/lorehook/internal/worker"
	"gitlab.com/lorehook/lorehook/internal/workflow"
	fakeembedder "gitlab.com/lorehook/lorehook/test/fake/embedder"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
	fakesqs "gitlab.com/lorehook/lorehook/test/fake/sqs"
	"gitlab.com/lorehook/lorehook/test/fake/stepfunctions"
)

// Token is the access token that a test's demo GitLab requires.
const Token = "glpat-not-a-real-token"

// World is a cloud that a test drives by hand: the test calls the functions
// itself, one after another, whereas a [Cloud] is driven by its queues and
// schedule. Its GitLab serves HTTP on loopback, time passes only when the test
// says so, and the functions' output is kept. Fields may be changed before use.
type World struct {
	*Cloud
	*Functions

	// Fetch is initially the real client's; a test may wrap it.
	Fetch  Fetch
	DB     *dynamodb.Client
	Tables config.Tables
	// Content and Ledger are shared with the functions.
	Content *content.Store
	Ledger  *ledger.Ledger
	// Workflow starts executions and remembers them for [World.Drive].
	Workflow *Executor
	// Output collects the standard output of all functions: logs and metrics.
	Output Output
	// Invoking, if set, runs the invocations of the workflow's functions. Their calls
	// are attributed to the functions with the context of [In].
	Invoking func(function string, invoke func(context.Context) error) error
}

// NewWorld returns a world on the engine's tables. Each watch wraps the
// transport of the requests to GitLab.
func NewWorld(t TB, db *dynamodb.Client, tables config.Tables, watch ...func(http.RoundTripper) http.RoundTripper) *World {
	t.Helper()
	w := &World{Cloud: newCloud(t, db, tables), DB: db, Tables: tables}
	w.GitLab = fakegitlab.New(fakegitlab.Options{Clock: w.Clock.Now, Token: Token})
	server := httptest.NewServer(w.GitLab)
	t.Cleanup(server.Close)
	var transport http.RoundTripper = &http.Transport{MaxIdleConnsPerHost: 64}
	for _, wrap := range watch {
		transport = wrap(transport)
	}
	connect := func(meter gitlab.Meter) *gitlab.Client {
		client, err := gitlab.NewClient(gitlab.Options{
			BaseURL: server.URL, Clock: w.Clock.Now, HTTP: transport,
			Token: func(context.Context) (string, error) { return Token, nil }, Meter: meter,
		})
		if err != nil {
			t.Fatal(err)
		}
		return client
	}
	client := connect(w.Meter())
	w.Fetch = client.Fetch
	e := w.environment(db)
	e.Fetch = func(ctx context.Context, ref surgical.EntityRef) (surgical.Snapshot, error) { return w.Fetch(ctx, ref) }
	e.Lists = connect(metrics.Crawling{Emitter: w.Meter()})
	e.Project = client.ShowsProject
	e.Embedder, e.Jitter = fakeembedder.Words{}, func(time.Duration) time.Duration { return 0 }
	e.Log, e.Meter, e.NewTrace, e.Verifiers = w.Logger(), w.Meter(), trace.Source(rand.Reader), tokens{}
	w.Functions = e.Functions()
	w.Content, w.Ledger = w.Functions.Content, w.Functions.Ledger
	w.Cloud.Content, w.Cloud.Ledger, w.Cloud.functions, w.Cloud.worker = w.Content, w.Ledger, w.Functions, w.Functions
	w.Workflow = &Executor{Starter: w.Starter, cloud: w.Cloud}
	return w
}

// Logger returns a logger of every level that writes to the world's output.
func (w *World) Logger() *slog.Logger { return logs.New(&w.Output, slog.LevelDebug) }

// Meter returns a meter that writes to the world's output.
func (w *World) Meter() *metrics.Emitter { return metrics.New(&w.Output, "lorehook", w.Clock.Now) }

// Message wraps a request as the queue delivers it, after the settle time and
// by itself.
func (w *World) Message(req surgical.Request) worker.Message {
	return worker.Message{
		Request: req, ID: "message-" + req.RunID, NotBefore: req.EventAt.Add(surgical.Settle + time.Microsecond),
	}
}

// Record wraps a request as Lambda hands it to the worker, sent when its event
// was received.
func (w *World) Record(req surgical.Request) events.SQSMessage {
	body, err := json.Marshal(req)
	if err != nil {
		w.T.Fatal(err)
	}
	attributes := map[string]events.SQSMessageAttribute{}
	for name, value := range map[string]string{queue.RunAttribute: req.RunID, queue.TraceAttribute: req.TraceParent} {
		if value != "" {
			attributes[name] = events.SQSMessageAttribute{DataType: "String", StringValue: &value}
		}
	}
	return events.SQSMessage{
		MessageId: "message-" + req.RunID, Body: string(body), MessageAttributes: attributes,
		Attributes:     map[string]string{"MessageGroupId": req.Group(), "SentTimestamp": strconv.FormatInt(req.EventAt.UnixMilli(), 10)},
		EventSourceARN: "arn:aws:sqs:us-east-1:000000000000:lorehook-requests.fifo",
	}
}

// Batch returns the worker with the given queue.
func (w *World) Batch(queue worker.Queue) *worker.Batch {
	batch := *w.Worker
	batch.Queue = queue
	return &batch
}

// Deliver waits for the settle time and processes the request once, isolated.
// The error says why the message must wait, or is nil.
func (w *World) Deliver(req surgical.Request) (worker.Verdict, error) {
	msg := w.Message(req)
	w.Clock.AdvanceTo(msg.NotBefore)
	return w.Process(msg)
}

// Process processes the message now, isolated.
func (w *World) Process(msg worker.Message) (worker.Verdict, error) {
	verdict := w.Engine.Process(w.T.Context(), msg, true)
	wait, _ := verdict.(worker.Wait)
	return verdict, wait.Cause
}

// Deleted reports whether the verdict deletes the message.
func Deleted(v worker.Verdict) bool { return v == worker.Done{} || v == worker.DeadLetter{} }

// After returns how long the verdict makes the message wait.
func After(v worker.Verdict) time.Duration {
	wait, _ := v.(worker.Wait)
	return wait.After
}

// Sync delivers the request and runs its workflow. Any other outcome fails the
// test.
func (w *World) Sync(req surgical.Request) surgical.Run {
	w.T.Helper()
	verdict, err := w.Deliver(req)
	if !Deleted(verdict) {
		w.T.Fatalf("sync of %v: verdict %v, error %v", req.Targets, verdict, err)
	}
	w.Drive()
	run := w.Run(req.RunID)
	if run.Status != surgical.StatusSucceeded {
		w.T.Fatalf("sync of %v: %s, %v", req.Targets, run.Status, run.Error)
	}
	return run
}

// Webhook syncs the entity as a webhook's event received now would, after the
// interval in which webhooks do not fetch again.
func (w *World) Webhook(ref surgical.EntityRef) surgical.Run {
	w.T.Helper()
	w.Clock.Advance(surgical.RefetchInterval + time.Second)
	return w.Sync(w.Request(surgical.OriginWebhook, ref))
}

// Run reads a run.
func (w *World) Run(runID string) surgical.Run {
	w.T.Helper()
	run, err := w.Ledger.Run(w.T.Context(), runID)
	if err != nil {
		w.T.Fatal(err)
	}
	return run
}

// Entity reads an entity as readers do.
func (w *World) Entity(ref surgical.EntityRef) content.Entity {
	w.T.Helper()
	entity, err := w.Shown().Read(w.T.Context(), ref)
	if err != nil {
		w.T.Fatal(err)
	}
	return entity
}

// Drive runs every started execution until none is left.
func (w *World) Drive() {
	w.T.Helper()
	for input, ok := w.takeExecution(); ok; input, ok = w.takeExecution() {
		e, err := w.machine.Start(input)
		if err != nil {
			w.T.Fatal(err)
		}
		for e.Status == stepfunctions.Running {
			call := e.Call()
			answer, err := w.invocation(call)
			switch {
			case err != nil && call.Function == "abort":
				w.T.Fatal(err)
			case err != nil:
				e.Fail(stepfunctions.FailureOf(err))
			default:
				e.Succeed(answer)
			}
		}
	}
}

// invocation makes one call of an execution.
func (w *World) invocation(call stepfunctions.Call) (answer json.RawMessage, err error) {
	invoke := func(ctx context.Context) (err error) {
		answer, err = w.Invoke(ctx, call.Function, call.Payload)
		return err
	}
	if w.Invoking == nil {
		return answer, invoke(w.T.Context())
	}
	err = w.Invoking(call.Function, invoke)
	return answer, err
}

// Executor starts executions for [World.Drive] to run.
type Executor struct {
	*workflow.Starter
	cloud *Cloud
}

// Forget drops the started executions, as if Step Functions had lost them.
func (e *Executor) Forget() { e.cloud.Forget() }

// Sent takes the messages sent to the queues since the last call, ignoring
// their delays.
func (w *World) Sent() events.SQSEvent {
	var all events.SQSEvent
	for _, q := range []*fakesqs.Queue{w.Requests, w.Hides, w.Bulk} {
		all.Records = append(all.Records, q.Take().Records...)
	}
	return all
}

// Resent returns the requests sent to the queues since the last call.
func (w *World) Resent() []surgical.Request {
	w.T.Helper()
	var requests []surgical.Request
	for _, record := range w.Sent().Records {
		req, err := queue.Decode(record.Body)
		if err != nil {
			w.T.Fatal(err)
		}
		requests = append(requests, req)
	}
	return requests
}

// Sweep runs the sweeper once.
func (w *World) Sweep() sweep.Report {
	w.T.Helper()
	report, err := w.Sweeper.Handle(w.T.Context())
	if err != nil {
		w.T.Fatal(err)
	}
	return report
}

// Orphans lists the entity's staged items that nothing names and that have no
// expiry.
func (w *World) Orphans(ref surgical.EntityRef) []string {
	w.T.Helper()
	orphans, err := w.Content.Orphans(w.T.Context(), ref)
	if err != nil {
		w.T.Fatal(err)
	}
	return orphans
}

// Crawl runs the crawler once.
func (w *World) Crawl() crawl.Report {
	w.T.Helper()
	report, err := w.Functions.Crawler.Handle(w.T.Context())
	if err != nil {
		w.T.Fatal(err)
	}
	return report
}
