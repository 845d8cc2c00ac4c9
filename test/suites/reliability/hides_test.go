package reliability_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
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
