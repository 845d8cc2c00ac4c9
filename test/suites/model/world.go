package model

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"gitlab.com/lorehook/lorehook/internal/api"
	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/embedding"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/gitlab"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/sweep"
	"gitlab.com/lorehook/lorehook/internal/worker"
	"gitlab.com/lorehook/lorehook/internal/workflow"
)

const (
	// Timeouts of the functions, as the stack has them.
	workerTimeout = 120 * time.Second
	stageTimeout  = 50 * time.Second
	shortTimeout  = 30 * time.Second
	sweepTimeout  = 50 * time.Second
	// executionTimeout ends an execution without a catch.
	executionTimeout = 268 * time.Second
	// frozen is how long a process goes on that froze and thawed. Together with
	// longestFlight it stays below the ledger's delay before a sweep.
	frozen = 4 * time.Minute
)

// world is one sequence's AWS and GitLab.
type world struct {
	scheduler
	failf  func(format string, args ...any)
	engine Engine
	tables config.Tables
	db     *dynamodb.Client
	truth  *truth

	requests, bulk *fifo
	dead           []surgical.Request
	pending        []execution
	executing      []*execution
	fetches        []*fetch
	ids            int
	apis           map[time.Duration]http.Handler

	oracle oracle
	trace  []string
	// happened counts faults and the like, for the tally.
	happened map[string]int
	log      *slog.Logger
}

// execution is one execution of the state machine.
type execution struct {
	run        string
	generation int64
	state      string
	tries      int
	started    time.Time
	over       bool
}

func newWorld(engine Engine, tables config.Tables, failf func(string, ...any)) *world {
	w := &world{engine: engine, tables: tables, failf: failf, truth: newTruth(), happened: map[string]int{}, apis: map[time.Duration]http.Handler{}, log: slog.New(slog.DiscardHandler)}
	w.db = w.client()
	w.requests = &fifo{name: "requests", delay: surgical.Settle, seen: map[string]time.Time{}, dead: &w.dead}
	w.bulk = &fifo{name: "bulk", seen: map[string]time.Time{}, dead: &w.dead}
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

// parts of the pipeline as one process has them, on its own clock.
func (w *world) ledger(p *process) *ledger.Ledger { return ledger.New(w.db, w.tables, p.now) }
func (w *world) content(p *process) *content.Store {
	return content.NewStore(w.db, w.tables.Content, p.now)
}

func (w *world) worker(p *process) *worker.Engine {
	client, err := gitlab.NewClient(gitlab.Options{
		BaseURL: "http://gitlab.example.com", Clock: p.now, HTTP: roundTripper{w},
		Token: func(context.Context) (string, error) { return "glpat-not-a-real-token", nil },
	})
	if err != nil {
		panic(err)
	}
	ledger, content := w.ledger(p), w.content(p)
	return &worker.Engine{
		DB: w.db, Ledger: ledger, Content: content, Fetch: recorder{w, client}.Fetch,
		Launch: w.launcher(p).Launch, Allows: func(int64) bool { return true },
		Clock: p.now, Jitter: func(time.Duration) time.Duration { return 0 }, Log: w.log,
	}
}

// deliver hands the messages to a worker.
func (w *world) deliver(q *fifo, list []*message, skew, limit time.Duration) {
	event, receipts := q.receive(list)
	if len(receipts) == 0 {
		return
	}
	var response events.SQSEventResponse
	p := w.spawn("worker", skew, limit, func(p *process) {
		batch := &worker.Batch{Process: w.worker(p).Process, Queue: &workerQueue{w, q, receipts}, Clock: p.now, Log: w.log}
		response, _ = batch.Handle(p.ctx, event)
	}, func() {
		left := map[string]bool{}
		for _, failure := range response.BatchItemFailures {
			left[failure.ItemIdentifier] = true
		}
		for _, r := range receipts {
			if !left[r.m.id] && r.valid() {
				q.remove(r.m)
			}
		}
	})
	for _, r := range receipts {
		w.note("%s takes %s (%v) of %s", p, r.m.request.RunID, r.m.request.Targets, q.name)
	}
}

// workerQueue implements worker.Queue.
type workerQueue struct {
	w        *world
	q        *fifo
	receipts []receipt
}

func (q *workerQueue) receipt(record events.SQSMessage) (receipt, bool) {
	for _, r := range q.receipts {
		if r.m.id == record.MessageId {
			return r, r.valid()
		}
	}
	return receipt{}, false
}

// Delay implements worker.Queue.
func (q *workerQueue) Delay(ctx context.Context, record events.SQSMessage, seconds int32) error {
	return q.w.leave(ctx, "hide "+record.MessageId, func() {
		if r, ok := q.receipt(record); ok {
			r.m.visibleAt = time.Now().Add(time.Duration(seconds) * time.Second)
		}
	})
}

// DeadLetter implements worker.Queue.
func (q *workerQueue) DeadLetter(ctx context.Context, record events.SQSMessage) error {
	return q.w.leave(ctx, "dead letter "+record.MessageId, func() {
		for _, r := range q.receipts {
			if r.m.id == record.MessageId {
				q.w.dead = append(q.w.dead, r.m.request)
			}
		}
	})
}

// sweep starts the sweeper.
func (w *world) sweep(skew time.Duration) {
	w.spawn("sweeper", skew, sweepTimeout, func(p *process) {
		s := &sweep.Sweeper{
			Ledger: w.ledger(p), Content: w.content(p), Launcher: w.launcher(p),
			Requests: outbox{w, w.requests}, Bulk: outbox{w, w.bulk}, Clock: p.now, Log: w.log,
		}
		_, _ = s.Handle(p.ctx) // the next minute's goes on
	}, nil)
}

// api is the API on the process's clock. It is costly to make.
func (w *world) api(p *process) http.Handler {
	if handler, ok := w.apis[p.skew]; ok {
		return handler
	}
	handler, err := api.New(api.Options{
		Runs: w.ledger(p), Content: w.content(p), Queue: outbox{w, w.requests},
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
	w.spawn("api", skew, shortTimeout, func(p *process) {
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

// execute starts an execution of the state machine.
func (w *world) execute(e execution, skew time.Duration) {
	e.state, e.started = "docs", time.Now()
	w.executing = append(w.executing, &e)
	w.note("execution %s %d begins", e.run, e.generation)
	w.enter(&e, skew)
}

// enter runs the function of the execution's state, as infra/workflow.asl.json
// orders them.
func (w *world) enter(e *execution, skew time.Duration) {
	in := workflow.Input{RunID: e.run, Generation: e.generation}
	var result workflow.Result
	var err error
	e.tries++
	w.spawn(e.state, skew, stageTimeout, func(p *process) {
		switch e.state {
		case "docs":
			runner := &workflow.Runner{Ledger: w.ledger(p), Launcher: w.launcher(p), Work: &workflow.Documents{Content: w.content(p)}, Log: w.log}
			result, err = runner.Handle(p.ctx, in)
		case "embed":
			runner := &workflow.Runner{Ledger: w.ledger(p), Launcher: w.launcher(p), Work: &workflow.Embeddings{Content: w.content(p), Embedder: embedding.Lexical{}}, Log: w.log}
			result, err = runner.Handle(p.ctx, in)
		case "finish":
			result, err = (&workflow.Finish{Ledger: w.ledger(p), Log: w.log}).Handle(p.ctx, in)
		default:
			failed, _ := strings.CutPrefix(e.state, "abort ")
			result, err = (&workflow.Abort{Ledger: w.ledger(p), Log: w.log}).Handle(p.ctx, workflow.AbortInput{Input: in, Stage: failed, Error: "States.TaskFailed"})
		}
	}, func() { w.left(e, skew, result, err) })
}

// left goes on with the execution when the function of its state has ended.
func (w *world) left(e *execution, skew time.Duration, result workflow.Result, err error) {
	e.over = e.over || time.Since(e.started) >= executionTimeout
	if e.over {
		return
	}
	next := "end"
	switch {
	case err != nil && errors.As(err, new(workflow.Transient)) && e.tries < 2:
		w.enter(e, skew)
		return
	case err != nil && !strings.HasPrefix(e.state, "abort "):
		next = "abort " + e.state
	case err == nil && result.Outcome == workflow.Done:
		next = w.after(e.state, result)
	}
	e.state, e.tries = next, 0
	if next == "end" {
		e.over = true
		return
	}
	w.enter(e, skew)
}

func (w *world) after(state string, result workflow.Result) string {
	switch {
	case state == "docs" && !result.NoEmbed && result.DocumentsRegenerated > 0:
		return "embed"
	case state == "docs", state == "embed":
		return "finish"
	}
	return "end"
}
