package reliability_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/tables"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
	"gitlab.com/lorehook/lorehook/test/faults"
)

// sustained is throttling that outlasts every retry: for 20 minutes, longer than
// any function, execution or client waits.
const sustained = 20 * time.Minute

// throttle makes the cloud throttle while closed returns true.
type throttle struct {
	name  string
	close func(c *cloud.Cloud, b *boundary, closed func() bool)
}

func throttles() []throttle {
	all := []throttle{
		{"partition", func(c *cloud.Cloud, b *boundary, _ func() bool) {
			// Never more than this, from the beginning to the end.
			partitions := &faults.Partitions{Table: "content", Rate: 5, Burst: 5, Clock: c.Clock.Now}
			b.at = func(ctx context.Context, _ point, call cloud.Call, send func() error) error {
				return partitions.Around(ctx, call, send)
			}
		}},
		{"Bedrock", func(c *cloud.Cloud, _ *boundary, closed func() bool) {
			bedrock := faults.NewBedrock(600)
			bedrock.Closed = closed
			c.Embedder = bedrock
		}},
		{"Lambda", func(c *cloud.Cloud, _ *boundary, closed func() bool) {
			c.Starts = func(string) bool { return !closed() }
		}},
		{"Lambda, but for the sweeper", func(c *cloud.Cloud, _ *boundary, closed func() bool) {
			c.Starts = func(function string) bool { return function == "sweeper" || !closed() }
		}},
	}
	for _, table := range tables.All() {
		all = append(all, throttle{"table " + table.Name, func(_ *cloud.Cloud, b *boundary, closed func() bool) {
			b.at = func(ctx context.Context, _ point, call cloud.Call, send func() error) error {
				if !call.Uses(table.Name) || !closed() {
					return send()
				}
				kind := faults.ThroughputExceeded
				if faults.TransactionThrottled.Hits(call) {
					kind = faults.TransactionThrottled
				}
				return kind.Do(ctx, call, send)
			}
		}})
	}
	return all
}

// Throttling may last as long as it likes: nothing fails, nothing is lost.
func TestSustainedThrottlingFailsNoRunAndEndsWithGitLabsTruth(t *testing.T) {
	full, tried := os.Getenv(fullMatrix) != "", 0
	defer func() { t.Logf("%d cells in total", tried) }()
	for i, s := range scenarios() {
		s.unsuccessful = s.baseline(t)
		for j, throttle := range throttles() {
			if !full && (s.large || (i+j)%4 != 0) {
				continue
			}
			tried++
			t.Run(s.name+", "+throttle.name, func(t *testing.T) {
				t.Parallel()
				s.throttled(t, throttle)
			})
		}
	}
}

func (s scenario) throttled(t *testing.T, throttle throttle) {
	s.play(t, func(c *cloud.Cloud) *boundary {
		b := &boundary{}
		throttle.close(c, b, func() bool {
			return !b.began.IsZero() && c.Clock.Now().Before(b.began.Add(sustained))
		})
		return b
	}, func(c *cloud.Cloud, b *boundary) {
		if failed := unsuccessful(c); failed > s.unsuccessful {
			for _, run := range c.Runs() {
				c.T.Errorf("%d runs did not succeed; undisturbed, %d: %s", failed, s.unsuccessful, cloud.Outcome(run))
			}
		}
		s.recovered(c, b, true)
	})
}

// Three large entities are embedded at the same time, each by a process that knows
// nothing of the others.
func TestThreeStagesGetThroughAQuotaOf600RequestsAMinute(t *testing.T) {
	inCloud(t, func(t *testing.T, c *cloud.Cloud) {
		c.Unobserved, c.Parallel = true, true
		bedrock := faults.NewBedrock(600)
		c.Embedder = bedrock
		const comments = 400
		var requests []surgical.Request
		for iid := int64(70); iid < 73; iid++ {
			small(c, iid)
			for i := range comments {
				c.GitLab.AddDiscussion(issue(iid), fakegitlab.Note{Body: fmt.Sprint("Comment ", i)})
			}
			requests = append(requests, c.Webhook(issue(iid)))
		}
		began := time.Now()
		c.Settle()
		for _, req := range requests {
			run, err := c.Ledger.Run(t.Context(), req.RunID)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s in generation %d, postponed %d times", run.Status, run.Generation, run.FailedStages)
			if run.Status != surgical.StatusSucceeded || run.FailedStages > 0 {
				t.Errorf("run %s, postponed %d times", cloud.Outcome(run), run.FailedStages)
			}
		}
		t.Logf("%d requests answered and %d refused in %v", bedrock.Answered, bedrock.Refused, time.Since(began).Round(time.Second))
		if want := 3 * (comments + 3); bedrock.Answered != want || bedrock.Refused > want*6/100 {
			t.Errorf("%d requests were answered, want %d, and %d were refused", bedrock.Answered, want, bedrock.Refused)
		}
		c.Check(issue(70), issue(71), issue(72))
	})
}

// A worker waits with what it fetched until its commit is accepted, for as long as
// its invocation lasts. If the throttling lasts longer, the entity is fetched again.
func TestAThrottledCommitDoesNotCostTheFetch(t *testing.T) {
	for _, lasting := range []time.Duration{10 * time.Second, time.Minute, 5 * time.Minute} {
		t.Run(lasting.String(), func(t *testing.T) {
			inCloud(t, func(t *testing.T, c *cloud.Cloud) {
				small(c, 70)
				requests, refused := 0, 0
				var first time.Time
				c.Around = func(ctx context.Context, call cloud.Call, send func() error) error {
					switch {
					case call.Service == cloud.GitLab:
						requests++
					case commits(call):
						if first.IsZero() {
							first = c.Clock.Now()
						}
						if c.Clock.Now().Before(first.Add(lasting)) {
							refused++
							return faults.TransactionThrottled.Do(ctx, call, send)
						}
					}
					return send()
				}
				run := settledRun(c, c.Webhook(issue(70)).RunID)
				if run.Status != surgical.StatusSucceeded || refused < 5 {
					t.Errorf("run %s after %d refused commits", cloud.Outcome(run), refused)
				}
				if fetches := requests / 5; requests%5 != 0 || (fetches == 1) != (lasting < surgical.WorkerTimeout) {
					t.Errorf("%d requests to GitLab for a commit that was throttled for %v", requests, lasting)
				}
				c.Check(issue(70))
			})
		})
	}
}
