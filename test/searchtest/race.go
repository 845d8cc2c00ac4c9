package searchtest

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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

// byItself is an engine that only its own indexer rebuilds: others do not know why, and go on.
type byItself struct{ search.Engine }

// Position implements search.Engine.
func (a byItself) Position(ctx context.Context) (search.Position, string, error) {
	at, _, err := a.Engine.Position(ctx)
	return at, "for a reason of its own", err
}

// AllRaces is how many races show that an engine keeps its promises.
const AllRaces = 10_000

// Race runs n queries while entities change in every way that the product knows, while the
// setting confidential changes, and while two indexers work, one of which stops again and
// again before it writes. It fails if a hit shows what no read since its query began would
// have shown, or if something is not found once all is quiet. slowly, if it is not nil,
// opens the engine of the indexer that stops: one that also calls others within its
// writes, to let them work in the meantime. That indexer may fail with [ErrLost].
func Race(t *testing.T, n int, backend Backend, slowly func(x *Index, others func()) search.Engine) {
	r := newRace(t, backend, slowly)
	r.run(r.prompt, nil)
	for race := range n {
		r.round()
		if race%quietEvery == quietEvery-1 {
			r.rest()
		}
	}
	r.rest()
	if r.hits < n/10 { // some hundred races differ much
		t.Errorf("only %d hits in %d races", r.hits, n)
	}
	t.Logf("%d races, %d pages of %d hits, %d of them similar, %d changes of the setting, %d rebuilds that only one indexer began, %d documents found while all was quiet", n, r.pages, r.hits, r.similar, r.deploys, r.rebuilds, r.found)
}

// quietEvery is after how many races all is quiet for a moment.
const quietEvery = 100

// race is one run of [Race].
type race struct {
	*testing.T
	x      *Index
	c      *copies
	random *rand.Rand
	words  *language.Analyzer
	slowly func(x *Index, others func()) search.Engine

	prompt, slow *search.Indexer
	finder       *finder.Finder
	// outdated reports whether the slow indexer still has the former setting.
	outdated                      bool
	pages, hits, similar, deploys int
	// rebuilds counts those that only one indexer began.
	rebuilds int
	// found counts the documents that were found while all was quiet.
	found int
}

func newRace(t *testing.T, backend Backend, slowly func(x *Index, others func()) search.Engine) *race {
	x := NewIndex(t, backend)
	x.Model = "two-things"
	if slowly == nil {
		slowly = func(x *Index, _ func()) search.Engine { return x.Engine() }
	}
	r := &race{T: t, x: x, c: newCopies(t, rand.New(rand.NewPCG(1, 2)), x.Clock, x.Model), random: rand.New(rand.NewPCG(3, 4)), slowly: slowly}
	var err error
	r.words, err = language.New(x.Language)
	x.Must(err)
	r.start()
	r.startSlow()
	return r
}

// indexer returns an indexer of what readers with the present setting see.
func (r *race) indexer(e search.Engine) *search.Indexer {
	walk := func(context.Context, *surgical.EntityRef, int) iter.Seq2[[]surgical.EntityRef, error] {
		return func(yield func([]surgical.EntityRef, error) bool) { yield(r.c.refs(), nil) }
	}
	readers := reader{r.c, r.x.Confidential}
	return &search.Indexer{Engine: e, Source: readers, Content: readers, Walk: walk, Model: r.x.Model, Log: slog.New(slog.DiscardHandler)}
}

// start starts search and an indexer with the present setting, and startSlow the indexer
// that stops.
func (r *race) start() {
	r.prompt = r.indexer(r.x.Engine())
	r.finder = &finder.Finder{Engine: r.x.Engine(), Truth: reader{r.c, r.x.Confidential}, Words: r.words}
	r.c.viewer = r.x.Confidential
}

func (r *race) startSlow() {
	r.slow = r.indexer(frozen{r.slowly(r.x, r.others), r.others})
	r.outdated = false
}

// others is what happens while the slow indexer stops.
func (r *race) others() {
	for r.random.IntN(2) == 0 {
		r.c.change()
		if r.random.IntN(3) == 0 {
			_ = r.prompt.Run(r.Context()) // its failure is that of a writer that lost
		}
	}
}

// deploy changes the setting. The slow indexer is of the former version for a while.
func (r *race) deploy() {
	r.deploys++
	if r.x.Confidential == surgical.Exclude {
		r.x.Confidential = surgical.Include
	} else {
		r.x.Confidential = surgical.Exclude
	}
	r.start()
	r.outdated = true
}

// run runs an indexer, which may lose against the other one, or fail with the given error.
func (r *race) run(i *search.Indexer, may error) {
	r.Helper()
	err := i.Run(r.Context())
	if err != nil && !errors.Is(err, search.ErrMoved) && (may == nil || !errors.Is(err, may)) {
		r.Fatal(err)
	}
}

func (r *race) round() {
	r.c.change()
	switch r.random.IntN(40) {
	case 0, 1, 2, 3:
		r.run(r.prompt, nil)
	case 4, 5:
		r.run(r.slow, ErrLost)
	case 6:
		slow := *r.slow
		slow.Engine = byItself{slow.Engine}
		r.run(&slow, ErrLost)
		r.rebuilds++
	case 7:
		r.x.Must(r.x.Manifests.RequestRebuild(r.Context(), r.x.Now))
	case 8:
		switch {
		case r.outdated:
			r.startSlow()
		case r.random.IntN(4) == 0:
			r.deploy()
		}
	}
	r.x.Pass(time.Duration(r.random.IntN(120)) * time.Second)
	q := r.query()
	for {
		answer := r.find(q)
		if answer.Next == 0 || r.random.IntN(2) == 0 {
			return
		}
		q.From = answer.Next
	}
}

// query returns any query.
func (r *race) query() search.Query {
	q := search.Query{Text: oneOf(r.random, words), Limit: 1 + r.random.IntN(8)}
	switch r.random.IntN(10) {
	case 0:
		q.Filter.State = oneOf(r.random, states)
	case 1:
		q.Filter.Labels = []string{oneOf(r.random, labels)}
	case 2:
		q.Filter.Author, q.Filter.State = oneOf(r.random, authors), oneOf(r.random, states)
	case 3:
		q.Filter.Projects = []int64{1 + r.random.Int64N(2)}
	case 4:
		ref := oneOf(r.random, r.c.refs())
		q.SimilarTo, q.Text = &ref, ""
	}
	return q
}

// find checks what a query finds: each hit is what a read since it began would have shown.
func (r *race) find(q search.Query) search.Answer {
	r.Helper()
	r.c.begin()
	answer, err := r.finder.Find(r.Context(), q)
	if code := surgical.CodeOf(err); q.SimilarTo != nil && err != nil && (code == surgical.CodeEntityGone || code == surgical.CodeEntityNotFound) {
		return search.Answer{}
	}
	r.x.Must(err)
	r.pages++
	for _, hit := range answer.Hits {
		r.hits++
		ref := hit.Head.Ref
		if q.SimilarTo != nil {
			r.similar++
			if ref == *q.SimilarTo {
				r.Fatalf("%s is similar to itself", ref)
			}
		}
		if !slices.ContainsFunc(r.c.seen.heads[ref], func(h surgical.Head) bool { return cmp.Equal(h, hit.Head) }) {
			r.Fatalf("%+v, which no read since the query began would have shown", hit.Head)
		}
		if !q.Filter.Matches(ref, search.FacetsOf(hit.Head)) {
			r.Fatalf("%+v does not match %+v", hit.Head.Attributes, q.Filter)
		}
		for _, p := range hit.Passages {
			if !slices.ContainsFunc(r.c.seen.texts[ref.Key()+p.Document], func(text string) bool { return strings.Contains(text, p.Text) }) {
				r.Fatalf("%s shows %q of %s, which no read since the query began would have shown", ref, p.Text, p.Document)
			}
		}
	}
	return answer
}

// rest lets all be quiet, and looks whether everything that is shown is found: also under
// the other setting, without any change of what is stored.
func (r *race) rest() {
	r.c.quiet = true
	for range 2 {
		r.checkAll()
		r.deploy()
	}
	r.c.quiet = false
}

// checkIndex looks whether the index has what is shown, and nothing else.
func (r *race) checkIndex() {
	r.x.Position(r.prompt.Engine) // what is known is as of the last position
	has, err := r.prompt.Engine.Known(r.Context(), r.c.refs())
	r.x.Must(err)
	for _, ref := range r.c.refs() {
		entry, exists := has[ref]
		head, err := reader{r.c, r.x.Confidential}.head(ref)
		if exists != (err == nil) {
			r.Errorf("under %s, the index has %s: %t, and it is shown: %v", r.x.Confidential, ref, exists, err)
		}
		if err != nil || !exists {
			continue
		}
		e, indexed := r.c.entities[ref], map[string]search.Indexed{}
		for _, d := range (reader{r.c, r.x.Confidential}).shown(head, slices.Collect(maps.Values(e.documents))) {
			one := entry.Documents[d.ID]
			one.Hash = d.Hash // and the index may keep the vectors of the same text
			if e.embeddings[d.ID].Current(head, d.Hash) {
				one.Model = r.x.Model
			}
			indexed[d.ID] = one
		}
		r.x.Same("what the index has of "+ref.Key(), indexed, entry.Documents)
		if !entry.Equal(search.FacetsOf(head)) {
			r.Errorf("the index has %s with %+v", ref, entry.Facets)
		}
	}
}

// checkAll looks whether everything that is shown is found, and nothing twice.
func (r *race) checkAll() {
	r.run(r.prompt, nil)
	r.checkIndex()
	r.x.Pass(time.Minute)
	for ref, e := range r.c.entities {
		head, err := r.finder.Truth.VisibleHead(r.Context(), ref)
		if err != nil {
			continue
		}
		own := search.Filter{State: head.Attributes.State, Labels: head.Attributes.Labels, Author: head.Attributes.Author.Username, Projects: []int64{ref.ProjectID}}
		for id, d := range e.documents {
			if shown, err := r.finder.Truth.VisibleDocument(r.Context(), ref, id); err != nil || shown.Revision == 0 {
				continue
			}
			r.found++
			unique := d.Text[strings.Index(d.Text, "mark"):]
			unique, _, _ = strings.Cut(unique, " ")
			for _, filter := range []search.Filter{{}, own} {
				answer := r.find(search.Query{Text: unique, Limit: 50, Filter: filter})
				if !slices.ContainsFunc(answer.Hits, func(h search.Hit) bool {
					return h.Head.Ref == ref && slices.ContainsFunc(h.Passages, func(p search.Passage) bool { return p.Document == id && strings.Contains(p.Text, unique) })
				}) {
					r.Errorf("under %s, %s of %s is not found once all is quiet", r.x.Confidential, id, ref)
				}
			}
		}
	}
	for _, word := range words {
		all := refsOf(r.find(search.Query{Text: word, Limit: 50}))
		var paged []surgical.EntityRef
		for q := (search.Query{Text: word, Limit: 2}); ; {
			answer := r.find(q)
			paged = append(paged, refsOf(answer)...)
			if q.From = answer.Next; q.From == 0 {
				break
			}
		}
		r.x.Same("pages of "+word, all, paged)
	}
}

func refsOf(answer search.Answer) []surgical.EntityRef {
	var refs []surgical.EntityRef
	for _, hit := range answer.Hits {
		refs = append(refs, hit.Head.Ref)
	}
	return refs
}
