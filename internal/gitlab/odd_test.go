package gitlab_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/gitlab"
	"gitlab.com/lorehook/lorehook/internal/render"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// What fetching accepts, rendering accepts, under the same name: an odd record
// costs neither its entity nor another record.
func TestClientFetch_AcceptsWhatRenderingAccepts(t *testing.T) {
	server := fakegitlab.New(fakegitlab.Options{Token: sampleToken})
	records := []string{
		`{"id":"a","notes":[{"id":"5004","body":"one"}]}`, `{"id":5004,"notes":[{"id":5004.0,"body":"two"}]}`, `{"id":5005.0,"notes":[{"id":18446744073709551615}]}`,
		`{"id":18446744073709551615,"notes":[{"id":{},"position":{"new_line":"4"}}]}`, `{"id":null,"notes":7}`, `{"notes":[null,7,{"body":[]}]}`, `{"id":{"x":1}}`,
	}
	body := "[" + strings.Join(records, ",") + "]"
	client := newClient(t, serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/discussions") {
			server.ServeHTTP(w, r)
			return
		}
		w.Header().Set("X-Total", strconv.Itoa(len(records)))
		fmt.Fprint(w, body)
	})))
	snap, err := client.Fetch(t.Context(), fakegitlab.IssueRef(7))
	if err != nil {
		t.Fatal(err)
	}
	var fetched, rendered []string
	for _, child := range snap.Children {
		if child.Kind != surgical.KindDiscussion {
			continue
		}
		fetched = append(fetched, render.DiscussionID(child.ID))
		d, err := render.Discussion(snap.Ref, render.Head{}, child.Raw)
		if err != nil {
			t.Errorf("%s: %v", child.Raw, err)
		}
		rendered = append(rendered, d.ID)
	}
	if diff := cmp.Diff(fetched, rendered); diff != "" || len(fetched) != len(records) {
		t.Errorf("%d of %d discussions (-fetched +rendered):\n%s", len(fetched), len(records), diff)
	}
}

// What is not an object costs itself only, and is counted like any other record. So are
// two records without an id that say the same.
func TestClientFetch_LeavesOutWhatIsNotARecord(t *testing.T) {
	for name, tt := range map[string]struct {
		list    []string
		counted bool
		want    int
		leftOut []string
	}{
		"null": {[]string{`{"id":"a"}`, `null`, `{"id":"b"}`}, true, 2, []string{"record 2 of a page of discussions is left out: it is null"}},
		"a number, a text and a list": {[]string{`7`, `{"id":"a"}`, `"x"`, `[{}]`}, true, 1, []string{
			"record 1 of a page of discussions is left out: it is a number", "record 3 of a page of discussions is left out: it is a text", "record 4 of a page of discussions is left out: it is a list"}},
		"null, without a total":                {[]string{`null`, `{"id":"a"}`}, false, 1, []string{"record 1 of a page of discussions is left out: it is null"}},
		"nothing else":                         {[]string{`null`}, true, 0, []string{"record 1 of a page of discussions is left out: it is null"}},
		"nothing else, without a total":        {[]string{`null`}, false, 0, []string{"record 1 of a page of discussions is left out: it is null"}},
		"two that say the same":                {[]string{`{"id":null}`, `{"id":"a"}`, `{"id":null}`}, true, 2, nil},
		"two that say the same, without total": {[]string{`{"id":null}`, `{"id":null}`}, false, 1, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := &records{answer: func(_ *records, w http.ResponseWriter, req *http.Request) {
				if tt.counted {
					w.Header().Set("X-Total", strconv.Itoa(len(tt.list)))
				}
				if number(req, "page", 1) > 1 {
					tt.list = nil
				}
				fmt.Fprint(w, "["+strings.Join(tt.list, ",")+"]")
			}}
			snap, err := newClient(t, serve(t, r.handler(t))).Fetch(t.Context(), fakegitlab.IssueRef(7))
			if err != nil {
				t.Fatal(err)
			}
			if got := discussions(snap); len(got) != tt.want {
				t.Errorf("discussions %v, want %d", got, tt.want)
			}
			if diff := cmp.Diff(tt.leftOut, snap.LeftOut); diff != "" {
				t.Errorf("left out (-want +got):\n%s", diff)
			}
		})
	}
}

// In a project's list, in a log and among projects, what is not a record is counted and
// skipped: the list goes on.
func TestClient_SkipsWhatIsNotARecordInLists(t *testing.T) {
	list := `[null,{"id":1,"iid":1,"project_id":1,"path_with_namespace":"a/b","url":"https://a.example/x","updated_at":"2026-05-28T07:00:00Z","created_at":"2026-05-28T07:00:00Z"},7,"x"]`
	client := newClient(t, serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Total", "4")
		fmt.Fprint(w, list)
	})))
	issues, err := client.ListIssues(t.Context(), 1, gitlab.ListQuery{})
	if err != nil || len(issues.Entries) != 1 || issues.Unreadable != 3 {
		t.Errorf("issues %+v, %v", issues, err)
	}
	projects, err := client.GroupProjects(t.Context(), "a", "")
	if err != nil || len(projects.Projects) != 1 || projects.Unreadable != 3 {
		t.Errorf("projects %+v, %v", projects, err)
	}
	hooks, err := client.Hooks(t.Context(), gitlab.Owner{Project: 1}, "")
	if err != nil || len(hooks.Hooks) != 1 || hooks.Unreadable != 3 {
		t.Errorf("hooks %+v, %v", hooks, err)
	}
	events, err := client.HookEvents(t.Context(), gitlab.Owner{Project: 1}, 1, "")
	if err != nil || len(events.Events) != 1 || events.Unreadable != 3 {
		t.Errorf("deliveries %+v, %v", events, err)
	}
	if read, ok := gitlab.ReadHookEvents([]byte(list)); !ok || len(read) != 1 {
		t.Errorf("deliveries %v, %v", read, ok)
	}
	if count, err := client.Count(t.Context(), 1, surgical.Issue); err != nil || count.N != 4 {
		t.Errorf("count %+v, %v", count, err)
	}
}
