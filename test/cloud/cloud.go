// Package cloud runs the whole of Lorehook in one process, for tests of
// what happens when something fails: the real handlers over the SDK's real
// clients, on simulated queues, schedule and executions, with a GitLab that
// answers in process.
//
// Every call to a service passes one boundary, where a test may let it fail,
// and where the process that makes it may die. Within a synctest bubble the
// clock follows the bubble's time, so that pauses and deadlines take none.
//
//	c := cloud.New(t, db, tables)
//	c.Webhook(fakegitlab.IssueRef(7))
//	c.Settle()
//	c.Check(fakegitlab.IssueRef(7))
package cloud

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/gitlab"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/queue"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/sweep"
	"gitlab.com/lorehook/lorehook/internal/webhook"
	"gitlab.com/lorehook/lorehook/internal/webhook/delivery"
	"gitlab.com/lorehook/lorehook/internal/worker"
	"gitlab.com/lorehook/lorehook/internal/workflow"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
	fakesqs "gitlab.com/lorehook/lorehook/test/fake/sqs"
	"gitlab.com/lorehook/lorehook/test/pipeline"
)

// Times of the queues and functions, see infra/queues.go and functions.go.
const (
	Visibility     = 140 * time.Second
	MaxReceives    = 1000
	retention      = 14 * 24 * time.Hour
	workerTimeout  = 120 * time.Second
	stageTimeout   = 50 * time.Second
	closingTimeout = 8 * time.Second
	sweeperTimeout = 60 * time.Second
	apiTimeout     = 29 * time.Second
	webhookTimeout = 10 * time.Second
)

// Cloud is Lorehook and all that it stands on. Its fields may be changed
// before use; Around also in between.
type Cloud struct {
	T      TB
	Clock  *pipeline.Clock
	GitLab *fakegitlab.Server
	// Content and Ledger are the observer's: they pass no boundary.
	Content *content.Store
	Ledger  *ledger.Ledger

	Requests, Bulk, DeadLetters *fakesqs.Queue

	// Rows reads a whole table, past the boundary.
	Rows func(table string) []dynamo.Item

	// APIs lends the handler of the API.
	APIs *APIs

	// Around stands at the boundary; nil lets every call through.
	Around pipeline.Around
	// Fate is what becomes of the work of a process that died.
	Fate Fate
	// Skews are by how much the clocks of the workers differ, one after the
	// other.
	Skews []time.Duration
	// Hurry leaves docs and embed the time for one batch in each generation.
	Hurry bool
	// Unobserved leaves out what is checked after every write.
	Unobserved bool
	// Punctual keeps the sweeper at its minute even if only time has to pass.
	Punctual bool
	// Hopeless is how many more times the embedder fails.
	Hopeless int

	db        *dynamodb.Client // the observer's
	tables    config.Tables
	fetcher   *gitlab.Client // the observer's
	transport http.RoundTripper
	replica   *replica

	worker  *worker.Batch
	docs    *workflow.Runner
	embed   *workflow.Runner
	finish  *workflow.Finish
	abort   *workflow.Abort
	sweeper *sweep.Sweeper
	api     func() http.Handler
	sender  *queue.Sender
	bulk    *queue.Sender
	webhook *webhook.Handler

	mu         sync.Mutex
	executions []workflow.Input
	timers     []timer
	nextSweep  time.Time
	heads      map[surgical.EntityRef]surgical.Head
	keys       atomic.Int64
	polls      int
	skew       atomic.Int64
}

// TB is what a cloud needs of a test.
type TB interface {
	pipeline.TB
	Errorf(format string, args ...any)
}

// Fate is what becomes of the work of a process that died.
type Fate int

// The fates.
const (
	// Redelivered: the queue delivers the message again, the state machine
	// catches the failure of a stage.
	Redelivered Fate = iota
	// Repeated: the state machine runs the whole execution again, a minute
	// later. For a worker the same as Redelivered.
	Repeated
	// Lost: the message is never delivered again, the execution has timed out.
	Lost
)

// New returns a cloud on the tables of the engine.
func New(t TB, db *dynamodb.Client, tables config.Tables) *Cloud {
	t.Helper()
	c := &Cloud{
		T: t, Clock: pipeline.NewClock(time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC)),
		db: db, tables: tables, heads: map[surgical.EntityRef]surgical.Head{},
	}
	c.Rows, c.APIs = c.scan, &APIs{}
	c.Clock.Follow()
	c.GitLab = fakegitlab.New(fakegitlab.Options{Clock: c.Clock.Now, Token: pipeline.Token})
	c.transport = handlerTransport{c.GitLab}
	c.replica = newReplica(c.transport, c.Clock.Now)
	c.Content, c.Ledger = content.NewStore(db, tables.Content, c.Clock.Now), ledger.New(db, tables, c.Clock.Now)
	c.fetcher = c.client(c.transport, c.Clock.Now)
	c.queues()
	c.functions(pipeline.Intercept(db, c.boundary))
	c.nextSweep = c.Clock.Now().Add(sweepInterval)
	return c
}

func (c *Cloud) queues() {
	queue := func(name string) *fakesqs.Queue {
		return fakesqs.New(fakesqs.Options{
			Name: name, Clock: c.Clock.Now, Delay: surgical.Settle, Visibility: Visibility, Retention: retention,
			DeadLetters: c.DeadLetters, MaxReceives: MaxReceives,
		})
	}
	c.DeadLetters = fakesqs.New(fakesqs.Options{Name: "dead-letters.fifo", Clock: c.Clock.Now, Visibility: Visibility, Retention: retention})
	c.Requests, c.Bulk = queue("requests.fifo"), queue("bulk.fifo")
}

// functions wires the functions as their composition roots do.
func (c *Cloud) functions(db *dynamodb.Client) {
	log := slog.New(slog.DiscardHandler)
	sqs := fakesqs.Client([]*fakesqs.Queue{c.Requests, c.Bulk, c.DeadLetters}, pipeline.InterceptAPI(pipeline.SQS, c.boundary))
	machine := &workflow.Starter{Client: c.stepFunctions(), StateMachineARN: "arn:aws:states:us-east-1:000000000000:stateMachine:lorehook"}
	clock := c.Clock.Now
	store, rows := content.NewStore(db, c.tables.Content, clock), ledger.New(db, c.tables, clock)
	workerClock := func() time.Time { return clock().Add(time.Duration(c.skew.Load())) }
	workerStore, workerRows := content.NewStore(db, c.tables.Content, workerClock), ledger.New(db, c.tables, workerClock)
	workerLauncher := &workflow.Launcher{Starter: machine, Ledger: workerRows}
	engine := &worker.Engine{
		DB: db, Ledger: workerRows, Content: workerStore,
		Fetch: c.client(pipeline.InterceptHTTP(c.transport, c.boundary), workerClock).Fetch, Launch: workerLauncher.Launch,
		Allows: func(int64) bool { return true }, Clock: workerClock, Jitter: func(d time.Duration) time.Duration { return d / 2 }, Log: log,
	}
	c.worker = &worker.Batch{
		Process: engine.Process,
		Queue:   &queue.Consumer{Client: sqs, QueueURLs: []string{c.Requests.URL(), c.Bulk.URL()}, DeadLetterURL: c.DeadLetters.URL()},
		Clock:   workerClock, Log: log,
	}
	launcher := &workflow.Launcher{Starter: machine, Ledger: rows}
	c.docs = &workflow.Runner{Ledger: rows, Launcher: launcher, Work: hurried{&workflow.Documents{Content: store}, c}, Log: log}
	c.embed = &workflow.Runner{Ledger: rows, Launcher: launcher, Work: hurried{&workflow.Embeddings{Content: store, Embedder: embedder{c}}, c}, Log: log}
	c.finish, c.abort = &workflow.Finish{Ledger: rows, Log: log}, &workflow.Abort{Ledger: rows, Log: log}
	c.sender, c.bulk = queue.NewSender(sqs, c.Requests.URL()), queue.NewSender(sqs, c.Bulk.URL())
	c.webhook = &webhook.Handler{
		Verifiers: tokens{}, Queue: c.sender, Allows: func(int64) bool { return true }, Clock: clock, Log: log,
	}
	c.sweeper = &sweep.Sweeper{
		Ledger: rows, Content: store, Launcher: launcher, Requests: c.sender, Bulk: c.bulk, Clock: clock, Log: log,
	}
	c.api = sync.OnceValue(func() http.Handler { return c.APIs.lend(c, rows, store) })
}

func (c *Cloud) client(transport http.RoundTripper, clock func() time.Time) *gitlab.Client {
	client, err := gitlab.NewClient(gitlab.Options{
		BaseURL: "https://gitlab.example.com", Clock: clock, HTTP: transport,
		Token: func(context.Context) (string, error) { return pipeline.Token, nil },
	})
	if err != nil {
		c.T.Fatal(err)
	}
	return client
}

// hurried has time for one batch in each generation, if the cloud is in a hurry.
type hurried struct {
	workflow.Work
	cloud *Cloud
}

// Do implements workflow.Work.
func (h hurried) Do(ctx context.Context, run surgical.Run, job *surgical.Job, budget *workflow.Budget) (ledger.Done, error) {
	if h.cloud.Hurry {
		left := 2 // one look before the batch, one within an embed job
		if h.Type() == surgical.JobDocs {
			left = 1
		}
		budget = &workflow.Budget{TimeLeft: func() bool { left--; return left >= 0 }, MayGoOn: budget.MayGoOn}
	}
	return h.Work.Do(ctx, run, job, budget)
}

// embedder is a quick one, for what its vectors say matters to nobody here. It
// fails as often as the cloud says.
type embedder struct{ cloud *Cloud }

const dimensions = 4

// Model implements embedding.Embedder.
func (embedder) Model() string { return "quick" }

// Dimensions implements embedding.Embedder.
func (embedder) Dimensions() int { return dimensions }

// MaxBatch implements embedding.Embedder.
func (embedder) MaxBatch() int { return 64 }

// Embed implements embedding.Embedder.
func (e embedder) Embed(_ context.Context, texts []string) ([][]float32, error) {
	if e.cloud.Hopeless > 0 {
		e.cloud.Hopeless--
		return nil, surgical.NewError(surgical.CodeEmbedFailed, "the embedder is out of reach")
	}
	vectors := make([][]float32, len(texts))
	for i, text := range texts {
		vectors[i] = make([]float32, dimensions)
		vectors[i][len(text)%dimensions] = 1
	}
	return vectors, nil
}

// hookToken is what GitLab's hook is configured with.
const hookToken = "not-a-real-hook-token"

// tokens implements webhook.Verifiers.
type tokens struct{}

// Get implements webhook.Verifiers.
func (tokens) Get(context.Context) (*delivery.Verifier, error) {
	return delivery.NewVerifier(nil, []string{hookToken})
}

// Refresh implements webhook.Verifiers.
func (t tokens) Refresh(ctx context.Context) (*delivery.Verifier, bool, error) {
	v, err := t.Get(ctx)
	return v, false, err
}
