package reliability_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
	"gitlab.com/lorehook/lorehook/test/faults"
)

// The settle time (2 s) exceeds the sum of the replicas' lag (1 s) and the
// clock difference.
func skews() []time.Duration {
	return []time.Duration{900 * time.Millisecond, -900 * time.Millisecond, 0, 400 * time.Millisecond, -700 * time.Millisecond}
}

func TestWorkersWhoseClocksDifferBringEveryScenarioToGitLabsTruth(t *testing.T) {
	for _, s := range scenarios() {
		t.Run(s.name, func(t *testing.T) {
			s.play(t, func(c *cloud.Cloud) *boundary {
				c.Skews = skews()
				return &boundary{}
			}, func(c *cloud.Cloud, b *boundary) { s.recovered(c, b, true) })
		})
	}
}

// A busy entity: a comment every 1.3 s, each with its event, some on the bulk
// queue, while every response comes from a replica that is a second behind and
// the workers' clocks differ.
func TestEveryCommentOfABusyEntityArrivesThoughReplicasLagAndClocksDiffer(t *testing.T) {
	for shift := range skews() {
		t.Run(fmt.Sprint(shift), func(t *testing.T) {
			inCloud(t, func(t *testing.T, c *cloud.Cloud) {
				synced(70)(c)
				c.Follow(issue(70))
				c.Skews = append(skews()[shift:], skews()[:shift]...)
				setting, lagging := faults.Setting{Replica: c.Replica()}, true
				c.Around = func(ctx context.Context, call cloud.Call, send func() error) error {
					if lagging && faults.OldReplica.Hits(call) {
						return faults.OldReplica.Do(faults.With(ctx, setting), call, send)
					}
					return send()
				}
				const comments = 40
				for i := range comments {
					c.After(time.Duration(i)*1300*time.Millisecond, func() {
						c.Change(func() { c.GitLab.AddDiscussion(issue(70), fakegitlab.Note{Body: fmt.Sprint("Comment ", i)}) })
						if i%5 == 4 {
							c.SendBulk(c.Request(surgical.OriginReconcile, issue(70)))
						}
						c.Webhook(issue(70))
					})
				}
				c.Settle()
				if problem := c.Untrue(issue(70)); problem != "" {
					t.Errorf("an event was lost:\n%s", problem)
				}
				for _, run := range c.Runs() {
					if run.Status != surgical.StatusSucceeded {
						t.Errorf("run %s is %s", run.RunID, cloud.Outcome(run))
					}
				}
				c.Check(issue(70))
			})
		})
	}
}
