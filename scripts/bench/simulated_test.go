package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/cost"
	fakedynamodb "gitlab.com/lorehook/lorehook/test/fake/dynamodb"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// simulate runs a cloud on simulated time: calls that take time sleep, and the clock moves
// on only when everything waits, however busy the machine is.
func simulate(t *testing.T, run func(c *cloud.Cloud)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		db, names := fakedynamodb.New()
		c := cloud.New(t, db.Client(), names)
		c.Rows, c.Unobserved = db.Items, true
		run(c)
	})
}

// report fails if a figure misses what is promised, or hands all of them to the benchmark
// that runs the test.
func report(t *testing.T, figures ...figure) {
	t.Helper()
	if path := os.Getenv(figuresFile); path != "" {
		if err := write(path, figures); err != nil {
			t.Fatal(err)
		}
		return
	}
	if err := beyond(figures); err != nil {
		t.Error(err)
	}
}

// gitlabLatency is how long GitLab takes to answer a request.
const gitlabLatency = 100 * time.Millisecond

// noted is the request of a webhook about the newest comment on the entity.
func noted(c *cloud.Cloud, ref surgical.EntityRef) surgical.Request {
	req, at := c.Request(surgical.OriginWebhook, ref), time.Time{}
	for _, d := range c.GitLab.Discussions(ref) {
		if note := d.Notes[len(d.Notes)-1]; note.ID > req.Evidence.NoteID {
			req.Evidence.NoteID, at = note.ID, note.UpdatedAt.Time
		}
	}
	req.Evidence.NoteAt = at.Truncate(time.Millisecond)
	return req
}

// The burst: so many comments on one issue, one after another within burstTime.
const (
	burst     = 100
	burstTime = 10 * time.Second
)

// Many comments on one issue within a short time are fetched together, and none waits long
// for it.
func TestManyCommentsOnOneIssue_TakeFewRequestsAndAreShownSoon(t *testing.T) {
	var figures []figure
	for _, c := range []struct {
		name             string
		toThread, others int
		bound            float64
	}{
		{"two to a thread", 2, 0, 0},
		{"each a thread, which fill a page in the end", 1, 0, 0},
		// The last fetch finds more than a page: it takes the second one, and the first one
		// again, which shows that nothing moved from the second to the first in between.
		{"each a thread, beside another one", 1, 1, 17},
	} {
		requests, longest := commented(t, c.toThread, c.others)
		figures = append(figures,
			newFigure(fmt.Sprintf("%d comments on one issue within %v, %s: requests to GitLab", burst, burstTime, c.name), requests, "requests", 5*burst, 15).notYet(c.bound),
			newFigure("  the longest time until one is shown", longest, "s", 0, 6))
	}
	report(t, figures...)
}

// commented adds the comments of a burst, so many to a thread, to an issue with other
// threads. It returns the requests to GitLab and the longest time in seconds until one was
// shown.
func commented(t *testing.T, toThread, others int) (requests, longest float64) {
	simulate(t, func(c *cloud.Cloud) {
		c.Around = taking(gitlabLatency, false)
		ref, thread := fakegitlab.IssueRef(1000), ""
		c.GitLab.SetIssue(fakegitlab.NewIssue(ref.IID, "An issue", "What it is about.", fakegitlab.Time{Time: c.Clock.Now()}))
		for range others {
			c.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: "An older comment"})
		}
		c.Send(c.Request(surgical.OriginWebhook, ref))
		c.RunFor(time.Minute, surgical.DefaultConcurrency)
		comment := func(n int) {
			note := fakegitlab.Note{Body: fmt.Sprint("Comment ", n)}
			if n%toThread == 0 {
				thread = c.GitLab.AddDiscussion(ref, note)
			} else {
				c.GitLab.AddNote(ref, thread, note)
			}
			c.Send(noted(c, ref))
		}
		before, first := fetches(c), shown(c, ref)
		var added []time.Time
		seen := 0
		go func() {
			for n := range burst {
				added = append(added, time.Now())
				comment(n)
				time.Sleep(burstTime / burst)
			}
		}()
		go func() {
			for seen < burst && c.T.Context().Err() == nil {
				for now := shown(c, ref) - first; seen < now; seen++ {
					longest = max(longest, time.Since(added[seen]).Seconds())
				}
				time.Sleep(10 * time.Millisecond)
			}
		}()
		c.RunFor(2*time.Minute, surgical.DefaultConcurrency)
		if seen != burst {
			t.Fatalf("%d of %d comments are shown", seen, burst)
		}
		requests = fetches(c) - before
	})
	return requests, longest
}

// shown is the number of comments of the entity that readers see.
func shown(c *cloud.Cloud, ref surgical.EntityRef) (sum int) {
	entity, err := c.Shown().Read(c.T.Context(), ref)
	if err != nil {
		c.T.Fatal(err)
	}
	for _, raw := range entity.Discussions {
		var discussion struct{ Notes []json.RawMessage }
		if err := json.Unmarshal(raw, &discussion); err != nil {
			c.T.Fatal(err)
		}
		sum += len(discussion.Notes)
	}
	return sum
}

// fetches is the number of requests to GitLab for entities so far.
func fetches(c *cloud.Cloud) (sum float64) {
	for endpoint, n := range c.GitLab.Requests() {
		if strings.Contains(endpoint, "#") {
			sum += float64(n)
		}
	}
	return sum
}

// taking makes each request to GitLab take the latency, and with aws each call to AWS as
// long as package cost assumes.
func taking(latency time.Duration, aws bool) cloud.Around {
	return func(_ context.Context, call cloud.Call, send func() error) error {
		switch {
		case call.Service == cloud.GitLab:
			time.Sleep(latency)
		case aws:
			time.Sleep(cost.Latency(call))
		}
		return send()
	}
}

// A change is shown after the settle time and two round trips to GitLab, if its entity was
// copied before: requests that wait for others add up.
func TestAChange_IsShownAfterTheSettleTimeAndTwoRoundTrips(t *testing.T) {
	var figures []figure
	for _, ref := range []surgical.EntityRef{fakegitlab.IssueRef(7), fakegitlab.MergeRequestRef(12)} {
		for _, change := range []struct {
			name string
			make func(c *cloud.Cloud) surgical.Request
		}{
			{"a new comment", func(c *cloud.Cloud) surgical.Request {
				c.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: "A comment."})
				return noted(c, ref)
			}},
			{"a new label", func(c *cloud.Cloud) surgical.Request {
				c.GitLab.Relabel(ref, []string{fmt.Sprint("label-", c.Clock.Now().UnixNano())}, nil)
				return c.Request(surgical.OriginWebhook, ref)
			}},
		} {
			var bare, whole time.Duration
			simulate(t, func(c *cloud.Cloud) { bare, whole = fresh(c, change.make, false), fresh(c, change.make, true) })
			floor := surgical.Settle + 2*gitlabLatency
			name := fmt.Sprintf("time to fresh, %s on %s", change.name, strings.ReplaceAll(string(ref.Type), "_", " "))
			time := newFigure(name, bare.Seconds(), "s", floor.Seconds(), 0)
			figures = append(figures, time.within(1.2, time.Ratio),
				newFigure("  of it, round trips to GitLab", math.Round(float64(bare-surgical.Settle)/float64(gitlabLatency)), "round trips", 2, 2),
				newFigure("  calls to AWS, as assumed, would add", (whole-bare).Seconds(), "s", 0, 0))
		}
	}
	report(t, figures...)
}

// fresh returns the time from a change's webhook to the commit that shows it.
func fresh(c *cloud.Cloud, change func(*cloud.Cloud) surgical.Request, aws bool) (took time.Duration) {
	c.Send(change(c))
	c.RunFor(time.Minute, 1)
	began, slow := time.Now(), taking(gitlabLatency, aws)
	c.Around = func(ctx context.Context, call cloud.Call, send func() error) error {
		err := slow(ctx, call, send)
		if call.Operation == "TransactWriteItems" && call.Uses("content") && call.Uses("sync_runs") && took == 0 {
			took = time.Since(began)
		}
		return err
	}
	c.Send(change(c))
	for !c.Poll(c.Requests) {
		time.Sleep(time.Millisecond)
	}
	c.Around = nil
	c.RunFor(time.Minute, 1)
	return took
}
