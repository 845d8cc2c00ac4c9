package reliability_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/cloud/cloudapi"
	fakedynamodb "gitlab.com/lorehook/lorehook/test/fake/dynamodb"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// Every worker of requests.fifo waits for a GitLab that takes 25 s to respond, and as many
// deliveries wait for them as they can handle in minutes.
func TestHideRequest_DoesNotWaitForWorkersThatWaitForGitLab(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, tables := fakedynamodb.New()
		c := cloud.New(t, db.Client(), tables)
		c.Rows, c.Unobserved = db.Items, true
		synced(70)(c)
		for iid := int64(100); iid < 400; iid++ {
			c.GitLab.SetIssue(fakegitlab.NewIssue(iid, "Issue", "", fakegitlab.Time{Time: c.Clock.Now()}))
			c.Webhook(issue(iid))
		}
		c.Around = func(ctx context.Context, call cloud.Call, send func() error) error {
			if _, ok := call.Input.(*http.Request); ok {
				time.Sleep(25 * time.Second)
			}
			return send()
		}
		var hidden time.Duration
		go func() {
			time.Sleep(10 * time.Second)
			c.GitLab.EditIssue(issue(70), func(i *fakegitlab.Issue) { i.Confidential = true })
			began := time.Now()
			if status := c.DeliverConfidential(issue(70), "confidential"); status != http.StatusAccepted {
				t.Errorf("the delivery: %d", status)
			}
			for hidden = 0; hidden < time.Minute; hidden = time.Since(began) {
				if _, err := c.Shown().Read(t.Context(), issue(70)); surgical.CodeOf(err) == surgical.CodeEntityNotFound {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
		}()
		c.RunFor(2*time.Minute, surgical.DefaultConcurrency)
		waiting, _ := c.Requests.Depth()
		t.Logf("hidden after %s, with %d deliveries waiting", hidden, waiting)
		if hidden > 5*time.Second || waiting == 0 {
			t.Errorf("hidden after %s", hidden)
		}
	})
}

// A backfill has hundreds of runs in bulk.fifo when a sync finds that an issue is gone.
func TestHideRun_BeginsBeforeTheRunsOfABackfillThatWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, tables := fakedynamodb.New()
		c := cloud.New(t, db.Client(), tables)
		c.Rows, c.Unobserved, c.Crawls, c.LendAPI = db.Items, true, true, (&cloudapi.APIs{}).Lend
		c.Crawler().Listed = []int64{fakegitlab.ProjectID}
		synced(70)(c)
		c.Clock.Advance(surgical.Confirmation)
		for iid := int64(100); iid < 600; iid++ {
			c.GitLab.SetIssue(fakegitlab.NewIssue(iid, "Issue", "", fakegitlab.Time{Time: c.Clock.Now()}))
		}
		first := begins{at: map[string]time.Time{}, takes: 10 * time.Second}
		c.Around = first.around(c.Clock)
		post(c, "/v1/backfills", "import", `{"project":"1"}`)
		c.RunFor(surgical.SweepInterval, surgical.DefaultConcurrency)
		c.GitLab.Delete(issue(70))
		c.Webhook(issue(70))
		c.RunFor(4*surgical.SweepInterval, surgical.DefaultConcurrency)

		waiting := 0
		for _, run := range c.Runs() {
			if run.Origin == surgical.OriginBackfill && run.Status == surgical.StatusQueued {
				waiting++
			}
		}
		for _, run := range c.Runs() {
			if run.Origin != surgical.OriginHide {
				continue
			}
			began, begun := first.at[run.RunID]
			took := began.Sub(run.CreatedAt)
			t.Logf("the hide run begins %s after it was requested; of the backfill, %d runs still wait", took, waiting)
			if !begun || took > surgical.SweepInterval+2*surgical.Settle || waiting == 0 {
				t.Errorf("begun %t", begun)
			}
		}
		if _, err := c.Shown().Read(t.Context(), issue(70)); surgical.CodeOf(err) != surgical.CodeEntityGone {
			t.Errorf("the deleted issue is still shown: %v", err)
		}
	})
}
