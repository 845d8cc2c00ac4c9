// Package cloud runs all of Lorehook in one process, to test what happens when
// something fails: the real handlers and SDK clients, on simulated queues,
// schedule and executions, with an in-process GitLab.
//
// Every call to a service passes one boundary, where a test can make it fail or
// kill the process that makes it. Within a synctest bubble the clock follows
// the bubble's time, so pauses and deadlines take no real time.
//
// A [World] is a cloud that a test drives by hand, function by function, on any
// engine. Both wire the functions through [Environment].
//
//	c := cloud.New(t, db, tables)
//	c.Webhook(fakegitlab.IssueRef(7))
//	c.Settle()
//	c.Check(fakegitlab.IssueRef(7))
package cloud

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/embedding"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/gitlab"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/webhook/delivery"
	"gitlab.com/lorehook/lorehook/internal/workflow"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
	fakesqs "gitlab.com/lorehook/lorehook/test/fake/sqs"
	"gitlab.com/lorehook/lorehook/test/fake/stepfunctions"
)

// Cloud is Lorehook with all the services it uses. Its fields may be changed
// before use; Around also later.
type Cloud struct {
	T      TB
	Clock  *Clock
	GitLab *fakegitlab.Server
	// Content and Ledger are the observer's: they bypass the boundary.
	Content *content.Store
	Ledger  *ledger.Ledger

	Requests, Hides, Bulk, DeadLetters *fakesqs.Queue

	// Rows reads a whole table, bypassing the boundary.
	Rows func(table string) []dynamo.Item

	// LendAPI returns the handler of the manual API, usually cloudapi's. A
	// cloud without it has no API.
	LendAPI func(*Cloud, *Functions) http.Handler

	// Around intercepts the calls at the boundary; nil lets every call through.
	Around Around
	// Fate decides about the work of a process that died.
	Fate Fate
	// Skews are the clock differences of successive workers, in rotation.
	Skews []time.Duration
	// Hurry leaves docs and embed only enough time for one batch per
	// generation.
	Hurry bool
	// LeaveToEmbed makes docs leave small changes to embed, as it does with large ones.
	LeaveToEmbed bool
	// Parallel runs executions that wait at the same time, each with its time.
	Parallel bool
	// Starts reports whether Lambda starts an invocation of the function. If not,
	// the state machine receives Lambda.TooManyRequestsException, a message stays
	// hidden for its visibility timeout, and a client receives a 502; nil starts all.
	Starts func(function string) bool
	// Embedder takes the place of the quick one.
	Embedder embedding.Embedder
	// Unobserved skips the checks after every write.
	Unobserved bool
	// Punctual runs the sweeper every minute even when only time has to pass.
	Punctual bool
	// Crawls runs the crawler with the sweeper.
	Crawls bool
	// Hopeless is how many more times the embedder fails transiently, Refusing how
	// many more times it refuses the texts.
	Hopeless, Refusing int

	db        *dynamodb.Client // the observer's
	tables    config.Tables
	fetcher   *gitlab.Client // the observer's
	transport http.RoundTripper
	replica   *replica
	machine   *stepfunctions.Machine

	functions *Functions
	worker    *Functions // the worker's, on its own clock
	api       func() http.Handler

	mu         sync.Mutex
	executions []json.RawMessage
	timers     []timer
	nextSweep  time.Time
	heads      map[surgical.EntityRef]surgical.Head
	keys       atomic.Int64
	polls      int
	skew       atomic.Int64
	denied     sync.Map // what authorize reported
}

// TB is what a cloud needs of a test. A program such as a benchmark brings its
// own implementation.
type TB interface {
	Helper()
	Context() context.Context
	Cleanup(func())
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// Fate is what happens to the work of a process that died.
type Fate int

// The fates.
const (
	// Redelivered: the queue delivers the message again, or the state machine
	// catches the stage's failure.
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
	c := newCloud(t, db, tables)
	c.Clock.Follow()
	c.GitLab = fakegitlab.New(fakegitlab.Options{Clock: c.Clock.Now, Token: Token})
	c.transport = handlerTransport{c.GitLab}
	c.replica = newReplica(c.transport, c.Clock.Now)
	c.Content, c.Ledger = content.NewStore(db, tables.Content, c.Clock.Now), ledger.New(db, tables, c.Clock.Now)
	c.fetcher = c.client(c.transport, c.Clock.Now)
	e := c.environment(Intercept(db, c.boundary))
	e.Jitter = func(d time.Duration) time.Duration { return d / 2 }
	e.Embedder, e.Log, e.Verifiers = embedder{c}, slog.New(slog.DiscardHandler), tokens{}
	e.Work = func(w workflow.Work) workflow.Work { return hurried{w, c} }
	e.Lists = c.client(InterceptHTTP(c.transport, c.boundary), e.Clock)
	c.functions = e.Functions()
	e.Clock = func() time.Time { return c.Clock.Now().Add(time.Duration(c.skew.Load())) }
	client := c.client(InterceptHTTP(c.transport, c.boundary), e.Clock)
	e.Fetch, e.Project = client.Fetch, client.ShowsProject
	c.worker = e.Functions()
	c.api = sync.OnceValue(func() http.Handler { return c.LendAPI(c, c.functions) })
	c.nextSweep = c.Clock.Now().Add(surgical.SweepInterval)
	return c
}

// newCloud returns a cloud with queues and a state machine, but without
// functions.
func newCloud(t TB, db *dynamodb.Client, tables config.Tables) *Cloud {
	t.Helper()
	c := &Cloud{
		T: t, Clock: NewClock(time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC)),
		db: db, tables: tables, heads: map[surgical.EntityRef]surgical.Head{},
	}
	c.Rows = c.scan
	var err error
	if c.machine, err = machine(); err != nil {
		t.Fatal(err)
	}
	c.queues()
	return c
}

// machine parses the definition once, because thousands of clouds run it.
var machine = sync.OnceValues(stepfunctions.Load)

// environment returns the functions' environment, without the parts that the
// cloud does not define.
func (c *Cloud) environment(db *dynamodb.Client) Environment {
	return Environment{
		DB: db, Tables: c.tables, Clock: c.Clock.Now,
		SQS:      fakesqs.Client([]*fakesqs.Queue{c.Requests, c.Hides, c.Bulk, c.DeadLetters}, InterceptAPI(SQS, c.boundary)),
		Requests: c.Requests.URL(), Hides: c.Hides.URL(), Bulk: c.Bulk.URL(), DeadLetters: c.DeadLetters.URL(),
		StepFunctions: c.stepFunctions(),
		LeavesToEmbed: func() bool { return c.LeaveToEmbed },
	}
}

func (c *Cloud) queues() {
	queue := func(name string, delay time.Duration) *fakesqs.Queue {
		return fakesqs.New(fakesqs.Options{
			Name: name, Clock: c.Clock.Now, Delay: delay, Visibility: surgical.Visibility, Retention: surgical.Retention,
			DeadLetters: c.DeadLetters, MaxReceives: surgical.MaxReceives,
		})
	}
	c.DeadLetters = fakesqs.New(fakesqs.Options{Name: "dead-letters.fifo", Clock: c.Clock.Now, Visibility: surgical.DeadLetterVisibility, Retention: surgical.Retention})
	c.Requests, c.Hides, c.Bulk = queue("requests.fifo", surgical.Settle), queue("hides.fifo", 0), queue("bulk.fifo", surgical.Settle)
}

func (c *Cloud) client(transport http.RoundTripper, clock func() time.Time) *gitlab.Client {
	client, err := gitlab.NewClient(gitlab.Options{
		BaseURL: "https://gitlab.example.com", Clock: clock, HTTP: transport,
		Token: func(context.Context) (string, error) { return Token, nil },
	})
	if err != nil {
		c.T.Fatal(err)
	}
	return client
}

// hurried has time for one batch per generation if Hurry is set.
type hurried struct {
	workflow.Work
	cloud *Cloud
}

// Do implements workflow.Work.
func (h hurried) Do(ctx context.Context, run surgical.Run, job *surgical.Job, budget *workflow.Budget) (ledger.Done, error) {
	if h.cloud.Hurry {
		left := 2 // one check before the batch, one within an embed job
		if h.Type() == surgical.JobDocs {
			left = 1
		}
		budget = &workflow.Budget{TimeLeft: func() bool { left--; return left >= 0 }, MayGoOn: budget.MayGoOn}
	}
	return h.Work.Do(ctx, run, job, budget)
}

// embedder is a fast one with meaningless vectors, which nothing here depends
// on. It fails as often as the cloud's Hopeless and Refusing say.
type embedder struct{ cloud *Cloud }

const dimensions = 4

// Model implements embedding.Embedder.
func (embedder) Model() string { return "quick" }

// Dimensions implements embedding.Embedder.
func (e embedder) Dimensions() int {
	if e.cloud.Embedder != nil {
		return e.cloud.Embedder.Dimensions()
	}
	return dimensions
}

// MaxBatch implements embedding.Embedder.
func (embedder) MaxBatch() int { return 64 }

// Embed implements embedding.Embedder.
func (e embedder) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	if e.cloud.Hopeless > 0 {
		e.cloud.Hopeless--
		return nil, surgical.NewError(surgical.CodeEmbedFailed, "the embedder is out of reach")
	}
	if e.cloud.Refusing > 0 {
		e.cloud.Refusing--
		refused := surgical.NewError(surgical.CodeEmbedFailed, "the embedder refuses the texts")
		refused.Retryable = false
		return nil, refused
	}
	if e.cloud.Embedder != nil {
		return e.cloud.Embedder.Embed(ctx, texts)
	}
	vectors := make([][]float32, len(texts))
	for i, text := range texts {
		vectors[i] = make([]float32, dimensions)
		vectors[i][len(text)%dimensions] = 1
	}
	return vectors, nil
}

// hookToken is the secret token of GitLab's hook.
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
