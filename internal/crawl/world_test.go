package crawl_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gitlab.com/lorehook/lorehook/internal/function/metrics"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakedynamodb "gitlab.com/lorehook/lorehook/test/fake/dynamodb"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
	"gitlab.com/lorehook/lorehook/test/metricstest"
)

// world is a simulated cloud with a crawler, and an empty project.
type world struct {
	*testing.T
	*cloud.Cloud
	// lists counts the requests for lists.
	lists int
	// metrics are the lines that the crawler wrote.
	metrics bytes.Buffer
}

// missed adds up the missed events.
func (w *world) missed() (n float64) {
	w.T.Helper()
	for line := range strings.Lines(w.metrics.String()) {
		data, err := metricstest.Read([]byte(line))
		if err != nil {
			w.T.Fatal(err)
		}
		for _, d := range data {
			if d.Name == metrics.MissedEvents().Name {
				for _, v := range d.Values {
					n += v
				}
			}
		}
	}
	return n
}

func (w *world) Helper() { w.T.Helper() }

// inWorld runs the test in a bubble, whose time passes only while everything waits.
func inWorld(t *testing.T, test func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		db, tables := fakedynamodb.New()
		w := &world{T: t, Cloud: cloud.New(t, db.Client(), tables)}
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
