package console_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"gitlab.com/lorehook/lorehook/internal/api"
	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/console"
	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/feed"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/markdown"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/cloud/cloudsearch"
	"gitlab.com/lorehook/lorehook/test/engines"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
	"gitlab.com/lorehook/lorehook/test/memory"
)

func TestMain(m *testing.M) {
	os.Exit(memory.Main(engines.Main, m, map[string]memory.Task{"widget": showOverview}))
}

// hostile tries to break out of text, attributes, URLs and styles, to reverse the
// direction of the following text, and to overflow any line.
const hostile = `<script>window.pwned=1</script>"'><img src=x onerror="window.pwned=2"> ' onmouseover='window.pwned=3' </title></style></svg>{{.}}</cwdb-action><svg onload=window.pwned=4>` + "\u202e" + `gnp.exe`

// calls records DynamoDB operations in order.
type calls struct {
	mu  sync.Mutex
	all []string
}

func (c *calls) add(operation, table, index string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, strings.TrimSuffix(operation+" "+table+"/"+index, "/"))
}

// taken returns the calls since it was last called.
func (c *calls) taken() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.all
	c.all = nil
	return all
}

// fixture is a ledger with runs of every kind, and a console that shows it.
type fixture struct {
	*cloud.World
	t      *testing.T
	calls  *calls
	ledger *ledger.Ledger
	store  *content.Store
	search *cloudsearch.Search
	log    *strings.Builder
	// sent are the requests for runs that were sent to the queue.
	sent []surgical.Request
	// allowed is the allow list of the widget; nil means every project.
	allowed func(projectID int64) bool

	// Run ids, by outcome.
	good, failed, retried, retry, waiting, queued, other string
}

func newFixture(t *testing.T, e engines.Engine) *fixture {
	f := &fixture{World: cloud.NewWorld(t, e.DynamoDB, e.Tables), t: t, calls: &calls{}, log: &strings.Builder{}}
	named := map[string]string{
		e.Tables.Content: "content", e.Tables.SyncRuns: "sync_runs", e.Tables.SyncRunEntities: "sync_run_entities",
		e.Tables.DirtySources: "dirty_sources", e.Tables.DependentQueue: "dependent_queue", e.Tables.State: "state", e.Tables.Projects: "projects", e.Tables.Feed: "feed",
	}
	db := cloud.Intercept(e.DynamoDB, func(_ context.Context, call cloud.Call, send func() error) error {
		switch in := call.Input.(type) {
		case *dynamodb.GetItemInput:
			f.calls.add(call.Operation, named[*in.TableName], "")
		case *dynamodb.QueryInput:
			index := ""
			if in.IndexName != nil {
				index = *in.IndexName
			}
			f.calls.add(call.Operation, named[*in.TableName], index)
		case *dynamodb.BatchGetItemInput:
			for table := range in.RequestItems {
				f.calls.add(call.Operation, named[table], "")
			}
		default:
			f.calls.add(call.Operation, "", "")
		}
		return send()
	})
	f.ledger = ledger.New(db, e.Tables, f.Clock.Now)
	f.store = content.NewStore(db, e.Tables.Content, f.Clock.Now)
	f.search = cloudsearch.New(t, f.World, func() surgical.Policy { return surgical.Include })
	return f
}

// Send keeps the request instead of sending it.
func (f *fixture) Send(_ context.Context, r surgical.Request) error {
	f.sent = append(f.sent, r)
	return nil
}

// api returns a server with the API of projects 1 to 3.
func (f *fixture) api() *httptest.Server {
	f.t.Helper()
	handler, err := api.New(api.Options{
		Runs: f.ledger, Projects: f.ledger, Passes: f.ledger, Standing: f.ledger, Content: f.store.ForReaders(f.ledger.ProjectHiddenAt, surgical.Include), Eraser: f.Eraser,
		Feed: feed.NewStore(f.DB, f.Tables.Feed, f.Clock.Now), Queue: f, Search: f.search.Find, Index: f.search.Manifests,
		Allows: func(id int64) bool { return id >= 1 && id <= 3 }, Allowed: []int64{1, 2, 3}, Clock: f.Clock.Now,
		NewKey: rand.Text, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		f.t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	f.t.Cleanup(server.Close)
	return server
}

// filled adds runs of every kind, with hostile text wherever there can be text.
func (f *fixture) filled() *fixture {
	f.t.Helper()
	seven, mr := fakegitlab.IssueRef(7), fakegitlab.MergeRequestRef(12)
	f.GitLab.Edit(seven, func(c *fakegitlab.Common) {
		c.Title, c.WebURL = hostile, "javascript:window.pwned=5"
		c.Labels = append(c.Labels, hostile)
	})
	f.good = f.Webhook(seven).RunID
	f.Webhook(mr)

	manual := f.Request(surgical.OriginManual, seven, fakegitlab.IssueRef(4711))
	f.failed = manual.RunID
	if _, err := f.Deliver(manual); err != nil {
		f.t.Fatal(err)
	}
	f.retried, f.retry = f.aRetry(mr)
	f.other = f.ended(surgical.CodeDocsFailed, hostile, fakegitlab.IssueRef(8)).RunID
	f.waiting = f.aWait(seven)
	queued, err := f.Ledger.Queue(f.t.Context(), f.Request(surgical.OriginManual, fakegitlab.IssueRef(9)))
	if err != nil {
		f.t.Fatal(err)
	}
	f.queued = queued.RunID
	if err := f.search.Index(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	f.projects()
	f.calls.taken()
	return f
}

// projects adds what passes and checks record of projects.
func (f *fixture) projects() {
	f.t.Helper()
	ctx, now := f.t.Context(), f.Clock.Now()
	for _, err := range []error{
		f.Ledger.CompleteProject(ctx, 1, now.Add(-10*time.Minute), now.Add(-48*time.Hour)),
		f.Ledger.CountProject(ctx, 1, surgical.ProjectCounts{Issues: 12_000, MergeRequests: 1, At: now.Add(-time.Hour)}),
		f.Ledger.CheckHook(ctx, 1, surgical.HookCheck{State: surgical.HookDisabled, ID: 44, Reason: hostile, CheckedAt: now.Add(-time.Minute), Findings: 2}),
		f.Ledger.ReconcileProject(ctx, 1, surgical.Reconciled{Cycle: "c", BeganAt: now.Add(-2 * time.Minute), EndedAt: now.Add(-time.Minute), Listed: 200, Different: 60, Missed: 59, Requests: 4}),
		f.Ledger.CensusProject(ctx, 1, surgical.Censused{
			Cycle: "s", BeganAt: now.Add(-160 * time.Hour), EndedAt: now.Add(-time.Minute), Listed: 12_001, Fetched: 11_998, Failed: 3, Requests: 60_241,
			Found: map[surgical.Finding]int64{surgical.FoundGone: 3, surgical.FoundDeletedNotes: 41, surgical.FoundUsers: 1207},
		}),
		f.Ledger.NameProject(ctx, 2, "group-with-a-long-name/subgroup-with-a-long-name/a-project-with-an-even-longer-name-that-fits-no-column", now),
		f.Ledger.CheckHook(ctx, 2, surgical.HookCheck{State: surgical.HookWorking, ID: 45, CheckedAt: now}),
		f.Ledger.UnseenProject(ctx, 2, now.Add(-30*time.Hour)),
		f.Ledger.HideProject(ctx, 2, now.Add(-6*time.Hour)),
		f.Ledger.AddProject(ctx, 3),
		f.Ledger.UnreadableProject(ctx, 3, surgical.Unreadable{Records: 2, At: now.Add(-time.Minute)}),
		f.Ledger.CheckHook(ctx, 3, surgical.HookCheck{State: surgical.HookUnreadable, CheckedAt: now}),
	} {
		if err != nil {
			f.t.Fatal(err)
		}
	}
}

// claimed returns a run of the targets that a worker has claimed.
func (f *fixture) claimed(refs ...surgical.EntityRef) surgical.Run {
	f.t.Helper()
	req := f.Request(surgical.OriginManual, refs...)
	f.Clock.Advance(time.Second)
	run, err := f.Ledger.Claim(f.t.Context(), surgical.Run{}, surgical.Claim{Request: req, MessageID: "m", Lease: time.Hour})
	if err != nil {
		f.t.Fatal(err)
	}
	return run
}

// ended returns a run that failed with the code.
func (f *fixture) ended(code surgical.Code, message string, refs ...surgical.EntityRef) surgical.Run {
	f.t.Helper()
	run := f.claimed(refs...)
	f.Clock.Advance(time.Second)
	run, err := f.Ledger.Close(f.t.Context(), run, surgical.Failed{Error: surgical.NewError(code, message)})
	if err != nil {
		f.t.Fatal(err)
	}
	return run
}

// aRetry returns a failed run, and the run that retried it and succeeded.
func (f *fixture) aRetry(ref surgical.EntityRef) (failed, retry string) {
	f.t.Helper()
	old := f.ended(surgical.CodeGitLabTimeout, "GitLab took too long", ref)
	req := f.Request(surgical.OriginRetry, ref)
	req.RetryOf = old.RunID
	if _, err := f.Ledger.Retry(f.t.Context(), old, req, ""); err != nil {
		f.t.Fatal(err)
	}
	f.Sync(req)
	return old.RunID, req.RunID
}

// aWait returns a run that is waiting for its next attempt.
func (f *fixture) aWait(ref surgical.EntityRef) string {
	f.t.Helper()
	run := f.claimed(ref)
	if err := f.Ledger.Release(f.t.Context(), run, surgical.NewError(surgical.CodeGitLabRateLimited, hostile), 1); err != nil {
		f.t.Fatal(err)
	}
	return run.RunID
}

// site returns a server with the console.
func (f *fixture) site() *httptest.Server {
	f.t.Helper()
	return f.siteOf(f.api().URL)
}

// siteOf returns a server with the console of the API at the address.
func (f *fixture) siteOf(address string) *httptest.Server {
	f.t.Helper()
	return f.siteWith(address, markdown.New().HTML)
}

// siteWith returns a server with the console that renders texts in this way.
func (f *fixture) siteWith(address string, render func(text, page string) template.HTML) *httptest.Server {
	f.t.Helper()
	client, err := apiclient.New(apiclient.Options{BaseURL: address})
	if err != nil {
		f.t.Fatal(err)
	}
	handler, err := console.NewSite(console.SiteOptions{
		API: client, Stack: "Shows the tests' stack", Markdown: render, NewKey: rand.Text, Clock: f.Clock.Now, Log: slog.New(slog.NewJSONHandler(f.log, nil)),
	})
	if err != nil {
		f.t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	f.t.Cleanup(server.Close)
	return server
}

// widget returns the custom widget.
func (f *fixture) widget() *console.Widget {
	f.t.Helper()
	widget, err := console.NewWidget(f.ledger, func(id int64) bool { return f.allowed == nil || f.allowed(id) }, f.Clock.Now, slog.New(slog.NewJSONHandler(f.log, nil)))
	if err != nil {
		f.t.Fatal(err)
	}
	return widget
}

// pages returns paths that together show every part of the site.
func (f *fixture) pages() map[string]string {
	return map[string]string{
		"home": "/", "home of a project": "/?project=1", "found": "/search?q=export+rows", "found with filters": "/search?q=export&project=1&type=merge_request&state=opened",
		"nothing found": "/search?q=zyzzyva", "similar": "/search?similar_to=1%23issue%237", "a search of nothing": "/search?q=", "a search of nothing but filters": "/search?q=state%3Aopened",
		"an unknown filter": "/search?q=export&state=lost", "a hostile search": "/search?q=" + url.QueryEscape(hostile), "a search in another script": "/search?q=" + url.QueryEscape("エクスポート"),
		"a cursor of another query": "/search?q=export&cursor=abc",
		"similar by date":           "/search?similar_to=1%23issue%237&state=locked&created_after=2026-01-01&updated_before=2027-01-02T08:00:00Z", "a search by odd dates": "/search?q=export&created_after=" + url.QueryEscape(hostile),
		"issues by date": "/projects/1/issues?updated_after=2026-01-01&created_before=2027-01-02T08:00:00Z", "issues by odd dates": "/projects/1/issues?created_after=soon",
		"issues": "/projects/1/issues", "merge requests": "/projects/1/merge_requests?state=all&order=created_asc", "no issues": "/projects/2/issues", "issues filtered": "/projects/1/issues?state=closed&label=bug&author=nobody&assignee=x&milestone=y",
		"runs": "/runs", "runs filtered": "/runs?status=failed&project_id=1", "no runs": "/runs?status=cancelled",
		"run succeeded": "/runs/" + f.good, "run failed": "/runs/" + f.failed, "run retried": "/runs/" + f.retried,
		"run waits": "/runs/" + f.waiting, "run queued": "/runs/" + f.queued, "run failed as a whole": "/runs/" + f.other,
		"retry": "/runs/" + f.other + "/retry", "nothing to retry": "/runs/" + f.good + "/retry",
		"projects": "/projects", "project": "/projects/1", "project unseen": "/projects/2", "bad project": "/projects/x", "project not allowed": "/projects/99",
		"issue": "/projects/1/issues/7", "merge request": "/projects/1/merge_requests/12", "issue unknown": "/projects/1/issues/999", "bad number": "/projects/1/issues/0",
		"an id without a project": "/projects/99/issues/7", "a path of a project": "/projects/group%2Fproject/issues/7",
		"sync": "/projects/1/issues/7/sync", "sync of what is not stored": "/projects/1/merge_requests/999/sync",
		"bad parameter": "/runs?status=%3Cscript%3E", "no such run": "/runs/xyz", "no such page": "/nowhere",
	}
}

// answer is an HTTP response.
type answer struct {
	Status int
	Header http.Header
	Body   string
}

func ask(t *testing.T, method, address string, change ...func(*http.Request)) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range change {
		f(req)
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
	return answer{resp.StatusCode, resp.Header, string(body)}
}

// tally counts equal calls.
func tally(all []string) string {
	counts := map[string]int{}
	for _, call := range all {
		counts[call]++
	}
	var lines []string
	for call, n := range counts {
		lines = append(lines, fmt.Sprintf("%3d %s", n, call))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
