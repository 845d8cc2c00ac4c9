package searchtest

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/finder"
	"gitlab.com/lorehook/lorehook/internal/search/language"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// frozen is an engine whose indexer stops for a while before it writes: others come
// first, and its write arrives late.
type frozen struct {
	search.Engine
	late func()
}

// Apply implements search.Engine.
func (f frozen) Apply(ctx context.Context, from, to search.Position, changes []search.Change) error {
	f.late()
	return f.Engine.Apply(ctx, from, to, changes)
}

// Rebuild implements search.Engine.
func (f frozen) Rebuild(ctx context.Context, at search.Position, changes iter.Seq2[search.Change, error]) error {
	return f.Engine.Rebuild(ctx, at, func(yield func(search.Change, error) bool) {
		for change, err := range changes {
			f.late()
			if !yield(change, err) {
				return
			}
		}
	})
}

// AllRaces is how many races show that an engine keeps its promises.
const AllRaces = 10_000

// Race runs n queries while entities change, are hidden and come back, and while two
// indexers work, one of which stops again and again before it writes. It fails if a hit
// shows what no read since its query began would have shown, or if something is not found
// once all is quiet. slowly, if it is not nil, opens the engine of the indexer that stops:
// one that also calls others within its writes, to let them work in the meantime.
func Race(t *testing.T, n int, backend Backend, slowly func(x *Index, others func()) search.Engine) {
	x := NewIndex(t, backend)
	random := rand.New(rand.NewPCG(1, 2))
	analyzer, err := language.New(x.Language)
	x.Must(err)
	c := newCopies(random)
	walk := func(context.Context, *surgical.EntityRef, int) iter.Seq2[[]surgical.EntityRef, error] {
		return func(yield func([]surgical.EntityRef, error) bool) { yield(c.refs(), nil) }
	}
	indexer := func(e search.Engine) *search.Indexer {
		return &search.Indexer{Engine: e, Source: c, Content: c, Walk: walk, Log: slog.New(slog.DiscardHandler)}
	}
	prompt := indexer(x.Engine())
	others := func() {
		for random.IntN(2) == 0 {
			c.change()
			if random.IntN(3) == 0 {
				_ = prompt.Run(t.Context()) // its failure is that of a writer that lost
			}
		}
	}
	f := &finder.Finder{Engine: x.Engine(), Truth: c, Words: analyzer}
	x.Must(prompt.Run(t.Context()))
	stopping := x.Engine()
	if slowly != nil {
		stopping = slowly(x, others)
	}
	slow := indexer(frozen{stopping, others})
	hits := 0
	for race := range n {
		c.change()
		switch random.IntN(40) {
		case 0, 1, 2, 3:
			err = prompt.Run(t.Context())
		case 4, 5:
			err = slow.Run(t.Context())
		}
		if err != nil && !errors.Is(err, search.ErrMoved) {
			t.Fatal(err)
		}
		x.Pass(time.Duration(random.IntN(120)) * time.Second)
		c.begin()
		answer, err := f.Find(t.Context(), search.Query{Text: words[random.IntN(len(words))], Limit: 1 + random.IntN(8)})
		x.Must(err)
		for _, hit := range answer.Hits {
			hits++
			for _, p := range hit.Passages {
				if !c.shown[hit.Head.Ref.Key()+p.Document+p.Text] {
					t.Fatalf("race %d: %s shows %q of %s, which no read since the query began would have shown", race, hit.Head.Ref, p.Text, p.Document)
				}
			}
		}
	}
	if hits < n/10 { // some hundred races differ much
		t.Errorf("only %d hits in %d races", hits, n)
	}
	c.quiet = true
	x.Must(prompt.Run(t.Context()))
	x.Pass(time.Minute)
	for ref, e := range c.entities {
		for id, d := range e.documents {
			if e.hidden || d.Revision < e.head.DocumentsVisibleFrom {
				continue
			}
			answer, err := f.Find(t.Context(), search.Query{Text: d.Text, Limit: 50})
			found := err == nil && slices.ContainsFunc(answer.Hits, func(h search.Hit) bool {
				return h.Head.Ref == ref && slices.ContainsFunc(h.Passages, func(p search.Passage) bool { return p.Document == id && p.Text == d.Text })
			})
			if !found {
				t.Errorf("%s of %s is not found once all is quiet: %v", id, ref, err)
			}
		}
	}
	t.Logf("%d races, %d hits", n, hits)
}
