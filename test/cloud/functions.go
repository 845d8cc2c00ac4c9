package cloud

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"gitlab.com/lorehook/lorehook/internal/awsapi"
	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/crawl"
	"gitlab.com/lorehook/lorehook/internal/embedding"
	"gitlab.com/lorehook/lorehook/internal/erasure"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/function/metrics"
	"gitlab.com/lorehook/lorehook/internal/gitlab"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/queue"
	"gitlab.com/lorehook/lorehook/internal/room"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/sweep"
	"gitlab.com/lorehook/lorehook/internal/webhook"
	"gitlab.com/lorehook/lorehook/internal/worker"
	"gitlab.com/lorehook/lorehook/internal/workflow"
	"gitlab.com/lorehook/lorehook/test/fake/stepfunctions"
)

// Environment holds what the functions depend on. All fields are required
// unless stated otherwise.
type Environment struct {
	DB     *dynamodb.Client
	Tables config.Tables
	SQS    *awsapi.SQS
	// URLs of the two queues.
	Requests, Hides, Bulk, DeadLetters string
	StepFunctions                      *awsapi.StepFunctions
	// Fetch is usually the GitLab client's.
	Fetch Fetch
	// Lists reads GitLab's lists, for the crawler only.
	Lists *gitlab.Client
	// Project is the GitLab client's.
	Project func(ctx context.Context, projectID int64) (int, error)
	// Embedder may be nil: then there is no model.
	Embedder embedding.Embedder
	Clock    func() time.Time
	Jitter   func(time.Duration) time.Duration
	Log      *slog.Logger
	// Verifiers is for the webhook function only.
	Verifiers webhook.Verifiers
	// LeavesToEmbed, if set, says whether docs leaves small changes to embed, as it does
	// with large ones.
	LeavesToEmbed func() bool
	// Work, if set, wraps the work that docs and embed do for a job.
	Work func(workflow.Work) workflow.Work
	// Meter and NewTrace may be nil.
	Meter    *metrics.Emitter
	NewTrace func(context.Context) string
}

// Fetch fetches a complete entity, as gitlab.Client does; a test may replace
// it.
type Fetch = func(ctx context.Context, ref surgical.EntityRef) (surgical.Snapshot, error)

// Functions are Lorehook's functions on one environment.
type Functions struct {
	Content  *content.Store
	Ledger   *ledger.Ledger
	Starter  *workflow.Starter
	Launcher *workflow.Launcher
	Engine   *worker.Engine
	Worker   *worker.Batch
	Docs     *workflow.Runner
	Embed    *workflow.Runner
	Finish   *workflow.Finish
	Abort    *workflow.Abort
	Sweeper  *sweep.Sweeper
	// Eraser is that of the sweeper and of the API.
	Eraser  *erasure.Eraser
	Crawler *crawl.Crawler
	Hook    *webhook.Handler
	// ToRequests, ToHides and ToBulk send requests to the queues.
	ToRequests, ToHides, ToBulk *queue.Sender

	clock  func() time.Time
	leaves func() bool
}

// Functions wires the functions as their mains under functions/ do. Nothing
// else under test/ does.
func (e Environment) Functions() *Functions {
	all := func(int64) bool { return true }
	f := &Functions{
		Content: content.NewStore(e.DB, e.Tables.Content, e.Clock),
		Ledger:  ledger.New(e.DB, e.Tables, e.Clock),
		Starter: &workflow.Starter{Client: e.StepFunctions, StateMachineARN: stepfunctions.ARN},
	}
	if e.Meter != nil {
		f.Ledger = f.Ledger.Metered(e.Meter)
	}
	f.ToRequests, f.ToHides, f.ToBulk = queue.NewSender(e.SQS, e.Requests), queue.NewSender(e.SQS, e.Hides), queue.NewSender(e.SQS, e.Bulk)
	f.Launcher = &workflow.Launcher{Starter: f.Starter, Ledger: f.Ledger}
	f.Engine = &worker.Engine{
		DB: e.DB, Ledger: f.Ledger, Content: f.Content, Fetch: e.Fetch, Project: e.Project, Launch: f.Launcher.Launch,
		Deliveries: func(ctx context.Context) (waiting, received int, err error) {
			return queue.Depth(ctx, e.SQS, e.Requests)
		},
		Allows: all, Clock: e.Clock, Jitter: e.Jitter, Room: room.New(surgical.MaxWorkerBytes), Log: e.Log, Meter: e.Meter,
	}
	f.Worker = &worker.Batch{
		Process: f.Engine.Process,
		Queue:   &queue.Consumer{Client: e.SQS, QueueURLs: []string{e.Requests, e.Hides, e.Bulk}, DeadLetterURL: e.DeadLetters},
		Clock:   e.Clock, Log: e.Log, NewTrace: e.NewTrace, Meter: e.Meter,
	}
	f.clock, f.leaves = e.Clock, e.LeavesToEmbed
	f.Docs = &workflow.Runner{Ledger: f.Ledger, Launcher: f.Launcher, Log: e.Log}
	f.Embed = &workflow.Runner{Ledger: f.Ledger, Launcher: f.Launcher, Log: e.Log}
	f.EmbedWith(e.Embedder, e.Work)
	f.Eraser = erasure.New(e.DB, e.Tables.Content, f.Ledger, e.Clock)
	setbacks := &workflow.Setbacks{Ledger: f.Ledger, Clock: e.Clock}
	f.Finish, f.Abort = &workflow.Finish{Ledger: f.Ledger, Log: e.Log}, &workflow.Abort{Setbacks: setbacks, Log: e.Log}
	f.Sweeper = &sweep.Sweeper{
		Ledger: f.Ledger, Content: f.Content, Launcher: f.Launcher, Setbacks: setbacks, Eraser: f.Eraser, Requests: f.ToRequests, Bulk: f.ToBulk,
		Allows: all, Clock: e.Clock, Log: e.Log, NewTrace: e.NewTrace,
	}
	f.Crawler = &crawl.Crawler{
		Ledger: f.Ledger, Content: f.Content, GitLab: e.Lists, Bulk: f.ToBulk, Hides: f.ToHides, Allows: all, Interval: surgical.ReconcileInterval, HideAfter: surgical.HideProjectAfter,
		Clock: e.Clock, Log: e.Log, Meter: e.Meter, NewTrace: e.NewTrace,
	}
	f.Hook = &webhook.Handler{Verifiers: e.Verifiers, Queue: f.ToRequests, Hides: f.ToHides, Allows: all, Clock: e.Clock, Log: e.Log, NewTrace: e.NewTrace}
	if e.Meter != nil {
		f.Docs.Meter, f.Embed.Meter, f.Hook.Meter, f.Abort.Meter = e.Meter, e.Meter, e.Meter, e.Meter
	}
	return f
}

// EmbedWith deploys the functions with another embedder; nil is none. wrap, if not nil,
// wraps the work that docs and embed do for a job.
func (f *Functions) EmbedWith(embedder embedding.Embedder, wrap func(workflow.Work) workflow.Work) {
	model := ""
	if embedder != nil {
		model = embedder.Model()
	}
	if wrap == nil {
		wrap = func(w workflow.Work) workflow.Work { return w }
	}
	f.Engine.Content = f.Content.EmbeddedBy(model)
	embeddings := &workflow.Embeddings{Content: f.Content, Embedder: embedder}
	documents := &workflow.Documents{Content: f.Content, Embeddings: embeddings, Small: surgical.SmallChange, Clock: f.clock, Log: f.Docs.Log}
	f.Docs.Work = wrap(leaving{documents, f.leaves})
	f.Embed.Work = wrap(embeddings)
}

// leaving leaves small changes to embed, too, as long as leaves says so.
type leaving struct {
	*workflow.Documents
	leaves func() bool
}

// Do implements workflow.Work.
func (l leaving) Do(ctx context.Context, run surgical.Run, job *surgical.Job, budget *workflow.Budget) (ledger.Done, error) {
	documents := *l.Documents
	if l.leaves != nil && l.leaves() {
		documents.Small = 0
	}
	return documents.Do(ctx, run, job, budget)
}

// Invoke invokes one of the state machine's functions by name.
func (f *Functions) Invoke(ctx context.Context, name string, payload json.RawMessage) (json.RawMessage, error) {
	switch name {
	case "docs":
		return invoke(ctx, f.Docs.Handle, payload)
	case "embed":
		return invoke(ctx, f.Embed.Handle, payload)
	case "finish":
		return invoke(ctx, f.Finish.Handle, payload)
	case "abort":
		return invoke(ctx, f.Abort.Handle, payload)
	}
	return nil, fmt.Errorf("no function is called %q", name)
}

func invoke[In, Out any](ctx context.Context, handle func(context.Context, In) (Out, error), payload json.RawMessage) (json.RawMessage, error) {
	var in In
	if err := json.Unmarshal(payload, &in); err != nil {
		return nil, err
	}
	out, err := handle(ctx, in)
	if err != nil {
		return nil, err
	}
	return json.Marshal(out)
}
