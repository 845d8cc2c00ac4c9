package reliability_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
	"gitlab.com/lorehook/lorehook/test/faults"
)

func number(value types.AttributeValue) (n int64, ok bool) {
	if v, isNumber := value.(*types.AttributeValueMemberN); isNumber {
		_, err := fmt.Sscan(v.Value, &n)
		return n, err == nil
	}
	return 0, false
}

func TestAnOutageOfGitLabOfOneHourEndsWithEveryEventAppliedAndNoDeadLetter(t *testing.T) {
	for _, kind := range []faults.Kind{
		faults.Unavailable, faults.BadGateway, faults.GatewayTimeout, faults.InternalError, faults.Refused, faults.SlowBody, faults.TruncatedBody,
		faults.RateLimited, faults.RateLimitedSilent, faults.RateLimitedLong, faults.Unauthorized,
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			inCloud(t, func(t *testing.T, c *cloud.Cloud) {
				iids := []int64{70, 71, 72}
				synced(iids...)(c)
				end := c.Clock.Now().Add(time.Hour)
				asked := sync.Map{} // the workers that sent a request in the meantime
				c.Around = func(ctx context.Context, call cloud.Call, send func() error) error {
					if call.Service == cloud.GitLab && c.Clock.Now().Before(end) {
						asked.Store(cloud.ProcessOf(ctx), true)
						return kind.Do(ctx, call, send)
					}
					return send()
				}
				// Comments keep arriving.
				var requests []surgical.Request
				for i := range 12 {
					for _, iid := range iids {
						c.After(time.Duration(i)*5*time.Minute, func() {
							c.GitLab.AddDiscussion(issue(iid), fakegitlab.Note{Body: fmt.Sprint("Comment ", i)})
							requests = append(requests, c.Webhook(issue(iid)))
						})
					}
				}
				c.Settle()
				var last time.Time
				for _, req := range requests {
					run, err := c.Ledger.Run(t.Context(), req.RunID)
					if err != nil || run.Status != surgical.StatusSucceeded {
						t.Errorf("run %s of an event at %s, error %v", cloud.Outcome(run), req.EventAt, err)
					}
					if run.FinishedAt.After(last) {
						last = run.FinishedAt
					}
				}
				if dead := c.DeadLetters.Messages(); len(requests) != 36 || len(dead) > 0 {
					t.Errorf("%d events, %d dead letters", len(requests), len(dead))
				}
				received, highest := c.Requests.Counts()
				if highest >= surgical.MaxReceives/2 {
					t.Errorf("a message was received %d times of %d", highest, surgical.MaxReceives)
				}
				// The longest pause that GitLab can have requested before the
				// outage ended.
				if late := last.Sub(end); late > 21*time.Minute {
					t.Errorf("everything is applied only %s after the outage", late)
				}
				workers := 0
				asked.Range(func(any, any) bool { workers++; return true })
				if most := pauses(kind); most > 0 && workers > most {
					t.Errorf("%d workers sent requests to GitLab, which made all of them pause; want at most %d", workers, most)
				}
				t.Logf("%d workers sent requests to GitLab, %d receipts, at most %d of one message; everything applied %s after the outage", workers, received, highest, last.Sub(end).Round(time.Second))
				c.Check(issue(70), issue(71), issue(72))
			})
		})
	}
}

// pauses is how many workers may send a request in an hour in which each
// response makes all of them pause; 0 if GitLab does not say how long.
func pauses(kind faults.Kind) int {
	switch kind {
	case faults.RateLimited, faults.RateLimitedSilent, faults.Unauthorized:
		return 60 + 1
	case faults.RateLimitedLong:
		return 3 + 1
	}
	return 0
}

func TestAMessageThatCannotBeDecodedGoesToTheDeadLettersAloneAndHoldsUpNothing(t *testing.T) {
	inCloud(t, func(t *testing.T, c *cloud.Cloud) {
		small(c, 70)
		small(c, 71)
		group := issue(70).Key()
		first := c.Webhook(issue(70))
		c.Requests.Send(group, "garbage", `{"run_id": 12`)
		c.Requests.Send(group, "unknown", `{"run_id":"x","project_id":1,"targets":[{"type":"epic","iid":1}],"origin":"webhook","event_at":"2026-11-02T06:00:00Z"}`)
		second := c.Webhook(issue(70))
		third := c.Webhook(issue(71))
		began := c.Clock.Now()
		c.Settle()
		dead := c.DeadLetters.Messages()
		if len(dead) != 2 || dead[0].Body != `{"run_id": 12` || dead[0].Group != group {
			t.Errorf("dead letters %+v", dead)
		}
		for _, req := range []surgical.Request{first, second, third} {
			run, err := c.Ledger.Run(t.Context(), req.RunID)
			if err != nil || run.Status != surgical.StatusSucceeded || run.FinishedAt.Sub(began) > 10*time.Second {
				t.Errorf("run %s after %s, error %v", cloud.Outcome(run), run.FinishedAt.Sub(began), err)
			}
		}
		if _, highest := c.Requests.Counts(); highest != 1 {
			t.Errorf("a message was received %d times", highest)
		}
		c.Check(issue(70), issue(71))
	})
}

// The dead-letter queue itself is unreachable for a while.
func TestAMessageThatCannotBeDecodedIsNotLostWhileTheDeadLettersAreOutOfReach(t *testing.T) {
	inCloud(t, func(t *testing.T, c *cloud.Cloud) {
		small(c, 70)
		end := c.Clock.Now().Add(10 * time.Minute)
		c.Around = func(ctx context.Context, call cloud.Call, send func() error) error {
			if call.Operation == "SendMessage" && c.Clock.Now().Before(end) {
				return faults.ServerError.Do(ctx, call, send)
			}
			return send()
		}
		c.Requests.Send(issue(70).Key(), "garbage", "{")
		c.Webhook(issue(70))
		c.Settle()
		if dead := c.DeadLetters.Messages(); len(dead) != 1 || dead[0].Body != "{" {
			t.Errorf("dead letters %+v", dead)
		}
		c.Check(issue(70))
	})
}

func TestARunOverWhichFiveWorkersDiedGoesToTheDeadLettersAloneAndTheNextEventGoesOn(t *testing.T) {
	inCloud(t, func(t *testing.T, c *cloud.Cloud) {
		small(c, 70)
		small(c, 71)
		kill := killAt("worker", 5, func(call cloud.Call) bool {
			return call.Service == cloud.GitLab && call.String() == "GET /api/v4/projects/1/issues/70"
		})
		c.Around = func(ctx context.Context, call cloud.Call, send func() error) error {
			// In the bubble's time, both runs are claimed, then the deadly one
			// is processed first.
			switch call.String() {
			case "GET /api/v4/projects/1/issues/70":
				time.Sleep(time.Millisecond)
			case "GET /api/v4/projects/1/issues/71":
				time.Sleep(2 * time.Millisecond)
			}
			return kill(ctx, call, send)
		}
		deadly := c.Webhook(issue(70))
		healthy := c.Webhook(issue(71))
		c.Settle()
		run, err := c.Ledger.Run(t.Context(), deadly.RunID)
		if err != nil || run.Status != surgical.StatusFailed || run.Error.Code != surgical.CodeRunLost || run.LostLeases != 4 {
			t.Errorf("run %s after %d lost leases, error %v", cloud.Outcome(run), run.LostLeases, err)
		}
		if dead := c.DeadLetters.Messages(); len(dead) != 1 || dead[0].Group != issue(70).Key() {
			t.Errorf("dead letters %+v", dead)
		}
		// The first worker had both runs when it died; the second started with
		// the wrong one; the third started with the right one.
		if run, err = c.Ledger.Run(t.Context(), healthy.RunID); err != nil || run.Status != surgical.StatusSucceeded || run.LostLeases != 1 {
			t.Errorf("its neighbour: run %s after %d lost leases, error %v", cloud.Outcome(run), run.LostLeases, err)
		} else if took := run.FinishedAt.Sub(run.CreatedAt); took > 2*surgical.Visibility+time.Minute {
			t.Errorf("its neighbour was done after %s", took)
		}
		c.Webhook(issue(70))
		c.Settle()
		c.Check(issue(70), issue(71))
	})
}
