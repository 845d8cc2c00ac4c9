package api_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/api"
	"gitlab.com/lorehook/lorehook/internal/feed"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

var update = flag.Bool("update", false, "record the examples")

// recorder makes the calls of the examples.
type recorder struct {
	*fixture
	recorded []string
}

// exchange is a file of examples/.
type exchange struct {
	Summary string `json:"summary"`
	Request struct {
		Method  string            `json:"method"`
		Path    string            `json:"path"`
		Headers map[string]string `json:"headers,omitempty"`
		Body    json.RawMessage   `json:"body,omitempty"`
	} `json:"request"`
	Response struct {
		Status int             `json:"status"`
		Body   json.RawMessage `json:"body"`
	} `json:"response"`
}

// show makes a call and compares it with the example of the name, an operation
// and a case. It returns the answer's body.
func (r *recorder) show(name, summary, method, path, body string, headers ...string) map[string]any {
	return r.showOf(r.handler, name, summary, method, path, body, headers...)
}

func (r *recorder) showOf(handler http.Handler, name, summary, method, path, body string, headers ...string) map[string]any {
	r.Helper()
	w := call(handler, method, path, body, headers...)
	var e exchange
	e.Summary, e.Request.Method, e.Request.Path, e.Response.Status = summary, method, path, w.Code
	if body != "" {
		e.Request.Body = json.RawMessage(body)
	}
	for i := 0; i < len(headers); i += 2 {
		e.Request.Headers = map[string]string{headers[i]: headers[i+1]}
	}
	if e.Response.Body = w.Body.Bytes(); strings.HasPrefix(w.Header().Get("Content-Type"), "text/") {
		text, err := json.Marshal(w.Body.String())
		if e.Response.Body = text; err != nil {
			r.Fatal(err)
		}
	}
	var got bytes.Buffer
	encoder := json.NewEncoder(&got)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(e); err != nil {
		r.Fatalf("%s: %v in %s", name, err, w.Body)
	}
	file := filepath.Join("examples", name+".json")
	r.recorded = append(r.recorded, file)
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			r.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		r.Fatal(err)
	}
	if diff := cmp.Diff(steady(string(want)), steady(got.String())); diff != "" {
		r.Errorf("%s (-recorded +answered); -update records anew:\n%s", file, diff)
	}
	var decoded any
	if err := json.Unmarshal(e.Response.Body, &decoded); err != nil {
		r.Fatal(err)
	}
	object, _ := decoded.(map[string]any)
	return object
}

// steady leaves out what depends on how often the clock was looked at, and on
// which of the five requests of a fetch is refused first.
func steady(text string) string {
	for pattern, with := range map[string]string{
		`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`:      "TIME",
		`("next(?:_cursor)?": "|cursor=|since=)[\w-]+`: "${1}CURSOR",
		`\\"eyJ[\w-]+`:           "CURSOR",
		`"score": [\d.]+`:        `"score": 0`,
		`"bytes": \d+`:           `"bytes": 0`,
		`"gitlab_requests": \d+`: `"gitlab_requests": 0`,
		`(discussions|resource_[a-z]+_events) of (project \d+)`: "$2",
		`\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ( \([^)]* ago\))?`:      "TIME",
	} {
		text = regexp.MustCompile(pattern).ReplaceAllString(text, with)
	}
	return regexp.MustCompile(`"timings_ms": \{[^}]*\}`).ReplaceAllStringFunc(text, func(timings string) string {
		return regexp.MustCompile(`\d+`).ReplaceAllString(timings, "0")
	})
}

func TestTheExamplesAreWhatTheAPIAnswers(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		r := &recorder{fixture: f}
		r.entities()
		r.changes()
		r.searches()
		r.starts()
		r.ends()
		r.lists()
		r.controls()
		r.projects()
		r.status()
		r.passes()
		r.gone()
		r.erasures()
		files, err := filepath.Glob(filepath.Join("examples", "*.json"))
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(r.recorded)
		if diff := cmp.Diff(files, r.recorded); diff != "" {
			t.Errorf("examples that nothing answers, or that are missing (-files +calls):\n%s", diff)
		}
	})
}

func instant(text string) fakegitlab.Time {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return fakegitlab.Time{Time: at}
}

// entities reads two small copies, and their documents.
func (r *recorder) entities() {
	r.show("get-health.ok", "The API is well", "GET", "/healthz", "")
	issue, mr := fakegitlab.IssueRef(21), fakegitlab.MergeRequestRef(31)
	r.GitLab.SetIssue(fakegitlab.NewIssue(21, "Umlauts are lost in exported file names", "`Übersicht.csv` arrives as `bersicht.csv`.", instant("2026-05-20T09:12:00Z")))
	r.GitLab.SetMergeRequest(fakegitlab.NewMergeRequest(31, "Encode file names by RFC 6266", "Closes #21", instant("2026-05-21T14:30:00Z")))
	asked := instant("2026-05-20T10:05:00Z")
	r.GitLab.AddDiscussion(issue, fakegitlab.Note{Author: fakegitlab.Mira(), CreatedAt: asked, UpdatedAt: asked, Body: "Only in Firefox?"})
	r.Sync(r.named("first", issue, mr))
	r.show("get-issue.copy", "An issue with one comment", "GET", pathOf(issue), "")
	r.show("get-merge-request.copy", "A merge request", "GET", pathOf(mr), "")
	r.show("get-issue.readable", "The same as one readable page", "GET", pathOf(issue), "", "Accept", "text/markdown")
	r.show("get-merge-request.readable", "The same as one readable page", "GET", pathOf(mr), "", "Accept", "text/markdown")
	r.show("explain-issue.current", "A copy that is current", "GET", pathOf(issue)+"/why", "")
	r.show("explain-issue.absent", "An issue of which nothing is known", "GET", "/v1/projects/1/issues/4711/why", "")
	r.show("get-issue.not_found", "An issue of which there is no copy", "GET", "/v1/projects/1/issues/4711", "")
	r.show("get-issue.not_valid", "No such iid can be", "GET", "/v1/projects/1/issues/-7", "")
	r.show("list-issue-documents.page", "The first of two documents", "GET", pathOf(issue)+"/documents?limit=1", "")
	r.show("list-merge-request-documents.page", "The only document", "GET", pathOf(mr)+"/documents", "")
	r.show("list-entities.page", "The first of two copies", "GET", "/v1/projects/1/entities?limit=1", "")
	r.show("list-issues.page", "Open issues by one author", "GET", "/v1/projects/1/issues?state=opened&author=mira.oduya&limit=1", "")
	r.show("list-issues.not_valid", "A field that does not exist", "GET", "/v1/projects/1/issues?fields=iid,name", "")
	r.show("list-merge-requests.fields", "Numbers and titles, the oldest first", "GET", "/v1/projects/1/merge_requests?order=created_asc&fields=iid,title", "")
	page := r.show("get-issue.page", "The first part of an issue, by limit", "GET", pathOf(issue)+"?limit=1", "")
	answered := instant("2026-05-20T10:20:00Z")
	r.GitLab.AddDiscussion(issue, fakegitlab.Note{Author: fakegitlab.Mira(), CreatedAt: answered, UpdatedAt: answered, Body: "And in Safari."})
	r.Sync(r.named("second", issue))
	r.show("get-issue.changed", "A commit came between two pages", "GET", pathOf(issue)+"?cursor="+page["next_cursor"].(string), "")
	r.GitLab.Relabel(mr, []string{"encoding"}, nil)
	r.undone(r.named("third", mr))
	r.show("get-merge-request.behind", "A merge request whose documents could not be made", "GET", pathOf(mr), "")
	r.show("explain-merge-request.behind", "A copy whose documents could not be made", "GET", pathOf(mr)+"/why", "")
	const drains = "/v1/drains"
	r.show("request-drain.project", "Resume what waits in one project", "POST", drains, `{"project_id":1}`)
	r.show("request-drain.all", "Resume what waits in all projects", "POST", drains, `{}`)
	r.show("request-drain.not_allowed", "A project outside the allow list", "POST", drains, `{"project_id":99}`)
	r.show("request-drain.not_valid", "Not the id of a project", "POST", drains, `{"project_id":"group/project"}`)
}

// searches finds what the entities say.
func (r *recorder) searches() {
	const query = "/v1/search?q=umlauts+in+file+names"
	r.show("search-copies.not_ready", "Before the index is built for the first time", "GET", query, "")
	r.Drive() // the documents are made
	r.index()
	page := r.show("search-copies.hits", "The first of two hits", "GET", query+"&limit=1", "")
	r.show("search-copies.filtered", "Filters within the text", "GET", "/v1/search?q=firefox+type:issue+state:opened", "")
	r.show("search-copies.similar", "What resembles an issue", "GET", "/v1/search?similar_to=1%2321", "")
	r.show("search-copies.not_valid", "The cursor of another query", "GET", "/v1/search?q=safari&cursor="+page["next_cursor"].(string), "")
	r.show("get-index.ready", "An index that answers", "GET", "/v1/index", "")
	r.show("rebuild-index.requested", "A rebuild that ended at once", "POST", "/v1/index/rebuild", "")
}

// gone reads an issue that was deleted in GitLab.
func (r *recorder) gone() {
	ref := fakegitlab.IssueRef(22)
	r.GitLab.SetIssue(fakegitlab.NewIssue(22, "Opened by mistake", "", instant("2026-05-22T08:00:00Z")))
	r.World.Clock.Advance(time.Hour) // GitLab's rate limit was reached
	r.Sync(r.named("mistake", ref))
	r.World.Clock.Advance(surgical.Confirmation)
	r.GitLab.Delete(ref)
	hide := r.named("deleted", ref)
	hide.Origin = surgical.OriginHide
	r.Sync(hide)
	r.show("get-issue.gone", "An issue that was deleted in GitLab", "GET", pathOf(ref), "")
}

// changes follows the copies, until changes may have been lost.
func (r *recorder) changes() {
	const path = "/v1/changes"
	r.changed()
	start := r.show("list-changes.begin", "Where to go on, before everything is read once", "GET", path, "")
	r.changed(fakegitlab.IssueRef(21), fakegitlab.IssueRef(20))
	since := path + "?since=" + start["next"].(string)
	r.show("list-changes.page", "A comment on one issue, and another issue was deleted", "GET", since, "")
	r.show("list-changes.not_valid", "Not a next of this list", "GET", path+"?since=last-week", "")
	if err := feed.NewStore(r.DB, r.Tables.Feed, r.Clock.Now).Restart(r.Context()); err != nil {
		r.Fatal(err)
	}
	r.show("list-changes.restarted", "Changes may have been lost", "GET", since, "")
}

// erasures erases what was copied by mistake.
func (r *recorder) erasures() {
	for _, ref := range []surgical.EntityRef{fakegitlab.IssueRef(21), fakegitlab.MergeRequestRef(31)} {
		operation := strings.ReplaceAll(string(ref.Type), "_", "-")
		r.show("get-"+operation+"-erasure.stored", "What is stored", "GET", pathOf(ref)+"/erasure", "")
		r.show("erase-"+operation+".removed", "Everything was removed at once", "POST", pathOf(ref)+"/erasure", "")
	}
	issue := pathOf(fakegitlab.IssueRef(21))
	r.show("unerase-issue.too_early", "A function may still write something of it", "DELETE", issue+"/erasure", "")
	r.World.Clock.Advance(surgical.EraseSettle)
	if _, err := r.Sweeper.Handle(r.Context()); err != nil {
		r.Fatal(err)
	}
	r.show("list-erasures.page", "The first of two", "GET", "/v1/erasures?limit=1", "")
	r.show("explain-issue.erased", "An issue that was erased", "GET", issue+"/why", "")
	r.show("unerase-issue.lifted", "It may be fetched again", "DELETE", issue+"/erasure", "")
	r.show("unerase-merge-request.lifted", "It may be fetched again", "DELETE", pathOf(fakegitlab.MergeRequestRef(31))+"/erasure", "")
}

// named is a request whose run has an id that does not change.
func (r *recorder) named(key string, refs ...surgical.EntityRef) surgical.Request {
	r.World.Clock.Advance(10 * time.Second)
	req := r.Request(surgical.OriginManual, refs...)
	req.IdempotencyKey, req.RunID = key, surgical.RunID(surgical.OriginManual, key)
	return req
}

// starts asks for runs.
func (r *recorder) starts() {
	const path, key = "/v1/sync-runs", "Idempotency-Key"
	const nightly = `{"project_id":1,"issues":[7,21],"merge_requests":[12]}`
	queued := r.show("start-sync-run.queued", "Two issues and a merge request", "POST", path, nightly, key, "nightly-2026-05-28")
	if queued["run_id"] != surgical.RunID(surgical.OriginManual, "nightly-2026-05-28") {
		r.Errorf("run %s", queued["run_id"])
	}
	r.show("start-sync-run.plan", "A dry run: only the plan", "POST", path, `{"project_id":1,"issues":[7,21],"dry_run":true,"no_embed":true}`)
	r.show("start-sync-run.key_used", "The key of another request", "POST", path, `{"project_id":1,"issues":[8]}`, key, "nightly-2026-05-28")
	r.show("start-sync-run.not_allowed", "A project outside the allow list", "POST", path, `{"project_id":99,"issues":[7]}`)
	r.show("start-sync-run.not_valid", "Two values that are not valid", "POST", path, `{"project_id":1,"issues":[-7],"dryrun":true}`)
	r.show("start-sync-run.contradiction", "Options that exclude each other", "POST", path, `{"project_id":1,"issues":[7],"dry_run":true,"preflight_only":true}`)
	r.queue.down = true
	r.show("start-sync-run.no_queue", "The queue is out of reach", "POST", path, `{"project_id":1,"issues":[8]}`, key, "later")
	r.queue.down = false
	r.work()
	r.show("get-sync-run.succeeded", "A run that succeeded", "GET", path+"/"+queued["run_id"].(string), "")
}

// ends shows how runs end.
func (r *recorder) ends() {
	const runs = "/v1/sync-runs/"
	r.GitLab.Inject(fakegitlab.Fault{Ref: fakegitlab.IssueRef(8), Requests: 1, Status: http.StatusForbidden})
	failed := r.start(`{"project_id":1,"issues":[7,8,4711]}`, "Idempotency-Key", "morning-2026-05-28")
	r.work()
	r.show("get-sync-run.failed", "A run of three whose preflight failed", "GET", runs+failed, "")
	r.show("retry-sync-run.queued", "The run that retries: without the issue that GitLab does not have", "POST", runs+failed+"/retry-failed", "")
	looked := r.start(`{"project_id":1,"issues":[7,4711],"preflight_only":true}`, "Idempotency-Key", "look")
	r.work()
	r.show("get-sync-run.preflight_only", "Only a preflight: one of two can be fetched", "GET", runs+looked, "")
	r.GitLab.Inject(fakegitlab.Fault{Ref: fakegitlab.IssueRef(9), Requests: 1, Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"60"}}})
	waiting := r.start(`{"project_id":1,"issues":[9]}`, "Idempotency-Key", "limited")
	if _, err := r.Deliver(r.queue.take()[0]); surgical.CodeOf(err) != surgical.CodeGitLabRateLimited {
		r.Fatal(err)
	}
	r.show("get-sync-run.waiting", "A run that waits for GitLab's rate limit", "GET", runs+waiting, "")
	r.show("get-sync-run.not_found", "No such run", "GET", runs+"m5d2x7", "")
	o := r.options()
	o.Runs = broken{r.Ledger}
	r.showOf(serve(r.T, o), "get-sync-run.internal", "An unexpected failure", "GET", runs+failed, "")
}

// lists reads lists.
func (r *recorder) lists() {
	page := r.show("list-sync-runs.failed", "The newest failed run of a project", "GET", "/v1/sync-runs?project_id=1&status=failed&limit=1", "")
	r.show("list-sync-runs.foreign_cursor", "A cursor that belongs to another list", "GET", "/v1/sync-runs?project_id=1&cursor="+page["next_cursor"].(string), "")
	r.show("list-issue-sync-runs.page", "The newest ended run of an issue", "GET", "/v1/projects/1/issues/21/sync-runs?limit=1", "")
	r.show("list-merge-request-sync-runs.page", "The newest ended run of a merge request", "GET", "/v1/projects/1/merge_requests/12/sync-runs?limit=1", "")
}

// controls cancels and retries.
func (r *recorder) controls() {
	const runs = "/v1/sync-runs/"
	queued := r.start(`{"project_id":1,"issues":[7]}`, "Idempotency-Key", "changed-my-mind")
	r.show("cancel-sync-run.cancelled", "A queued run, which never starts", "POST", runs+queued+"/cancel", "")
	nightly := surgical.RunID(surgical.OriginManual, "nightly-2026-05-28")
	r.show("cancel-sync-run.too_late", "A run that has succeeded", "POST", runs+nightly+"/cancel", "")
	r.show("retry-sync-run.nothing", "A run in which nothing failed", "POST", runs+nightly+"/retry-failed", "")
}

// projects reads and hides projects.
func (r *recorder) projects() {
	at := func(text string) time.Time { return instant(text).Time }
	ctx := r.Context()
	for _, err := range []error{
		r.Ledger.CompleteProject(ctx, 1, at("2026-05-28T06:50:00Z"), at("2026-05-21T02:00:00Z"), surgical.Target{Type: surgical.Issue, IID: 9}),
		r.Ledger.CountProject(ctx, 1, surgical.ProjectCounts{Issues: 9, MergeRequests: 3, At: at("2026-05-28T07:00:00Z")}),
		r.Ledger.CheckHook(ctx, 1, surgical.HookCheck{State: surgical.HookDisabled, ID: 44, Reason: "it failed 4 times in a row", CheckedAt: at("2026-05-28T07:00:00Z"), Findings: 2}),
		r.Ledger.CensusProject(ctx, 1, surgical.Censused{
			Cycle: "1-m4xhq2yzkd5trw3a", BeganAt: at("2026-05-21T08:00:00Z"), EndedAt: at("2026-05-28T07:45:00Z"), Listed: 300, Fetched: 290, Failed: 2, Requests: 1452,
			Found: map[surgical.Finding]int64{surgical.FoundGone: 2, surgical.FoundDeletedNotes: 1, surgical.FoundLabels: 40},
		}),
		r.Ledger.ReconcileProject(ctx, 1, surgical.Reconciled{
			Cycle: "r-2026-05-28", BeganAt: at("2026-05-28T07:00:00Z"), EndedAt: at("2026-05-28T07:00:30Z"), Listed: 5, Different: 2, Missed: 1, Requests: 2,
		}),
		r.Ledger.UnseenProject(ctx, 2, at("2026-05-27T11:00:00Z")),
	} {
		if err != nil {
			r.Fatal(err)
		}
	}
	if _, err := r.Ledger.SavePass(ctx, surgical.Pass{
		ProjectID: 1, Kind: surgical.PassReconcile, ID: "1-r", Status: surgical.StatusSucceeded,
		Checkpoints: map[surgical.EntityType]time.Time{surgical.Issue: at("2026-05-28T06:50:00Z"), surgical.MergeRequest: at("2026-05-28T06:40:00Z")},
	}, ledger.PassChange{}); err != nil {
		r.Fatal(err)
	}
	page := r.show("list-projects.page", "The first of two projects", "GET", "/v1/projects?limit=1", "")
	r.show("list-projects.last_page", "The last page: a project that GitLab does not show", "GET", "/v1/projects?cursor="+page["next_cursor"].(string), "")
	r.show("get-project.by_path", "A project, by its path", "GET", "/v1/projects/demo%2Florehook-demo", "")
	r.show("get-project.unknown", "A path that is not known", "GET", "/v1/projects/demo%2Funknown", "")
	r.show("get-issue.by_path", "No copy, in a project named by its path", "GET", "/v1/projects/demo%2Florehook-demo/issues/4711", "")
	r.show("hide-projects.one", "One project", "POST", "/v1/hides", `{"project":"demo/lorehook-demo"}`)
	r.show("hide-projects.all", "All projects, after a restore", "POST", "/v1/hides", `{"all":true}`)
	r.show("hide-projects.not_valid", "Neither one project nor all", "POST", "/v1/hides", `{}`)
}

// passes starts, reads, cancels and resumes passes.
// status is recorded after the projects, whose state it summarizes.
func (r *recorder) status() {
	now := r.Clock.Now()
	for _, err := range []error{
		r.Ledger.SawGitLab(r.Context(), ledger.Sighting{At: now, RateLimit: surgical.RateLimit{Limit: 2000, Remaining: 1984, Reset: now.Add(30 * time.Second).Truncate(time.Second)}}),
		r.Ledger.SetPause(r.Context(), now.Add(time.Minute), surgical.CodeGitLabRateLimited),
	} {
		if err != nil {
			r.Fatal(err)
		}
	}
	r.show("get-status.paused", "A stack that waits for GitLab", "GET", "/v1/status", "")
}

func (r *recorder) passes() {
	const backfills, key = "/v1/backfills", "Idempotency-Key"
	started := r.show("start-backfill.project", "One project, by its path", "POST", backfills, `{"project":"demo/lorehook-demo"}`, key, "first-import")
	one := backfills + "/" + started["id"].(string)
	r.show("start-backfill.running", "Another backfill of the project is running", "POST", backfills, `{"project":"1"}`, key, "second-import")
	r.show("start-backfill.not_valid", "A project and a group", "POST", backfills, `{"project":"1","group":"demo"}`)
	group := r.show("start-backfill.group", "A group", "POST", backfills, `{"group":"demo"}`, key, "demo-import")
	r.show("get-backfill.running", "A backfill that has just been started", "GET", one, "")
	r.show("get-backfill.not_found", "No such backfill", "GET", backfills+"/1-aaaaaaaaaaaaaaaa", "")
	r.show("cancel-backfill.cancelled", "A backfill that was running", "POST", one+"/cancel", "")
	r.show("cancel-backfill.group", "A group", "POST", backfills+"/"+group["id"].(string)+"/cancel", "")
	r.show("retry-backfill.resumed", "The cancelled backfill goes on", "POST", one+"/retry-failed", "")
	r.show("list-backfills.all", "A project's and a group's", "GET", backfills, "")
	r.show("start-reconcile.queued", "One project", "POST", "/v1/reconciles", `{"project":"1"}`)
	r.show("start-reconcile.not_valid", "Neither one project nor all", "POST", "/v1/reconciles", `{}`)
	r.show("list-reconciles.all", "The one that was requested", "GET", "/v1/reconciles", "")
}

func TestEveryOperationHasAnExampleOfEachSuccess(t *testing.T) {
	description, err := api.Description()
	if err != nil {
		t.Fatal(err)
	}
	operations := 0
	for path, item := range description.Paths {
		for _, op := range api.Operations(item) {
			if op.OperationID == "get-description" {
				continue
			}
			operations++
			for status, response := range op.Responses {
				for _, media := range response.Content {
					if status < "300" && len(media.Examples) == 0 {
						t.Errorf("%s %s has no example of a %s", op.Method, path, status)
					}
				}
			}
		}
	}
	if operations < 12 {
		t.Errorf("only %d operations", operations)
	}
}

func TestEveryParameterAndFieldIsExplained(t *testing.T) {
	description, err := api.Description()
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range description.Paths {
		for _, op := range api.Operations(item) {
			for _, p := range op.Parameters {
				if p.Description == "" {
					t.Errorf("%s: %s", op.OperationID, p.Name)
				}
			}
			for status, response := range op.Responses {
				for name, header := range response.Headers {
					if header.Description == "" || header.Example == nil {
						t.Errorf("%s: %s of %s", op.OperationID, name, status)
					}
				}
			}
		}
	}
	fields := 0
	for name, s := range description.Components.Schemas.Map() {
		for field, p := range s.Properties {
			if fields++; p.Description == "" {
				t.Errorf("%s.%s", name, field)
			}
		}
	}
	if fields < 100 {
		t.Errorf("only %d fields", fields)
	}
}
