// Package pipeline assembles the whole pipeline in one process, for tests:
// the demo GitLab over loopback HTTP, the worker, the stages and the ledgers
// on a real DynamoDB engine, a controlled clock, and an executor that orders
// the stages as the state machine does.
package pipeline

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/embedding"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/function/trace"
	"gitlab.com/lorehook/lorehook/internal/gitlab"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/queue"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/worker"
	"gitlab.com/lorehook/lorehook/internal/workflow"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
	"gitlab.com/lorehook/lorehook/test/fake/stepfunctions"
)

// Token is what the demo GitLab of a test asks for.
const Token = "glpat-not-a-real-token"

// World is one pipeline with its GitLab. Its fields may be changed before use.
type World struct {
	T      TB
	Clock  *Clock
	GitLab *fakegitlab.Server
	// Fetcher is the real client, which a test may wrap.
	Fetcher Fetcher

	DB       *dynamodb.Client
	Tables   config.Tables
	Content  *content.Store
	Ledger   *ledger.Ledger
	Engine   *worker.Engine
	Workflow *Executor
	Docs     *workflow.Runner
	Embed    *workflow.Runner
	Finish   *workflow.Finish
	Abort    *workflow.Abort

	// Resent is what the sweeper sent again.
	Resent Sent
	// Output is what all parts wrote to standard output, logs and metrics.
	Output Output

	keys atomic.Int64
}

// TB is what a world needs of a test. A program that is none, such as a
// benchmark's, brings its own.
type TB interface {
	Helper()
	Context() context.Context
	Cleanup(func())
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// New returns a world on the engine's tables. Each watch wraps the transport of
// the requests to GitLab.
func New(t TB, db *dynamodb.Client, tables config.Tables, watch ...func(http.RoundTripper) http.RoundTripper) *World {
	t.Helper()
	clock := NewClock(time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC))
	w := &World{T: t, Clock: clock, DB: db, Tables: tables}
	log, meter := w.Logger(), w.Meter()
	w.GitLab = fakegitlab.New(fakegitlab.Options{Clock: clock.Now, Token: Token})
	server := httptest.NewServer(w.GitLab)
	t.Cleanup(server.Close)
	var transport http.RoundTripper = &http.Transport{MaxIdleConnsPerHost: 64}
	for _, wrap := range watch {
		transport = wrap(transport)
	}
	client, err := gitlab.NewClient(gitlab.Options{
		BaseURL: server.URL, Clock: clock.Now, HTTP: transport,
		Token: func(context.Context) (string, error) { return Token, nil }, Meter: meter,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Fetcher = client
	w.Content = content.NewStore(db, tables.Content, clock.Now)
	w.Ledger = ledger.New(db, tables, clock.Now).Metered(meter)
	w.Workflow = &Executor{}
	launcher := w.Launcher()
	w.Engine = &worker.Engine{
		DB: db, Ledger: w.Ledger, Content: w.Content, Fetch: func(ctx context.Context, ref surgical.EntityRef) (surgical.Snapshot, error) {
			return w.Fetcher.Fetch(ctx, ref)
		},
		Launch: launcher.Launch, Allows: func(int64) bool { return true },
		Clock: clock.Now, Jitter: func(time.Duration) time.Duration { return 0 }, Log: log, Meter: meter,
	}
	w.Docs = &workflow.Runner{Ledger: w.Ledger, Launcher: launcher, Work: &workflow.Documents{Content: w.Content}, Log: log, Meter: meter}
	w.Embed = &workflow.Runner{Ledger: w.Ledger, Launcher: launcher, Work: &workflow.Embeddings{Content: w.Content, Embedder: embedding.Lexical{}}, Log: log, Meter: meter}
	w.Finish = &workflow.Finish{Ledger: w.Ledger, Log: log}
	w.Abort = &workflow.Abort{Ledger: w.Ledger, Log: log}
	return w
}

// Fetcher fetches one entity.
type Fetcher interface {
	Fetch(ctx context.Context, ref surgical.EntityRef) (surgical.Snapshot, error)
}

// Request returns a request for the targets, as if it had been accepted now.
func (w *World) Request(origin surgical.Origin, refs ...surgical.EntityRef) surgical.Request {
	key := fmt.Sprintf("key-%d", w.keys.Add(1))
	req := surgical.Request{
		RunID: surgical.RunID(origin, key), ProjectID: refs[0].ProjectID, Origin: origin, IdempotencyKey: key, EventAt: w.Clock.Now(),
	}
	for _, ref := range refs {
		req.Targets = append(req.Targets, ref.Target)
	}
	return req
}

// Message wraps a request as the queue delivers it, settled and by itself.
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

// Batch returns a worker over this world's processor.
func (w *World) Batch(queue worker.Queue) *worker.Batch {
	return &worker.Batch{
		Process: w.Engine.Process, Queue: queue, Clock: w.Clock.Now, Log: w.Logger(), Meter: w.Meter(), NewTrace: trace.Source(rand.Reader),
	}
}

// Deliver waits until the request has settled and processes it once, alone.
// The error is why the message waits, or nil.
func (w *World) Deliver(req surgical.Request) (worker.Verdict, error) {
	msg := w.Message(req)
	w.Clock.AdvanceTo(msg.NotBefore)
	return w.Process(msg)
}

// Process processes the message now, alone.
func (w *World) Process(msg worker.Message) (worker.Verdict, error) {
	verdict := w.Engine.Process(w.T.Context(), msg, true)
	wait, _ := verdict.(worker.Wait)
	return verdict, wait.Cause
}

// Deleted reports whether the verdict takes the message off its queue.
func Deleted(v worker.Verdict) bool { return v == worker.Done{} || v == worker.DeadLetter{} }

// After is how long the verdict makes the message wait.
func After(v worker.Verdict) time.Duration {
	wait, _ := v.(worker.Wait)
	return wait.After
}

// Sync delivers the request and runs its workflow. Anything but success ends
// the test.
func (w *World) Sync(req surgical.Request) surgical.Run {
	w.T.Helper()
	if verdict, err := w.Deliver(req); !Deleted(verdict) {
		w.T.Fatalf("sync of %v: verdict %v, %v", req.Targets, verdict, err)
	}
	w.Drive()
	run := w.Run(req.RunID)
	if run.Status != surgical.StatusSucceeded {
		w.T.Fatalf("sync of %v: %s, %v", req.Targets, run.Status, run.Error)
	}
	return run
}

// Webhook syncs the entity as a webhook's event of now would, later than the
// interval in which webhooks do not fetch again.
func (w *World) Webhook(ref surgical.EntityRef) surgical.Run {
	w.T.Helper()
	w.Clock.Advance(6 * time.Second)
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

// Entity reads an entity as any reader does.
func (w *World) Entity(ref surgical.EntityRef) content.Entity {
	w.T.Helper()
	entity, err := w.Content.Read(w.T.Context(), ref)
	if err != nil {
		w.T.Fatal(err)
	}
	return entity
}

// Drive runs every execution that was started, until none is left.
func (w *World) Drive() {
	w.T.Helper()
	for in, ok := w.Workflow.take(); ok; in, ok = w.Workflow.take() {
		if err := w.execute(w.T.Context(), in); err != nil {
			w.T.Fatal(err)
		}
	}
}

// execute orders the stages as infra/workflow.asl.json does.
func (w *World) execute(ctx context.Context, in workflow.Input) error {
	result, err := w.Docs.Handle(ctx, in)
	if err != nil {
		return w.abort(ctx, in, "docs", err)
	}
	if result.Outcome != workflow.Done {
		return nil
	}
	if result.DocumentsRegenerated > 0 && !result.NoEmbed {
		if result, err = w.Embed.Handle(ctx, in); err != nil {
			return w.abort(ctx, in, "embed", err)
		}
		if result.Outcome != workflow.Done {
			return nil
		}
	}
	if _, err = w.Finish.Handle(ctx, in); err != nil {
		return w.abort(ctx, in, "finish", err)
	}
	return nil
}

// abort is handed the error's name alone, as Step Functions does: the name of
// its Go type.
func (w *World) abort(ctx context.Context, in workflow.Input, stage string, cause error) error {
	kind := reflect.TypeOf(cause)
	if kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	_, err := w.Abort.Handle(ctx, workflow.AbortInput{Input: in, Stage: stage, Error: kind.Name()})
	return err
}

// Launcher starts executions that [World.Drive] runs.
func (w *World) Launcher() *workflow.Launcher {
	client := stepfunctions.Client(func(_ context.Context, in *sfn.StartExecutionInput) error {
		var input workflow.Input
		if err := json.Unmarshal([]byte(*in.Input), &input); err != nil {
			return err
		}
		w.Workflow.add(input)
		return nil
	})
	return &workflow.Launcher{Starter: &workflow.Starter{Client: client, StateMachineARN: "arn"}, Ledger: w.Ledger}
}

// Executor remembers which executions were started.
type Executor struct {
	mu      sync.Mutex
	started []workflow.Input
}

func (e *Executor) add(in workflow.Input) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.started = append(e.started, in)
}

// Forget drops what was started, as if Step Functions had lost it.
func (e *Executor) Forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.started = nil
}

func (e *Executor) take() (workflow.Input, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.started) == 0 {
		return workflow.Input{}, false
	}
	in := e.started[0]
	e.started = e.started[1:]
	return in, true
}

// Clock is a clock that a test moves. Every look at it takes a microsecond, so
// that no two events fall on one instant.
type Clock struct {
	micros    atomic.Int64
	following atomic.Pointer[time.Time]
}

// NewClock returns a clock that starts at the time.
func NewClock(start time.Time) *Clock {
	c := &Clock{}
	c.micros.Store(start.UnixMicro())
	return c
}

// Follow lets the clock run on with the process's, for a test in a synctest
// bubble: pauses and deadlines then pass on both.
func (c *Clock) Follow() {
	now := time.Now()
	c.following.Store(&now)
}

// passed is how long the clock has followed.
func (c *Clock) passed() int64 {
	if since := c.following.Load(); since != nil {
		return time.Since(*since).Microseconds()
	}
	return 0
}

// Now returns the time.
func (c *Clock) Now() time.Time { return time.UnixMicro(c.micros.Add(1) + c.passed()).UTC() }

// Advance moves the clock forward.
func (c *Clock) Advance(d time.Duration) { c.micros.Add(d.Microseconds()) }

// AdvanceTo moves the clock to the time, if that is ahead.
func (c *Clock) AdvanceTo(t time.Time) {
	for {
		now, target := c.micros.Load(), t.UnixMicro()-c.passed()
		if now >= target || c.micros.CompareAndSwap(now, target) {
			return
		}
	}
}
