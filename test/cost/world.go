package cost

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	awsevents "github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"gitlab.com/lorehook/lorehook/internal/bucket"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/embedding"
	"gitlab.com/lorehook/lorehook/internal/feed"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/function/gateway"
	"gitlab.com/lorehook/lorehook/internal/function/secret"
	"gitlab.com/lorehook/lorehook/internal/function/trace"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/embedded"
	"gitlab.com/lorehook/lorehook/internal/search/language"
	"gitlab.com/lorehook/lorehook/internal/search/manifest"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/tables"
	"gitlab.com/lorehook/lorehook/internal/webhook"
	"gitlab.com/lorehook/lorehook/internal/webhook/delivery"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakedynamodb "gitlab.com/lorehook/lorehook/test/fake/dynamodb"
	fakeembedder "gitlab.com/lorehook/lorehook/test/fake/embedder"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
	fakes3 "gitlab.com/lorehook/lorehook/test/fake/s3"
)

// world is all of the functions in one process, whose calls are counted.
type world struct {
	*cloud.World
	tally
	db      *fakedynamodb.DB
	tables  config.Tables
	objects *fakes3.Bucket
	hook    func(context.Context, awsevents.APIGatewayV2HTTPRequest) (awsevents.APIGatewayV2HTTPResponse, error)
	feed    *feed.Consumer
	engine  *embedded.Engine
	// indexer starts the builder by setting started.
	indexer, builder *search.Indexer
	started          bool
	turns            *manifest.Store
	// comments is how many were added, minutes how many have passed.
	comments, minutes int
	// observe, if set, receives how long each invocation took, and its lines.
	observe func(function string, took time.Duration, lines []string)
}

const hookToken = "sample-token"

func newWorld(t cloud.TB) *world {
	w := &world{tally: tally{counted: Counted{Functions: map[string]Used{}}, series: map[string]bool{}, keys: map[string]bool{}}}
	w.db, w.tables = fakedynamodb.New()
	client := cloud.Intercept(w.db.Client(), w.database)
	w.World = cloud.NewWorld(t, client, w.tables, func(next http.RoundTripper) http.RoundTripper {
		return cloud.InterceptHTTP(next, w.count)
	})
	w.Unobserved = true
	w.Around = w.count
	w.Invoking = func(function string, invoke func(context.Context) error) error { return w.invoke(function, invoke) }
	w.EmbedWith(counting{fakeembedder.Words{}, &w.tally}, nil)
	w.hook = gateway.Adapt(&webhook.Handler{
		Verifiers: secret.NewSource(func(context.Context) (*delivery.Verifier, error) {
			return delivery.NewVerifier(nil, []string{hookToken})
		}, w.Clock.Now),
		Queue: w.ToRequests, Hides: w.ToHides, Allows: func(int64) bool { return true }, Clock: w.Clock.Now,
		Log: w.Logger(), Meter: w.Meter(), NewTrace: trace.Source(rand.Reader),
	})
	store := feed.NewStore(client, w.tables.Feed, w.Clock.Now)
	w.feed = &feed.Consumer{Store: store, Clock: w.Clock.Now, Log: w.Logger(), Changed: func(context.Context) error { return nil }}
	w.index(t, client, store)
	return w
}

// index makes the indexer, the builder and the engine of the search, on a bucket in memory.
// The search has the engine of the indexer.
func (w *world) index(t cloud.TB, client *dynamodb.Client, changes *feed.Store) {
	w.objects, w.turns = fakes3.New(w.Clock.Now), manifest.NewStore(client, w.tables.State)
	indexer := func(engine *embedded.Engine) *search.Indexer {
		return &search.Indexer{
			Engine: engine, Source: search.FeedSource{Store: changes}, Content: w.Content.ForReaders(w.Ledger.ProjectHiddenAt, surgical.Exclude),
			Walk: search.WalkOf(w.Ledger, w.Content), Model: engine.Model, Log: w.Logger(),
		}
	}
	w.engine = w.newEngine(t)
	w.indexer, w.builder = indexer(w.engine), indexer(w.newEngine(t))
	w.indexer.Builder = func(ctx context.Context) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.started = true
		w.add(ctx, toLambda, 0, 0)
		return nil
	}
}

func (w *world) newEngine(t cloud.TB) *embedded.Engine {
	dir, err := os.MkdirTemp("", "lorehook-cost-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	embedder := counting{fakeembedder.Words{}, &w.tally}
	engine, err := embedded.New(embedded.Options{
		Manifests: w.turns, Objects: bucket.New(w.objects.Client(cloud.InterceptAPI(toS3, w.count)), "index"), Dir: dir, Language: language.Default,
		Model: embedder.Model(), Embed: embedding.Query(embedder), Clock: w.Clock.Now, Log: w.Logger(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close() })
	return engine
}

// counting counts the characters that are embedded.
type counting struct {
	fakeembedder.Words
	tally *tally
}

// Embed implements embedding.Embedder.
func (c counting) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	for _, text := range texts {
		c.tally.embedded(ctx, len(text))
	}
	return c.Words.Embed(ctx, texts)
}

// deliver hands a webhook about a comment on the issue to the webhook function.
func (w *world) deliver(body string) {
	w.must(w.invoke("webhook", func(ctx context.Context) error {
		response, err := w.hook(ctx, awsevents.APIGatewayV2HTTPRequest{RawPath: delivery.Path, Body: body, Headers: map[string]string{
			"x-gitlab-event": "Note Hook", "x-gitlab-token": hookToken, "idempotency-key": rand.Text() + rand.Text()[:10],
		}})
		if err == nil && response.StatusCode != http.StatusAccepted {
			err = fmt.Errorf("the webhook got %d: %s", response.StatusCode, response.Body)
		}
		return err
	}))
	w.counted.Gateway++
}

// work runs what the sent messages start: the worker and the workflow.
func (w *world) work() {
	w.Clock.Advance(surgical.RefetchInterval + surgical.Settle + time.Second)
	w.finish(w.Sent())
}

// handle lets a worker process the messages, and returns how many it left.
func (w *world) handle(sent awsevents.SQSEvent) (left int) {
	w.must(w.invoke("worker", func(ctx context.Context) error {
		response, err := w.Worker.Handle(ctx, sent)
		left = len(response.BatchItemFailures)
		return err
	}))
	w.counted.Received++
	return left
}

// follow runs the functions behind the stream of the content table.
func (w *world) follow() {
	if batch := w.stream(); batch != nil {
		w.must(w.invoke("feed", func(ctx context.Context) error {
			_, err := w.feed.Handle(ctx, batch)
			return err
		}))
		w.look()
	}
}

// look starts the indexer, and the builder if the indexer starts that.
func (w *world) look() {
	handle := func(name string, indexer *search.Indexer) {
		w.must(w.invoke(name, func(ctx context.Context) error { return indexer.Handle(ctx, w.turns.Turn(w.Clock.Now)) }))
	}
	handle("indexer", w.indexer)
	if w.started {
		w.started = false
		handle("builder", w.builder)
	}
}

func (w *world) must(err error) {
	if err != nil {
		w.T.Fatal(err)
	}
}

// stored is the size of everything in the tables.
func (w *world) stored() (bytes float64) {
	for _, table := range tables.All() {
		for _, item := range w.db.Items(table.Name) {
			bytes += float64(dynamo.ItemSize(item) + itemOverhead)
		}
	}
	return bytes
}

// itemOverhead is what DynamoDB adds to an item for its storage.
const itemOverhead = 100

// indexed is the size of everything in the bucket.
func (w *world) indexed() (bytes float64) {
	for _, object := range w.objects.Contents() {
		bytes += float64(len(object))
	}
	return bytes
}

// issue is the issue whose changes are counted.
func issue() surgical.EntityRef { return fakegitlab.IssueRef(7) }

// invoke runs an invocation of the function, and counts what it uses.
func (w *world) invoke(function string, handle func(context.Context) error) error {
	w.Output.Take()
	began := w.Clock.Now()
	err := handle(cloud.In(w.T.Context(), function))
	lines := w.Output.Take()
	if w.observe != nil {
		w.observe(function, w.Clock.Now().Sub(began), lines)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	u := w.counted.Functions[function]
	u.Invocations++
	for _, line := range lines {
		if strings.Contains(line, `"_aws"`) {
			u.Metrics += sizeOf(line)
			w.emitted(line)
		} else {
			u.Log += sizeOf(line)
		}
	}
	w.counted.Functions[function] = u
	return err
}
