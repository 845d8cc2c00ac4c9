package reliability_test

import (
	"net/http"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/queue"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// deliver sends a delivery about the issue and returns the request that it put on
// the queue, or none if SQS ignored the message.
func deliver(t *testing.T, c *cloud.Cloud, iid int64, key string) []surgical.Request {
	t.Helper()
	before := len(c.Requests.Messages())
	if status := c.Deliver(issue(iid), key); status != http.StatusAccepted {
		t.Fatalf("status %d", status)
	}
	var queued []surgical.Request
	for _, m := range c.Requests.Messages()[before:] {
		req, err := queue.Decode(m.Body)
		if err != nil {
			t.Fatal(err)
		}
		queued = append(queued, req)
	}
	return queued
}

func TestAResendRetriesAFailedRunOnceSQSHasForgottenTheDelivery(t *testing.T) {
	inCloud(t, func(t *testing.T, c *cloud.Cloud) {
		small(c, 70)
		c.GitLab.Inject(fakegitlab.Fault{Ref: issue(70), Requests: 1, Status: http.StatusForbidden, Body: `{"message":"403 Forbidden"}`})
		first := deliver(t, c, 70, "delivery")
		sent := c.Clock.Now()
		c.Settle()
		id := first[0].RunID
		if run, err := c.Ledger.Run(t.Context(), id); err != nil || run.Status != surgical.StatusFailed {
			t.Fatalf("run %s, error %v", cloud.Outcome(run), err)
		}
		c.Clock.AdvanceTo(sent.Add(surgical.DeduplicationInterval - time.Second))
		if again := deliver(t, c, 70, "delivery"); len(again) > 0 {
			t.Errorf("SQS took the message twice: %+v", again)
		}
		c.Clock.AdvanceTo(sent.Add(surgical.DeduplicationInterval + time.Second))
		if again := deliver(t, c, 70, "delivery"); len(again) != 1 || again[0].RunID != id {
			t.Fatalf("the resend put %+v on the queue, want run %s", again, id)
		}
		c.Settle()
		run, err := c.Ledger.Run(t.Context(), id)
		if err != nil || run.RetriedBy == "" {
			t.Fatalf("the run was not retried, error %v", err)
		}
		if retry, err := c.Ledger.Run(t.Context(), run.RetriedBy); err != nil || retry.Status != surgical.StatusSucceeded {
			t.Errorf("the retry: %s, error %v", cloud.Outcome(retry), err)
		}
		c.Check(issue(70))
	})
}

// An old GitLab, or a proxy, sends no key: nothing says that the second delivery is the
// first one again. Its run asks GitLab for nothing, because the first one's fetch covers
// it.
func TestADeliveryThatComesTwiceWithoutAKeyIsFetchedOnce(t *testing.T) {
	inCloud(t, func(t *testing.T, c *cloud.Cloud) {
		small(c, 70)
		first, second := deliver(t, c, 70, ""), deliver(t, c, 70, "")
		if len(first) != 1 || len(second) != 1 || first[0].RunID == second[0].RunID {
			t.Fatalf("queued %+v and %+v, want two runs", first, second)
		}
		c.Settle()
		fetched, covered := 0, 0
		for _, req := range []surgical.Request{first[0], second[0]} {
			run, err := c.Ledger.Run(t.Context(), req.RunID)
			if err != nil || run.Status != surgical.StatusSucceeded {
				t.Fatalf("run %s, error %v", cloud.Outcome(run), err)
			}
			switch {
			case run.CoalescedWith == "" && run.Counters.GitLabRequests == 5:
				fetched++
			case run.CoalescedWith != "" && run.Counters.GitLabRequests == 0:
				covered++
			}
		}
		if fetched != 1 || covered != 1 {
			t.Errorf("%d runs fetched, %d were covered", fetched, covered)
		}
		c.Check(issue(70))
	})
}

func TestTwoEntitiesUnderOneKeyAreBothStored(t *testing.T) {
	inCloud(t, func(t *testing.T, c *cloud.Cloud) {
		small(c, 70)
		small(c, 71)
		deliver(t, c, 70, "one-key")
		if queued := deliver(t, c, 71, "one-key"); len(queued) != 1 {
			t.Fatalf("%d messages for the second entity", len(queued))
		}
		c.Settle()
		c.Check(issue(70))
		c.Check(issue(71))
	})
}
