package gitlab_test

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// records serves the demo's issue 7 with discussions of its own, paginated as
// answer says.
type records struct {
	mu     sync.Mutex
	ids    []int
	served int // requests for discussions
	// answer writes one response; it may change the ids.
	answer func(r *records, w http.ResponseWriter, req *http.Request)
}

func (r *records) handler(t *testing.T) http.Handler {
	t.Helper()
	return r.before(fakegitlab.New(fakegitlab.Options{Token: sampleToken}))
}

// before serves the discussions itself, and everything else from the server.
func (r *records) before(server http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if !strings.HasSuffix(req.URL.Path, "/discussions") {
			server.ServeHTTP(w, req)
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.served++
		r.answer(r, w, req)
	})
}

func number(req *http.Request, name string, otherwise int) int {
	n, err := strconv.Atoi(req.URL.Query().Get(name))
	if err != nil {
		return otherwise
	}
	return n
}

func (r *records) write(w http.ResponseWriter, from, to int) {
	var all []string
	for _, id := range r.ids[min(from, len(r.ids)):min(to, len(r.ids))] {
		all = append(all, fmt.Sprintf(`{"id":"%d","notes":[]}`, id))
	}
	fmt.Fprint(w, "["+strings.Join(all, ",")+"]")
}

// numbered answers by page number, at most limit records a page.
func numbered(limit int, headers func(r *records, h http.Header, page, size int)) func(*records, http.ResponseWriter, *http.Request) {
	return func(r *records, w http.ResponseWriter, req *http.Request) {
		page, size := number(req, "page", 1), min(limit, number(req, "per_page", 20))
		headers(r, w.Header(), page, size)
		r.write(w, (page-1)*size, page*size)
	}
}

func none(*records, http.Header, int, int) {}

func totals(r *records, h http.Header, _, _ int) { h.Set("X-Total", strconv.Itoa(len(r.ids))) }

func gitlabs(r *records, h http.Header, page, size int) {
	totals(r, h, page, size)
	pages := max(1, (len(r.ids)+size-1)/size)
	h.Set("X-Total-Pages", strconv.Itoa(pages))
	h.Set("X-Per-Page", strconv.Itoa(size))
	if page < pages {
		h.Set("X-Next-Page", strconv.Itoa(page+1))
	}
}

// linked names the next page in one of several joined Link headers.
func linked(r *records, h http.Header, page, size int) {
	h.Add("Link", `<https://assets.example.com>; crossorigin; rel="preconnect", <https://cdn.example.com/next>; rel="next"`)
	if page*size < len(r.ids) {
		h.Add("Link", fmt.Sprintf(`<http://10.0.0.1/api/v4/projects/1/issues/7/discussions?page=%d&per_page=%d>; rel="next"`, page+1, size))
	}
}

// keyset answers by cursor only.
func keyset(lost func(cursor int) bool) func(*records, http.ResponseWriter, *http.Request) {
	return func(r *records, w http.ResponseWriter, req *http.Request) {
		from := number(req, "cursor", 0)
		if to := from + 100; to < len(r.ids) && !lost(from) {
			w.Header().Set("Link", fmt.Sprintf(`<http://10.0.0.1/api/v4/projects/1/issues/7/discussions?cursor=%d&per_page=100>; rel="next"`, to))
		}
		r.write(w, from, from+100)
	}
}

func never(int) bool { return false }

func count(n int) []int {
	ids := make([]int, n)
	for i := range ids {
		ids[i] = i + 1
	}
	return ids
}

func (r *records) texts() []string {
	var texts []string
	for _, id := range r.ids {
		texts = append(texts, strconv.Itoa(id))
	}
	return texts
}

func discussions(snap surgical.Snapshot) []string {
	var ids []string
	for _, c := range snap.Children {
		if c.Kind == surgical.KindDiscussion {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

func TestClientFetch_ReadsACompleteListWhateverTheHeadersSay(t *testing.T) {
	for name, tt := range map[string]struct {
		n        int
		answer   func(*records, http.ResponseWriter, *http.Request)
		requests int
	}{
		"GitLab's headers":                {250, numbered(100, gitlabs), 5},
		"GitLab's headers, one page":      {4, numbered(100, gitlabs), 1},
		"GitLab's headers, a full page":   {100, numbered(100, gitlabs), 1},
		"GitLab's headers, nothing":       {0, numbered(100, gitlabs), 1},
		"no headers":                      {250, numbered(100, none), 6},
		"no headers, a full last page":    {200, numbered(100, none), 4},
		"no headers, one page":            {4, numbered(100, none), 2},
		"no headers, nothing":             {0, numbered(100, none), 2},
		"no headers, pages of 20":         {50, numbered(20, none), 6},
		"totals only":                     {250, numbered(100, totals), 5},
		"totals only, pages of 20":        {50, numbered(20, totals), 5},
		"links among others, pages of 20": {50, numbered(20, linked), 6},
		"links among others":              {250, numbered(100, linked), 6},
		"keyset":                          {250, keyset(never), 3},
		"keyset, the last page is full":   {200, keyset(never), 3},
		"keyset with a total": {250, func(r *records, w http.ResponseWriter, req *http.Request) {
			totals(r, w.Header(), 0, 0)
			keyset(never)(r, w, req)
		}, 3},
		"a total that is too small is not trusted": {5, numbered(100, func(_ *records, h http.Header, _, _ int) { h.Set("X-Total", "0") }), 2},
	} {
		t.Run(name, func(t *testing.T) {
			r := &records{ids: count(tt.n), answer: tt.answer}
			snap, err := newClient(t, serve(t, r.handler(t))).Fetch(t.Context(), fakegitlab.IssueRef(7))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(r.texts(), discussions(snap)); diff != "" {
				t.Errorf("discussions (-want +got):\n%.400s", diff)
			}
			if r.served != tt.requests {
				t.Errorf("%d requests for the list, want %d", r.served, tt.requests)
			}
		})
	}
}

func TestClientFetch_FailsIfTheListIsNotKnownToBeComplete(t *testing.T) {
	for name, tt := range map[string]struct {
		answer func(*records, http.ResponseWriter, *http.Request)
		says   string
	}{
		"the page number is not passed on": {func(r *records, w http.ResponseWriter, _ *http.Request) { r.write(w, 0, 20) }, "page number"},
		"less than the total": {func(r *records, w http.ResponseWriter, req *http.Request) {
			totals(r, w.Header(), 0, 0)
			if number(req, "page", 1) == 1 {
				r.write(w, 0, 100)
			} else {
				r.write(w, 0, 0)
			}
		}, "counts 250 records and shows 100"},
		"nothing of what is counted": {func(r *records, w http.ResponseWriter, _ *http.Request) {
			totals(r, w.Header(), 0, 0)
			r.write(w, 0, 0)
		}, "counts 250 records and shows 0"},
		"an empty answer now and then": {func(r *records, w http.ResponseWriter, _ *http.Request) {
			r.write(w, 0, (r.served+1)%2*20)
		}, "complete list"},
		"a keyset link that is lost, although more is counted": {func(r *records, w http.ResponseWriter, req *http.Request) {
			totals(r, w.Header(), 0, 0)
			keyset(func(from int) bool { return from == 100 })(r, w, req)
		}, "counts 250 records and shows 200"},
		"a keyset page that is cut, although more is counted": {func(r *records, w http.ResponseWriter, req *http.Request) {
			totals(r, w.Header(), 0, 0)
			if from := number(req, "cursor", 0); from == 100 {
				r.write(w, from, from+50)
				return
			}
			keyset(never)(r, w, req)
		}, "counts 250 records and shows 150"},
		"a keyset link that gets lost now and then": {keyset(func() func(int) bool {
			asked := 0
			return func(from int) bool { asked++; return from == 100 && asked%3 == 2 }
		}()), "changed while it was read"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &records{ids: count(250), answer: tt.answer}
			_, err := newClient(t, serve(t, r.handler(t))).Fetch(t.Context(), fakegitlab.IssueRef(7))
			if e := wantCode(t, err, surgical.CodeGitLabUnavailable, true); !strings.Contains(e.Message, tt.says) {
				t.Errorf("the message does not say %q: %s", tt.says, e.Message)
			}
		})
	}
}

// One record leaves and one arrives between two pages: the total stays the same,
// and so does every header.
func TestClientFetch_LosesNoRecordWhenOneLeavesAndOneArrives(t *testing.T) {
	for name, change := range map[string]func(ids []int) []int{
		"one leaves, one arrives at the end":   func(ids []int) []int { return append(slices.Delete(ids, 4, 5), 1001) },
		"one leaves, one arrives at the front": func(ids []int) []int { return append([]int{1001}, slices.Delete(ids, len(ids)-1, len(ids))...) },
		"one leaves":                           func(ids []int) []int { return slices.Delete(ids, 4, 5) },
		"one arrives at the front":             func(ids []int) []int { return append([]int{1001}, ids...) },
		"one arrives at the end":               func(ids []int) []int { return append(ids, 1001) },
	} {
		for style, headers := range map[string]func(*records, http.Header, int, int){"GitLab's headers": gitlabs, "no headers": none} {
			for at := 1; at <= 4; at++ {
				t.Run(fmt.Sprintf("%s after request %d, %s", name, at, style), func(t *testing.T) {
					r := &records{ids: count(250)}
					before := slices.Clone(r.ids)
					answer := numbered(100, headers)
					r.answer = func(r *records, w http.ResponseWriter, req *http.Request) {
						answer(r, w, req)
						if r.served == at {
							r.ids = change(slices.Clone(r.ids))
						}
					}
					snap, err := newClient(t, serve(t, r.handler(t))).Fetch(t.Context(), fakegitlab.IssueRef(7))
					if err != nil {
						t.Fatal(err)
					}
					got := discussions(snap)
					for _, id := range before {
						if slices.Contains(r.ids, id) && !slices.Contains(got, strconv.Itoa(id)) {
							t.Errorf("record %d was there all the time and is missing", id)
						}
					}
				})
			}
		}
	}
}

func TestClientFetch_GivesUpOnAListThatNeverHoldsStill(t *testing.T) {
	r := &records{ids: count(250)}
	answer := numbered(100, gitlabs)
	r.answer = func(r *records, w http.ResponseWriter, req *http.Request) {
		answer(r, w, req)
		r.ids = append(slices.Delete(slices.Clone(r.ids), 0, 1), 1000+r.served)
	}
	_, err := newClient(t, serve(t, r.handler(t))).Fetch(t.Context(), fakegitlab.IssueRef(7))
	if e := wantCode(t, err, surgical.CodeGitLabUnavailable, true); !strings.Contains(e.Message, "read 3 times") {
		t.Errorf("message %q", e.Message)
	}
}

func TestClientFetch_EndsAnEndlessListForGood(t *testing.T) {
	for name, link := range map[string]string{"numbers": "page", "cursors": "cursor"} {
		t.Run(name, func(t *testing.T) {
			r := &records{answer: func(r *records, w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Link", fmt.Sprintf(`<http://10.0.0.1/api/v4/projects/1/issues/7/discussions?%s=%d>; rel="next"`, link, r.served+1))
				fmt.Fprintf(w, `[{"id":"%d","notes":[]}]`, r.served)
			}}
			_, err := newClient(t, serve(t, r.handler(t))).Fetch(t.Context(), fakegitlab.IssueRef(7))
			wantCode(t, err, surgical.CodeEntityTooLarge, false)
		})
	}
}

// A list that is cut, or emptied, in a way that no header or page contradicts.
func TestClientFetch_NamesTheListsThatMayLackRecords(t *testing.T) {
	events := []surgical.ChildKind{surgical.KindStateEvent, surgical.KindLabelEvent, surgical.KindMilestoneEvent} // the issue has none
	withDiscussions := append([]surgical.ChildKind{surgical.KindDiscussion}, events...)
	for name, tt := range map[string]struct {
		comments, shown int
		counted         bool
		want            []surgical.ChildKind
	}{
		"all, with a total":                 {4, 4, true, events},
		"all, without a total":              {4, 4, false, events},
		"fewer, with a total":               {4, 3, true, events}, // the token may not see all
		"fewer, without a total":            {4, 3, false, withDiscussions},
		"none, with a total of 0":           {4, 0, true, withDiscussions},
		"none, without a total":             {4, 0, false, withDiscussions},
		"none of none, with a total":        {0, 0, true, withDiscussions},
		"system notes are no comments":      {0, 1, false, events},
		"more than counted without a total": {3, 4, false, events},
	} {
		t.Run(name, func(t *testing.T) {
			server := fakegitlab.New(fakegitlab.Options{Token: sampleToken})
			ref := fakegitlab.IssueRef(70)
			server.SetIssue(fakegitlab.NewIssue(70, "Cut", "", fakegitlab.Time{Time: time.Now()}))
			for i := range tt.comments {
				server.AddDiscussion(ref, fakegitlab.Note{Body: fmt.Sprint("comment ", i)})
			}
			r := &records{ids: count(tt.shown), answer: func(r *records, w http.ResponseWriter, req *http.Request) {
				if tt.counted {
					totals(r, w.Header(), 0, 0)
				}
				var all []string
				for _, id := range r.ids {
					all = append(all, fmt.Sprintf(`{"id":"%d","notes":[{"id":%d,"system":%v}]}`, id, id, tt.comments == 0))
				}
				if number(req, "page", 1) > 1 {
					all = nil
				}
				fmt.Fprint(w, "["+strings.Join(all, ",")+"]")
			}}
			snap, err := newClient(t, serve(t, r.before(server))).Fetch(t.Context(), ref)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, snap.Doubtful); diff != "" {
				t.Errorf("doubtful (-want +got):\n%s", diff)
			}
		})
	}
}
