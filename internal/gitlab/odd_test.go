package gitlab_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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
	// What is not an object is not GitLab's.
	for _, other := range []string{`[null]`, `[7]`, `[["a"]]`, `["a"]`} {
		body = other
		_, err := client.Fetch(t.Context(), fakegitlab.IssueRef(7))
		wantCode(t, err, surgical.CodeGitLabUnavailable, true)
	}
}
