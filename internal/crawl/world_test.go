package crawl_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"gitlab.com/lorehook/lorehook/internal/function/metrics"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakedynamodb "gitlab.com/lorehook/lorehook/test/fake/dynamodb"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
	"gitlab.com/lorehook/lorehook/test/faults"
	"gitlab.com/lorehook/lorehook/test/metricstest"
)

func TestMain(m *testing.M) {
	// Hundreds of small worlds: collecting their garbage costs more than their memory.
	debug.SetGCPercent(800)
	os.Exit(m.Run())
}

// world is a simulated cloud with a crawler, and an empty project.
type world struct {
	*testing.T
	*cloud.Cloud
	// db has the tables, and content is the name of one of them.
	db      *dynamodb.Client
	content string
	// lists counts the requests for lists.
	lists int
	// metrics are the lines that the crawler wrote.
	metrics bytes.Buffer
}

// measured returns all values of the metric, in the order in which they were written.
func (w *world) measured(name string) (values []float64) {
	w.T.Helper()
	for line := range strings.Lines(w.metrics.String()) {
		data, err := metricstest.Read([]byte(line))
		if err != nil {
			w.T.Fatal(err)
		}
		for _, d := range data {
			if d.Name == name {
				values = append(values, d.Values...)
			}
		}
	}
	return values
}

// missed adds up the missed events.
func (w *world) missed() (n float64) {
	w.T.Helper()
	for _, v := range w.measured(metrics.MissedEvents().Name) {
		n += v
	}
	return n
}

// inWorld runs the test in a bubble, whose time passes only while everything waits.
func inWorld(t *testing.T, test func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		db, tables := fakedynamodb.New()
		w := &world{T: t, Cloud: cloud.New(t, db.Client(), tables), db: db.Client(), content: tables.Content}
		w.Rows = db.Items
		w.Crawls = true
		w.Crawler().Meter = metrics.New(&w.metrics, "lorehook", w.Clock.Now)
		w.Crawler().Listed = []int64{fakegitlab.ProjectID}
		w.Around = func(_ context.Context, call cloud.Call, send func() error) error {
			if req, ok := call.Input.(*http.Request); ok && (strings.HasSuffix(req.URL.Path, "/issues") || strings.HasSuffix(req.URL.Path, "/merge_requests")) {
				w.lists++
			}
			return send()
		}
		test(w)
	})
}

func issue(iid int64) surgical.EntityRef { return fakegitlab.IssueRef(iid) }

// add makes an issue with a comment, now.
func (w *world) add(iid int64) {
	w.GitLab.SetIssue(fakegitlab.NewIssue(iid, fmt.Sprint("Issue ", iid), "What it is about.", fakegitlab.Time{Time: w.Clock.Now()}))
	w.GitLab.AddDiscussion(issue(iid), fakegitlab.Note{Body: "A comment."})
}

// settleRuns lets all runs end before the next crawl.
func (w *world) settleRuns() {
	w.T.Helper()
	w.Crawls = false
	w.Settle()
	w.Crawls = true
}

// cycle lets the next reconcile begin and end.
func (w *world) cycle() {
	w.Clock.Advance(surgical.ReconcileInterval)
	w.Crawl()
	w.Settle()
}

func (w *world) pass(kind surgical.PassKind) surgical.Pass {
	w.T.Helper()
	p, err := w.Ledger.Pass(w.T.Context(), fakegitlab.ProjectID, kind)
	if err != nil {
		w.T.Fatal(err)
	}
	return p
}

func (w *world) current(refs ...surgical.EntityRef) {
	w.T.Helper()
	for _, ref := range refs {
		if problem := w.Untrue(ref); problem != "" {
			w.T.Errorf("%s differs from GitLab:\n%s", ref, problem)
		}
	}
}

func TestReconcile_FindsWhatNoWebhookAnnounced(t *testing.T) {
	inWorld(t, func(w *world) {
		w.Crawl() // the first cycle learns what time it is
		w.Settle()
		w.Clock.Advance(time.Hour)
		w.add(70)
		w.add(71)
		w.cycle()
		w.current(issue(70), issue(71))
		p := w.pass(surgical.PassReconcile)
		if p.Counts.Different != 2 || p.Status != surgical.StatusSucceeded {
			t.Errorf("the cycle is %+v", p)
		}
		w.cycle()
		project, err := w.Ledger.Project(w.T.Context(), fakegitlab.ProjectID)
		if err != nil || project.LastReconcile.Missed != 0 || project.LastReconcile.Different != 0 {
			t.Errorf("%+v, %v", project, err)
		}
	})
}

func TestReconcile_SendsTwoRequestsIfNothingChanged(t *testing.T) {
	inWorld(t, func(w *world) {
		w.cycle()
		for range 3 {
			before := w.lists
			w.cycle()
			if sent := w.lists - before; sent != 2 {
				t.Errorf("%d requests, want 2", sent)
			}
		}
	})
}

func TestReconcile_CountsWhatNoDeliveryAnnounced(t *testing.T) {
	inWorld(t, func(w *world) {
		w.cycle()
		w.Clock.Advance(time.Hour)
		for iid := int64(70); iid < 75; iid++ {
			w.add(iid)
		}
		w.Webhook(issue(70)) // the others are lost
		w.settleRuns()
		w.Clock.Advance(2 * surgical.DeliverySkew)
		w.GitLab.AddDiscussion(issue(70), fakegitlab.Note{Body: "Lost as well."})
		w.cycle()
		w.Webhook(issue(74)) // late
		w.settleRuns()
		w.cycle()
		w.current(issue(70), issue(71), issue(72), issue(73), issue(74))
		if got := w.missed(); got != 4 {
			t.Errorf("%v missed events, want 4", got)
		}
	})
}

// backfill starts a backfill of the project and returns its id.
func (w *world) backfill() string {
	w.T.Helper()
	id := surgical.NewPassID(fakegitlab.ProjectID, surgical.PassBackfill, w.NewKey("backfill"))
	p, err := w.Ledger.StartBackfill(w.T.Context(), surgical.NewBackfill(fakegitlab.ProjectID, id, id, w.Clock.Now()))
	if err != nil || p.ID != id {
		w.T.Fatal(p, err)
	}
	return id
}

func TestBackfill_CopiesEverythingByOneRequest(t *testing.T) {
	inWorld(t, func(w *world) {
		w.Unobserved = true
		var refs []surgical.EntityRef
		for iid := int64(100); iid < 350; iid++ {
			w.add(iid)
			refs = append(refs, issue(iid))
		}
		w.Clock.Advance(time.Hour)
		before := w.lists
		w.backfill()
		w.Settle()
		p := w.pass(surgical.PassBackfill)
		if p.Status != surgical.StatusSucceeded || p.Counts.Done != p.Counts.Different || p.Total() != 254 || p.Counts.Failed != 0 {
			t.Errorf("the backfill is %+v", p)
		}
		w.current(append(refs, issue(7), issue(8), issue(9), fakegitlab.MergeRequestRef(12))...)
		if sent := w.lists - before; sent > 12 {
			t.Errorf("%d requests for lists", sent)
		}
		if runs := len(w.Runs()); int64(runs) != p.Counts.Done {
			t.Errorf("%d runs for %d entities", runs, p.Counts.Done)
		}
		project, err := w.Ledger.Project(w.T.Context(), fakegitlab.ProjectID)
		if err != nil || project.CompleteAsOf.IsZero() || project.Counts.Issues != 253 || project.Path != fakegitlab.ProjectPath {
			t.Errorf("%+v, %v", project, err)
		}
		requests := len(w.Runs())
		w.backfill() // nothing left to do
		w.Settle()
		if again := w.pass(surgical.PassBackfill); again.Counts.Different != 0 || again.Status != surgical.StatusSucceeded || len(w.Runs()) != requests {
			t.Errorf("the second backfill is %+v", again)
		}
	})
}

func TestBackfill_FindsWhatChangedWhileItWasListing(t *testing.T) {
	inWorld(t, func(w *world) {
		w.Clock.Advance(time.Hour)
		w.backfill()
		w.Crawl()
		w.settleRuns()
		listed := w.pass(surgical.PassBackfill)
		w.GitLab.AddDiscussion(issue(7), fakegitlab.Note{Body: "Just now, and without a webhook."})
		w.Clock.Advance(2 * time.Second) // the next reconcile is not due yet
		w.Crawl()
		if p := w.pass(surgical.PassBackfill); p.Counts.Different != listed.Counts.Different+1 {
			t.Errorf("%d runs before the change, %d after it", listed.Counts.Different, p.Counts.Different)
		}
		w.Settle()
		w.current(issue(7))
	})
}

func TestBackfill_KeepsNoMoreRunsThanItsLimit(t *testing.T) {
	inWorld(t, func(w *world) {
		w.Unobserved = true
		for iid := int64(100); iid < 700; iid++ {
			w.GitLab.SetIssue(fakegitlab.NewIssue(iid, "Issue", "", fakegitlab.Time{Time: w.Clock.Now().Add(-time.Hour)}))
		}
		w.backfill()
		for range 20 {
			w.Clock.Advance(time.Minute)
			w.Crawl()
			if p := w.pass(surgical.PassBackfill); p.Outstanding > surgical.MaxOutstanding || len(w.Bulk.Messages()) > surgical.MaxOutstanding {
				t.Fatalf("%d runs, %d messages", p.Outstanding, len(w.Bulk.Messages()))
			}
		}
		if p := w.pass(surgical.PassBackfill); p.Outstanding+surgical.ListPage <= surgical.MaxOutstanding {
			t.Errorf("%d runs outstanding", p.Outstanding)
		}
		w.Settle()
		if p := w.pass(surgical.PassBackfill); p.Status != surgical.StatusSucceeded || p.Counts.Done != 604 {
			t.Errorf("the backfill is %+v", p)
		}
	})
}

// open counts the runs that have not ended.
func (w *world) open() (n int) {
	for _, run := range w.Runs() {
		if !run.Status.Terminal() {
			n++
		}
	}
	return n
}

func TestBackfill_StartedAgainAndAgainKeepsNoMoreRunsThanItsLimit(t *testing.T) {
	inWorld(t, func(w *world) {
		w.Unobserved = true
		for iid := int64(100); iid < 700; iid++ {
			w.GitLab.SetIssue(fakegitlab.NewIssue(iid, "Issue", "", fakegitlab.Time{Time: w.Clock.Now().Add(-time.Hour)}))
		}
		for range 3 {
			id := w.backfill()
			w.Crawl()
			if n := w.open(); n > surgical.MaxOutstanding || n < 100 {
				t.Fatalf("%d runs are open", n)
			}
			cancel := func(p surgical.Pass) (surgical.Pass, bool) { return p.Cancel(id, w.Clock.Now()) }
			if _, err := w.Ledger.ChangePass(t.Context(), fakegitlab.ProjectID, id, cancel); err != nil {
				t.Fatal(err)
			}
		}
		w.backfill()
		w.Crawl()
		if p := w.pass(surgical.PassBackfill); p.Outstanding != int64(w.open()) || p.Counts.Done+p.Counts.Failed != 0 {
			t.Errorf("%d runs are open, the backfill is %+v", w.open(), p)
		}
		w.Settle()
		if p := w.pass(surgical.PassBackfill); p.Status != surgical.StatusSucceeded || p.Outstanding != 0 || p.Counts.Failed != 0 || p.Counts.Done != 604 {
			t.Errorf("in the end %+v", p)
		}
		w.current(issue(100), issue(699))
	})
}

func TestBackfill_ListsWhatFailedAndRetriesIt(t *testing.T) {
	inWorld(t, func(w *world) {
		for iid := int64(100); iid < 110; iid++ {
			w.add(iid)
		}
		forbid := true
		around := w.Around
		w.Around = func(ctx context.Context, call cloud.Call, send func() error) error {
			if req, ok := call.Input.(*http.Request); ok && forbid && strings.Contains(req.URL.Path, "/issues/103") {
				return faults.Forbidden.Do(ctx, call, send)
			}
			return around(ctx, call, send)
		}
		id := w.backfill()
		w.Settle()
		p := w.pass(surgical.PassBackfill)
		if p.Status != surgical.StatusFailed || surgical.CodeOf(p.Error) != surgical.CodeBackfillIncomplete || p.Counts.Failed != 1 || p.Counts.Done != 13 {
			t.Fatalf("the backfill is %+v", p)
		}
		failures, err := w.Ledger.PassFailures(w.T.Context(), p, 100)
		if err != nil || len(failures) != 1 || failures[0].Target != issue(103).Target || failures[0].Code != surgical.CodeGitLabForbidden {
			t.Errorf("%+v, %v", failures, err)
		}
		forbid = false
		resume := func(p surgical.Pass) (surgical.Pass, bool) { return p.Resume(w.Clock.Now()) }
		if _, err := w.Ledger.ChangePass(w.T.Context(), fakegitlab.ProjectID, id, resume); err != nil {
			t.Fatal(err)
		}
		w.Settle()
		p = w.pass(surgical.PassBackfill)
		failures, err = w.Ledger.PassFailures(w.T.Context(), p, 100)
		if p.Status != surgical.StatusSucceeded || p.Counts.Failed != 0 || p.Counts.Done != 14 || len(failures) != 0 || err != nil {
			t.Errorf("the backfill is %+v with %v, %v", p, failures, err)
		}
		w.current(issue(103))
	})
}

func TestBackfill_LeavesTheReserveOfGitLabsBudgetToWebhooks(t *testing.T) {
	inWorld(t, func(w *world) {
		w.Unobserved = true
		for iid := int64(100); iid < 160; iid++ {
			w.GitLab.SetIssue(fakegitlab.NewIssue(iid, "Issue", "", fakegitlab.Time{Time: w.Clock.Now().Add(-time.Hour)}))
		}
		const limit = 240
		w.GitLab.SetBudget(limit, time.Minute)
		around, least := w.Around, int64(limit)
		w.Around = func(ctx context.Context, call cloud.Call, send func() error) error {
			err := around(ctx, call, send)
			if resp, ok := call.Output().(*http.Response); ok && err == nil {
				if left, err := strconv.ParseInt(resp.Header.Get("RateLimit-Remaining"), 10, 64); err == nil {
					least = min(least, left)
				}
				if resp.StatusCode == http.StatusTooManyRequests {
					t.Errorf("%s was refused", call)
				}
			}
			return err
		}
		w.backfill()
		w.Settle()
		if p := w.pass(surgical.PassBackfill); p.Status != surgical.StatusSucceeded || p.Counts.Done != 64 {
			t.Errorf("the backfill is %+v", p)
		}
		if seen, err := w.Ledger.GitLabSeen(t.Context()); err != nil || seen.At.IsZero() || seen.RateLimit.Limit != limit || seen.RateLimit.Remaining < least {
			t.Errorf("the crawler recorded %+v, %v", seen, err)
		}
		// One batch of ten runs may be under way when the reserve is reached.
		if batch := int64(surgical.BatchSize * 5); least < limit*surgical.WebhookReserve/100-batch || least > limit*surgical.WebhookReserve/100 {
			t.Errorf("%d requests were left of %d", least, limit)
		}
	})
}

func TestCrawl_StopsListingAtTheReserve(t *testing.T) {
	inWorld(t, func(w *world) {
		w.Unobserved = true
		for iid := int64(100); iid < 1100; iid++ {
			w.GitLab.SetIssue(fakegitlab.NewIssue(iid, "Issue", "", fakegitlab.Time{Time: w.Clock.Now().Add(-time.Hour)}))
		}
		const limit = 8 // a quarter of it is left to webhooks
		w.GitLab.SetBudget(limit, time.Minute)
		w.Crawls = false
		w.backfill()
		sent := func() (n int) {
			for _, requests := range w.GitLab.Requests() {
				n += requests
			}
			return n
		}
		before := sent()
		for range 3 { // within the same minute of GitLab's
			w.Crawl()
			if n := sent() - before; n != limit*(100-surgical.WebhookReserve)/100 {
				t.Fatalf("%d requests of %d: %v", n, limit, w.GitLab.Requests())
			}
			w.Clock.Advance(time.Second)
		}
		listed := w.pass(surgical.PassBackfill).Counts.Listed
		w.Clock.Advance(time.Minute)
		w.Crawl()
		if p := w.pass(surgical.PassBackfill); listed == 0 || p.Counts.Listed <= listed {
			t.Errorf("%d entities were listed, and a minute later %d", listed, p.Counts.Listed)
		}
	})
}

func TestReconcile_AListThatFailsDoesNotStopTheOther(t *testing.T) {
	mr := fakegitlab.MergeRequestRef(12)
	for broken, other := range map[surgical.EntityType]surgical.EntityType{surgical.Issue: surgical.MergeRequest, surgical.MergeRequest: surgical.Issue} {
		for _, kind := range []faults.Kind{faults.InternalError, faults.Forbidden} {
			t.Run(fmt.Sprint(broken, " ", kind), func(t *testing.T) {
				inWorld(t, func(w *world) {
					w.Unobserved = true
					w.backfill()
					w.Settle()
					w.cycle()
					failing := true
					around := w.Around
					w.Around = func(ctx context.Context, call cloud.Call, send func() error) error {
						if req, ok := call.Input.(*http.Request); ok && failing && strings.HasSuffix(req.URL.Path, "/"+string(broken)+"s") {
							return kind.Do(ctx, call, send)
						}
						return around(ctx, call, send)
					}
					change := func() {
						w.GitLab.AddDiscussion(issue(7), fakegitlab.Note{Body: "Lost."})
						w.GitLab.AddDiscussion(mr, fakegitlab.Note{Body: "Lost."})
					}
					before := w.pass(surgical.PassReconcile).Checkpoints
					for range 2 { // two changes, each with the time of a few cycles
						w.Clock.Advance(time.Hour)
						change()
						for range 15 {
							w.Clock.Advance(time.Minute)
							w.Crawl()
							w.settleRuns()
						}
					}
					p := w.pass(surgical.PassReconcile)
					if !p.Checkpoints[other].After(before[other].Add(time.Hour)) || !p.Checkpoints[broken].Equal(before[broken]) {
						t.Errorf("the checkpoints moved from %v to %v", before, p.Checkpoints)
					}
					refs := map[surgical.EntityType]surgical.EntityRef{surgical.Issue: issue(7), surgical.MergeRequest: mr}
					w.current(refs[other])
					if w.Untrue(refs[broken]) == "" {
						t.Errorf("%s was found without its list", refs[broken])
					}
					failing = false
					for range 15 {
						w.Clock.Advance(time.Minute)
						w.Crawl()
						w.settleRuns()
					}
					w.current(issue(7), mr)
					if p := w.pass(surgical.PassReconcile); !p.Listed() || !p.Checkpoints[broken].After(before[broken].Add(time.Hour)) {
						t.Errorf("mended, the cycle is %+v", p)
					}
				})
			})
		}
	}
}

// answering makes GitLab answer requests for an entity with 404 as long as it is true.
func (w *world) answering404(ref surgical.EntityRef) *bool {
	missing, around := true, w.Around
	w.Around = func(ctx context.Context, call cloud.Call, send func() error) error {
		if req, ok := call.Input.(*http.Request); ok && missing && strings.HasSuffix(req.URL.Path, fmt.Sprint("/issues/", ref.Target.IID)) {
			return faults.NotFound.Do(ctx, call, send)
		}
		return around(ctx, call, send)
	}
	return &missing
}

func TestBackfill_DoesNotFailForWhatVanishedAfterItWasListed(t *testing.T) {
	inWorld(t, func(w *world) {
		for iid := int64(100); iid < 105; iid++ {
			w.add(iid)
		}
		w.Clock.Advance(24 * time.Hour)
		w.answering404(issue(103))
		w.backfill()
		w.Settle()
		p := w.pass(surgical.PassBackfill)
		failures, err := w.Ledger.PassFailures(t.Context(), p, 100)
		if p.Status != surgical.StatusSucceeded || p.Counts.Failed != 0 || p.Counts.Done != p.Counts.Different || len(failures) != 0 || err != nil {
			t.Errorf("the backfill is %+v with %v, %v", p, failures, err)
		}
		if project := w.project(); project.CompleteAsOf.IsZero() {
			t.Errorf("the project is %+v", project)
		}
	})
}

func TestBackfill_RequestsANewEntityAgainThatAReplicaDidNotHave(t *testing.T) {
	inWorld(t, func(w *world) {
		w.add(103)
		missing := w.answering404(issue(103))
		w.backfill()
		w.Crawl()
		w.settleRuns()
		*missing = false
		w.Settle()
		w.current(issue(103))
		if p := w.pass(surgical.PassBackfill); p.Status != surgical.StatusSucceeded || p.Counts.Failed != 0 {
			t.Errorf("the backfill is %+v", p)
		}
	})
}

func TestBackfill_GoesOnOnceAProjectIsBackThatVanished(t *testing.T) {
	inWorld(t, func(w *world) {
		w.Unobserved = true
		w.Clock.Advance(24 * time.Hour)
		id := w.backfill()
		w.Crawl()
		w.GitLab.HideProject(fakegitlab.ProjectID, true)
		w.settleRuns()
		for range 6 {
			w.Clock.Advance(surgical.MaxResume)
			w.Crawl()
		}
		p := w.pass(surgical.PassBackfill)
		if p.Status != surgical.StatusFailed || p.Counts.Failed != 4 {
			t.Fatalf("the backfill is %+v", p)
		}
		w.GitLab.HideProject(fakegitlab.ProjectID, false)
		w.cycle()
		if p := w.pass(surgical.PassBackfill); p.Status != surgical.StatusSucceeded || p.ID != id {
			t.Errorf("the project is back: %+v", p)
		}
		w.current(issue(7), issue(8), fakegitlab.MergeRequestRef(12))
	})
}
