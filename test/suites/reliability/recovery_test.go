package reliability_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/cloud/cloudapi"
	fakedynamodb "gitlab.com/lorehook/lorehook/test/fake/dynamodb"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
	"gitlab.com/lorehook/lorehook/test/faults"
)

// inCloud runs the test in a cloud on the in-memory DynamoDB, in a synctest
// bubble.
func inCloud(t *testing.T, test func(t *testing.T, c *cloud.Cloud)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		db, tables := fakedynamodb.New()
		c := cloud.New(t, db.Client(), tables)
		c.Rows, c.LendAPI = db.Items, (&cloudapi.APIs{}).Lend
		test(t, c)
	})
}

// killAt kills the function's process just before a call, the first times that
// it is made.
func killAt(function string, times int, at func(call cloud.Call) bool) cloud.Around {
	return func(ctx context.Context, call cloud.Call, send func() error) error {
		if p := cloud.ProcessOf(ctx); p.Function == function && times > 0 && at(call) {
			times--
			p.Kill()
			return nil
		}
		return send()
	}
}

func operation(name string) func(cloud.Call) bool {
	return func(call cloud.Call) bool { return call.Operation == name }
}

// commits reports whether the call is a commit.
func commits(call cloud.Call) bool {
	return call.Operation == "TransactWriteItems" && call.Uses("content") && call.Uses("sync_runs")
}

func TestARunWhoseWorkerDiedIsTakenOverWhenItsLeaseHasExpiredAndNotBefore(t *testing.T) {
	inCloud(t, func(t *testing.T, c *cloud.Cloud) {
		small(c, 70)
		req := c.Webhook(issue(70))
		c.Around = killAt("worker", 1, commits)
		c.Clock.Advance(surgical.Settle)
		died := c.Clock.Now()
		if !c.Poll(c.Requests) {
			t.Fatal("no message")
		}
		run, err := c.Ledger.Run(t.Context(), req.RunID)
		if err != nil || run.Attempt != 1 || !run.LeaseUntil.After(c.Clock.Now()) {
			t.Fatalf("run %+v, error %v", run, err)
		}
		// A copy of the message arrives while the lease is live: it waits.
		body, err := json.Marshal(req)
		if err != nil {
			t.Fatal(err)
		}
		c.Requests.Send(req.Group(), "a copy", string(body))
		c.Clock.Advance(surgical.Lease - 5*time.Second)
		c.Poll(c.Requests)
		if run, err = c.Ledger.Run(t.Context(), req.RunID); err != nil || run.Attempt != 1 {
			t.Errorf("attempt %d under a live lease, error %v", run.Attempt, err)
		}
		c.Settle()
		run, err = c.Ledger.Run(t.Context(), req.RunID)
		if err != nil || run.Status != surgical.StatusSucceeded || run.Attempt != 2 || run.LostLeases != 1 {
			t.Errorf("run %s in attempt %d with %d lost leases, error %v", cloud.Outcome(run), run.Attempt, run.LostLeases, err)
		}
		if took := run.Marks.Committed.Sub(died); took > surgical.Visibility+5*time.Second {
			t.Errorf("recovered after %s", took)
		}
		c.Check(issue(70))
	})
}

func TestARunThatNobodyBringsToItsEndIsEndedAsLostAndCanBeRetried(t *testing.T) {
	inCloud(t, func(t *testing.T, c *cloud.Cloud) {
		synced(70)(c)
		c.GitLab.AddDiscussion(issue(70), fakegitlab.Note{Body: "One more."})
		began := c.Clock.Now()
		req := c.Webhook(issue(70))
		c.Fate, c.Around = cloud.Lost, killAt("worker", 1, commits)
		c.Settle()
		run, err := c.Ledger.Run(t.Context(), req.RunID)
		if err != nil || run.Status != surgical.StatusFailed || run.Error.Code != surgical.CodeRunLost || run.Error.Action != surgical.ActionRetryFailed {
			t.Fatalf("run %s, error %v", cloud.Outcome(run), err)
		}
		// Not earlier, because until then the run could have been waiting.
		if after := run.FinishedAt.Sub(began); after < 18*time.Hour || after > 20*time.Hour {
			t.Errorf("ended after %s", after)
		}
		if orphans, err := c.Content.Orphans(t.Context(), issue(70)); err != nil || len(orphans) > 0 {
			t.Errorf("orphans %v, error %v", orphans, err)
		}
		status, answer := c.API(http.MethodPost, "/v1/sync-runs/"+req.RunID+"/retry-failed", "", "")
		if status != http.StatusAccepted {
			t.Fatalf("retry-failed: %d %s", status, answer)
		}
		c.Fate = cloud.Redelivered
		c.Settle()
		c.Check(issue(70))
	})
}

func TestWhatALostAttemptStagedExpiresAndNothingThatIsVisibleDoes(t *testing.T) {
	inCloud(t, func(t *testing.T, c *cloud.Cloud) {
		synced(70)(c)
		c.GitLab.AddDiscussion(issue(70), fakegitlab.Note{Body: "One more."})
		c.Webhook(issue(70))
		c.Around = killAt("worker", 1, commits)
		c.Clock.Advance(surgical.Settle)
		c.Poll(c.Requests)
		if orphans, err := c.Content.Orphans(t.Context(), issue(70)); err != nil || len(orphans) == 0 {
			t.Fatalf("nothing was staged before the worker died: the test proves nothing (error %v)", err)
		}
		c.Settle()
		for _, item := range c.Rows("content") {
			// Not immediately, because a reader may be slow.
			if expires, ok := number(item["expires_at"]); ok && expires < c.Clock.Now().Unix() {
				t.Errorf("%v expired already", item["sk"])
			}
		}
		c.Check(issue(70)) // no orphan is left, and everything named exists
	})
}

func TestAMessageThatGotLostBehindItsRowIsSentAgain(t *testing.T) {
	inCloud(t, func(t *testing.T, c *cloud.Cloud) {
		synced(70)(c)
		c.GitLab.AddDiscussion(issue(70), fakegitlab.Note{Body: "One more."})
		c.Around = killAt("api", 1, operation("SendMessage"))
		if status, _ := c.API(http.MethodPost, "/v1/sync-runs", "by-hand", `{"project_id":1,"issues":[70]}`); status != http.StatusBadGateway {
			t.Fatalf("the API returned %d", status)
		}
		c.Settle()
		run, err := c.Ledger.Run(t.Context(), byHandID())
		if err != nil || run.Status != surgical.StatusSucceeded {
			t.Fatalf("run %s, error %v", cloud.Outcome(run), err)
		}
		if took := run.FinishedAt.Sub(run.CreatedAt); took > 3*time.Minute {
			t.Errorf("it took %s", took)
		}
		c.Check(issue(70))
	})
}

func TestAMessageThatStaysLostIsSentAgainEveryTenMinutesAndNotMoreOften(t *testing.T) {
	inCloud(t, func(t *testing.T, c *cloud.Cloud) {
		small(c, 70)
		c.Punctual = true
		lost := 0
		c.Around = func(ctx context.Context, call cloud.Call, send func() error) error {
			if cloud.ProcessOf(ctx).Function == "sweeper" && call.Operation == "SendMessage" && lost < 4 {
				lost++
				return faults.ServerError.Do(ctx, call, send)
			}
			if cloud.ProcessOf(ctx).Function == "api" && call.Operation == "SendMessage" {
				return faults.ServerError.Do(ctx, call, send)
			}
			return send()
		}
		began := c.Clock.Now()
		startBroken(c)
		c.Settle()
		run, err := c.Ledger.Run(t.Context(), byHandID())
		if err != nil || run.Status != surgical.StatusSucceeded {
			t.Fatalf("run %s, error %v", cloud.Outcome(run), err)
		}
		if took := run.FinishedAt.Sub(began); lost != 4 || took < 40*time.Minute || took > 46*time.Minute {
			t.Errorf("%d messages got lost; it took %s", lost, took)
		}
	})
}

// startBroken requests a run whose message is not sent.
func startBroken(c *cloud.Cloud) {
	status, answer := c.API(http.MethodPost, "/v1/sync-runs", "by-hand", `{"project_id":1,"issues":[70]}`)
	if status != http.StatusServiceUnavailable || !strings.Contains(answer, string(surgical.CodeQueueUnavailable)) {
		c.T.Fatalf("the API returned %d %s", status, answer)
	}
}

// A stage that dies, and whose execution says nothing, is resumed until it has
// died too often. Then its documents come with the drain.
func TestAnExecutionThatIsLostIsResumedUntilItWasLostTooOften(t *testing.T) {
	for _, c := range []struct {
		stage  surgical.JobType
		lasts  time.Duration
		status surgical.RunStatus
	}{
		{surgical.JobDocs, 10 * time.Minute, surgical.StatusSucceeded},
		{surgical.JobEmbed, 10 * time.Minute, surgical.StatusSucceeded},
		{surgical.JobDocs, 2 * time.Hour, surgical.StatusFailed},
		{surgical.JobEmbed, 2 * time.Hour, surgical.StatusFailed},
	} {
		stage, lasts, status := c.stage, c.lasts, c.status
		t.Run(fmt.Sprintf("%s for %v", stage, lasts), func(t *testing.T) {
			inCloud(t, func(t *testing.T, c *cloud.Cloud) {
				leaving(synced(70))(c)
				c.GitLab.AddDiscussion(issue(70), fakegitlab.Note{Body: "One more."})
				req := c.Webhook(issue(70))
				// A stage that hangs and is killed.
				c.Fate, c.Around = cloud.Lost, func(ctx context.Context, call cloud.Call, send func() error) error {
					if cloud.ProcessOf(ctx).Function == string(stage) && call.Operation == "BatchGetItem" {
						cloud.ProcessOf(ctx).Kill()
						return nil
					}
					return send()
				}
				c.Clock.Advance(surgical.Settle)
				for c.Poll(c.Requests) {
				}
				c.After(lasts, func() { c.Around = nil })
				c.Settle()
				run, err := c.Ledger.Run(t.Context(), req.RunID)
				if err != nil || run.Status != status {
					t.Fatalf("run %s, error %v", cloud.Outcome(run), err)
				}
				c.Check(issue(70))
				if status == surgical.StatusSucceeded {
					return
				}
				if run.Error.Code != surgical.Code(stage)+"_failed" || run.LostStages != surgical.MaxLostStages-1 {
					t.Errorf("the run failed with %v after %d lost stages", run.Error, run.LostStages)
				}
				jobs, err := c.Ledger.Jobs(t.Context(), req.RunID)
				if err != nil || !slices.ContainsFunc(jobs, func(j surgical.Job) bool {
					return j.Type == stage && j.Status == surgical.JobAborted && j.AbortedReason == string(stage)+"_failed"
				}) {
					t.Errorf("jobs %+v, error %v", jobs, err)
				}
			})
		})
	}
}

// The embedder may be out of quota for a while: the run waits.
func TestAStageThatFailsAgainAndAgainIsResumedUntilItSucceeds(t *testing.T) {
	inCloud(t, func(t *testing.T, c *cloud.Cloud) {
		leaving(synced(70))(c)
		c.GitLab.AddDiscussion(issue(70), fakegitlab.Note{Body: "One more."})
		req := c.Webhook(issue(70))
		c.Hopeless = 20 // two tries for each execution
		began := c.Clock.Now()
		c.Settle()
		run, err := c.Ledger.Run(t.Context(), req.RunID)
		if err != nil || run.Status != surgical.StatusSucceeded || run.FailedStages != 10 || run.Counters.JobsAborted != 0 {
			t.Errorf("run %s after %d failed stages, error %v", cloud.Outcome(run), run.FailedStages, err)
		}
		if after := run.FinishedAt.Sub(began); after < 30*time.Minute || after > 2*time.Hour {
			t.Errorf("ended after %s", after)
		}
		c.Check(issue(70))
	})
}

// A proxy returns every list without records and with a total of 0. The copy keeps
// what it has, unless the lists stay empty for the confirmation time: then they
// are believed, so that records which are really gone block nothing.
func TestAListThatIsEmptiedOnItsWayIsBelievedOnlyIfItStaysEmpty(t *testing.T) {
	for name, lasts := range map[string]time.Duration{"for a minute": time.Minute, "for good": 24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			inCloud(t, func(t *testing.T, c *cloud.Cloud) {
				synced(70)(c)
				c.GitLab.AddDiscussion(issue(70), fakegitlab.Note{Body: "One more."})
				began := c.Clock.Now()
				c.Around = func(ctx context.Context, call cloud.Call, send func() error) error {
					if call.Service == cloud.GitLab && c.Clock.Now().Before(began.Add(lasts)) {
						return faults.EmptiedList.Do(ctx, call, send)
					}
					return send()
				}
				req := c.Webhook(issue(70))
				c.Settle()
				run, err := c.Ledger.Run(t.Context(), req.RunID)
				if err != nil || run.Status != surgical.StatusSucceeded {
					t.Fatalf("run %s, error %v", cloud.Outcome(run), err)
				}
				took := run.Marks.Committed.Sub(began)
				if lasts == time.Minute {
					if took < lasts || took > lasts+surgical.MaxDelay {
						t.Errorf("committed after %s", took)
					}
					c.Check(issue(70))
					return
				}
				if took < surgical.Confirmation || took > surgical.Confirmation+surgical.MaxDelay+surgical.Settle {
					t.Errorf("believed after %s", took)
				}
				c.Around = nil
				c.Webhook(issue(70))
				c.Settle()
				c.Check(issue(70))
			})
		})
	}
}
