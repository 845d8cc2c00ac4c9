package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"gitlab.com/lorehook/lorehook/internal/bucket"
	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/feed"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/embedded"
	"gitlab.com/lorehook/lorehook/internal/search/language"
	"gitlab.com/lorehook/lorehook/internal/search/manifest"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/cloud/cloudsearch"
	fakedynamodb "gitlab.com/lorehook/lorehook/test/fake/dynamodb"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
	fakes3 "gitlab.com/lorehook/lorehook/test/fake/s3"
)

const (
	// findableChanges are made one after another, on so many issues, at random times that
	// are this far apart on average.
	findableChanges = 100
	findableIssues  = 20
	findableEvery   = 7 * time.Second
	// streamPolls is how often Lambda looks for records of a stream: documented.
	streamPolls = 250 * time.Millisecond
	// watchesEvery is how often it is looked for what is not found yet.
	watchesEvery = 50 * time.Millisecond
)

// From the webhook of a new comment until a search finds its text: settle time, fetch,
// commit, docs, embed, the stream and its window, the feed, the indexer, and the search
// process's look at the manifest. All functions are the real ones; calls take as long as
// package cost assumes. Bleve's goroutines cannot live on simulated time, so a comment
// counts as findable when its batch is named and a second has passed, in which a search
// process looks; whether it is then found is seen in the end.
func TestAChange_IsFindableSoonAfterItsWebhook(t *testing.T) {
	f := &findable{objects: fakes3.New(time.Now), made: map[string]comment{}}
	f.db, f.names = fakedynamodb.New()
	f.start(t)
	synctest.Test(t, func(t *testing.T) { f.measure(t) })
	f.check(t)
	slices.Sort(f.took)
	report(t,
		newFigure(fmt.Sprintf("event to findable, p95 of %d comments, on simulated time", findableChanges), percentile95(f.took).Seconds(), "s", (surgical.Settle+surgical.FeedWindow).Seconds(), 15),
		newFigure("  median", f.took[len(f.took)/2].Seconds(), "s", 0, 0),
		newFigure("  longest", f.took[len(f.took)-1].Seconds(), "s", 0, 0))
}

// searchLooks is how long a search process takes at most to look at the manifest again.
const searchLooks = time.Second

// findable is a cloud with the functions of the search.
type findable struct {
	*cloud.Cloud
	t       *testing.T
	db      *fakedynamodb.DB
	names   config.Tables
	objects *fakes3.Bucket
	stream  *cloudsearch.Stream
	feed    *feed.Consumer
	indexer *search.Indexer
	// watching has the catalog of what the manifest names.
	watching *embedded.Engine

	mu sync.Mutex // guards what follows
	// made are the comments that are not found yet, by their words.
	made map[string]comment
	took []time.Duration
}

// comment is one that was made.
type comment struct {
	ref      surgical.EntityRef
	document string
	at       time.Time
}

// engine returns an engine, to be closed.
func (f *findable) engine(t *testing.T, db *dynamodb.Client, objects *s3.Client, clock func() time.Time) *embedded.Engine {
	e, err := embedded.New(embedded.Options{
		Manifests: manifest.NewStore(db, f.names.State), Objects: bucket.New(objects, "index"),
		Dir: t.TempDir(), Language: language.Default, Clock: clock, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// start makes a feed and an index of nothing.
func (f *findable) start(t *testing.T) {
	clock := func() time.Time { return time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC) } // when a cloud begins
	store := feed.NewStore(f.db.Client(), f.names.Feed, clock)
	beat, err := cloudsearch.Event([]events.DynamoDBEventRecord{cloudsearch.Beat()})
	if err == nil {
		_, err = (&feed.Consumer{Store: store, Clock: clock, Log: slog.New(slog.DiscardHandler)}).Handle(t.Context(), beat)
	}
	var at search.Position
	if err == nil {
		at, err = search.FeedSource{Store: store}.Now(t.Context())
	}
	if err == nil {
		err = f.engine(t, f.db.Client(), f.objects.Client(), clock).Rebuild(t.Context(), at, func(func(search.Change, error) bool) {})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// check fails if a search does not find a comment.
func (f *findable) check(t *testing.T) {
	searching := f.engine(t, f.db.Client(), f.objects.Client(), time.Now)
	for n := range findableChanges {
		if found, err := searching.Search(t.Context(), search.Query{Text: needle(n)}, 1); err != nil || len(found.Found) != 1 {
			t.Errorf("%s is found %d times, %v", needle(n), len(found.Found), err)
		}
	}
}

func needle(n int) string { return fmt.Sprintf("needle%dx", n) }

// open makes the functions, within simulated time.
func (f *findable) open(t *testing.T) {
	f.t, f.stream = t, &cloudsearch.Stream{Table: f.names.Content}
	c := cloud.New(t, cloud.Intercept(f.db.Client(), f.stream.Around), f.names)
	slow := taking(gitlabLatency, true)
	c.Rows, c.Unobserved, c.Parallel, c.Around = f.db.Items, true, true, slow
	f.Cloud = c
	client := cloud.Intercept(f.db.Client(), slow)
	store := feed.NewStore(client, f.names.Feed, c.Clock.Now)
	shown := content.NewStore(client, f.names.Content, c.Clock.Now).ForReaders(ledger.New(client, f.names, c.Clock.Now).ProjectHiddenAt, surgical.Exclude)
	f.indexer = &search.Indexer{
		Engine: f.engine(t, client, f.objects.Client(cloud.InterceptAPI("s3", slow)), c.Clock.Now), Source: search.FeedSource{Store: store},
		Content: shown, Walk: search.WalkOf(c.Ledger, c.Content), Log: slog.New(slog.DiscardHandler),
	}
	f.watching = f.engine(t, f.db.Client(), f.objects.Client(), c.Clock.Now)
	turns := manifest.NewStore(client, f.names.State)
	f.feed = &feed.Consumer{Store: store, Clock: c.Clock.Now, Log: slog.New(slog.DiscardHandler), Changed: func(context.Context) error {
		go func() {
			if err := f.indexer.Handle(t.Context(), turns.Turn(c.Clock.Now)); err != nil {
				t.Error(err)
			}
		}()
		return nil
	}}
}

// measure makes the comments, and notes how long each took.
func (f *findable) measure(t *testing.T) {
	f.open(t)
	for n := range int64(findableIssues) {
		ref := fakegitlab.IssueRef(1000 + n)
		f.GitLab.SetIssue(fakegitlab.NewIssue(ref.IID, "An issue", "It has comments.", fakegitlab.Time{Time: f.Clock.Now()}))
		f.Send(f.Request(surgical.OriginWebhook, ref))
	}
	var all sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	for _, work := range []func(context.Context){f.follow, f.watch, f.comment} {
		all.Go(func() { work(ctx) })
	}
	f.RunFor(findableChanges*findableEvery+2*time.Minute, surgical.DefaultConcurrency)
	stop()
	all.Wait()
	if len(f.took) != findableChanges {
		t.Fatalf("%d of %d comments were found", len(f.took), findableChanges)
	}
}

// comment adds the comments, after a while in which the issues are copied.
func (f *findable) comment(ctx context.Context) {
	random := rand.New(rand.NewPCG(5, 6))
	pause := time.Minute
	for n := range findableChanges {
		if !wait(ctx, pause) {
			return
		}
		ref := fakegitlab.IssueRef(1000 + random.Int64N(findableIssues))
		thread := f.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: "Look for the " + needle(n) + " there."})
		f.mu.Lock()
		f.made[needle(n)] = comment{ref, "discussion#" + thread, time.Now()}
		f.mu.Unlock()
		f.Send(noted(f.Cloud, ref))
		pause = time.Duration(random.Int64N(int64(2 * findableEvery)))
	}
}

// wait lets time pass, and reports whether there is more to do.
func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// follow starts the feed as Lambda does: when there are records, it collects what comes
// within the window.
func (f *findable) follow(ctx context.Context) {
	for wait(ctx, streamPolls) {
		records := f.stream.Take()
		if len(records) == 0 {
			continue
		}
		if !wait(ctx, surgical.FeedWindow) {
			return
		}
		for some := range slices.Chunk(append(records, f.stream.Take()...), surgical.FeedBatch) {
			event, err := cloudsearch.Event(some)
			if err == nil {
				_, err = f.feed.Handle(f.t.Context(), event)
			}
			if err != nil {
				f.t.Error(err)
			}
		}
	}
}

// watch looks which comments are in a batch that the manifest names.
func (f *findable) watch(ctx context.Context) {
	for wait(ctx, watchesEvery) {
		f.mu.Lock()
		missing := maps.Clone(f.made)
		f.mu.Unlock()
		for word, c := range missing {
			known, err := f.watching.Known(f.t.Context(), []surgical.EntityRef{c.ref})
			if err != nil {
				f.t.Error(err)
			}
			if _, indexed := known[c.ref].Documents[c.document]; indexed {
				f.mu.Lock()
				f.took = append(f.took, time.Since(c.at)+searchLooks)
				delete(f.made, word)
				f.mu.Unlock()
			}
		}
	}
}
