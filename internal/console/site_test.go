package console_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/console"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/engines"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

func TestSite_ReturnsTheStatusThatFitsThePage(t *testing.T) {
	engines.Run(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e).filled()
		server := f.site()
		want := map[string]int{"bad parameter": 400, "bad project": 400, "no such run": 404, "no such page": 404}
		for name, page := range f.pages() {
			status := http.StatusOK
			if other, ok := want[name]; ok {
				status = other
			}
			if got := ask(t, "GET", server.URL+page); got.Status != status {
				t.Errorf("%s: %s returns %d, want %d", name, page, got.Status, status)
			}
		}
		if f.log.Len() > 0 {
			t.Errorf("logged:\n%s", f.log)
		}
	})
}

func TestSite_OnlyReads(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e).filled()
		server := f.site()
		for _, page := range f.pages() {
			ask(t, "GET", server.URL+page)
		}
		for _, call := range f.calls.taken() {
			if !slices.Contains([]string{"GetItem", "Query", "BatchGetItem"}, strings.Fields(call)[0]) {
				t.Errorf("unexpected call: %s", call)
			}
		}
	})
}

func TestSite_AcceptsOnlyGETAndHEAD(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		server := newFixture(t, e).site()
		for _, page := range []string{"/", "/runs", "/console.css", "/nowhere"} {
			for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"} {
				got := ask(t, method, server.URL+page)
				if got.Status != http.StatusMethodNotAllowed || got.Header.Get("Allow") != "GET, HEAD" {
					t.Errorf("%s %s: %d, Allow %q", method, page, got.Status, got.Header.Get("Allow"))
				}
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
			"Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
			"X-Content-Type-Options":  "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
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
		for range 7 {
			f.ended(surgical.CodeIngestFailed, "broken", fakegitlab.IssueRef(7))
		}
		server := f.site()
		for _, list := range []string{"/runs?status=failed&limit=3", "/runs?limit=3&project_id=1", "/runs?limit=3&period=1h", "/projects/1/issues/7?limit=3"} {
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
				page = href(body, "Older runs")
			}
			if len(seen) != 7 || pages != 3 {
				t.Errorf("%s: %d runs on %d pages, want 7 on 3", list, len(seen), pages)
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

func TestSite_CountsFailuresByTheirCulprits(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e).filled()
		body := ask(t, "GET", f.site().URL).Body
		table := between(t, body, `id="lh-failing"`, `id="lh-recent"`)
		for _, c := range []struct{ entity, since, todo string }{
			{"/projects/1/issues/4711", "still failing", "lore sync -p 1 --issue 4711 --preflight-only --wait"},
			{"/projects/1/issues/8", "still failing", "lore sync-runs --run-id " + f.other + " --retry-failed --wait"},
			{"/projects/1/merge_requests/12", "recovered", "nothing"},
		} {
			row := between(t, table, `href="`+c.entity+`"`, "</tr>")
			if !strings.Contains(row, c.since) || !strings.Contains(row, c.todo) {
				t.Errorf("%s: not %s, or not %q:\n%s", c.entity, c.since, c.todo, row)
			}
		}
		if strings.Contains(table, `href="/projects/1/issues/7"`) {
			t.Error("issue 7 is listed as failed, although only its peer failed")
		}
	})
}

// The page of an entity says what is undone, and when it is tried again.
func TestSite_ShowsWhatIsUndoneOfAnEntity(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e)
		ref := fakegitlab.IssueRef(7)
		f.Webhook(ref)
		f.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: "One more."})
		f.Clock.Advance(time.Minute)
		req := f.Request(surgical.OriginManual, ref)
		if _, err := f.Deliver(req); err != nil {
			t.Fatal(err)
		}
		f.Workflow.Forget()
		why := surgical.StageError(req.RunID, surgical.StageDocs)
		why.Message = hostile
		if _, err := f.Ledger.Close(t.Context(), f.Run(req.RunID), surgical.Failed{Error: why}); err != nil {
			t.Fatal(err)
		}
		site, widget := f.site(), f.widget()
		for name, body := range map[string]string{
			"site":   ask(t, "GET", site.URL+"/projects/1/issues/7").Body,
			"widget": shown(t, widget, map[string]any{"view": "entity", "project_id": 1, "type": "issue", "iid": 7}),
		} {
			if !strings.Contains(body, "lore drain -p 1") {
				t.Errorf("%s: the command that resumes it is missing", name)
			}
			section := between(t, body, "Documents behind", "</section>")
			for _, want := range []string{"by 1 change", "docs_failed", "The next run of this entity makes them, or a drain at", req.RunID} {
				if !strings.Contains(section, want) {
					t.Errorf("%s: %q is missing:\n%s", name, want, section)
				}
			}
			if strings.Contains(section, "<script") {
				t.Errorf("%s: text is not escaped:\n%s", name, section)
			}
		}
		f.Sync(f.Request(surgical.OriginManual, ref))
		if body := ask(t, "GET", site.URL+"/projects/1/issues/7").Body; strings.Contains(body, "Documents behind") {
			t.Error("documents that are current are said to be behind")
		}
	})
}

// between returns the text between two strings.
func between(t *testing.T, text, from, to string) string {
	t.Helper()
	_, rest, ok := strings.Cut(text, from)
	found, _, ok2 := strings.Cut(rest, to)
	if !ok || !ok2 {
		t.Fatalf("no %q before a %q in:\n%s", from, to, text)
	}
	return found
}

// The number of calls does not grow with the ledger, even in the worst case: a
// project whose newest runs all have another status.
func TestSite_StaysCheapOnALargeLedger(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e)
		server := f.site()
		for i := range 50 {
			f.ended(surgical.CodeIngestFailed, "broken", fakegitlab.IssueRef(int64(100+i)))
		}
		f.Webhook(fakegitlab.IssueRef(7))
		most := map[string]int{}
		for _, more := range []int{1100, 300} {
			f.copies(more, surgical.StatusFailed)
			f.calls.taken()
			for _, page := range []string{"/?period=any", "/?period=any&project_id=1", "/runs?status=failed", "/runs?status=cancelled&project_id=1", "/projects/1/issues/100"} {
				began := time.Now()
				got := ask(t, "GET", server.URL+page)
				made := f.calls.taken()
				t.Logf("%s: %d calls, %s", page, len(made), time.Since(began).Round(time.Millisecond))
				if got.Status != http.StatusOK {
					t.Fatalf("%s: %d", page, got.Status)
				}
				if most[page] == 0 {
					most[page] = len(made)
				}
				if len(made) > most[page] || len(made) > 60 {
					t.Errorf("%s: %d calls, with fewer runs %d:\n%s", page, len(made), most[page], tally(made))
				}
			}
		}
	})
}

// copies adds n copies of the newest run with the status, each created slightly
// later than the one before.
func (f *fixture) copies(n int, status surgical.RunStatus) {
	f.t.Helper()
	runs, _, err := f.Ledger.List(f.t.Context(), ledger.RunFilter{Statuses: []surgical.RunStatus{status}}, ledger.RunPlace{}, 1)
	if err != nil || len(runs) != 1 {
		f.t.Fatalf("nothing to copy: %v", err)
	}
	items, err := dynamo.GetAll(f.t.Context(), f.DB, f.Tables.SyncRuns, []dynamo.Item{{"run_id": &types.AttributeValueMemberS{Value: runs[0].RunID}}})
	if err != nil {
		f.t.Fatal(err)
	}
	var all []dynamo.Item
	for range n {
		item := maps.Clone(items[0])
		item["run_id"] = &types.AttributeValueMemberS{Value: "m" + strings.ToLower(rand.Text())}
		item["created_at"] = &types.AttributeValueMemberN{Value: strconv.FormatInt(f.Clock.Now().UnixMicro(), 10)}
		all = append(all, item)
	}
	if err := dynamo.PutAll(f.t.Context(), f.DB, f.Tables.SyncRuns, all); err != nil {
		f.t.Fatal(err)
	}
}

// broken is a ledger that cannot be read.
type broken struct{ console.Ledger }

func (broken) Pause(context.Context) (time.Time, error) {
	return time.Time{}, errors.New("dial tcp 10.0.0.7: connection refused")
}

func TestSite_ShowsAndLogsAnUnreachableLedger(t *testing.T) {
	var log strings.Builder
	handler, err := console.NewSite(console.SiteOptions{
		Ledger: broken{(*ledger.Ledger)(nil)}, Clock: time.Now, Log: slog.New(slog.NewJSONHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	defer server.Close()
	got := ask(t, "GET", server.URL+"/")
	if got.Status != http.StatusServiceUnavailable || !strings.Contains(got.Body, "internal") || strings.Contains(got.Body, "10.0.0.7") {
		t.Errorf("%d:\n%s", got.Status, got.Body)
	}
	if !strings.Contains(log.String(), "10.0.0.7") {
		t.Errorf("the log does not name the cause:\n%s", log.String())
	}
}

func TestSite_ShowsThePauseOfAllWorkers(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e)
		server := f.site()
		const words = "All workers are paused."
		if body := ask(t, "GET", server.URL).Body; strings.Contains(body, words) {
			t.Error("a pause is shown although there is none")
		}
		if err := f.Ledger.SetPause(t.Context(), f.Clock.Now().Add(95*time.Second), surgical.CodeGitLabRateLimited); err != nil {
			t.Fatal(err)
		}
		if body := ask(t, "GET", server.URL).Body; !strings.Contains(body, words) || !strings.Contains(body, "in 1 min") {
			t.Errorf("no pause is shown:\n%s", body)
		}
		f.Clock.Advance(2 * time.Minute)
		if body := ask(t, "GET", server.URL).Body; strings.Contains(body, words) {
			t.Error("a pause is shown after it ended")
		}
	})
}

// A filtered list's form shows the filter.
func TestSite_FormFieldsMatchTheParameters(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e).filled()
		fields := url.Values{"status": {"failed"}, "project_id": {"1"}, "period": {"24h"}}
		body := ask(t, "GET", f.site().URL+"/runs?"+fields.Encode()).Body
		for _, want := range []string{`<option value="failed" selected>`, `value="1"`, `<option value="24h" selected>`, "Failed runs of project 1, created in the last 24 hours"} {
			if !strings.Contains(body, want) {
				t.Errorf("no %s in:\n%s", want, body)
			}
		}
		if got := len(runIDs(body)); got != 3 {
			t.Errorf("%d runs, want 3", got)
		}
		empty := ask(t, "GET", f.site().URL+"/runs?status=&project_id=&period=any").Body
		if got := len(runIDs(empty)); got != 8 {
			t.Errorf("with empty fields %d runs, want 8: %s", got, fmt.Sprint(runIDs(empty)))
		}
	})
}

func TestSite_ShowsProjects(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e).filled()
		server := f.site()
		list := ask(t, "GET", server.URL+"/projects").Body
		for id, texts := range map[int][]string{
			1: {"demo/lorehook-demo", "10 min ago", "12,000 issues", "1 merge request", "disabled", "1 min ago", "59 missed events"},
			2: {"group-with-a-long-name/", "not yet", "not counted", "working", "GitLab does not show this project"},
			3: {"not yet", "unreadable"},
		} {
			row := between(t, list, fmt.Sprintf(`href="/projects/%d"`, id), "</tr>")
			for _, text := range texts {
				if !strings.Contains(row, text) {
					t.Errorf("project %d: no %q in\n%s", id, text, row)
				}
			}
		}
		for path, texts := range map[string][]string{
			"/projects/1":  {"demo/lorehook-demo", "Complete as of", "10 min ago", "Issues in GitLab", "12,000", "disabled", "2 checks in a row", "Missed events", "59", "lore projects show 1", "All runs of this project"},
			"/projects/2":  {"GitLab does not show this project", "30 h ago", "Hidden at", "No runs."},
			"/projects/3":  {"Path not known yet", "not yet", "unreadable"},
			"/projects/99": {"Nothing is known of this project"},
		} {
			body := ask(t, "GET", server.URL+path).Body
			for _, text := range texts {
				if !strings.Contains(body, text) {
					t.Errorf("%s: no %q", path, text)
				}
			}
		}
		body := ask(t, "GET", server.URL+"/projects/1").Body
		if all := href(body, "All runs of this project"); all != "/runs?project_id=1" || len(runIDs(body)) == 0 {
			t.Errorf("runs of the project: %q, %v", all, runIDs(body))
		}
		if run := ask(t, "GET", server.URL+"/runs/"+f.good).Body; href(run, "Project 1") != "/projects/1" {
			t.Error("a run does not link to its project")
		}
	})
}

func TestSite_PagesProjectsToTheirEnd(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e)
		for id := range int64(7) {
			if err := f.Ledger.AddProject(t.Context(), id+1); err != nil {
				t.Fatal(err)
			}
		}
		server := f.site()
		var seen []string
		pages := 0
		for page := "/projects?limit=3"; page != ""; pages++ {
			body := ask(t, "GET", server.URL+page).Body
			for _, m := range regexp.MustCompile(`<a href="/projects/(\d+)"`).FindAllStringSubmatch(body, -1) {
				seen = append(seen, m[1])
			}
			if first := href(body, "First projects"); (pages > 0) != (first == "/projects?limit=3") {
				t.Errorf("page %d leads back to %q", pages, first)
			}
			page = href(body, "More projects")
		}
		if pages != 3 || strings.Join(seen, " ") != "1 2 3 4 5 6 7" {
			t.Errorf("%v on %d pages", seen, pages)
		}
	})
}
