package opensearch_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/opensearch"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/engines"
	"gitlab.com/lorehook/lorehook/test/searchtest"
)

// dying fails every request from one on, as if its process had died; that one arrives if
// delivered is set.
type dying struct {
	after     int
	delivered bool
	die       context.CancelFunc
}

var errDied = errors.New("the process died")

// RoundTrip implements http.RoundTripper.
func (d *dying) RoundTrip(r *http.Request) (*http.Response, error) {
	d.after--
	if d.after >= 0 {
		return http.DefaultTransport.RoundTrip(r)
	}
	defer d.die()
	if d.after == -1 && d.delivered {
		response, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		return nil, errors.Join(errDied, response.Body.Close())
	}
	return nil, errDied
}

// ask sends a request to the server, and decodes its answer.
func ask(x *searchtest.Index, method, url string, body []byte, out any) int {
	x.Helper()
	request, err := http.NewRequestWithContext(x.Context(), method, url, bytes.NewReader(body))
	x.Must(err)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	x.Must(err)
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	x.Must(err)
	if out != nil {
		x.Must(json.Unmarshal(raw, out))
	}
	return response.StatusCode
}

// indexed returns the ids of all chunks in the index, with what filters match, and the
// text.
func indexed(x *searchtest.Index, url string) map[string]string {
	x.Helper()
	m, err := x.Manifests.Read(x.Context())
	x.Must(err)
	ask(x, http.MethodPost, url+"/"+m.Index+"/_refresh", nil, nil)
	var answer struct {
		Hits struct {
			Hits []struct {
				ID     string                             `json:"_id"`
				Source struct{ State, Text, Hash string } `json:"_source"`
			}
		}
	}
	ask(x, http.MethodPost, url+"/"+m.Index+"/_search", []byte(`{"size":1000,"query":{"exists":{"field":"text"}}}`), &answer)
	found := map[string]string{}
	for _, hit := range answer.Hits.Hits {
		found[hit.ID] = hit.Source.State + " " + hit.Source.Text
	}
	return found
}

// wanted is what the index is expected to have of an entity: its state, and the chunks of its documents.
type wanted struct {
	state     string
	documents map[string][]string
}

// bring returns the changes that make what is known what is wanted, as the indexer does.
func bring(want map[surgical.EntityRef]wanted, known map[surgical.EntityRef]search.Entry) []search.Change {
	var changes []search.Change
	for ref, w := range want {
		entry, exists := known[ref]
		if w.documents == nil {
			if exists {
				changes = append(changes, search.Change{Ref: ref, Gone: true})
			}
			continue
		}
		change := search.Change{Ref: ref, Facets: search.Facets{State: w.state}}
		for id, chunks := range w.documents {
			if d := searchtest.Document(id, chunks...); entry.Documents[id].Hash != d.Hash {
				change.Put = append(change.Put, d)
			}
		}
		for id := range entry.Documents {
			if _, still := w.documents[id]; !still {
				change.Removed = append(change.Removed, id)
			}
		}
		if !exists || len(change.Put) > 0 || len(change.Removed) > 0 || !entry.Equal(change.Facets) {
			changes = append(changes, change)
		}
	}
	slices.SortFunc(changes, func(a, b search.Change) int { return strings.Compare(a.Ref.Key(), b.Ref.Key()) })
	return changes
}

// follow brings the index up to date with what is wanted.
func follow(ctx context.Context, x *searchtest.Index, e search.Engine, want map[surgical.EntityRef]wanted) error {
	at, rebuild, err := e.Position(ctx)
	if err != nil || rebuild != "" {
		return errors.Join(err, errors.New("rebuild: "+rebuild))
	}
	refs := []surgical.EntityRef{searchtest.Issue(1), searchtest.Issue(2), searchtest.Issue(3), searchtest.Issue(4)}
	known, err := e.Known(ctx, refs)
	if err != nil {
		return err
	}
	return e.Apply(ctx, at, search.Position{Cursor: at.Cursor + "+", AsOf: x.Now}, bring(want, known))
}

func TestApply_WhereverItDiesTheNextOneCompletesIt(t *testing.T) {
	url := engines.OpenSearch(t)
	one, two, three, four := searchtest.Issue(1), searchtest.Issue(2), searchtest.Issue(3), searchtest.Issue(4)
	before := map[surgical.EntityRef]wanted{
		one:   {"opened", map[string][]string{"entity": {"first", "second", "third"}, "discussion#a": {"an answer", "and more"}}},
		two:   {"opened", map[string][]string{"entity": {"only", "labels change"}, "discussion#b": {"stays"}}},
		three: {"opened", map[string][]string{"entity": {"goes", "away"}}},
	}
	middle := map[surgical.EntityRef]wanted{
		one:   {"closed", map[string][]string{"entity": {"other"}, "discussion#c": {"one", "two", "three", "four"}}},
		two:   {"closed", before[two].documents},
		three: {},
		four:  {"opened", map[string][]string{"entity": {"new", "here"}}},
	}
	after := map[surgical.EntityRef]wanted{
		one:   {"opened", map[string][]string{"entity": {"first"}}},
		two:   before[two],
		three: {"opened", map[string][]string{"entity": {"back"}}},
		four:  {},
	}
	chunks := func(want map[surgical.EntityRef]wanted) map[string]string {
		all := map[string]string{}
		for ref, w := range want {
			for id, texts := range w.documents {
				for n, text := range texts {
					all[search.ChunkID(ref, id, n)] = w.state + " " + text
				}
			}
		}
		return all
	}
	const requests = 8 // of the writing in the middle: a read of catalogs, of them by Known, three of writes, one of chunks, a refresh
	for died := range requests {
		for _, delivered := range []bool{false, true} {
			for name, goal := range map[string]map[surgical.EntityRef]wanted{"goes on": middle, "turns back": after} {
				t.Run(fmt.Sprintf("at request %d, delivered %v, %s", died, delivered, name), func(t *testing.T) {
					t.Parallel()
					var open func(http.RoundTripper) *opensearch.Engine
					x := searchtest.NewIndex(t, func(x *searchtest.Index) func() search.Engine {
						open = opener(x, url, engines.IndexName())
						return func() search.Engine { return open(http.DefaultTransport) }
					})
					e := x.Engine()
					x.Rebuild(e)
					x.Must(follow(t.Context(), x, e, before))
					ctx, die := context.WithCancel(t.Context())
					if err := follow(ctx, x, open(&dying{after: died, delivered: delivered, die: die}), middle); err == nil && died < requests-1 {
						t.Fatal("it did not die")
					}
					x.Must(follow(t.Context(), x, e, goal))
					if diff := cmp.Diff(chunks(goal), indexed(x, url)); diff != "" {
						t.Errorf("chunks (-want +got):\n%s", diff)
					}
					x.Must(follow(t.Context(), x, e, after))
					if diff := cmp.Diff(chunks(after), indexed(x, url)); diff != "" {
						t.Errorf("chunks in the end (-want +got):\n%s", diff)
					}
				})
			}
		}
	}
}

// held keeps back the requests that match, until they are released.
type held struct {
	match func(*http.Request, []byte) bool
	at    chan<- struct{}
	go_   <-chan struct{}
}

// RoundTrip implements http.RoundTripper.
func (h *held) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if h.match(r, body) {
		h.at <- struct{}{}
		<-h.go_
	}
	return http.DefaultTransport.RoundTrip(r)
}

func TestApply_OfAFrozenWriterIsRefused(t *testing.T) {
	url := engines.OpenSearch(t)
	for name, what := range map[string]string{"its claim": `"x":{"discussion#a":2`, "its chunks": `"text":"late`} {
		t.Run(name, func(t *testing.T) {
			var open func(http.RoundTripper) *opensearch.Engine
			x := searchtest.NewIndex(t, func(x *searchtest.Index) func() search.Engine {
				open = opener(x, url, engines.IndexName())
				return func() search.Engine { return open(http.DefaultTransport) }
			})
			prompt := x.Engine()
			x.Rebuild(prompt, searchtest.Entity(1, "a crash"))
			at, release, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
			frozen := open(&held{func(r *http.Request, body []byte) bool {
				return strings.HasSuffix(r.URL.Path, "/_bulk") && bytes.Contains(body, []byte(what))
			}, at, release})
			from := x.Position(frozen)
			go func() {
				done <- frozen.Apply(x.Context(), from, search.Position{Cursor: "late", AsOf: x.Now}, []search.Change{
					{Ref: searchtest.Issue(1), Facets: search.Facets{State: "closed"}, Put: []search.Document{
						searchtest.Document("entity", "late crash"), searchtest.Document("discussion#a", "late", "later"),
					}},
				})
			}()
			<-at
			// In the meantime, the entity is what it was before: nothing has to change but what the
			// frozen writer may have changed.
			want := map[surgical.EntityRef]wanted{searchtest.Issue(1): {"opened", map[string][]string{"entity": {"a crash"}}}}
			x.Must(follow(t.Context(), x, prompt, want))
			close(release)
			if err := <-done; !errors.Is(err, search.ErrMoved) {
				t.Errorf("the frozen writer got %v", err)
			}
			// Nobody looks at an entity again that did not change.
			x.Same("indexed right after it", map[string]string{"1#issue#1/entity/0": "opened a crash"}, indexed(x, url))
			x.Must(follow(t.Context(), x, prompt, want))
			x.Same("indexed", map[string]string{"1#issue#1/entity/0": "opened a crash"}, indexed(x, url))
		})
	}
}

// A writer that is late by more than the life of an index writes to nothing.
func TestApply_OfAFrozenWriterDoesNotCreateADeletedIndexAgain(t *testing.T) {
	url := engines.OpenSearch(t)
	var open func(http.RoundTripper) *opensearch.Engine
	x := searchtest.NewIndex(t, func(x *searchtest.Index) func() search.Engine {
		open = opener(x, url, engines.IndexName())
		return func() search.Engine { return open(http.DefaultTransport) }
	})
	x.Rebuild(x.Engine(), searchtest.Entity(1, "a crash"))
	m, err := x.Manifests.Read(t.Context())
	x.Must(err)
	at, release, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	first := true
	frozen := open(&held{func(r *http.Request, _ []byte) bool {
		claim := first && strings.HasSuffix(r.URL.Path, "/_bulk")
		first = first && !claim
		return claim
	}, at, release})
	from := x.Position(frozen)
	go func() {
		done <- frozen.Apply(x.Context(), from, search.Position{Cursor: "late"}, []search.Change{searchtest.Entity(2, "late")})
	}()
	<-at
	ask(x, http.MethodDelete, url+"/"+m.Index, nil, nil)
	close(release)
	if err := <-done; !errors.Is(err, search.ErrDamaged) {
		t.Errorf("the frozen writer got %v", err)
	}
	var indexes map[string]any
	ask(x, http.MethodGet, url+"/"+m.Index+"*", nil, &indexes)
	x.Same("indexes", 0, len(indexes))
}

func TestApply_DoesNotCreateADeletedIndexAgain(t *testing.T) {
	url := engines.OpenSearch(t)
	x := searchtest.NewIndex(t, backend(url))
	e := x.Engine()
	x.Rebuild(e, searchtest.Entity(1, "a crash"))
	m, err := x.Manifests.Read(t.Context())
	x.Must(err)
	at := x.Position(e)
	ask(x, http.MethodDelete, url+"/"+m.Index, nil, nil)
	if err := e.Apply(t.Context(), at, search.Position{Cursor: "1"}, []search.Change{searchtest.Entity(2, "a crash")}); !errors.Is(err, search.ErrDamaged) {
		t.Errorf("got %v", err)
	}
	x.Same("status of the index", http.StatusNotFound, ask(x, http.MethodGet, url+"/"+m.Index, nil, nil))
	_, err = x.Engine().Search(t.Context(), search.Query{Text: "crash"}, 10)
	x.Same("code", surgical.CodeIndexNotReady, surgical.CodeOf(err))
	if _, err := e.Maintain(t.Context()); !errors.Is(err, search.ErrDamaged) {
		t.Errorf("maintenance got %v", err)
	}
	x.Rebuild(e, searchtest.Entity(1, "a crash"))
	x.Same("after the rebuild", 1, len(x.Words(x.Engine(), "crash")))
}

func TestMaintain_DeletesFormerIndexesAndLetsTheAliasFollow(t *testing.T) {
	url := engines.OpenSearch(t)
	x := searchtest.NewIndex(t, backend(url))
	x.Now = time.Now().Truncate(time.Second).UTC()
	e := x.Engine().(*opensearch.Engine)
	exists := func(index string) bool { return ask(x, http.MethodGet, url+"/"+index, nil, nil) == http.StatusOK }
	var names []string
	for range 2 {
		x.Rebuild(e, searchtest.Entity(1, "a xylophonist", "a crash"))
		m, err := x.Manifests.Read(t.Context())
		x.Must(err)
		names = append(names, m.Index)
		x.Maintain(e)
		var aliased map[string]any
		ask(x, http.MethodGet, url+"/_alias/"+e.Name, nil, &aliased)
		if _, ok := aliased[m.Index]; !ok || len(aliased) != 1 {
			t.Errorf("the alias names %v", aliased)
		}
	}
	orphan := e.Name + "-orphan"
	x.Same("status of the orphan", http.StatusOK, ask(x, http.MethodPut, url+"/"+orphan, []byte(`{"aliases":{"`+e.Name+`-all":{}}}`), nil))
	x.Pass(surgical.IndexUnnamed - time.Minute)
	x.Maintain(e)
	for _, name := range append(names, orphan) {
		if !exists(name) {
			t.Errorf("%s was deleted within the hour", name)
		}
	}
	x.Pass(2 * time.Minute)
	x.Maintain(e)
	x.Pass(surgical.IndexUnnamed)
	x.Maintain(e)
	if exists(names[0]) || exists(orphan) || !exists(names[1]) {
		t.Errorf("the former index is there: %v; the orphan: %v; the index: %v", exists(names[0]), exists(orphan), exists(names[1]))
	}
	x.Apply(e, searchtest.Entity(1, "a crash"))
	x.Maintain(e)
	m, err := x.Manifests.Read(t.Context())
	x.Must(err)
	x.Same("entities, documents, chunks", [3]int{1, 1, 1}, [3]int{m.Base.Entities, m.Base.Documents, m.Base.Chunks})
	if m.Base.Bytes == 0 {
		t.Error("the index has no size")
	}
}

// anticipated is a network on which another indexer sends each deletion first.
type anticipated struct{ deletions int }

// RoundTrip implements http.RoundTripper.
func (a *anticipated) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodDelete {
		a.deletions++
		response, err := http.DefaultTransport.RoundTrip(r.Clone(r.Context()))
		if err != nil || response.Body.Close() != nil {
			return response, err
		}
	}
	return http.DefaultTransport.RoundTrip(r)
}

func TestMaintain_MayFindThatOthersDeletedFirst(t *testing.T) {
	x := searchtest.NewIndex(t, func(*searchtest.Index) func() search.Engine { return nil })
	x.Now = time.Now().Truncate(time.Second).UTC()
	network := &anticipated{}
	e := opener(x, engines.OpenSearch(t), engines.IndexName())(network)
	for range 2 {
		x.Rebuild(e, searchtest.Entity(1, "a crash"))
		x.Maintain(e)
	}
	x.Same("deletions of the alias", 1, network.deletions)
	for range 2 {
		x.Pass(surgical.IndexUnnamed + time.Minute)
		x.Maintain(e)
	}
	if network.deletions < 2 {
		t.Error("the former index was not deleted")
	}
}
