package console_test

import (
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/engines"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

func TestSite_ReturnsTheStatusThatFitsThePage(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e).filled()
		server := f.site()
		want := map[string]int{
			"bad parameter": 400, "bad project": 400, "bad number": 400, "a search of nothing but filters": 400, "an unknown filter": 400, "a cursor of another query": 400, "a search by odd dates": 400, "issues by odd dates": 400,
			"no such run": 404, "no such page": 404, "issue unknown": 404, "project not allowed": 403, "an id without a project": 403, "a path of a project": 400,
		}
		for name, page := range f.pages() {
			status := http.StatusOK
			if other, ok := want[name]; ok {
				status = other
			}
			got := ask(t, "GET", server.URL+page)
			if got.Status != status || !strings.Contains(got.Body, "</html>") {
				t.Errorf("%s: %s returns %d, want %d:\n%.600s", name, page, got.Status, status, got.Body)
			}
		}
		if f.log.Len() > 0 {
			t.Errorf("logged:\n%s", f.log)
		}
	})
}

// What a browser loads by itself, such as a link that it follows in advance, must start
// nothing.
func TestSite_OnlyReadsUntilAFormIsSent(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e).filled()
		server := f.site()
		f.calls.taken()
		for _, page := range f.pages() {
			ask(t, "GET", server.URL+page)
		}
		for _, call := range f.calls.taken() {
			switch strings.Fields(call)[0] {
			case "GetItem", "Query", "BatchGetItem", "Scan":
			default:
				t.Errorf("unexpected call: %s", call)
			}
		}
		if n := len(f.sent); n != 0 {
			t.Errorf("%d messages were sent", n)
		}
	})
}

func TestSite_AcceptsOnlyGETHEADAndItsForms(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		server := newFixture(t, e).site()
		for _, page := range []string{"/", "/runs", "/console.css", "/nowhere"} {
			for _, method := range []string{"PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"} {
				got := ask(t, method, server.URL+page)
				if got.Status != http.StatusMethodNotAllowed || got.Header.Get("Allow") != "GET, HEAD, POST" {
					t.Errorf("%s %s: %d, Allow %q", method, page, got.Status, got.Header.Get("Allow"))
				}
			}
			if got := ask(t, "POST", server.URL+page); got.Status != http.StatusNotFound {
				t.Errorf("POST %s: %d", page, got.Status)
			}
			get, head := ask(t, "GET", server.URL+page), ask(t, "HEAD", server.URL+page)
			if get.Status != head.Status || head.Body != "" || get.Header.Get("Content-Type") != head.Header.Get("Content-Type") {
				t.Errorf("HEAD %s: %d %q with %d bytes, GET %d", page, head.Status, head.Header.Get("Content-Type"), len(head.Body), get.Status)
			}
		}
	})
}

// Another site must not read these pages through DNS rebinding, or frame them.
func TestSite_AcceptsOnlyLoopbackHosts(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		server := newFixture(t, e).site()
		for host, want := range map[string]int{
			"127.0.0.1": 200, "127.0.0.1:8930": 200, "localhost:8930": 200, "[::1]:8930": 200,
			"attacker.example": 421, "attacker.example:8930": 421, "127.0.0.1.attacker.example": 421, "localhost.attacker.example:80": 421, "10.0.0.7": 421, "": 421,
		} {
			got := ask(t, "GET", server.URL, func(r *http.Request) { r.Host = host })
			if host == "" {
				recorded := httptest.NewRecorder()
				request := httptest.NewRequest("GET", "/", nil)
				request.Host = ""
				server.Config.Handler.ServeHTTP(recorded, request)
				got.Status = recorded.Code
			}
			if got.Status != want {
				t.Errorf("Host %q: %d, want %d", host, got.Status, want)
			}
		}
		header := ask(t, "GET", server.URL).Header
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
			"X-Content-Type-Options":  "nosniff", "Referrer-Policy": "same-origin", "Cache-Control": "no-store",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
	})
}

func TestSite_PagesListsToTheirEnd(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e)
		for range 30 {
			f.ended(surgical.CodeIngestFailed, "broken", fakegitlab.IssueRef(7))
		}
		server := f.site()
		for _, list := range []string{"/runs?status=failed", "/runs?project_id=1", "/runs"} {
			seen := map[string]bool{}
			pages := 0
			for page := list; page != ""; pages++ {
				body := ask(t, "GET", server.URL+page).Body
				for _, id := range runIDs(body) {
					if seen[id] {
						t.Errorf("%s: %s is on two pages", list, id)
					}
					seen[id] = true
				}
				if first := href(body, "Newest runs"); (pages > 0) != (first == list) {
					t.Errorf("%s: page %d leads back to %q", list, pages, first)
				}
				page = href(body, "Older runs")
			}
			if len(seen) != 30 || pages != 2 {
				t.Errorf("%s: %d runs on %d pages, want 30 on 2", list, len(seen), pages)
			}
		}
	})
}

// runIDs returns the runs in a page's table.
func runIDs(body string) []string {
	var ids []string
	for _, m := range regexp.MustCompile(`data-label="Run"><a href="/runs/([a-z0-9]+)"`).FindAllStringSubmatch(body, -1) {
		ids = append(ids, m[1])
	}
	return ids
}

// href returns the URL of the link with the text.
func href(body, text string) string {
	m := regexp.MustCompile(`<a href="([^"]*)"[^>]*>` + regexp.QuoteMeta(text) + `</a>`).FindStringSubmatch(body)
	if m == nil {
		return ""
	}
	return strings.ReplaceAll(m[1], "&amp;", "&")
}

func TestSite_FindsWhatPeopleWroteAndLeadsToIt(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e)
		server := f.site()
		got := ask(t, "GET", server.URL+"/search?q=carousel")
		if got.Status != http.StatusConflict || !strings.Contains(got.Body, "lore index status") || !strings.Contains(got.Body, `value="carousel"`) {
			t.Errorf("without an index: %d\n%s", got.Status, got.Body)
		}
		seven := fakegitlab.IssueRef(7)
		f.GitLab.AddDiscussion(seven, fakegitlab.Note{Author: fakegitlab.Mira(), Body: "How do I turn off the carousel?"})
		f.Webhook(seven)
		if err := f.search.Index(t.Context()); err != nil {
			t.Fatal(err)
		}
		body := ask(t, "GET", server.URL+"/search?q=disable+carousel&project=1&state=opened").Body
		for _, want := range []string{"<mark>carousel</mark>", "demo/lorehook-demo#7", `<option value="1" selected>`, `<option value="opened" selected>`, "Searched by words; has every change before", `value="disable carousel"`, "in a thread begun by <bdi>mira.oduya</bdi>"} {
			if !strings.Contains(body, want) {
				t.Errorf("no %q in:\n%s", want, body)
			}
		}
		place := href(body, "in a comment")
		page, note, _ := strings.Cut(place, "#")
		thread := ask(t, "GET", server.URL+page).Body
		if !strings.HasPrefix(place, "/projects/1/issues/7?note=") || !strings.Contains(between(t, thread, `id="`+note+`"`, "</article>"), "How do I turn off the carousel?") {
			t.Errorf("the passage leads to %s", place)
		}
		if similar := ask(t, "GET", server.URL+href(thread, "Similar")); similar.Status != http.StatusOK || !strings.Contains(similar.Body, "Similar to") {
			t.Errorf("similar: %d\n%s", similar.Status, similar.Body)
		}
	})
}

func TestSite_ShowsAThreadBesideItsDocumentsAndHowFreshItIs(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e)
		seven := fakegitlab.IssueRef(7)
		f.GitLab.Edit(seven, func(c *fakegitlab.Common) {
			c.Description = "# What\n\nIt *breaks* in `a < b`.\n\n![shot](/uploads/1/a.png)"
		})
		f.GitLab.AddDiscussion(seven, fakegitlab.Note{Author: fakegitlab.Mira(), Body: "See [the log](#note_1)\n\n<script>window.pwned=1</script><b>bold</b>"})
		f.Webhook(seven)
		if err := f.Ledger.CompleteProject(t.Context(), 1, f.Clock.Now().Add(-3*time.Minute), f.Clock.Now().Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
		f.Clock.Advance(19 * time.Second)
		body := ask(t, "GET", f.site().URL+"/projects/1/issues/7").Body
		for _, want := range []string{
			"<h3>What</h3>", "<em>breaks</em>", "<code>a &lt; b</code>", "image: shot</a>", "<b>bold</b>", "the log</a>", "The copy", "Documents",
			"the project is complete as of", "3 min ago", "19 s ago", "lore show -p 1 --issue 7", "embedded", `href="/projects/1/issues/7/sync"`,
			"<summary><bdi>Description</bdi>", "<summary><strong><bdi>mira.oduya</bdi></strong> <bdi>See [the log](#note_1)", // titles would be all the same
		} {
			if !strings.Contains(body, want) {
				t.Errorf("no %q in:\n%s", want, body)
			}
		}
		if strings.Contains(body, "<script>") || strings.Contains(body, "<img") {
			t.Errorf("a script or an image:\n%s", body)
		}
	})
}

// answering returns the address of an API that answers everything with this.
func answering(t *testing.T, status int, body string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// unstored is a fixture that has nothing but a clock and names.
func unstored(t *testing.T) *fixture {
	t.Helper()
	return &fixture{
		World: &cloud.World{Cloud: &cloud.Cloud{Clock: cloud.NewClock(time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC))}}, t: t, log: &strings.Builder{},
		good: "a", failed: "b", retried: "c", retry: "d", waiting: "e", queued: "f", other: "g",
	}
}

func TestSite_PagesAThread(t *testing.T) {
	f := unstored(t)
	var discussions []string
	for i := range 230 {
		discussions = append(discussions, fmt.Sprintf(`{"id":"d%d","notes":[{"id":%d,"body":"Remark %d.","created_at":"2026-11-01T%02d:%02d:00Z"}]}`, i, i+1, i, i/60, i%60))
	}
	server := f.siteOf(answering(t, 200, `{"project_id":1,"type":"issue","iid":7,"entity":{},"discussions":[`+strings.Join(discussions, ",")+`]}`))
	var seen []string
	pages := 0
	for page := "/projects/1/issues/7"; page != ""; pages++ {
		body := ask(t, "GET", server.URL+page).Body
		seen = append(seen, regexp.MustCompile(`Remark \d+\.`).FindAllString(body, -1)...)
		m := regexp.MustCompile(`<a href="([^"]*)">Later comments`).FindStringSubmatch(body)
		if page = ""; m != nil {
			page = m[1]
		}
	}
	if len(seen) != 230 || pages != 3 || seen[0] != "Remark 0." || seen[229] != "Remark 229." {
		t.Errorf("%d remarks on %d pages: %v", len(seen), pages, seen)
	}
	for page, want := range map[string]string{"?page=0": "Remark 1.", "?page=99": "Remark 229.", "?page=x": "Remark 1.", "?note=x": "Remark 1.", "?note=151": "Remark 150."} {
		if body := ask(t, "GET", server.URL+"/projects/1/issues/7"+page).Body; !strings.Contains(body, want) {
			t.Errorf("%s does not show %s", page, want)
		}
	}
}

// form returns the fields of the page's form that is sent.
func form(t *testing.T, body string) (action string, fields url.Values) {
	t.Helper()
	html := between(t, body, `method="post"`, "</form>")
	action = between(t, html, `action="`, `"`)
	fields = url.Values{}
	for _, m := range regexp.MustCompile(`name="([^"]*)" value="([^"]*)"`).FindAllStringSubmatch(html, -1) {
		fields.Set(m[1], m[2])
	}
	return action, fields
}

func (f *fixture) post(server *httptest.Server, path string, fields url.Values, change ...func(*http.Request)) answer {
	f.t.Helper()
	return ask(f.t, "POST", server.URL+path, append([]func(*http.Request){func(r *http.Request) {
		r.Body = http.NoBody
		if fields != nil {
			r.Body = io.NopCloser(strings.NewReader(fields.Encode()))
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", server.URL)
	}}, change...)...)
}

func TestSite_SyncsWhatItsFormConfirms(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e)
		f.Webhook(fakegitlab.IssueRef(7))
		server := f.site()
		body := ask(t, "GET", server.URL+"/projects/1/issues/7/sync").Body
		for _, want := range []string{"fetches issue 7 with all its comments", "revision 1, fetched", "preflight, ingest, docs, embed", "lore sync -p 1 --issue 7 --wait"} {
			if !strings.Contains(body, want) {
				t.Errorf("the confirmation has no %q:\n%s", want, body)
			}
		}
		if len(f.sent) != 0 {
			t.Error("the question alone started a run")
		}
		action, fields := form(t, body)
		first, second := f.post(server, action, fields), f.post(server, action, fields)
		where := first.Header.Get("Location")
		if first.Status != http.StatusSeeOther || !strings.HasPrefix(where, "/runs/") || second.Header.Get("Location") != where {
			t.Fatalf("%d %s, then %d %s", first.Status, where, second.Status, second.Header.Get("Location"))
		}
		run := ask(t, "GET", server.URL+where)
		if run.Header.Get("Refresh") == "" || !strings.Contains(run.Body, "queued") || !strings.Contains(run.Body, "Stop updating") {
			t.Errorf("the run's page is not live: %q\n%s", run.Header.Get("Refresh"), run.Body)
		}
		if still := ask(t, "GET", server.URL+where+"?still=1"); still.Header.Get("Refresh") != "" {
			t.Error("a page that was stopped is loaded again")
		}
		if body := ask(t, "GET", server.URL+"/projects/1/issues/7/sync").Body; !strings.Contains(body, "A run of it has not ended yet") {
			t.Errorf("the open run is not named:\n%s", body)
		}
		f.Sync(f.sent[0])
		run = ask(t, "GET", server.URL+where)
		if run.Header.Get("Refresh") != "" || !strings.Contains(run.Body, "Brought 1 entity up to date") {
			t.Errorf("the run that ended:\n%s", run.Body)
		}
	})
}

func TestSite_RetriesWhatItsFormConfirms(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e)
		failed := f.ended(surgical.CodeIngestFailed, "broken", fakegitlab.IssueRef(7)).RunID
		server := f.site()
		run := ask(t, "GET", server.URL+"/runs/"+failed).Body
		retry := href(run, "Retry")
		body := ask(t, "GET", server.URL+retry).Body
		if !strings.Contains(body, "Start the retry") || !strings.Contains(body, "Issue 7") {
			t.Fatalf("%s:\n%s", retry, body)
		}
		action, fields := form(t, body)
		got := f.post(server, action, fields)
		where := got.Header.Get("Location")
		if got.Status != http.StatusSeeOther || !strings.HasPrefix(where, "/runs/") || where == "/runs/"+failed {
			t.Fatalf("%d %s", got.Status, where)
		}
		if again := f.post(server, action, fields); again.Header.Get("Location") != where {
			t.Errorf("asked twice, it leads to %s and %s", where, again.Header.Get("Location"))
		}
		if run := ask(t, "GET", server.URL+"/runs/"+failed).Body; href(run, "Retry") != "" || !strings.Contains(run, "this run") {
			t.Errorf("a run that was retried offers a retry, or does not show it:\n%s", run)
		}
	})
}

// Another page, or a form that this console did not make, starts nothing.
func TestSite_RefusesForgedForms(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e)
		failed := f.ended(surgical.CodeIngestFailed, "broken", fakegitlab.IssueRef(7)).RunID
		server := f.site()
		for _, question := range []string{"/projects/1/issues/7/sync", "/runs/" + failed + "/retry"} {
			action, fields := form(t, ask(t, "GET", server.URL+question).Body)
			otherAction, other := form(t, ask(t, "GET", server.URL+"/projects/1/issues/8/sync").Body)
			if otherAction == action {
				t.Fatal("the forms are the same")
			}
			with := func(name, value string) url.Values {
				changed := url.Values{}
				for n, v := range fields {
					changed[n] = v
				}
				changed.Set(name, value)
				return changed
			}
			header := func(name, value string) func(*http.Request) {
				return func(r *http.Request) { r.Header.Set(name, value) }
			}
			for name, got := range map[string]answer{
				"without a form":            f.post(server, action, nil),
				"without a token":           f.post(server, action, with("token", "")),
				"another token":             f.post(server, action, with("token", strings.Repeat("0", 64))),
				"the token of another form": f.post(server, action, with("token", other.Get("token"))),
				"another origin":            f.post(server, action, fields, header("Origin", "https://attacker.example")),
				"another port":              f.post(server, action, fields, header("Origin", "http://127.0.0.1:1")),
				"no origin at all":          f.post(server, action, fields, header("Origin", "null")),
				"another site":              f.post(server, action, fields, header("Sec-Fetch-Site", "cross-site")),
				"the token in the URL":      f.post(server, action+"?"+fields.Encode(), nil),
			} {
				if got.Status != http.StatusForbidden || !strings.Contains(got.Body, "Nothing was done") {
					t.Errorf("%s: %s: %d\n%.400s", question, name, got.Status, got.Body)
				}
			}
			if got := f.post(server, action, with("more", strings.Repeat("x", 10_000))); got.Status != http.StatusBadRequest {
				t.Errorf("%s: a form that is too large: %d", question, got.Status)
			}
			if got := f.post(server, action, fields, func(r *http.Request) { r.Host = "attacker.example" }); got.Status != http.StatusMisdirectedRequest {
				t.Errorf("%s: another host: %d", question, got.Status)
			}
		}
		if len(f.sent) != 0 {
			t.Errorf("%d runs were started", len(f.sent))
		}
	})
}

// Whatever happens to the API, the page says it in a sentence, with what to do.
func TestSite_SaysWhatIsWrongWithTheAPI(t *testing.T) {
	f := unstored(t)
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	for name, c := range map[string]struct {
		api    string
		status int
		want   string
	}{
		"nothing listens":        {closed.URL, 502, "Check that the stack is running"},
		"no credentials":         {answering(t, 403, `{"message":"Forbidden"}`), 502, "Renew the AWS credentials"},
		"the gateway fails":      {answering(t, 503, `{"message":"Service Unavailable"}`), 502, "the gateway returned 503"},
		"another server":         {answering(t, 404, "<h1>nginx</h1>"), 400, "this is not the Lorehook API"},
		"an answer of no kind":   {answering(t, 200, "<h1>nginx</h1>"), 500, "cannot read"},
		"an answer of null":      {answering(t, 200, "null"), 200, ""},
		"an empty answer":        {answering(t, 200, "{}"), 200, ""},
		"an error of the ledger": {answering(t, 500, `{"code":"internal","detail":"something failed","action":"contact_operator"}`), 500, "something failed"},
	} {
		server := f.siteOf(c.api)
		for page, path := range f.pages() {
			got := ask(t, "GET", server.URL+path)
			if got.Status == 0 || !strings.Contains(got.Body, "</html>") {
				t.Errorf("%s: %s: %d\n%s", name, page, got.Status, got.Body)
			}
		}
		got := ask(t, "GET", server.URL+"/projects/1/issues/7")
		if got.Status != c.status || !strings.Contains(got.Body, c.want) {
			t.Errorf("%s: %d, no %q in:\n%s", name, got.Status, c.want, got.Body)
		}
	}
	if strings.Contains(f.log.String(), "panic") {
		t.Errorf("a page panicked:\n%s", f.log)
	}
}

func TestSite_LogsAPanicWithoutItsValue(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e).filled()
		server := f.siteWith(f.api().URL, func(text, _ string) template.HTML { panic("cannot render " + text) })
		got := ask(t, "GET", server.URL+"/projects/1/issues/7")
		if got.Status != http.StatusInternalServerError || !strings.Contains(got.Body, "the console failed on this page") || strings.Contains(got.Body, "cannot render") {
			t.Errorf("%d\n%s", got.Status, got.Body)
		}
		if log := f.log.String(); !strings.Contains(log, `"msg":"panic"`) || !strings.Contains(log, "site_test.go") || strings.Contains(log, "cannot render") {
			t.Errorf("the log says %s", log)
		}
	})
}

func TestSite_ShowsProjectsAndListsWithTheirFilters(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e).filled()
		server := f.site()
		home := ask(t, "GET", server.URL).Body
		row := between(t, home, `href="/projects/1"`, "</tr>")
		for _, text := range []string{"demo/lorehook-demo", "10 min ago", `<a href="/projects/1/issues">12,000 issues</a>`, `<a href="/projects/1/merge_requests">1 merge request</a>`, "disabled", "59 missed events"} {
			if !strings.Contains(row, text) {
				t.Errorf("no %q in\n%s", text, row)
			}
		}
		if strings.Index(home, `id="lh-q"`) > strings.Index(home, `href="/projects/1"`) {
			t.Error("the search box is not first")
		}
		list := ask(t, "GET", server.URL+"/projects/1/merge_requests?state=all&author=&order=created_desc").Body
		for _, text := range []string{`href="/projects/1/merge_requests/12"`, `<option value="all" selected>`, `<option value="created_desc" selected>`, "complete as of", "lore list -p 1 --mrs --state all"} {
			if !strings.Contains(list, text) {
				t.Errorf("no %q in\n%s", text, list)
			}
		}
		for query, want := range map[string]string{
			"created_after=2000-01-01&updated_after=2000-01-01T00:00:00Z": `href="/projects/1/issues/7"`, "created_before=2000-01-01": "Nothing stored matches",
			"updated_before=2000-01-01": "lore list -p 1 --updated-before 2000-01-01", "updated_after=soon": "expected a date such as",
		} {
			if body := ask(t, "GET", server.URL+"/projects/1/issues?"+query).Body; !strings.Contains(body, want) {
				t.Errorf("%s: no %q in\n%s", query, want, body)
			}
		}
		// Words that are typed into the form of what is similar are what is searched for.
		if body := ask(t, "GET", server.URL+"/search?similar_to=1%23issue%237&q=zyzzyva&created_after=").Body; !strings.Contains(body, "Nothing found") || strings.Contains(body, "Similar to") {
			t.Errorf("%s", body)
		}
		none := ask(t, "GET", server.URL+"/projects/1/issues?author="+url.QueryEscape(hostile)).Body
		if !strings.Contains(none, "Nothing stored matches") || strings.Contains(none, "<script>w") || !strings.Contains(none, "Clear") {
			t.Errorf("%s", none)
		}
	})
}
