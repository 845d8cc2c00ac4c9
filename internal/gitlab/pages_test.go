package gitlab_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// onePage is a page of a list: the records' ids, and the X-Total, X-Next-Page and
// Link headers, each "" for none.
type onePage struct {
	ids               []string
	total, next, link string
}

// paged serves the demo's issue 7, with the given pages for one of its lists.
func paged(t *testing.T, endpoint string, pages map[int]onePage) http.Handler {
	t.Helper()
	server := fakegitlab.New(fakegitlab.Options{Token: sampleToken})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/"+endpoint) {
			server.ServeHTTP(w, r)
			return
		}
		number, err := strconv.Atoi(r.URL.Query().Get("page"))
		if err != nil {
			t.Errorf("page %q", r.URL.RawQuery)
		}
		p := pages[number]
		for name, value := range map[string]string{"X-Total": p.total, "X-Next-Page": p.next, "Link": p.link} {
			if value != "" {
				w.Header().Set(name, value)
			}
		}
		if p.total != "" {
			w.Header().Set("X-Total-Pages", strconv.Itoa(len(pages)))
		}
		var records []string
		for _, id := range p.ids {
			records = append(records, fmt.Sprintf(`{"id":%q,"page":%d}`, id, number))
		}
		fmt.Fprint(w, "["+strings.Join(records, ",")+"]")
	})
}

func TestClientFetch_NoticesShiftedPages(t *testing.T) {
	tests := []struct {
		name     string
		endpoint string
		pages    map[int]onePage
		want     []string // nil for gitlab_unavailable
	}{
		{"nothing changes", "discussions", map[int]onePage{1: {ids: []string{"a", "b"}, total: "3", next: "2"}, 2: {ids: []string{"c"}, total: "3"}}, []string{"a:1", "b:1", "c:2"}},
		{"a new record at the front pushes one to the next page", "discussions", map[int]onePage{1: {ids: []string{"a", "b"}, total: "3", next: "2"}, 2: {ids: []string{"b", "c"}, total: "4"}}, []string{"a:1", "b:2", "c:2"}},
		{"a record is deleted and the total shrinks", "discussions", map[int]onePage{1: {ids: []string{"a", "b"}, total: "4", next: "2"}, 2: {ids: []string{"d"}, total: "3"}}, nil},
		{"a record is deleted and only the total shows it", "discussions", map[int]onePage{1: {ids: []string{"a", "b"}, total: "4", next: "2"}, 2: {ids: []string{"c", "d"}, total: "3"}}, nil},
		{"a record is missing and the total is unchanged", "discussions", map[int]onePage{1: {ids: []string{"a", "b"}, total: "4", next: "2"}, 2: {ids: []string{"d"}, total: "4"}}, nil},
		{"a new record at the end starts another page", "discussions", map[int]onePage{1: {ids: []string{"a", "b"}, total: "2", next: "2"}, 2: {ids: []string{"c"}, total: "3"}}, []string{"a:1", "b:1", "c:2"}},
		{"label events that the token may not see", "resource_label_events", map[int]onePage{1: {ids: []string{"1"}, total: "3"}}, []string{"1:1"}},
		{"state events that are missing", "resource_state_events", map[int]onePage{1: {ids: []string{"1"}, total: "3"}}, nil},
		{"no totals, X-Next-Page", "discussions", map[int]onePage{1: {ids: []string{"a"}, next: "2"}, 2: {ids: []string{"b"}}}, []string{"a:1", "b:2"}},
		{"no totals, a next link with an internal host", "discussions", map[int]onePage{1: {ids: []string{"a"}, link: `<http://10.0.0.1/api/v4/projects/1/issues/7/discussions?page=2&per_page=100>; rel="next"`}, 2: {ids: []string{"b"}}}, []string{"a:1", "b:2"}},
		{"a loop of pages", "discussions", map[int]onePage{1: {ids: []string{"a"}, next: "2"}, 2: {ids: []string{"b"}, next: "1"}}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			client := newClient(t, serve(t, paged(t, tt.endpoint, tt.pages)))
			snap, err := client.Fetch(t.Context(), fakegitlab.IssueRef(7))
			if tt.want == nil {
				wantCode(t, err, surgical.CodeGitLabUnavailable, true)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			found := map[string]bool{}
			for _, c := range snap.Children {
				raw := string(c.Raw)
				if at := strings.Index(raw, `"page":`); at >= 0 {
					found[c.ID+":"+strings.Trim(raw[at+7:], "}")] = true
				}
			}
			for _, w := range tt.want {
				if !found[w] {
					t.Errorf("%s is missing among %v", w, found)
				}
			}
			if len(found) != len(tt.want) {
				t.Errorf("children = %v, want %v", found, tt.want)
			}
		})
	}
}
