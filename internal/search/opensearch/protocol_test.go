package opensearch_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/searchtest"
)

// cluster answers that every request succeeded, and records them. Its documents do not
// exist. It is for the order of requests; what they do is tested on a real OpenSearch.
type cluster struct {
	mu       sync.Mutex
	requests []string
	// items answers the writes of a bulk request, 200 without it.
	items func(id string) (status int, kind string)
	// status fails all requests.
	status int
	header http.Header
}

// ServeHTTP implements http.Handler.
func (c *cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.header = r.Header
	raw, err := io.ReadAll(r.Body)
	if err != nil || c.status != 0 {
		c.requests = append(c.requests, r.Method)
		w.WriteHeader(c.status)
		return
	}
	path := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	switch path {
	case "_search":
		c.requests = append(c.requests, strings.TrimSuffix("search?"+r.URL.RawQuery, "?"))
		_, _ = io.WriteString(w, "{}")
	case "_mget":
		c.requests = append(c.requests, "read")
		var ids struct{ IDs []string }
		_ = json.Unmarshal(raw, &ids) // the answer shows it
		docs := make([]map[string]any, len(ids.IDs))
		for i, id := range ids.IDs {
			docs[i] = map[string]any{"_id": id, "found": false}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"docs": docs})
	case "_bulk":
		var items []any
		lines := bufio.NewScanner(bytes.NewReader(raw))
		lines.Buffer(nil, 1<<24)
		for lines.Scan() {
			var action map[string]struct {
				ID      string `json:"_id"`
				Version int64
			}
			if json.Unmarshal(lines.Bytes(), &action) != nil {
				continue // a document
			}
			for verb, meta := range action {
				if meta.ID == "" {
					continue
				}
				c.requests = append(c.requests, fmt.Sprintf("%s %s @%d", verb, meta.ID, meta.Version))
				result := map[string]any{"status": http.StatusOK}
				if c.items != nil {
					if status, kind := c.items(meta.ID); kind != "" {
						result = map[string]any{"status": status, "error": map[string]any{"type": kind, "reason": "because"}}
					}
				}
				items = append(items, map[string]any{verb: result})
			}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"items": items})
	default:
		c.requests = append(c.requests, strings.ToLower(strings.TrimPrefix(path, "_")))
		_, _ = io.WriteString(w, "{}")
	}
}

// recorded returns the requests since the last call.
func (c *cluster) recorded() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	requests := c.requests
	c.requests = nil
	return requests
}

func (c *cluster) index(t *testing.T) *searchtest.Index {
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	return searchtest.NewIndex(t, backend(server.URL))
}

func TestApply_ClaimsBeforeItWritesChunksUnderTheClaimsVersion(t *testing.T) {
	c := &cluster{}
	x := c.index(t)
	e := x.Engine()
	x.Rebuild(e)
	c.recorded()
	x.Apply(e, searchtest.Entity(1, "one", "two"), searchtest.Entity(2, "three"))
	want := []string{
		"read", "index 1#issue#1 @1", "index 1#issue#2 @1",
		"index 1#issue#1/entity/0 @1", "index 1#issue#1/entity/1 @1", "index 1#issue#2/entity/0 @1",
		"index 1#issue#1 @2", "index 1#issue#2 @2", "refresh",
	}
	if diff := cmp.Diff(want, c.recorded()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestRebuild_GoesOnFromBeforeItsFirstReading(t *testing.T) {
	x := (&cluster{}).index(t)
	e := x.Engine()
	x.Rebuild(e, searchtest.Entity(1, "one"))
	x.Must(e.Rebuild(t.Context(), search.Position{Cursor: "before", AsOf: x.Now}, func(yield func(search.Change, error) bool) {
		x.Apply(x.Engine(), searchtest.Entity(2, "two"))
		_ = yield(searchtest.Entity(1, "one"), nil)
	}))
	x.Same("cursor", "before", x.Position(e).Cursor)
}

func TestPosition_TakesOverFromAWriterThatHasNotEnded(t *testing.T) {
	c := &cluster{}
	x := c.index(t)
	e := x.Engine()
	x.Rebuild(e)
	at := x.Position(e)
	c.items = func(string) (int, string) { return http.StatusConflict, "version_conflict_engine_exception" }
	if err := e.Apply(t.Context(), at, at, []search.Change{searchtest.Entity(1, "one")}); err == nil {
		t.Fatal("a claim that OpenSearch refused was not noticed")
	}
	c.items = nil
	c.recorded()
	next := x.Position(x.Engine())
	x.Same("requests", []string{"read", "index 1#issue#1 @1"}, c.recorded())
	if next.Edition <= at.Edition || next.Cursor != at.Cursor {
		t.Errorf("the position went from %+v to %+v", at, next)
	}
	x.Position(e)
	x.Same("once more", 0, len(c.recorded()))
}

func TestApply_LooksAtEveryItem(t *testing.T) {
	c := &cluster{}
	x := c.index(t)
	e := x.Engine()
	x.Rebuild(e)
	busy := 2
	c.items = func(id string) (int, string) {
		switch {
		case strings.HasSuffix(id, "/0"):
			return http.StatusBadRequest, "mapper_parsing_exception"
		case strings.HasSuffix(id, "/1") && busy > 0:
			busy--
			return http.StatusTooManyRequests, "rejected_execution_exception"
		}
		return 0, ""
	}
	c.recorded()
	x.Apply(e, searchtest.Entity(1, "odd", "busy", "fine"))
	x.Same("requests", []string{
		"read", "index 1#issue#1 @1", "index 1#issue#1/entity/0 @1", "index 1#issue#1/entity/1 @1", "index 1#issue#1/entity/2 @1",
		"index 1#issue#1/entity/1 @1", "index 1#issue#1/entity/1 @1", "index 1#issue#1 @2", "refresh",
	}, c.recorded())
}

func TestMaintain_ExpungesWhatWasRemovedWithinADay(t *testing.T) {
	c := &cluster{}
	x := c.index(t)
	e := x.Engine()
	x.Rebuild(e)
	x.Apply(e, searchtest.Entity(1, "one"))
	m, err := x.Manifests.Read(t.Context())
	x.Must(err)
	began := x.Now
	var flushed, merged time.Duration
	name := m.Index[:strings.LastIndexByte(m.Index, '-')]
	list := fmt.Sprintf(`{%q:{"aliases":{%q:{}},"settings":{"index":{"creation_date":"0"}}}}`, m.Index, name)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "-all"):
			_, _ = io.WriteString(w, list)
			return
		case strings.HasSuffix(r.URL.Path, "/_flush"):
			flushed = x.Now.Sub(began)
		case strings.HasSuffix(r.URL.Path, "/_forcemerge") && r.URL.Query().Get("only_expunge_deletes") == "true":
			merged = x.Now.Sub(began)
		}
		_, _ = io.WriteString(w, "{}")
	}))
	t.Cleanup(server.Close)
	keeper := openAt(x, server.URL, name)
	for x.Now.Sub(began) < 24*time.Hour {
		x.Pass(surgical.IndexInterval)
		x.Maintain(keeper)
	}
	if flushed < surgical.CompactRemoved-time.Minute || merged < flushed+time.Minute || merged > 24*time.Hour-surgical.IndexerTimeout {
		t.Errorf("flushed after %s, merged after %s", flushed, merged)
	}
}

// A copy of the index has segments of its own, so what matches alike may have another order.
func TestSearch_ReadsAllPagesOfAQueryFromTheSameCopies(t *testing.T) {
	c := &cluster{}
	x := c.index(t)
	x.Model = "two-things" // so each search is one by words and one by a vector
	x.Rebuild(x.Engine(), x.Embedded(searchtest.Entity(7, "a cat")), x.Embedded(searchtest.Entity(8, "a cat")))
	seven, eight := searchtest.Issue(7), searchtest.Issue(8)
	c.recorded()
	copies := map[string]int{}
	for _, pages := range [][2]search.Query{
		{{Text: "crash"}, {Text: "crash"}},
		{{Text: "fire"}, {Text: "fire"}},
		{{SimilarTo: &seven, Text: "its text"}, {SimilarTo: &seven, Text: "its text after an edit"}},
		{{SimilarTo: &eight, Text: "its text"}, {SimilarTo: &eight, Text: "its text"}},
	} {
		for i, q := range pages {
			_, err := x.Engine().Search(t.Context(), q, 10+200*i)
			x.Must(err)
		}
		asked := slices.DeleteFunc(c.recorded(), func(request string) bool { return request == "read" })
		_, of, _ := strings.Cut(asked[0], "preference=")
		copies[of]++
		if len(asked) != 4 || len(slices.Compact(asked)) != 1 || of == "" || strings.HasPrefix(of, "_") {
			t.Errorf("asked %q", asked)
		}
	}
	if len(copies) != 4 {
		t.Errorf("four queries have %d preferences", len(copies))
	}
}

func TestSearch_OfAServerThatIsAwaySaysWhenToTryAgain(t *testing.T) {
	for _, status := range []int{http.StatusServiceUnavailable, http.StatusForbidden, http.StatusInternalServerError, http.StatusBadRequest} {
		c := &cluster{}
		x := c.index(t)
		x.Rebuild(x.Engine())
		c.status = status
		_, err := x.Engine().Search(t.Context(), search.Query{Text: "crash"}, 10)
		if failure := surgical.AsError(err); failure.Code != surgical.CodeDependencyUnavailable || failure.RetryAfter == 0 || strings.Contains(failure.Message, "403") {
			t.Errorf("%d: got %+v", status, failure)
		}
	}
	c := &cluster{}
	x := c.index(t)
	x.Rebuild(x.Engine())
	_, err := openAt(x, "http://127.0.0.1:1", "nobody").Search(t.Context(), search.Query{Text: "crash"}, 10)
	x.Same("nobody listens", surgical.CodeDependencyUnavailable, surgical.CodeOf(err))
}
