package gitlab_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	api "gitlab.com/gitlab-org/api/client-go/v2"

	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

func serve(t *testing.T, o fakegitlab.Options) (*fakegitlab.Server, string) {
	t.Helper()
	server := fakegitlab.New(o)
	h := httptest.NewServer(server)
	t.Cleanup(h.Close)
	return server, h.URL
}

func do(t *testing.T, method, url string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestTheOfficialClientReadsTheSeed(t *testing.T) {
	_, url := serve(t, fakegitlab.Options{Token: "sample-token"})
	client, err := api.NewClient("sample-token", api.WithBaseURL(url))
	if err != nil {
		t.Fatal(err)
	}
	for iid, confidential := range map[int64]bool{7: false, 8: false, 9: true} {
		issue, _, err := client.Issues.GetIssue(1, iid)
		if err != nil {
			t.Fatal(err)
		}
		discussions, _, err := client.Discussions.ListIssueDiscussions(1, iid, nil)
		if err != nil {
			t.Fatal(err)
		}
		if issue.Confidential != confidential || issue.Title == "" || issue.WebURL == "" || len(issue.Labels) == 0 || len(discussions) == 0 {
			t.Errorf("issue %d is incomplete: %+v", iid, issue)
		}
	}
	mr, _, err := client.MergeRequests.GetMergeRequest("demo/lorehook-demo", 12, nil)
	if err != nil {
		t.Fatal(err)
	}
	discussions, _, err := client.Discussions.ListMergeRequestDiscussions(1, 12, nil)
	if err != nil {
		t.Fatal(err)
	}
	if note := discussions[0].Notes[0]; mr.DiffRefs.HeadSha == "" || !note.Resolved || note.Position == nil || note.Position.NewLine != 48 {
		t.Errorf("merge request 12 is incomplete: %+v, %+v", mr, note)
	}
}

func TestStrangersAndUnknownThingsAreRefusedAsGitLabDoes(t *testing.T) {
	_, url := serve(t, fakegitlab.Options{Token: "sample-token"})
	tests := []struct {
		path, header, token string
		status              int
	}{
		{"/projects/1/issues/7", "PRIVATE-TOKEN", "sample-token", 200},
		{"/projects/1/issues/7", "Authorization", "Bearer sample-token", 200},
		{"/projects/demo%2Florehook-demo", "PRIVATE-TOKEN", "sample-token", 200},
		{"/projects/1/issues/7", "PRIVATE-TOKEN", "wrong-token", 401},
		{"/projects/1/issues/7", "Accept", "*/*", 401},
		{"/projects/1/issues/70", "PRIVATE-TOKEN", "sample-token", 404},
		{"/projects/2/issues/7", "PRIVATE-TOKEN", "sample-token", 404},
		{"/projects/1/issues/7/no_such_list", "PRIVATE-TOKEN", "sample-token", 404},
		{"/projects/1/merge_requests/7/discussions", "PRIVATE-TOKEN", "sample-token", 404},
		{"/projects/1/issues/x", "PRIVATE-TOKEN", "sample-token", 400},
		{"/no_such_thing", "PRIVATE-TOKEN", "sample-token", 404},
	}
	for _, tt := range tests {
		if resp, body := do(t, "GET", url+"/api/v4"+tt.path, tt.header, tt.token); resp.StatusCode != tt.status {
			t.Errorf("GET %s with %s: %d %s, want %d", tt.path, tt.header, resp.StatusCode, body, tt.status)
		}
	}
}

func TestPagesAreCountedUpToTenThousand(t *testing.T) {
	server, url := serve(t, fakegitlab.Options{})
	ref, added := fakegitlab.IssueRef(8), 2
	header := func(query string) http.Header {
		resp, _ := do(t, "GET", url+"/api/v4/projects/1/issues/8/discussions"+query)
		return resp.Header
	}
	for ; added < 10_000; added++ {
		server.AddDiscussion(ref, fakegitlab.Note{Body: "again"})
	}
	got := header("?per_page=500&page=2")
	want := map[string]string{"X-Total": "10000", "X-Total-Pages": "100", "X-Page": "2", "X-Next-Page": "3", "X-Prev-Page": "1", "X-Per-Page": "100"}
	for name, value := range want {
		if got.Get(name) != value {
			t.Errorf("%s = %q, want %q", name, got.Get(name), value)
		}
	}
	server.AddDiscussion(ref, fakegitlab.Note{Body: "one more"})
	if got := header("?per_page=100&page=101"); got.Get("X-Total")+got.Get("X-Total-Pages")+got.Get("X-Next-Page") != "" || strings.Contains(got.Get("Link"), "last") {
		t.Errorf("above 10,000 the headers are %v", got)
	}
}

func TestANoteMovesUpdatedAtAtMostOnceAMinute(t *testing.T) {
	now := time.Date(2026, time.June, 1, 8, 0, 0, 0, time.UTC)
	server, _ := serve(t, fakegitlab.Options{Clock: func() time.Time { return now }})
	ref := fakegitlab.IssueRef(7)
	first := now
	var discussion string
	for _, step := range []struct {
		after time.Duration
		want  time.Time
	}{{0, first}, {59 * time.Second, first}, {time.Second, first.Add(time.Minute)}} {
		now = now.Add(step.after)
		discussion = server.AddDiscussion(ref, fakegitlab.Note{Body: "hello"})
		if got := server.UpdatedAt(ref); !got.Equal(step.want) {
			t.Errorf("updated_at = %v, want %v", got, step.want)
		}
	}
	now = now.Add(time.Hour)
	server.DeleteDiscussion(ref, discussion)
	if got := server.UpdatedAt(ref); !got.Equal(first.Add(time.Minute)) {
		t.Errorf("a deletion moved updated_at to %v", got)
	}
	server.Relabel(ref, []string{"new"}, []string{"bug", "unknown"})
	if got := server.UpdatedAt(ref); !got.Equal(now) {
		t.Errorf("after a new label updated_at = %v, want %v", got, now)
	}
}

func TestAHeldAnswerIsAnOldOneAndLaterRequestsPass(t *testing.T) {
	server, url := serve(t, fakegitlab.Options{Control: true})
	entity := url + "/api/v4/projects/1/issues/8"
	query := "?project=1&type=issue&iid=8"
	if resp, body := do(t, "POST", url+"/_demo/hold"+query+"&requests=1"); resp.StatusCode != 200 {
		t.Fatal(body)
	}
	held := make(chan string, 1)
	hold := server.Hold(fakegitlab.IssueRef(7), 1) // of another entity: it must not matter
	go func() {
		resp, err := http.Get(entity)
		if err != nil {
			held <- err.Error()
			return
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		held <- string(body)
	}()
	waitFor(t, func() bool { _, body := do(t, "GET", url+"/_demo/hold"+query); return body == `{"awaited":0}` })
	do(t, "POST", url+"/_demo/edit"+query+"&title=New+title")
	if _, body := do(t, "GET", entity); !strings.Contains(body, "New title") {
		t.Errorf("the later request did not pass: %s", body)
	}
	if _, body := do(t, "POST", url+"/_demo/release"+query); body != `{"released":1}` {
		t.Errorf("release: %s", body)
	}
	if body := <-held; strings.Contains(body, "New title") || !strings.Contains(body, "Export times out") {
		t.Errorf("the held response is not the old one: %s", body)
	}
	select {
	case <-hold.Full():
		t.Error("the other entity's hold took a request")
	default:
	}
	var counts map[string]int
	_, body := do(t, "GET", url+"/_demo/requests")
	if err := json.Unmarshal([]byte(body), &counts); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int{"1#issue#8 entity": 2}, counts); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(10 * time.Second)
	for !done() {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatal("it did not happen within 10 s")
		}
	}
}

func TestTheControlChangesTheTruth(t *testing.T) {
	server, url := serve(t, fakegitlab.Options{Control: true})
	ref := fakegitlab.IssueRef(7)
	before := len(server.Discussions(ref))
	tests := []struct {
		call   string
		status int
	}{
		{"note?project=1&type=issue&iid=7&body=hello", 200},
		{"note?project=1&type=issue&iid=7&body=hello&discussion=" + server.Discussions(ref)[0].ID, 200},
		{"note?project=1&type=issue&iid=7", 400},
		{"note?project=1&type=issue&iid=7&body=x&discussion=none", 400},
		{"relabel?project=1&type=issue&iid=7&add=a,b&remove=bug", 200},
		{"state?project=1&type=issue&iid=7&to=closed", 200},
		{"state?project=1&type=issue&iid=7&to=burnt", 400},
		{"fault?project=1&type=issue&iid=9&status=429&retry_after=2", 200},
		{"fault?project=1&type=issue&iid=9&status=x", 400},
		{"hold?project=1&type=issue&iid=7&requests=0", 400},
		{"note?project=1&type=issue&iid=70&body=x", 400},
		{"note?project=1&type=planet&iid=7&body=x", 400},
		{"delete?project=1&type=issue&iid=8", 200},
	}
	for _, tt := range tests {
		if resp, body := do(t, "POST", url+"/_demo/"+tt.call); resp.StatusCode != tt.status {
			t.Errorf("%s: %d %s, want %d", tt.call, resp.StatusCode, body, tt.status)
		}
	}
	if got := len(server.Discussions(ref)); got != before+1 {
		t.Errorf("%d discussions, want %d", got, before+1)
	}
	_, body := do(t, "GET", url+"/api/v4/projects/1/issues/7")
	if !strings.Contains(body, `"state":"closed"`) || !strings.Contains(body, `"labels":["a","b","priority::high","search"]`) {
		t.Errorf("the issue is %s", body)
	}
	for path, status := range map[string]int{"issues/8": 404, "issues/9": 429} {
		resp, body := do(t, "GET", url+"/api/v4/projects/1/"+path)
		if resp.StatusCode != status || (status == 429 && (body != "Retry later\n" || resp.Header.Get("Retry-After") != strconv.Itoa(2))) {
			t.Errorf("%s: %d %v %s", path, resp.StatusCode, resp.Header, body)
		}
	}
}

func TestARenamedProjectRedirects(t *testing.T) {
	server, url := serve(t, fakegitlab.Options{})
	server.AddProject(fakegitlab.ProjectID, "demo/renamed")
	resp, _ := do(t, "GET", url+"/api/v4/projects/demo%2Florehook-demo/issues/7?x=1")
	if got := resp.Header.Get("Location"); resp.StatusCode != 301 || got != "/api/v4/projects/1/issues/7?x=1" {
		t.Errorf("%d to %q", resp.StatusCode, got)
	}
	if resp, _ := do(t, "POST", url+"/_demo/delete?project=1&type=issue&iid=7"); resp.StatusCode != 404 {
		t.Errorf("the control endpoints respond although they are disabled: %d", resp.StatusCode)
	}
}

func TestListsAreSortedAndFilteredAsGitLabDoes(t *testing.T) {
	server, url := serve(t, fakegitlab.Options{})
	undated := fakegitlab.NewIssue(3, "Old", "", fakegitlab.Time{Time: time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC)})
	undated.UpdatedAt = fakegitlab.Time{}
	server.SetIssue(undated)
	for query, want := range map[string]string{
		"":                               "9 8 7 3",
		"?order_by=updated_at&sort=asc":  "9 8 7 3", // null is last
		"?order_by=updated_at&sort=desc": "3 7 8 9",
		"?updated_after=2026-05-27T16:41:00Z&order_by=updated_at&sort=asc":     "7",
		"?updated_after=2026-05-27T16:41:00.208Z&order_by=updated_at&sort=asc": "7",
		"?updated_after=2026-05-27T16:41:00.209Z":                              "",
		"?iids[]=7&iids[]=3&sort=asc":                                          "3 7",
		"?state=closed":                                                        "",
	} {
		_, body := do(t, "GET", url+"/api/v4/projects/1/issues"+query)
		var issues []struct{ IID int64 }
		if err := json.Unmarshal([]byte(body), &issues); err != nil {
			t.Fatalf("%s: %v in %s", query, err, body)
		}
		var got []string
		for _, i := range issues {
			got = append(got, strconv.FormatInt(i.IID, 10))
		}
		if g := strings.Join(got, " "); g != want {
			t.Errorf("%s: %s, want %s", query, g, want)
		}
	}
	if resp, body := do(t, "GET", url+"/api/v4/projects/1/issues?order_by=colour"); resp.StatusCode != 400 {
		t.Errorf("an unknown order: %d %s", resp.StatusCode, body)
	}
	_, body := do(t, "GET", url+"/api/v4/projects/1/merge_requests")
	if !strings.Contains(body, `"iid":12`) || strings.Contains(body, "diff_refs") || strings.Contains(body, "changes_count") {
		t.Errorf("the list of merge requests is %s", body)
	}
}

func TestListsOfIssuesEndAtFiftyThousandUnlessByKeyset(t *testing.T) {
	_, url := serve(t, fakegitlab.Options{})
	base := url + "/api/v4/projects/1/"
	for path, status := range map[string]int{"issues?per_page=100&page=500": 200, "issues?per_page=100&page=501": 405, "merge_requests?per_page=100&page=501": 200} {
		if resp, body := do(t, "GET", base+path); resp.StatusCode != status {
			t.Errorf("%s: %d %s, want %d", path, resp.StatusCode, body, status)
		}
	}
	client, err := api.NewClient("", api.WithBaseURL(url))
	if err != nil {
		t.Fatal(err)
	}
	var iids []int64
	opts := &api.ListProjectIssuesOptions{ListOptions: api.ListOptions{Pagination: "keyset", PerPage: 1, OrderBy: "updated_at", Sort: "asc"}}
	for issue, err := range api.Scan2(func(p api.PaginationOptionFunc) ([]*api.Issue, *api.Response, error) {
		issues, resp, err := client.Issues.ListProjectIssues(1, opts, p)
		if err == nil && resp.Header.Get("X-Total")+resp.Header.Get("X-Next-Page") != "" {
			t.Errorf("keyset pagination has %v", resp.Header)
		}
		return issues, resp, err
	}) {
		if err != nil {
			t.Fatal(err)
		}
		iids = append(iids, issue.IID)
	}
	if diff := cmp.Diff([]int64{9, 8, 7}, iids); diff != "" {
		t.Errorf("issues (-want +got):\n%s", diff)
	}
}

func TestWhatIsOutOfSightIsNotFound(t *testing.T) {
	server, url := serve(t, fakegitlab.Options{Clock: func() time.Time { return time.Date(2026, 6, 1, 8, 0, 0, 0, time.UTC) }})
	server.HideEntity(fakegitlab.IssueRef(8), true)
	resp, body := do(t, "GET", url+"/api/v4/projects/1/issues")
	if strings.Contains(body, `"iid":8`) || resp.Header.Get("X-Total") != "2" || resp.Header.Get("Date") != "Mon, 01 Jun 2026 08:00:00 GMT" {
		t.Errorf("%v %s", resp.Header, body)
	}
	paths := []string{"projects/1", "projects/1/issues", "projects/1/issues/7", "projects/1/hooks", "projects/demo%2Florehook-demo"}
	check := func(want int) {
		t.Helper()
		for _, path := range paths {
			if resp, body := do(t, "GET", url+"/api/v4/"+path); resp.StatusCode != want {
				t.Errorf("%s: %d %s, want %d", path, resp.StatusCode, body, want)
			}
		}
	}
	if resp, _ := do(t, "GET", url+"/api/v4/projects/1/issues/8"); resp.StatusCode != 404 {
		t.Errorf("the entity: %d", resp.StatusCode)
	}
	check(200)
	server.HideProject(1, true)
	check(404)
	server.HideProject(1, false)
	check(200)
}

func TestSetIssue_NamesTheProjectThatTheIssueIsIn(t *testing.T) {
	server, url := serve(t, fakegitlab.Options{})
	server.AddProject(2, "demo/two")
	server.Fill(2, 1, 1)
	moved := server.Move(fakegitlab.IssueRef(7), 2)
	server.AddProject(3, "demo/three")
	issue := fakegitlab.NewIssue(5, "In the third", "", fakegitlab.Time{})
	issue.ProjectID = 3
	server.SetIssue(issue)
	server.AddProject(3, "demo/renamed")

	got := map[string]string{}
	for _, path := range []string{"1/issues/8", "1/merge_requests/12", "2/issues/1", fmt.Sprintf("2/issues/%d", moved.IID), "3/issues/5"} {
		var entity struct {
			WebURL     string `json:"web_url"`
			References fakegitlab.References
		}
		_, body := do(t, http.MethodGet, url+"/api/v4/projects/"+path)
		if err := json.Unmarshal([]byte(body), &entity); err != nil {
			t.Fatal(err)
		}
		got[entity.References.Full] = strings.TrimPrefix(entity.WebURL, "https://gitlab.example.com/")
	}
	want := map[string]string{
		"demo/lorehook-demo#8": "demo/lorehook-demo/-/issues/8", "demo/lorehook-demo!12": "demo/lorehook-demo/-/merge_requests/12",
		"demo/two#1": "demo/two/-/issues/1", "demo/two#2": "demo/two/-/issues/2", "demo/renamed#5": "demo/renamed/-/issues/5",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("links by reference (-want +got):\n%s", diff)
	}
}
