package model

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"gitlab.com/lorehook/lorehook/internal/api"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/gitlab"
	"gitlab.com/lorehook/lorehook/internal/queue"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/workflow"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakeembedder "gitlab.com/lorehook/lorehook/test/fake/embedder"
	fakesqs "gitlab.com/lorehook/lorehook/test/fake/sqs"
	"gitlab.com/lorehook/lorehook/test/fake/stepfunctions"
)

// frozen is how long a process continues after it froze and thawed.
// Together with longestFlight it stays below the ledger's delay before a
// sweep.
const frozen = 4 * time.Minute

// world is one sequence's AWS and GitLab.
type world struct {
	scheduler
	failf  func(format string, args ...any)
	engine Engine
	tables config.Tables
	db     *dynamodb.Client
	truth  *truth

	requests, hides, bulk, dead *fakesqs.Queue
	machine                     *stepfunctions.Machine
	pending                     []json.RawMessage // started executions that have not run yet
	executing                   []*execution
	fetches                     []*fetch
	ids                         int
	apis                        map[time.Duration]http.Handler

	oracle oracle
	trace  []string
	// mayLag is how far replicas lag at most.
	mayLag time.Duration
	// happened counts faults and other occurrences for the tally.
	happened map[string]int
	log      *slog.Logger
	// environment is shared by all functions, except for their clocks.
	environment cloud.Environment
	// outside are functions whose calls bypass the scheduler.
	outside *cloud.Functions
	// leaves makes docs leave small changes to embed.
	leaves bool
}

// execution is one execution of the state machine.
type execution struct {
	*stepfunctions.Execution
	name    string
	started time.Time
}

func newWorld(engine Engine, tables config.Tables, machine *stepfunctions.Machine, failf func(string, ...any)) *world {
	w := &world{
		engine: engine, tables: tables, machine: machine, failf: failf, truth: newTruth(), happened: map[string]int{}, apis: map[time.Duration]http.Handler{},
		log: slog.New(slog.DiscardHandler),
	}
	w.db = w.client()
	w.dead = fakesqs.New(fakesqs.Options{Name: "dead-letters.fifo", Clock: time.Now, Visibility: surgical.DeadLetterVisibility})
	fifo := func(name string, delay time.Duration) *fakesqs.Queue {
		return fakesqs.New(fakesqs.Options{
			Name: name, Clock: time.Now, Delay: delay, Visibility: surgical.Visibility, DeadLetters: w.dead, MaxReceives: surgical.MaxReceives,
		})
	}
	w.requests, w.hides, w.bulk = fifo("requests.fifo", surgical.Settle), fifo("hides.fifo", 0), fifo("bulk.fifo", surgical.Settle)
	w.environment = cloud.Environment{
		DB: w.db, Tables: tables, SQS: fakesqs.Client([]*fakesqs.Queue{w.requests, w.hides, w.bulk, w.dead}, cloud.InterceptAPI(cloud.SQS, w.service)),
		Requests: w.requests.URL(), Hides: w.hides.URL(), Bulk: w.bulk.URL(), DeadLetters: w.dead.URL(),
		StepFunctions: stepfunctions.Client(func(input json.RawMessage) error {
			w.pending = append(w.pending, input)
			return nil
		}, cloud.InterceptAPI(cloud.StepFunctions, w.service)),
		LeavesToEmbed: func() bool { return w.leaves },
		Embedder:      fakeembedder.Words{}, Jitter: func(time.Duration) time.Duration { return 0 }, Log: w.log,
	}
	w.outside = w.environment.Functions()
	w.oracle = newOracle(w)
	w.applied = w.oracle.after
	return w
}

func (w *world) newID() string {
	w.ids++
	return fmt.Sprintf("id-%d", w.ids)
}

func (w *world) note(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf("%s  ", time.Now().UTC().Format("15:04:05.000"))+fmt.Sprintf(format, args...))
}

// functions returns Lorehook's functions for one process, on its own clock.
func (w *world) functions(p *process) *cloud.Functions {
	client, err := gitlab.NewClient(gitlab.Options{
		BaseURL: "http://gitlab.example.com", Clock: p.now, HTTP: roundTripper{w},
		Token: func(context.Context) (string, error) { return "glpat-not-a-real-token", nil },
	})
	if err != nil {
		panic(err)
	}
	e := w.environment
	e.Clock, e.Fetch, e.Project = p.now, w.recorded(client.Fetch), client.ShowsProject
	return e.Functions()
}

// deliver passes messages, at most the given number, to a worker.
func (w *world) deliver(q *fakesqs.Queue, most int, skew, limit time.Duration) {
	batch := q.Batch(most)
	if len(batch.Records) == 0 {
		return
	}
	var response events.SQSEventResponse
	p := w.spawn("worker", skew, limit, func(p *process) {
		response, _ = w.functions(p).Worker.Handle(p.ctx, batch)
	}, func() {
		q.Done(batch, response)
		w.hideRequestsDone(batch, response)
	})
	for _, record := range batch.Records {
		req := requestOf(record.Body)
		w.note("%s takes %s (%v) of %s", p, req.RunID, req.Targets, q.Name)
	}
}

// hideRequestsDone checks the hide requests of a batch whose messages are deleted.
func (w *world) hideRequestsDone(batch events.SQSEvent, response events.SQSEventResponse) {
	kept := map[string]bool{}
	for _, failure := range response.BatchItemFailures {
		kept[failure.ItemIdentifier] = true
	}
	for _, message := range w.dead.Messages() {
		kept[message.Body] = true
	}
	for _, record := range batch.Records {
		if req := requestOf(record.Body); req.Hides && !kept[record.MessageId] && !kept[record.Body] {
			w.happened["hide requests done"]++
			w.oracle.handled(req)
		}
	}
}

// requestOf decodes a request that Lorehook sent.
func requestOf(body string) surgical.Request {
	req, err := queue.Decode(body)
	if err != nil {
		panic(err)
	}
	return req
}

// sweep starts the sweeper.
func (w *world) sweep(skew time.Duration) {
	w.spawn("sweeper", skew, surgical.SweeperTimeout, func(p *process) {
		_, _ = w.functions(p).Sweeper.Handle(p.ctx) // the next minute's sweep continues
	}, nil)
}

// api returns the API on the process's clock. It is expensive to create.
func (w *world) api(p *process) http.Handler {
	if handler, ok := w.apis[p.skew]; ok {
		return handler
	}
	f := w.functions(p)
	handler, err := api.New(api.Options{
		Runs: f.Ledger, Projects: f.Ledger, Content: f.Content.ForReaders(f.Ledger.ProjectHiddenAt, surgical.Include), Queue: f.ToRequests, Eraser: f.Eraser,
		Allows: func(int64) bool { return true }, Clock: p.now, NewKey: w.newID, Log: w.log,
		RequestID: func(*http.Request) string { return "" },
	})
	if err != nil {
		panic(err)
	}
	w.apis[p.skew] = handler
	return handler
}

// call sends a request to the API.
func (w *world) call(skew time.Duration, method, path, key, body string) {
	w.spawn("api", skew, surgical.APITimeout, func(p *process) {
		r := httptest.NewRequestWithContext(p.ctx, method, path, strings.NewReader(body))
		if body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		if key != "" {
			r.Header.Set("Idempotency-Key", key)
		}
		answer := httptest.NewRecorder()
		w.api(p).ServeHTTP(answer, r)
		w.note("%s %s: %d", method, path, answer.Code)
	}, nil)
}

// execute starts an execution of infra/workflow.asl.json.
func (w *world) execute(input json.RawMessage, skew time.Duration) {
	var in workflow.Input
	if err := json.Unmarshal(input, &in); err != nil {
		panic(err)
	}
	begun, err := w.machine.Start(input)
	if err != nil {
		panic(err)
	}
	e := &execution{Execution: begun, name: fmt.Sprintf("%s %d", in.RunID, in.Generation), started: time.Now()}
	w.executing = append(w.executing, e)
	w.note("execution %s starts", e.name)
	w.enter(e, skew)
}

// enter invokes the function that the execution is waiting for. If its process
// dies, the execution ends as with a timeout.
func (w *world) enter(e *execution, skew time.Duration) {
	call := e.Call()
	var answer json.RawMessage
	var err error
	w.spawn(call.Function, skew, cloud.TimeLimit(call), func(p *process) {
		time.Sleep(call.Wait)
		answer, err = w.functions(p).Invoke(p.ctx, call.Function, call.Payload)
	}, func() {
		if time.Since(e.started) >= w.machine.Timeout {
			e.TimeOut()
		}
		if err != nil {
			e.Fail(stepfunctions.FailureOf(err))
		} else {
			e.Succeed(answer)
		}
		if e.Status == stepfunctions.Running {
			w.enter(e, skew)
		}
	})
}
