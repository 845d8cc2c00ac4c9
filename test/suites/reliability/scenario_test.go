package reliability_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/cloud/cloudapi"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
	"gitlab.com/lorehook/lorehook/test/faults"
)

// scenario is a piece of Lorehook's work. Everything that act starts is
// disturbed; prepare is not.
type scenario struct {
	name    string
	refs    []surgical.EntityRef
	prepare func(c *cloud.Cloud)
	act     func(c *cloud.Cloud)
	// large scenarios are disturbed by few kinds of fault, and only at calls
	// that no other scenario makes; in huge ones, processes also die only
	// there.
	large, huge bool
	// bothWays is for one that is played a second time with embeddings left to the embed
	// stage.
	bothWays bool
	// unsuccessful is the number of its runs that do not succeed.
	unsuccessful int
	// deadLetters is the number of messages that it leaves in the dead-letter
	// queue.
	deadLetters int
	// census is the budget of its census, 0 without one.
	census time.Duration
	apis   *cloudapi.APIs
}

func issue(iid int64) surgical.EntityRef { return fakegitlab.IssueRef(iid) }

// small adds a small issue with two discussions.
func small(c *cloud.Cloud, iid int64) {
	c.GitLab.SetIssue(fakegitlab.NewIssue(iid, fmt.Sprint("Issue ", iid), "What it is about.", fakegitlab.Time{Time: c.Clock.Now().Add(-time.Hour)}))
	for i := range 2 {
		c.GitLab.AddDiscussion(issue(iid), fakegitlab.Note{Body: fmt.Sprint("Comment ", i)})
	}
}

// synced adds small issues and syncs them.
func synced(iids ...int64) func(c *cloud.Cloud) {
	return func(c *cloud.Cloud) {
		for _, iid := range iids {
			small(c, iid)
			c.Webhook(issue(iid))
		}
		c.Settle()
		c.Clock.Advance(10 * time.Minute)
	}
}

// patience are the pauses between a client's tries: ten seconds, doubling to ten
// minutes, an hour in all.
func patience() (pauses []time.Duration) {
	for i := range 12 {
		pauses = append(pauses, min(10*time.Second<<i, 10*time.Minute))
	}
	return pauses
}

// post calls the API as a client does: it retries transient failures.
func post(c *cloud.Cloud, path, key, body string) {
	for _, pause := range patience() {
		status, _ := c.API(http.MethodPost, path, key, body)
		if status < 500 {
			return
		}
		if c.Fate == cloud.Lost {
			return // the client is gone too
		}
		c.Clock.Advance(pause)
	}
}

func startRun(c *cloud.Cloud, body string) { post(c, "/v1/sync-runs", "by-hand", body) }

// leaving is prepare, with embeddings left to the embed stage.
func leaving(prepare func(*cloud.Cloud)) func(*cloud.Cloud) {
	return func(c *cloud.Cloud) {
		c.LeaveToEmbed = true
		prepare(c)
	}
}

func scenarios() []scenario {
	all, apis := slices.Concat(deliveries(), byHand(), unlucky(), large()), &cloudapi.APIs{}
	for _, s := range all {
		if s.bothWays {
			s.name, s.prepare = s.name+", left to embed", leaving(s.prepare)
			all = append(all, s)
		}
	}
	for i := range all {
		all[i].apis = apis
	}
	return all
}

// deliveries are the scenarios that start with an event.
func deliveries() []scenario {
	return []scenario{
		{name: "first sync", refs: []surgical.EntityRef{issue(70)},
			prepare: func(c *cloud.Cloud) { small(c, 70) },
			act:     func(c *cloud.Cloud) { c.Webhook(issue(70)) }},
		{name: "delivery", refs: []surgical.EntityRef{issue(70)},
			prepare: leaving(func(c *cloud.Cloud) { small(c, 70) }),
			act: func(c *cloud.Cloud) {
				for _, pause := range patience() { // GitLab itself does not repeat it, but its user may
					if c.Deliver(issue(70), "delivery") < 500 || c.Fate == cloud.Lost {
						return
					}
					c.Clock.Advance(pause)
				}
			}},
		{name: "new comment", refs: []surgical.EntityRef{issue(70)}, prepare: synced(70),
			act: func(c *cloud.Cloud) {
				c.GitLab.AddDiscussion(issue(70), fakegitlab.Note{Body: "One more."})
				c.GitLab.AddNote(issue(70), c.GitLab.Discussions(issue(70))[0].ID, fakegitlab.Note{Body: "A reply."})
				c.Webhook(issue(70))
				c.Webhook(issue(70))
			}},
		{name: "turns confidential", refs: []surgical.EntityRef{issue(70)}, prepare: synced(70), bothWays: true,
			act: func(c *cloud.Cloud) {
				c.GitLab.EditIssue(issue(70), func(i *fakegitlab.Issue) { i.Confidential = true })
				c.Webhook(issue(70))
			}},
		{name: "called confidential", refs: []surgical.EntityRef{issue(70)}, prepare: synced(70), act: calledConfidential},
		{name: "called confidential before it is stored", refs: []surgical.EntityRef{issue(70)},
			prepare: func(c *cloud.Cloud) { small(c, 70) }, act: calledConfidential},
		{name: "deleted issue", refs: []surgical.EntityRef{issue(70)}, prepare: synced(70),
			act: func(c *cloud.Cloud) {
				c.GitLab.Delete(issue(70))
				c.Send(c.Request(surgical.OriginReconcile, issue(70)))
			}},
		{name: "deleted issue with a young copy", refs: []surgical.EntityRef{issue(70)},
			prepare: func(c *cloud.Cloud) {
				small(c, 70)
				c.Webhook(issue(70))
				c.Settle()
			},
			act: func(c *cloud.Cloud) {
				c.GitLab.Delete(issue(70))
				c.Send(c.Request(surgical.OriginReconcile, issue(70)))
			}},
		{name: "back in sight", refs: []surgical.EntityRef{issue(70)},
			prepare: func(c *cloud.Cloud) {
				synced(70)(c)
				c.GitLab.HideEntity(issue(70), true)
				c.Send(c.Request(surgical.OriginReconcile, issue(70)))
				c.Settle()
				c.GitLab.HideEntity(issue(70), false)
			},
			act: func(c *cloud.Cloud) { c.Send(c.Request(surgical.OriginReconcile, issue(70))) }},
		{name: "deleted discussion", refs: []surgical.EntityRef{issue(70)}, prepare: leaving(synced(70)),
			act: func(c *cloud.Cloud) {
				c.GitLab.DeleteDiscussion(issue(70), c.GitLab.Discussions(issue(70))[0].ID)
				c.Send(c.Request(surgical.OriginReconcile, issue(70)))
			}},
	}
}

// calledConfidential delivers that an issue turned confidential, again if it was not
// acknowledged. Its run waits, so that the hide request comes first each time.
func calledConfidential(c *cloud.Cloud) {
	if err := c.Ledger.SetPause(c.T.Context(), c.Clock.Now().Add(time.Minute), surgical.CodeGitLabRateLimited); err != nil {
		c.T.Fatal(err)
	}
	c.GitLab.EditIssue(issue(70), func(i *fakegitlab.Issue) { i.Confidential = true })
	for _, pause := range patience() {
		if c.DeliverConfidential(issue(70), "delivery") < 500 || c.Fate == cloud.Lost {
			return
		}
		c.Clock.Advance(pause)
	}
}

// byHand are the scenarios that start with a call of the API.
func byHand() []scenario {
	return []scenario{
		{name: "several targets", refs: []surgical.EntityRef{issue(70), issue(71), fakegitlab.MergeRequestRef(73)}, prepare: synced(70), bothWays: true,
			act: func(c *cloud.Cloud) {
				small(c, 71)
				c.GitLab.SetMergeRequest(fakegitlab.NewMergeRequest(73, "Merge request", "What it does.", fakegitlab.Time{Time: c.Clock.Now().Add(-time.Hour)}))
				c.GitLab.Relabel(issue(70), []string{"later"}, nil)
				startRun(c, `{"project_id":1,"issues":[70,71],"merge_requests":[73]}`)
			}},
		{name: "no_docs, then the drain", refs: []surgical.EntityRef{issue(70)}, prepare: synced(70),
			act: func(c *cloud.Cloud) {
				c.GitLab.AddDiscussion(issue(70), fakegitlab.Note{Body: "Left to the drain."})
				startRun(c, `{"project_id":1,"issues":[70],"no_docs":true,"no_embed":true}`)
			}},
		{name: "no_docs that turns confidential", refs: []surgical.EntityRef{issue(70)}, prepare: synced(70),
			act: func(c *cloud.Cloud) {
				c.GitLab.EditIssue(issue(70), func(i *fakegitlab.Issue) { i.Confidential = true })
				startRun(c, `{"project_id":1,"issues":[70],"no_docs":true,"no_embed":true}`)
			}},
	}
}

// byHandID is the id of the run that startRun requests.
func byHandID() string { return surgical.RunID(surgical.OriginManual, "by-hand") }

// unlucky are the scenarios in which something fails even without a
// disturbance.
func unlucky() []scenario {
	return []scenario{
		{name: "retry", refs: []surgical.EntityRef{issue(70), issue(72)},
			prepare: func(c *cloud.Cloud) {
				synced(70)(c)
				c.GitLab.Relabel(issue(70), []string{"later"}, nil)
				small(c, 72)
				c.Around = forbidden(issue(72))
				startRun(c, `{"project_id":1,"issues":[70,72]}`)
				c.Settle()
			},
			act: func(c *cloud.Cloud) {
				post(c, "/v1/sync-runs/"+byHandID()+"/retry-failed", "", "")
			}},
		{name: "cancelled after the commit", refs: []surgical.EntityRef{issue(70)}, prepare: synced(70), bothWays: true,
			act: func(c *cloud.Cloud) {
				c.GitLab.AddDiscussion(issue(70), fakegitlab.Note{Body: "One more."})
				startRun(c, `{"project_id":1,"issues":[70]}`)
				c.Clock.Advance(surgical.Settle)
				c.Poll(c.Requests)
				post(c, "/v1/sync-runs/"+byHandID()+"/cancel", "", "")
			}},
		{name: "takes along what a cancelled run left", refs: []surgical.EntityRef{issue(70)},
			prepare: func(c *cloud.Cloud) {
				synced(70)(c)
				c.GitLab.AddDiscussion(issue(70), fakegitlab.Note{Body: "One more."})
				startRun(c, `{"project_id":1,"issues":[70]}`)
				c.Clock.Advance(surgical.Settle)
				c.Poll(c.Requests)
				post(c, "/v1/sync-runs/"+byHandID()+"/cancel", "", "")
				c.Forget()
				c.Clock.Advance(surgical.RefetchInterval)
			},
			act: func(c *cloud.Cloud) {
				c.GitLab.AddDiscussion(issue(70), fakegitlab.Note{Body: "Another one."})
				c.Webhook(issue(70))
			}},
		{name: "cancelled before it began", refs: []surgical.EntityRef{issue(70)}, prepare: synced(70),
			act: func(c *cloud.Cloud) {
				c.GitLab.AddDiscussion(issue(70), fakegitlab.Note{Body: "One more."})
				startRun(c, `{"project_id":1,"issues":[70]}`)
				post(c, "/v1/sync-runs/"+byHandID()+"/cancel", "", "")
			}},
		{name: "failed stage", refs: []surgical.EntityRef{issue(70)}, prepare: leaving(synced(70)),
			act: func(c *cloud.Cloud) {
				c.GitLab.AddDiscussion(issue(70), fakegitlab.Note{Body: "One more."})
				c.Webhook(issue(70))
				c.Refusing = 1
			}},
		{name: "postponed stage", refs: []surgical.EntityRef{issue(70)}, prepare: leaving(synced(70)),
			act: func(c *cloud.Cloud) {
				c.GitLab.AddDiscussion(issue(70), fakegitlab.Note{Body: "One more."})
				c.Webhook(issue(70))
				c.Hopeless = 2 // the stage and its retry
			}},
		{name: "GitLab fails once", refs: []surgical.EntityRef{issue(70)}, prepare: synced(70), act: spoilt(http.StatusServiceUnavailable)},
		{name: "GitLab limits once", refs: []surgical.EntityRef{issue(70)}, prepare: synced(70), act: spoilt(http.StatusTooManyRequests)},
		{name: "a worker died before its commit", refs: []surgical.EntityRef{issue(70)}, prepare: died(1, commits), act: func(*cloud.Cloud) {}},
		{name: "a worker died before the workflow", refs: []surgical.EntityRef{issue(70)}, prepare: died(1, operation("StartExecution")), act: func(*cloud.Cloud) {}},
		{name: "five workers died", deadLetters: 1, refs: []surgical.EntityRef{issue(70)}, prepare: died(5, commits), act: func(*cloud.Cloud) {}},
		{name: "a message that cannot be decoded", deadLetters: 1, refs: []surgical.EntityRef{issue(70)}, prepare: synced(70),
			act: func(c *cloud.Cloud) {
				c.GitLab.AddDiscussion(issue(70), fakegitlab.Note{Body: "One more."})
				c.Requests.Send(issue(70).Key(), "garbage", "{")
				c.Webhook(issue(70))
			}},
	}
}

// spoilt responds to one request of a webhook's fetch with the status.
func spoilt(status int) func(c *cloud.Cloud) {
	return func(c *cloud.Cloud) {
		c.GitLab.AddDiscussion(issue(70), fakegitlab.Note{Body: "One more."})
		// Later than the other responses, so that the calls are the same each
		// time.
		c.GitLab.Inject(fakegitlab.Fault{Status: status, Endpoint: "discussions", Requests: 1, Latency: time.Second})
		c.Webhook(issue(70))
	}
}

// died kills the given number of a webhook's workers just before a call.
func died(workers int, before func(cloud.Call) bool) func(c *cloud.Cloud) {
	return func(c *cloud.Cloud) {
		synced(70)(c)
		c.GitLab.AddDiscussion(issue(70), fakegitlab.Note{Body: "One more."})
		c.Webhook(issue(70))
		fate := c.Fate
		c.Fate, c.Around = cloud.Redelivered, killAt("worker", workers, before) // what follows belongs to another death
		c.Clock.Advance(surgical.Settle)
		for range workers {
			if !c.Poll(c.Requests) {
				c.T.Fatal("no message")
			}
			c.Clock.Advance(surgical.Visibility)
		}
		c.Fate = fate
	}
}

// large are the scenarios with large entities.
func large() []scenario {
	return []scenario{
		{name: "handed on", large: true, refs: []surgical.EntityRef{issue(70)},
			prepare: func(c *cloud.Cloud) {
				small(c, 70)
				for i := range 52 {
					c.GitLab.AddDiscussion(issue(70), fakegitlab.Note{Body: fmt.Sprint("Comment ", i)})
				}
				c.Hurry = true
			},
			act: func(c *cloud.Cloud) { c.Webhook(issue(70)) }},
		{name: "long text", large: true, huge: true, refs: []surgical.EntityRef{issue(70)},
			prepare: func(c *cloud.Cloud) {
				small(c, 70)
				c.GitLab.EditIssue(issue(70), func(i *fakegitlab.Issue) { i.Description = longText("before") })
				c.Webhook(issue(70))
				c.Settle()
				c.Clock.Advance(10 * time.Minute)
			},
			act: func(c *cloud.Cloud) {
				c.GitLab.EditIssue(issue(70), func(i *fakegitlab.Issue) { i.Description = longText("after") })
				c.Webhook(issue(70))
			}},
	}
}

// forbidden makes GitLab refuse access to an entity.
func forbidden(ref surgical.EntityRef) cloud.Around {
	return func(ctx context.Context, call cloud.Call, send func() error) error {
		if req, ok := call.Input.(*http.Request); ok && strings.Contains(req.URL.Path+"/", fmt.Sprintf("/issues/%d/", ref.IID)) {
			return faults.Forbidden.Do(ctx, call, send)
		}
		return send()
	}
}

// longText is stored in many pieces, and has more chunks than are embedded at a
// time. Its first half does not depend on the word, so that a change of the word uses
// pieces of it again.
func longText(word string) string {
	const length = 310 << 10
	var text strings.Builder
	for i := 0; text.Len() < length; i++ {
		word := word
		if text.Len() < length/2 {
			word = "part"
		}
		fmt.Fprintf(&text, "## Section %d\n\n%s %d of a text that goes on and on, so that it has to be cut.\n\n", i, word, i)
	}
	return text.String()
}
