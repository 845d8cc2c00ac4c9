package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/awsapi"
	"gitlab.com/lorehook/lorehook/internal/queue"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/token"
)

// openedProject is harbor/wiki. The new issue and the lost webhook are in another project
// than the rest, so that a reconcile can take place beside the backfill.
const openedProject = 101

// issueOpened opens an issue.
func (s *step) issueOpened(ctx context.Context) (err error) {
	if s.opened, err = s.gitlab.addIssues(ctx, openedProject, 1); err != nil {
		return err
	}
	if err := s.gitlab.rename(ctx, s.opened, "The page on winter timetables is empty ("+s.stamp+")"); err != nil {
		return err
	}
	return s.synced(ctx, "issue_opened", s.opened)
}

func (s *step) mergeRequestUpdated(ctx context.Context) error {
	if err := s.gitlab.note(ctx, mr12, "added 1 commit ("+s.stamp+")"); err != nil {
		return err
	}
	return s.synced(ctx, "merge_request_updated", mr12)
}

// comment adds a comment that answers a question.
func (s *step) comment(ctx context.Context) (err error) {
	if err := s.gitlab.withdraw(ctx, issue7, reply); err != nil { // earlier demos' comments rank the same
		return err
	}
	if err := s.gitlab.note(ctx, issue7, reply+" ("+s.stamp+")"); err != nil {
		return err
	}
	if s.commented, err = s.deliveryOf(ctx, "note_issue", issue7); err != nil {
		return err
	}
	if s.answered, err = s.syncedBy(ctx, s.commented, issue7); err != nil {
		return err
	}
	e, err := s.api.entity(ctx, issue7)
	equal(s.checks, "the copy shows the comment", e.shows(reply+" ("+s.stamp+")"), true)
	return err
}

// sameEvent delivers the comment's event again.
func (s *step) sameEvent(ctx context.Context) error {
	before, err := s.gitlab.requests(ctx, issue7)
	if err != nil {
		return err
	}
	a, err := s.send(ctx, s.commented)
	if err != nil {
		return err
	}
	equal(s.checks, "response", a.status, http.StatusAccepted)
	equal(s.checks, "run", a.body.RunID, s.answered.body.RunID)
	r, err := s.awaitRun(ctx, a.body.RunID)
	if err != nil {
		return err
	}
	s.out.row("run", r.RunID+"  the same run, "+s.out.good.Sprint(r.Status))
	equal(s.checks, "attempts", r.Attempts, 1)
	after, err := s.gitlab.requests(ctx, issue7)
	equal(s.checks, "new requests for the issue", after-before, 0)
	return err
}

// overtaken holds back the first fetch of an entity until a newer one is stored.
func (s *step) overtaken(ctx context.Context) (err error) {
	sent, slow, err := s.held(ctx, "issue_reopened", issue8)
	defer func() { err = errors.Join(err, s.gitlab.release(context.WithoutCancel(ctx), issue8)) }()
	if err != nil {
		return err
	}
	if err := s.gitlab.note(ctx, issue8, "Newer than what the first run fetched ("+s.stamp+")."); err != nil {
		return err
	}
	asked := time.Now()
	fast, err := s.sync(ctx, issue8, issue9)
	if err != nil {
		return err
	}
	newer, err := s.awaitRun(ctx, fast)
	if err != nil {
		return err
	}
	s.out.showRun("newer", newer, time.Since(asked))
	equal(s.checks, "status of the newer run", newer.Status, surgical.StatusSucceeded)
	if err := s.gitlab.release(ctx, issue8); err != nil {
		return err
	}
	older, err := s.awaitRun(ctx, slow.body.RunID)
	if err != nil {
		return err
	}
	s.out.showRun("overtaken", older, time.Since(sent))
	equal(s.checks, "status of the overtaken run", older.Status, surgical.StatusSucceeded)
	equal(s.checks, "skipped_stale in the overtaken run", older.skippedStale(), true)
	e, err := s.stored(ctx, issue8)
	equal(s.checks, "run of the stored copy", e.RunID, fast)
	return err
}

// held delivers the sample, and returns once its run's fetch of the entity is held back.
func (s *step) held(ctx context.Context, sample string, ref surgical.EntityRef) (sent time.Time, a answer, err error) {
	// A follow-up of an earlier demo would be held in its place: the sweeper, which sends
	// those, rests.
	if err := s.stack.Rest(ctx, "sweeper"); err != nil {
		return sent, a, err
	}
	defer func() { err = errors.Join(err, s.stack.Wake(context.WithoutCancel(ctx), "sweeper")) }()
	if err := s.fetched(ctx); err != nil {
		return sent, a, err
	}
	del, err := s.deliveryOf(ctx, sample, ref)
	if err != nil {
		return sent, a, err
	}
	if err := s.gitlab.hold(ctx, ref); err != nil {
		return sent, a, err
	}
	sent = time.Now()
	if a, err = s.send(ctx, del); err != nil {
		return sent, a, err
	}
	equal(s.checks, "response", a.status, http.StatusAccepted)
	return sent, a, s.gitlab.awaitHeld(ctx, ref, func() { s.out.passing("     run       %s  waiting for its fetch", a.body.RunID) })
}

// idle waits until no run waits in a queue, and no backfill goes on: the runs of the last
// demo's would be ahead of this demo's, and the backfill might copy what this demo edits.
func (d *demo) idle(ctx context.Context) error {
	said := false
	return d.out.until(ctx, bulkTimeout, "waiting for the runs of the last demo:", func() (idle bool, _ string, err error) {
		left, err := d.queued(ctx)
		if err != nil {
			return false, "", err
		}
		if left > manyRuns && !said {
			said = true
			d.out.line("\n  The backfill that the last demo left in the background has %d runs left. The demo begins once it has ended.", left)
		}
		if left > 0 {
			return false, runsLeft(left), nil
		}
		list, err := d.lore.Backfills(ctx)
		goesOn := slices.ContainsFunc(list.Value.Backfills, func(b apiclient.Backfill) bool { return !b.Status.Terminal() })
		return err == nil && !goesOn, "a backfill goes on", err
	})
}

// fetched waits until no run waits in a queue.
func (s *step) fetched(ctx context.Context) error {
	return s.out.until(ctx, bulkTimeout, "waiting for the runs before this one:", func() (bool, string, error) {
		left, err := s.queued(ctx)
		return err == nil && left == 0, runsLeft(left), err
	})
}

func runsLeft(n int) string { return fmt.Sprintf("%d runs left", n) }

// queued is how many runs wait in the queues, those that a worker has received included.
func (d *demo) queued(ctx context.Context) (runs int, err error) {
	client := awsapi.NewSQS(d.stack.AWS)
	for _, name := range []string{"RequestsQueueUrl", "BulkQueueUrl"} {
		waiting, received, err := queue.Depth(ctx, client, d.stack.Outputs[name])
		if err != nil {
			return 0, err
		}
		runs += waiting + received
	}
	return runs, nil
}

// sync requests entities of one project as lore sync does, but through the other queue:
// the local AWS processes one batch of a queue at a time, so that what is held would hold
// this run too. On AWS, a run of several entities overtakes the runs of one of them.
func (s *step) sync(ctx context.Context, refs ...surgical.EntityRef) (runID string, err error) {
	key := rand.Text()
	r := surgical.Request{
		RunID: surgical.RunID(surgical.OriginManual, key), ProjectID: refs[0].ProjectID,
		Origin: surgical.OriginManual, EventAt: time.Now(), IdempotencyKey: key,
	}
	for _, ref := range refs {
		r.Targets = append(r.Targets, ref.Target)
	}
	sender := queue.NewSender(awsapi.NewSQS(s.stack.AWS), s.stack.Outputs["BulkQueueUrl"])
	return r.RunID, sender.Send(ctx, r)
}

func (s *step) push(ctx context.Context) error {
	a, err := s.deliver(ctx, "push")
	equal(s.checks, "response", a.status, http.StatusOK)
	equal(s.checks, "status", a.body.Status, "ignored")
	return err
}

func (s *step) wrongSignature(ctx context.Context) error {
	del, err := s.delivery("issue_opened")
	if err != nil {
		return err
	}
	del.signingToken = token.NewSigning()
	a, err := s.send(ctx, del)
	equal(s.checks, "response", a.status, http.StatusUnauthorized)
	equal(s.checks, "run", a.body.RunID, "")
	return err
}
