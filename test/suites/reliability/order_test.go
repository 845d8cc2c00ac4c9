package reliability_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gitlab.com/lorehook/lorehook/internal/function/trace"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/cloud/cloudapi"
	fakedynamodb "gitlab.com/lorehook/lorehook/test/fake/dynamodb"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// begins records when each run sent its first request to a GitLab that takes its time.
type begins struct {
	mu sync.Mutex
	at map[string]time.Time
	// takes is how long each request takes.
	takes time.Duration
}

// around is for [cloud.Cloud.Around].
func (b *begins) around(clock *cloud.Clock) cloud.Around {
	return func(ctx context.Context, call cloud.Call, send func() error) error {
		if _, ok := call.Input.(*http.Request); ok && cloud.ProcessOf(ctx).Function == "worker" {
			_, run := trace.From(ctx)
			b.mu.Lock()
			if _, begun := b.at[run]; !begun {
				b.at[run] = clock.Now()
			}
			b.mu.Unlock()
			time.Sleep(b.takes)
		}
		return send()
	}
}

// A webhook's fetch never begins after the fetch of a backfill or a reconcile that was
// asked for later:
// counted in pairs, with parallel workers, more deliveries than they can take at a time,
// several for one entity, and a minute in which GitLab refuses every request.
func TestPasses_OvertakeNoWebhookThatWasAcceptedBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, tables := fakedynamodb.New()
		c := cloud.New(t, db.Client(), tables)
		c.Rows, c.Unobserved, c.Crawls, c.LendAPI = db.Items, true, true, (&cloudapi.APIs{}).Lend
		c.Crawler().Listed = []int64{fakegitlab.ProjectID}
		const issues = 150
		for iid := int64(100); iid < 100+issues; iid++ {
			c.GitLab.SetIssue(fakegitlab.NewIssue(iid, "Issue", "", fakegitlab.Time{Time: c.Clock.Now()}))
		}
		first := begins{at: map[string]time.Time{}, takes: 2 * time.Second}
		c.Around = first.around(c.Clock)
		asked := map[string]time.Time{}
		burst := func(n int) {
			for i := range n {
				ref := issue(100 + int64(i*7)%issues)
				c.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: fmt.Sprint("Comment ", i)})
				req := c.Webhook(ref)
				asked[req.RunID] = req.EventAt
			}
		}
		const workers = 4
		burst(300)
		post(c, "/v1/backfills", "import", `{"project":"1"}`)
		c.RunFor(20*time.Second, workers)
		burst(100) // while those of the first burst still wait
		c.RunFor(2*time.Minute, workers)
		c.GitLab.Inject(fakegitlab.Fault{Status: http.StatusTooManyRequests, Requests: 1, Header: http.Header{"Retry-After": {"60"}}})
		burst(100)
		c.RunFor(10*time.Minute, workers)
		burst(100)
		c.RunFor(time.Hour, workers)
		c.Around = nil
		c.Settle()

		webhooks, passes, overtaken := 0, 0, 0
		for _, b := range c.Runs() {
			began, fetched := first.at[b.RunID]
			if !b.Origin.Yields() || !fetched {
				continue
			}
			passes++
			for w, at := range asked {
				if begun, fetched := first.at[w]; fetched && at.Before(b.EventAt) && began.Before(begun) {
					overtaken++
				}
			}
		}
		for w := range asked {
			if _, fetched := first.at[w]; fetched {
				webhooks++
			}
		}
		t.Logf("%d fetches of webhooks, %d of passes: %d pairs out of order", webhooks, passes, overtaken)
		if overtaken > 0 || webhooks < issues || passes < issues/2 {
			t.Errorf("%d pairs out of order", overtaken)
		}
		for iid := int64(100); iid < 100+issues; iid++ {
			if problem := c.Untrue(issue(iid)); problem != "" {
				t.Errorf("%s differs from GitLab:\n%s", issue(iid), problem)
			}
		}
	})
}
