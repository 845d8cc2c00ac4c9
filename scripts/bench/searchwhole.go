package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/embedding"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/render"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/finder"
	"gitlab.com/lorehook/lorehook/internal/search/language"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/devstack"
	fakedynamodb "gitlab.com/lorehook/lorehook/test/fake/dynamodb"
)

const (
	// pageHits is how many hits a page of a search has.
	pageHits = 20
	// embeddedTexts is how many texts of embeddedWords words the model embeds at a time.
	embeddedTexts, embeddedWords = 4, 20
	// twoPairs is how often two processors are compared with one, an odd number.
	twoPairs = 15
)

// whole measures what somebody waits for who searches: the model embeds the query, the
// engine answers, and the finder reads every hit again. Without the model's files, it
// measures nothing.
func (b *searchBench) whole(ctx context.Context) error {
	root, err := devstack.Root()
	if err != nil {
		return err
	}
	if !devstack.HasModel(root) {
		fmt.Fprintln(os.Stderr, "Whole searches are not measured: scripts/setup minilm installs the model")
		return nil
	}
	model, err := embedding.OpenMiniLM(filepath.Join(root, devstack.ModelDir))
	if err != nil {
		return err
	}
	w := &wholeSearch{bench: b, copies: newCopies(b), model: model}
	engine, err := b.engineWith(b.bucket(), w.embed)
	if err != nil {
		return err
	}
	defer func() { _ = engine.Close() }()
	words, err := language.New(language.Default)
	if err != nil {
		return err
	}
	w.finder = &finder.Finder{Engine: engine, Truth: w.copies, Words: words}
	return w.measure(ctx)
}

// wholeSearch answers queries of a warm process.
type wholeSearch struct {
	bench  *searchBench
	copies *copies
	finder *finder.Finder
	model  embedding.MiniLM
	// bare leaves the model out: queries have vectors without a meaning.
	bare bool
	// embedding is the time of the processor that the model took for the last query.
	embedding time.Duration
}

func (w *wholeSearch) embed(ctx context.Context, text string) ([]float32, error) {
	if w.bare {
		return w.bench.asked.vector(), nil
	}
	began := processor()
	defer func() { w.embedding = processor() - began }()
	return embedding.Query(w.model)(ctx, text)
}

// find answers the query, and fails if it has no hits or vectors take no part.
func (w *wholeSearch) find(ctx context.Context, q search.Query) error {
	answer, err := w.finder.Find(ctx, q)
	if err == nil && (answer.Mode != search.Hybrid || len(answer.Hits) == 0) {
		err = fmt.Errorf("%q has %d hits, as %s: %s", q.Text, len(answer.Hits), answer.Mode, answer.Reason)
	}
	return err
}

// query is the next one. Every third asks for one of 50 authors.
func (w *wholeSearch) query(n int) search.Query {
	q := search.Query{Text: textOf(w.bench.wanted()), Limit: pageHits}
	if n%3 == 0 {
		q.Filter.Author = authorOf(int64(n))
	}
	return q
}

func (w *wholeSearch) measure(ctx context.Context) error {
	var took, engine, model []time.Duration
	var ratios []float64
	var asked []search.Query
	calls := int64(0)
	for n := range queries {
		q := w.query(n)
		asked = append(asked, q)
		if err := w.find(ctx, q); err != nil { // stores the copies of its hits
			return err
		}
		w.bare = true
		began := processor()
		if _, err := w.finder.Engine.Search(ctx, q, depth); err != nil {
			return err
		}
		floor := processor() - began
		w.bare = false
		before := w.copies.calls.Load()
		began = processor()
		if err := w.find(ctx, q); err != nil {
			return err
		}
		value := processor() - began
		calls += w.copies.calls.Load() - before
		took, engine, model, ratios = append(took, value), append(engine, floor), append(model, w.embedding), append(ratios, float64(value)/float64(floor))
	}
	b := w.bench
	b.add("a whole search, median", milliseconds(median(took)), "ms of processor", milliseconds(median(engine)), 0).Ratio = median(ratios)
	b.add("  of it, the model embeds the query", milliseconds(median(model)), "ms of processor", 0, 0)
	b.add("  calls to DynamoDB, which are one after another", float64(calls)/queries, "calls", 0, 0)
	b.add("a whole search, p95", milliseconds(percentile95(took)), "ms of processor", 0, 150)
	return w.onTwo(ctx, asked)
}

// onTwo compares two processors with one. Work that can use both takes no longer of the
// processor than on one, if nothing is lost by dividing it.
func (w *wholeSearch) onTwo(ctx context.Context, asked []search.Query) error {
	n := 0
	err := w.compare("a whole search, on two processors against one", 1, func() error {
		n++
		return w.find(ctx, asked[n/2]) // each of them on both
	})
	if err != nil {
		return err
	}
	var texts []string
	for range embeddedTexts {
		texts = append(texts, w.bench.asked.text(embeddedWords))
	}
	return w.compare(fmt.Sprintf("a text of %d words embedded, on two processors against one", embeddedWords), embeddedTexts, func() error {
		_, err := w.model.Embed(ctx, texts)
		return err
	})
}

// compare adds the time that a part of the work takes of two processors, with one as its
// floor. They take turns.
func (w *wholeSearch) compare(name string, parts int, work func() error) error {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	var times [2][]time.Duration
	var ratios []float64
	for range twoPairs {
		var took [2]time.Duration
		for i := range took {
			runtime.GOMAXPROCS(i + 1)
			began := processor()
			if err := work(); err != nil {
				return err
			}
			took[i] = (processor() - began) / time.Duration(parts)
			times[i] = append(times[i], took[i])
		}
		ratios = append(ratios, float64(took[1])/float64(took[0]))
	}
	w.bench.add(name, milliseconds(median(times[1])), "ms of processor", milliseconds(median(times[0])), 0).Ratio = median(ratios)
	return nil
}

// copies are the copies of the indexed entities, in a DynamoDB in memory. One is stored
// before it is read first: most never are.
type copies struct {
	*content.Reader
	store  *content.Store
	db     *dynamodb.Client
	table  string
	brute  *bruteForce
	stored map[surgical.EntityRef]bool
	calls  atomic.Int64
}

func newCopies(b *searchBench) *copies {
	db, names := fakedynamodb.New()
	c := &copies{table: names.Content, brute: b.brute, stored: map[surgical.EntityRef]bool{}}
	c.db = cloud.Intercept(db.Client(), func(_ context.Context, _ cloud.Call, send func() error) error {
		c.calls.Add(1)
		return send()
	})
	c.store = content.NewStore(c.db, names.Content, b.clock)
	c.Reader = c.store.ForReaders(ledger.New(c.db, names, b.clock).ProjectHiddenAt, surgical.Exclude)
	return c
}

// VisibleDocumentsOf implements [finder.Truth].
func (c *copies) VisibleDocumentsOf(ctx context.Context, ids map[surgical.EntityRef][]string) (map[surgical.EntityRef]content.ShownDocuments, error) {
	for ref := range ids {
		if c.stored[ref] {
			continue
		}
		if err := c.add(ctx, ref); err != nil {
			return nil, err
		}
		c.stored[ref] = true
	}
	return c.Reader.VisibleDocumentsOf(ctx, ids)
}

// add stores the entity as the index has it, with a document of its chunks' texts.
func (c *copies) add(ctx context.Context, ref surgical.EntityRef) error {
	entity, err := json.Marshal(map[string]any{
		"iid": ref.IID, "project_id": ref.ProjectID, "title": fmt.Sprint("Issue ", ref.IID), "state": indexedState, "confidential": false,
		"author": map[string]any{"username": authorOf(ref.IID)},
	})
	if err != nil {
		return err
	}
	now := time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC)
	change, _, err := c.store.Prepare(ctx, surgical.Snapshot{Ref: ref, UpdatedAt: now, FetchedAt: now, FetchedUntil: now, Entity: entity}, surgical.AttemptID{RunID: "run", Number: 1}, nil)
	if err != nil {
		return err
	}
	if err := c.store.StageChildren(ctx, []*content.Change{change}); err != nil {
		return err
	}
	if err := dynamo.Transact(ctx, c.db, []types.TransactWriteItem{change.Put(c.table)}); err != nil {
		return err
	}
	return c.store.WriteDocuments(ctx, change.Next, content.TextToken("run", 1, change.Revision, 0), []surgical.Document{c.document(ref.IID)}, nil)
}

// document has the texts of the entity's chunks as often as it takes to have so many
// chunks: those of the index are shorter than rendered ones.
func (c *copies) document(iid int64) surgical.Document {
	d := surgical.Document{ID: render.EntityID, Title: fmt.Sprint("Issue ", iid), Hash: hashOf(iid)}
	var text strings.Builder
	for len(render.Chunks(d)) < chunksOfOne {
		for chunk := (iid - 1) * chunksOfOne; chunk < iid*chunksOfOne; chunk++ {
			text.WriteString(textOf(c.brute.words[chunk*chunkWords:(chunk+1)*chunkWords]) + "\n\n")
		}
		d.Text = text.String()
	}
	return d
}
