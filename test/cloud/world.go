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
	"gitlab.com/lorehook/lorehook/internal/embedding"
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
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
	fakesqs "gitlab.com/lorehook/lorehook/test/fake/sqs"
	"gitlab.com/lorehook/lorehook/test/fake/stepfunctions"
)

// Token is what the demo GitLab of a test asks for.
const Token = "glpat-not-a-real-token"

// World is a cloud that a test drives by hand: it calls the functions itself,
// one after the other, where a [Cloud] is driven by its queues and schedule. Its
// GitLab answers over loopback HTTP, time passes only as the test says, and what
// the functions print is kept. Fields may be changed before use.
type World struct {
	*Cloud
	*Functions

	// Fetch is the real client's, which a test may wrap.
	Fetch  Fetch
	DB     *dynamodb.Client
	Tables config.Tables
	// Content and Ledger are also the functions'.
	Content *content.Store
	Ledger  *ledger.Ledger
	// Workflow starts executions and remembers them for [World.Drive].
	Workflow *Executor
	// Output is what all functions wrote to standard output, logs and metrics.
	Output Output
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
	client, err := gitlab.NewClient(gitlab.Options{
		BaseURL: server.URL, Clock: w.Clock.Now, HTTP: transport,
		Token: func(context.Context) (string, error) { return Token, nil }, Meter: w.Meter(),
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Fetch = client.Fetch
	e := w.environment(db)
	e.Fetch = func(ctx context.Context, ref surgical.EntityRef) (surgical.Snapshot, error) { return w.Fetch(ctx, ref) }
	e.Embedder, e.Jitter = embedding.Lexical{}, func(time.Duration) time.Duration { return 0 }
	e.Log, e.Meter, e.NewTrace, e.Verifiers = w.Logger(), w.Meter(), trace.Source(rand.Reader), tokens{}
	w.Functions = e.Functions()
	w.Content, w.Ledger = w.Functions.Content, w.Functions.Ledger
	w.Cloud.Content, w.Cloud.Ledger, w.Cloud.functions, w.Cloud.worker = w.Content, w.Ledger, w.Functions, w.Functions
	w.Workflow = &Executor{Starter: w.Starter, cloud: w.Cloud}
	return w
}

// Logger returns a logger into the world's output, of every level.
func (w *World) Logger() *slog.Logger { return logs.New(&w.Output, slog.LevelDebug) }

// Meter returns a meter into the world's output.
func (w *World) Meter() *metrics.Emitter { return metrics.New(&w.Output, "lorehook", w.Clock.Now) }

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

// Batch returns the worker, with another queue.
func (w *World) Batch(queue worker.Queue) *worker.Batch {
	batch := *w.Worker
	batch.Queue = queue
	return &batch
}

// Deliver waits until the request has settled and processes it once, alone. The
// error is why the message waits, or nil.
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
	for input, ok := w.takeExecution(); ok; input, ok = w.takeExecution() {
		e, err := w.machine.Start(input)
		if err != nil {
			w.T.Fatal(err)
		}
		for e.Status == stepfunctions.Running {
			call := e.Call()
			answer, err := w.Invoke(w.T.Context(), call.Function, call.Payload)
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

// Executor starts executions, which [World.Drive] runs.
type Executor struct {
	*workflow.Starter
	cloud *Cloud
}

// Forget drops what was started, as if Step Functions had lost it.
func (e *Executor) Forget() { e.cloud.Forget() }

// Sent takes what was sent to the queues since the last call, past their delays.
func (w *World) Sent() events.SQSEvent {
	var all events.SQSEvent
	for _, q := range []*fakesqs.Queue{w.Requests, w.Bulk} {
		all.Records = append(all.Records, q.Take().Records...)
	}
	return all
}

// Resent are the requests that were sent to the queues since the last call.
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

// Sweep lets the sweeper run once.
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
