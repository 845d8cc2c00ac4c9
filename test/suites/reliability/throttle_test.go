package reliability_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
	"gitlab.com/lorehook/lorehook/test/faults"
)

// All items of an entity share one partition key, which DynamoDB gives 1,000
// write units a second. The sizes are those at which runs failed when a
// throttled transaction was an error.
func TestALargeEntityIsStoredAndDocumentedUnderThePartitionLimit(t *testing.T) {
	for _, c := range []struct {
		comments, bytes int
		burst           time.Duration
		full            bool
	}{
		{100, 2000, time.Second, false},
		{300, 2000, time.Second, false},
		{1000, 2000, time.Second, false},
		{300, 8000, 5 * time.Second, true},
		{1000, 2000, 5 * time.Second, true},
		{3000, 2000, 10 * time.Second, true},
		{10000, 2000, 30 * time.Second, true},
	} {
		t.Run(fmt.Sprintf("%d comments of %d bytes", c.comments, c.bytes), func(t *testing.T) {
			if c.full && os.Getenv(fullMatrix) == "" {
				t.Skip("only with LOREHOOK_FULL_MATRIX")
			}
			inCloud(t, func(t *testing.T, world *cloud.Cloud) {
				world.Unobserved = true
				ref := fakegitlab.IssueRef(70)
				world.GitLab.SetIssue(fakegitlab.NewIssue(70, "Big", "d", fakegitlab.Time{Time: world.Clock.Now().Add(-time.Hour)}))
				for i := range c.comments {
					body := strings.Repeat(fmt.Sprintf("line %d of a comment that says something\n", i), c.bytes/40+1)[:c.bytes]
					world.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: body})
				}
				partitions := &faults.Partitions{Table: "content", Rate: 1000, Burst: 1000 * c.burst.Seconds()}
				world.Around = func(ctx context.Context, call cloud.Call, send func() error) error {
					pass(call)
					return partitions.Around(ctx, call, send)
				}
				began := time.Now()
				req := world.Webhook(ref)
				run := settledRun(world, req.RunID)
				documents, err := world.Content.Documents(t.Context(), ref)
				if err != nil {
					t.Fatal(err)
				}
				dirty, err := world.Ledger.DirtySources(t.Context(), ref)
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("%s after %s, generation %d; throttled: %v; %.0f units", run.Status, time.Since(began).Round(time.Second), run.Generation, partitions.Throttled, partitions.Units)
				if run.Status != surgical.StatusSucceeded || len(documents) != c.comments+1 || len(dirty) != 0 {
					t.Errorf("the run is %s (%v), with %d documents of %d and %d dirty sources", run.Status, run.Error, len(documents), c.comments+1, len(dirty))
				}
				if partitions.Throttled["TransactWriteItems"] == 0 && c.comments > 100 {
					t.Error("nothing was throttled, so nothing was tried")
				}
			})
		})
	}
}

// pass lets the time of a call pass.
func pass(call cloud.Call) {
	switch {
	case call.Service == cloud.GitLab:
		time.Sleep(250 * time.Millisecond) // four requests a second
	case call.Operation == "TransactWriteItems":
		time.Sleep(50 * time.Millisecond)
	case call.Service == cloud.DynamoDB:
		time.Sleep(8 * time.Millisecond)
	}
}

// settledRun lets everything happen and returns the run.
func settledRun(c *cloud.Cloud, runID string) surgical.Run {
	c.Settle()
	run, err := c.Ledger.Run(c.T.Context(), runID)
	if err != nil {
		c.T.Fatal(err)
	}
	return run
}
