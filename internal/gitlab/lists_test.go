package gitlab_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gitlab.com/lorehook/lorehook/internal/gitlab"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// day is when the lists' records begin; the minutes count from there.
func day(minutes int) time.Time {
	return time.Date(2026, time.June, 1, 8, 0, 0, 0, time.UTC).Add(time.Duration(minutes) * time.Minute)
}

// manyIssues is a GitLab whose project 1 has n issues, the first created and changed
// at day(1), the next one at day(2), and so on.
func manyIssues(n int) *fakegitlab.Server {
	server := fakegitlab.New(fakegitlab.Options{Token: sampleToken, Empty: true, Clock: func() time.Time { return day(n + 60) }})
	server.AddProject(1, "demo/lorehook-demo")
	for i := 1; i <= n; i++ {
		server.SetIssue(fakegitlab.NewIssue(int64(i), "Issue", "Text", fakegitlab.Time{Time: day(i)}))
	}
	return server
}

// listed is a list that was read to its end.
type listed struct {
	seen     map[int64]int // how often each iid came
	pages    []gitlab.ListPage
	requests int
}

// readAll reads a list to its end. between is called after each page.
func readAll(ctx context.Context, t interface{ Fatalf(string, ...any) }, list func(context.Context, int64, gitlab.ListQuery) (gitlab.ListPage, error), since time.Time, between func()) listed {
	l := listed{seen: map[int64]int{}}
	q := gitlab.ListQuery{UpdatedAfter: since}
	for {
		page, err := list(ctx, 1, q)
		if err != nil {
			t.Fatalf("page %d, at %q: %v", len(l.pages)+1, q.Cursor, err)
		}
		l.pages = append(l.pages, page)
		l.requests += page.Requests
		for _, e := range page.Entries {
			l.seen[e.Ref.IID]++
		}
		if page.Next == "" {
			return l
		}
		if len(page.Next) > 200 || strings.ContainsFunc(page.Next, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Fatalf("the cursor does not fit a checkpoint: %q", page.Next)
		}
		q.Cursor = page.Next
		between()
	}
}

func nothing() {}

// stripped removes the headers that say where a list ends, as some proxies do.
func stripped(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(strippingWriter{w}, r)
	})
}

type strippingWriter struct{ http.ResponseWriter }

func (w strippingWriter) WriteHeader(status int) {
	for name := range w.Header() {
		if strings.HasPrefix(name, "X-") || name == "Link" {
			w.Header().Del(name)
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

// capped answers with at most n records a page, whatever was asked for.
func capped(n int, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if size, err := strconv.Atoi(q.Get("per_page")); err != nil || size > n {
			q.Set("per_page", strconv.Itoa(n))
			r.URL.RawQuery = q.Encode()
		}
		next.ServeHTTP(w, r)
	})
}

func TestClientListIssues_SaysWhatTheListSays(t *testing.T) {
	now := time.Date(2026, time.June, 1, 8, 0, 0, 0, time.UTC)
	server := fakegitlab.New(fakegitlab.Options{Token: sampleToken, Clock: func() time.Time { return now }})
	moved := int64(1234)
	server.EditIssue(fakegitlab.IssueRef(8), func(i *fakegitlab.Issue) { i.State, i.MovedToID = "closed", &moved })
	client := newClient(t, serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("RateLimit-Limit", "2000")
		w.Header().Set("RateLimit-Remaining", "1987")
		w.Header().Set("RateLimit-Reset", strconv.FormatInt(now.Add(40*time.Second).Unix(), 10))
		server.ServeHTTP(w, r)
	})))
	page, err := client.ListIssues(t.Context(), 1, gitlab.ListQuery{UpdatedAfter: day(-10_000_000)})
	if err != nil {
		t.Fatal(err)
	}
	entry := func(iid int64) gitlab.Entry {
		ref := fakegitlab.IssueRef(iid)
		truth, err := server.Truth(ref)
		if err != nil {
			t.Fatal(err)
		}
		return gitlab.Entry{Ref: ref, UpdatedAt: server.UpdatedAt(ref), UserNotesCount: int64(notesIn(t, truth.Entity)), State: "opened"}
	}
	first, second, third := entry(9), entry(7), entry(8)
	first.Confidential, third.State, third.MovedTo = true, "closed", moved
	want := gitlab.ListPage{Entries: []gitlab.Entry{first, second, third}, Answer: gitlab.Answer{
		Total: 3, Requests: 1, Date: now, RateLimit: gitlab.RateLimit{Limit: 2000, Remaining: 1987, Reset: now.Add(40 * time.Second)},
	}}
	slices.SortFunc(want.Entries, func(a, b gitlab.Entry) int { return a.UpdatedAt.Compare(b.UpdatedAt) })
	if diff := cmp.Diff(want, page); diff != "" {
		t.Errorf("page (-want +got):\n%s", diff)
	}
}

func notesIn(t *testing.T, entity []byte) int {
	t.Helper()
	_, rest, found := strings.Cut(string(entity), `"user_notes_count":`)
	n, err := strconv.Atoi(strings.FieldsFunc(rest, func(r rune) bool { return r < '0' || r > '9' })[0])
	if !found || err != nil {
		t.Fatalf("no count of notes in %.200s", entity)
	}
	return n
}

func TestClientListMergeRequests_ListsThoseOfTheProject(t *testing.T) {
	_, client := demo(t)
	page, err := client.ListMergeRequests(t.Context(), 1, gitlab.ListQuery{})
	if err != nil || len(page.Entries) != 1 || page.Entries[0].Ref != fakegitlab.MergeRequestRef(12) || page.Next != "" || page.Requests != 1 {
		t.Errorf("%+v, %v", page, err)
	}
}

// A list without totals needs more: it has ended only where a page is empty, and what
// page numbers have told apart is read twice.
func TestClientListIssues_ReadsEachRecordWithFewRequests(t *testing.T) {
	equal := func(n int) *fakegitlab.Server { // all with one date
		server := manyIssues(n)
		for i := 1; i <= n; i++ {
			issue := fakegitlab.NewIssue(int64(i), "Issue", "Text", fakegitlab.Time{Time: day(1)})
			server.SetIssue(issue)
		}
		return server
	}
	undated := func(n int) *fakegitlab.Server { // the newest 3 have no updated_at
		server := manyIssues(n)
		for i := n - 2; i <= n; i++ {
			issue := fakegitlab.NewIssue(int64(i), "Issue", "Text", fakegitlab.Time{Time: day(i)})
			issue.UpdatedAt = fakegitlab.Time{}
			server.SetIssue(issue)
		}
		return server
	}
	futuristic := func(n int) *fakegitlab.Server {
		server := manyIssues(n)
		server.Redate(fakegitlab.IssueRef(1), time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC))
		server.Redate(fakegitlab.IssueRef(2), time.Date(31999, 1, 1, 0, 0, 0, 0, time.UTC))
		return server
	}
	plain := func(h http.Handler) http.Handler { return h }
	for name, c := range map[string]struct {
		server   *fakegitlab.Server
		proxy    func(http.Handler) http.Handler
		since    time.Time
		want     int // the number of issues, counted from the last
		requests int
	}{
		"an empty project":                        {manyIssues(0), plain, time.Time{}, 0, 1},
		"an empty project without totals":         {manyIssues(0), stripped, time.Time{}, 0, 2},
		"nothing has changed":                     {manyIssues(250), plain, day(300), 0, 1},
		"little has changed":                      {manyIssues(250), plain, day(241), 10, 1},
		"little has changed, without totals":      {manyIssues(250), stripped, day(241), 10, 6},
		"a full page":                             {manyIssues(100), plain, time.Time{}, 100, 1},
		"three pages":                             {manyIssues(250), plain, time.Time{}, 250, 3},
		"three pages without totals":              {manyIssues(250), stripped, time.Time{}, 250, 8},
		"pages of 20":                             {manyIssues(250), func(h http.Handler) http.Handler { return capped(20, h) }, time.Time{}, 250, 14},
		"pages of 20 without totals":              {manyIssues(250), func(h http.Handler) http.Handler { return stripped(capped(20, h)) }, time.Time{}, 250, 19},
		"more than GitLab counts":                 {manyIssues(10_050), plain, time.Time{}, 10_050, 102},
		"one date for all":                        {equal(250), plain, time.Time{}, 250, 7},
		"one date for all, without totals":        {equal(250), stripped, time.Time{}, 250, 10},
		"one date for all, and only what changed": {equal(250), plain, day(1), 250, 6},
		"records without a date":                  {undated(103), plain, time.Time{}, 103, 2},
		"a date in 2099, and one beyond all":      {futuristic(150), plain, day(0), 150, 2},
	} {
		t.Run(name, func(t *testing.T) {
			client := newClient(t, serve(t, c.proxy(c.server)))
			l := readAll(t.Context(), t, client.ListIssues, c.since, nothing)
			if len(l.seen) != c.want || l.requests != c.requests {
				t.Errorf("%d issues with %d requests, want %d with %d", len(l.seen), l.requests, c.want, c.requests)
			}
		})
	}
}

// Whatever moves while the list is read, what stays in it is listed.
func TestClientListIssues_MissesNothingThatMovesMeanwhile(t *testing.T) {
	for _, since := range []time.Time{{}, day(1)} {
		t.Run(fmt.Sprint(since.IsZero()), func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				n := rapid.IntRange(1, 60).Draw(rt, "issues")
				size := rapid.IntRange(1, 7).Draw(rt, "page size")
				dates := rapid.IntRange(1, 5).Draw(rt, "dates")
				now := day(1000)
				server := fakegitlab.New(fakegitlab.Options{Empty: true, Clock: func() time.Time { return now }})
				server.AddProject(1, "demo/p")
				for i := 1; i <= n; i++ {
					server.SetIssue(fakegitlab.NewIssue(int64(i), "Issue", "", fakegitlab.Time{Time: day(1 + i*dates/(n+1))}))
				}
				handler := http.Handler(capped(size, server))
				if rapid.Bool().Draw(rt, "no totals") {
					handler = stripped(handler)
				}
				client := newClient(t, serve(t, handler))
				gone := map[int64]bool{}
				l := readAll(t.Context(), rt, client.ListIssues, since, func() {
					for range rapid.IntRange(0, 3).Draw(rt, "changes") {
						now = now.Add(time.Second)
						iid := rapid.Int64Range(1, int64(n)).Draw(rt, "iid")
						switch ref := fakegitlab.IssueRef(iid); {
						case gone[iid]:
						case rapid.IntRange(0, 4).Draw(rt, "kind") == 0:
							server.Delete(ref)
							gone[iid] = true
						default:
							server.Edit(ref, func(c *fakegitlab.Common) { c.Title = now.String() })
						}
					}
				})
				for iid := int64(1); iid <= int64(n); iid++ {
					if !gone[iid] && l.seen[iid] == 0 {
						rt.Fatalf("issue %d of %d was missed", iid, n)
					}
				}
			})
		})
	}
}

// GitLab may answer anything; what cannot be the list is not taken for it.
func TestClientListIssues_RefusesWhatIsNotTheList(t *testing.T) {
	record := func(iid int, minutes int) string {
		return fmt.Sprintf(`{"id":%d,"iid":%d,"project_id":1,"updated_at":%q,"created_at":%q}`, iid, iid, day(minutes).Format(time.RFC3339), day(minutes).Format(time.RFC3339))
	}
	always := func(total string, records ...string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if total != "" {
				w.Header().Set("X-Total", total)
			}
			fmt.Fprint(w, "["+strings.Join(records, ",")+"]")
		})
	}
	for name, c := range map[string]struct {
		handler http.Handler
		says    string
	}{
		"the same page again and again":       {always("", record(1, 5), record(2, 5)), "loop"},
		"the filter is ignored":               {always("", record(1, 5), record(2, 6)), "from the requested created_at on"},
		"newest first":                        {always("", record(1, 6), record(2, 5)), "in that order"},
		"fewer than GitLab counts":            {always("7"), "counts 7"},
		"a list of texts":                     {always("1", `"x"`), "not the JSON"},
		"an object":                           {http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"message":"body-text"}`) }), "text/plain"},
		"JSON that ends in the middle":        {http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `[{"id":`) }), "text/plain"},
		"a page of something else as success": {http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>body-text") }), "text/html"},
	} {
		t.Run(name, func(t *testing.T) {
			client := newClient(t, serve(t, c.handler))
			q := gitlab.ListQuery{}
			for requests := 0; ; requests++ {
				page, err := client.ListIssues(t.Context(), 1, q)
				if err == nil && page.Next != "" && requests < 5 {
					q.Cursor = page.Next
					continue
				}
				if e := wantCode(t, err, surgical.CodeGitLabUnavailable, true); !strings.Contains(e.Message, c.says) || !strings.Contains(e.Message, "issues of project 1") {
					t.Errorf("message %q does not say %q", e.Message, c.says)
				}
				return
			}
		})
	}
}

func TestClientListIssues_SkipsARecordThatNamesNothingHere(t *testing.T) {
	client := newClient(t, serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Total", "4")
		fmt.Fprint(w, `[{"iid":1,"project_id":1,"confidential":"maybe"},{"iid":0,"project_id":1},{"iid":2,"project_id":9},{"iid":"3","project_id":1,"updated_at":7}]`)
	})))
	page, err := client.ListIssues(t.Context(), 1, gitlab.ListQuery{})
	if err != nil {
		t.Fatal(err)
	}
	epoch := time.Unix(0, 0).UTC()
	want := []gitlab.Entry{
		{Ref: fakegitlab.IssueRef(1), UpdatedAt: epoch, Confidential: true},
		{Ref: fakegitlab.IssueRef(3), UpdatedAt: epoch},
	}
	if diff := cmp.Diff(want, page.Entries); diff != "" || page.Unreadable != 2 || page.Next != "" {
		t.Errorf("%d unreadable, next %q, entries (-want +got):\n%s", page.Unreadable, page.Next, diff)
	}
}

// A page of large records is read in smaller ones, so that they cannot stop a walk.
func TestClientListIssues_ReadsLargeRecordsInSmallerPages(t *testing.T) {
	server := manyIssues(30)
	for i := 5; i <= 8; i++ {
		server.Edit(fakegitlab.IssueRef(int64(i)), func(c *fakegitlab.Common) { c.Description = strings.Repeat("x", surgical.MaxListPageBytes/4) })
	}
	client := newClient(t, serve(t, server))
	l := readAll(t.Context(), t, client.ListIssues, time.Time{}, nothing)
	if len(l.seen) != 30 || l.requests > 20 {
		t.Errorf("%d issues with %d requests", len(l.seen), l.requests)
	}
}

// One record never keeps the rest of its list from being read, not even with others of
// the same date.
func TestClientListIssues_ReadsARecordBeyondTheLimitWithoutItsTexts(t *testing.T) {
	server := manyIssues(3)
	for iid, text := range map[int64]string{2: strings.Repeat("x", surgical.MaxListPageBytes), 3: "small"} {
		server.Edit(fakegitlab.IssueRef(iid), func(c *fakegitlab.Common) { c.Description = text })
	}
	l := readAll(t.Context(), t, newClient(t, serve(t, server)).ListIssues, day(1), nothing)
	if len(l.seen) != 3 || l.requests > 25 {
		t.Errorf("%d issues with %d requests", len(l.seen), l.requests)
	}
}

func TestClientListIssues_RefusesTheCursorOfAnotherList(t *testing.T) {
	_, client := demo(t)
	for _, cursor := range []string{
		"by=updated_at&from=5", "by=created_at&from=x", "by=created_at&from=0", "by=created_at&page=-1", "by=created_at&size=5000",
		"by=created_at&unknown=1", "from=5", "eyJ2IjoxfQ==", "%zz", "by=created_at&from=1&from=2",
	} {
		page, err := client.ListIssues(t.Context(), 1, gitlab.ListQuery{Cursor: cursor})
		wantCode(t, err, surgical.CodeInvalidRequest, false)
		if page.Requests != 0 {
			t.Errorf("%q took %d requests", cursor, page.Requests)
		}
	}
	if _, err := client.GroupProjects(t.Context(), "demo", "from=5&page=2"); surgical.CodeOf(err) != surgical.CodeInvalidRequest {
		t.Errorf("a list without an order: %v", err)
	}
	for _, project := range []int64{0, -1} {
		_, err := client.ListIssues(t.Context(), project, gitlab.ListQuery{})
		wantCode(t, err, surgical.CodeInvalidRequest, false)
	}
}

func TestClientListIssues_FailsAsAFetchDoes(t *testing.T) {
	for name, c := range map[string]struct {
		fault fakegitlab.Fault
		code  surgical.Code
	}{
		"no such project": {fakegitlab.Fault{Status: 404}, surgical.CodeGitLabNotFound},
		"no rights":       {fakegitlab.Fault{Status: 403}, surgical.CodeGitLabForbidden},
		"no scope":        {fakegitlab.Fault{Status: 403, Body: `{"error":"insufficient_scope"}`}, surgical.CodeGitLabUnauthorized},
		"a refused token": {fakegitlab.Fault{Status: 401}, surgical.CodeGitLabUnauthorized},
		"a login page":    {fakegitlab.Fault{Status: 404, Foreign: true}, surgical.CodeGitLabUnavailable},
		"an API gateway":  {fakegitlab.Fault{Status: 403, Body: `{"message":"Forbidden"}`}, surgical.CodeGitLabUnavailable},
		"a rate limit":    {fakegitlab.Fault{Status: 429, Header: http.Header{"Retry-After": {"77"}}}, surgical.CodeGitLabRateLimited},
		"a cut response":  {fakegitlab.Fault{Truncate: true}, surgical.CodeGitLabUnavailable},
		"beyond the end":  {fakegitlab.Fault{Status: 405, Body: `{"error":"Offset pagination"}`}, surgical.CodeGitLabUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			m := &meter{}
			server, client := demo(t, func(o *gitlab.Options) { o.Meter = m })
			c.fault.Requests = 1
			server.Inject(c.fault)
			page, err := client.ListIssues(t.Context(), 1, gitlab.ListQuery{})
			e := wantCode(t, err, c.code, surgical.NewError(c.code, "").Retryable)
			if e.Code == surgical.CodeGitLabRateLimited && e.RetryAfter != 77*time.Second {
				t.Errorf("retry after %v", e.RetryAfter)
			}
			if len(page.Entries) != 0 || page.Next != "" || page.Requests != 1 || len(m.recorded) != 1 {
				t.Errorf("%+v, %d pages metered", page, len(m.recorded))
			}
			if _, err := client.ListIssues(t.Context(), 1, gitlab.ListQuery{}); err != nil {
				t.Errorf("the same page again: %v", err)
			}
		})
	}
}

func TestClientListIssues_ReadsARotatedTokenAgain(t *testing.T) {
	token := "glpat-expired"
	_, client := demo(t, func(o *gitlab.Options) {
		o.Token = func(context.Context) (string, error) { return token, nil }
		o.RefreshToken = func(context.Context) (bool, error) { token = sampleToken; return true, nil }
	})
	page, err := client.ListIssues(t.Context(), 1, gitlab.ListQuery{})
	if err != nil || len(page.Entries) != 3 || page.Requests != 2 {
		t.Errorf("%+v, %v", page, err)
	}
}

func TestClientCount_SaysWhenGitLabDoesNotCount(t *testing.T) {
	for n, want := range map[int]gitlab.Count{0: {N: 0}, 5: {N: 5}, 10_001: {N: 10_001, AtMost: true}} {
		server := manyIssues(n)
		client := newClient(t, serve(t, server))
		got, err := client.Count(t.Context(), 1, surgical.Issue)
		if err != nil || got.N != want.N || got.AtMost != want.AtMost || got.Requests != 1 || got.Date.IsZero() {
			t.Errorf("%d issues: %+v, %v", n, got, err)
		}
	}
	_, client := demo(t)
	if _, err := client.Count(t.Context(), 2, surgical.Issue); surgical.CodeOf(err) != surgical.CodeGitLabNotFound {
		t.Errorf("an unknown project: %v", err)
	}
	if _, err := client.Count(t.Context(), 1, "planet"); surgical.CodeOf(err) != surgical.CodeInvalidRequest {
		t.Errorf("an unknown type: %v", err)
	}
}

func TestClientProject_FindsAProjectByIDAndPath(t *testing.T) {
	server, client := demo(t)
	server.AddProject(2, "demo/deep.er/sub-group/p.1")
	server.SwitchOff(2, true, false)
	server.AddProject(fakegitlab.ProjectID, "demo/renamed")
	for name, want := range map[string]gitlab.Project{
		"1":                          {ID: 1, Path: "demo/renamed"},
		"demo/renamed":               {ID: 1, Path: "demo/renamed"},
		fakegitlab.ProjectPath:       {ID: 1, Path: "demo/renamed"},
		"demo/deep.er/sub-group/p.1": {ID: 2, Path: "demo/deep.er/sub-group/p.1", NoIssues: true},
	} {
		got, answer, err := client.Project(t.Context(), name)
		if err != nil || got != want || answer.Requests > 2 || answer.Date.IsZero() {
			t.Errorf("%s: %+v, %+v, %v", name, got, answer, err)
		}
	}
	for name, code := range map[string]surgical.Code{
		"3": surgical.CodeGitLabNotFound, "demo/none": surgical.CodeGitLabNotFound,
		"": surgical.CodeInvalidRequest, "0": surgical.CodeInvalidRequest, "-7": surgical.CodeInvalidRequest, "/demo": surgical.CodeInvalidRequest, "demo/": surgical.CodeInvalidRequest,
	} {
		if _, _, err := client.Project(t.Context(), name); surgical.CodeOf(err) != code {
			t.Errorf("%q: %v, want %s", name, err, code)
		}
	}
	server.HideProject(2, true)
	if _, _, err := client.Project(t.Context(), "2"); surgical.CodeOf(err) != surgical.CodeGitLabNotFound {
		t.Errorf("out of sight: %v", err)
	}
	other := newClient(t, serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"id":1}`) })))
	if _, _, err := other.Project(t.Context(), "1"); surgical.CodeOf(err) != surgical.CodeGitLabUnavailable {
		t.Errorf("a project without a path: %v", err)
	}
}

func readProjects(t *testing.T, list func(cursor string) (gitlab.ProjectPage, error), between func()) (paths map[string]int, requests int) {
	t.Helper()
	paths, cursor := map[string]int{}, ""
	for {
		page, err := list(cursor)
		if err != nil {
			t.Fatal(err)
		}
		requests += page.Requests
		for _, p := range page.Projects {
			paths[p.Path]++
		}
		if cursor = page.Next; cursor == "" {
			return paths, requests
		}
		between()
	}
}

func TestClientGroupProjects_ListsSubgroupsToo(t *testing.T) {
	server := fakegitlab.New(fakegitlab.Options{Token: sampleToken})
	server.AddProject(2, "demo/sub/two")
	server.AddProject(3, "demolition/three")
	server.AddProject(4, "demo/sub/out-of-sight")
	server.HideProject(4, true)
	for i := int64(100); i < 150; i++ {
		server.AddProject(i, fmt.Sprintf("big/project-%d", i))
	}
	client := newClient(t, serve(t, capped(20, server)))
	for group, want := range map[string]struct{ projects, requests int }{"demo": {2, 1}, "demo/sub": {1, 1}, "demolition": {1, 1}, "big": {50, 5}} {
		got, requests := readProjects(t, func(cursor string) (gitlab.ProjectPage, error) {
			return client.GroupProjects(t.Context(), group, cursor)
		}, nothing)
		if len(got) != want.projects || requests != want.requests {
			t.Errorf("%s: %d projects with %d requests, want %d with %d: %v", group, len(got), requests, want.projects, want.requests, got)
		}
	}
	if _, err := client.GroupProjects(t.Context(), "none", ""); surgical.CodeOf(err) != surgical.CodeGitLabNotFound {
		t.Errorf("an unknown group: %v", err)
	}
	if _, err := client.GroupProjects(t.Context(), "/", ""); surgical.CodeOf(err) != surgical.CodeInvalidRequest {
		t.Errorf("not a group: %v", err)
	}
}

// A project that leaves moves the others to smaller page numbers.
func TestClientGroupProjects_MissesNoProjectWhenOneLeaves(t *testing.T) {
	server := fakegitlab.New(fakegitlab.Options{Token: sampleToken, Empty: true})
	for i := int64(1); i <= 50; i++ {
		server.AddProject(i, fmt.Sprintf("big/project-%d", i))
	}
	client := newClient(t, serve(t, capped(20, server)))
	left := int64(0)
	got, _ := readProjects(t, func(cursor string) (gitlab.ProjectPage, error) {
		return client.GroupProjects(t.Context(), "big", cursor)
	}, func() {
		left++
		server.HideProject(left, true)
	})
	for i := left + 1; i <= 50; i++ {
		if got[fmt.Sprintf("big/project-%d", i)] == 0 {
			t.Errorf("project %d was missed", i)
		}
	}
}

func TestClientAllProjects_GoesOnByID(t *testing.T) {
	server := fakegitlab.New(fakegitlab.Options{Token: sampleToken, Empty: true})
	for i := int64(1); i <= 50; i++ {
		server.AddProject(i*3, fmt.Sprintf("g%d/p", i))
	}
	var requests atomic.Int64
	client := newClient(t, serve(t, capped(20, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if r.URL.Query().Get("membership") != "true" {
			t.Errorf("query %s", r.URL.RawQuery)
		}
		server.ServeHTTP(w, r)
	}))))
	got, counted := readProjects(t, func(cursor string) (gitlab.ProjectPage, error) { return client.AllProjects(t.Context(), cursor) }, nothing)
	if len(got) != 50 || counted != 3 || requests.Load() != 3 {
		t.Errorf("%d projects with %d requests, %d counted", len(got), requests.Load(), counted)
	}
	for path, n := range got {
		if n != 1 {
			t.Errorf("%s came %d times", path, n)
		}
	}
}

// A list whose records all have one date, and change with every page, never repeats one.
func TestClientGroupProjects_EndsAnEndlessListForGood(t *testing.T) {
	asked := 0
	client := newClient(t, serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		fmt.Fprintf(w, `[{"id":%d,"path_with_namespace":"demo/p%d"}]`, asked, asked)
	})))
	cursor := "page=499&size=100&read=49800&last=1"
	for pages := range 3 {
		page, err := client.GroupProjects(t.Context(), "demo", cursor)
		if err == nil {
			cursor = page.Next
			continue
		}
		if e := wantCode(t, err, surgical.CodeGitLabUnavailable, false); pages != 1 || !strings.Contains(e.Message, "projects of group demo: 50000 or more records") {
			t.Errorf("after %d pages: %s", pages, e.Message)
		}
		return
	}
	t.Error("the list has no end")
}
