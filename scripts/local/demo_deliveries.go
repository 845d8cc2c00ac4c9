package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"gitlab.com/lorehook/lorehook/internal/queue"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/token"
)

func (d *demo) issueOpened(ctx context.Context) error {
	d.begin("Issue opened", "issue_opened")
	if err := d.gitlab.relabel(ctx, issue7, "demo-"+d.stamp); err != nil {
		return err
	}
	_, err := d.synced(ctx, "issue_opened", issue7)
	return err
}

func (d *demo) mergeRequestUpdated(ctx context.Context) error {
	d.begin("Merge request updated", "merge_request_updated")
	if err := d.gitlab.note(ctx, mr12, "added 1 commit ("+d.stamp+")"); err != nil {
		return err
	}
	_, err := d.synced(ctx, "merge_request_updated", mr12)
	return err
}

// commentAndDuplicate comments on the issue, then delivers the same event twice.
func (d *demo) commentAndDuplicate(ctx context.Context) error {
	d.begin("Comment added to the issue", "note_issue")
	before, err := d.api.entity(ctx, issue7)
	if err != nil {
		return err
	}
	if err := d.gitlab.note(ctx, issue7, "A comment from the demo at "+d.stamp+"."); err != nil {
		return err
	}
	del, err := d.deliveryOf(ctx, "note_issue", issue7)
	if err != nil {
		return err
	}
	first, err := d.syncedBy(ctx, del, issue7)
	if err != nil {
		return err
	}
	after, err := d.api.entity(ctx, issue7)
	if err != nil {
		return err
	}
	equal(d.checks, "new discussions", len(after.Discussions)-len(before.Discussions), 1)
	d.end()
	return d.duplicate(ctx, del, first)
}

func (d *demo) duplicate(ctx context.Context, del webhook, first answer) error {
	d.begin("Same event delivered again", "note_issue, same Idempotency-Key")
	before, err := d.gitlab.requests(ctx, issue7)
	if err != nil {
		return err
	}
	a, err := d.send(ctx, del)
	if err != nil {
		return err
	}
	equal(d.checks, "response", a.status, http.StatusAccepted)
	equal(d.checks, "run", a.body.RunID, first.body.RunID)
	r, err := d.awaitRun(ctx, a.body.RunID)
	if err != nil {
		return err
	}
	d.out.row("run", r.RunID+"  the same run, "+d.out.good.Sprint(r.Status))
	equal(d.checks, "attempts", r.Attempts, 1)
	after, err := d.gitlab.requests(ctx, issue7)
	if err != nil {
		return err
	}
	equal(d.checks, "new requests for the issue", after-before, 0)
	d.end()
	return nil
}

// overtaken holds back the first fetch of an entity until a newer one, requested
// through the other queue, is stored.
func (d *demo) overtaken(ctx context.Context) (err error) {
	d.begin("Run overtaken while it is still fetching", "issue_reopened, and a reconcile request")
	// A follow-up of the last demo's deletion would wait behind the held delivery, and what
	// is to overtake behind the follow-up: the sweeper, which sends those, rests.
	if err := d.stack.Rest(ctx, "sweeper"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.stack.Wake(context.WithoutCancel(ctx), "sweeper")) }()
	if err := d.idle(ctx); err != nil {
		return err
	}
	del, err := d.deliveryOf(ctx, "issue_reopened", issue8)
	if err != nil {
		return err
	}
	if err := d.gitlab.hold(ctx, issue8); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.gitlab.release(context.WithoutCancel(ctx), issue8)) }()
	sent := time.Now()
	slow, err := d.send(ctx, del)
	if err != nil {
		return err
	}
	equal(d.checks, "response", slow.status, http.StatusAccepted)
	if err := d.gitlab.awaitHeld(ctx, issue8, func() { d.out.passing("     run       %s  waiting for its fetch", slow.body.RunID) }); err != nil {
		return err
	}
	if err := d.gitlab.note(ctx, issue8, "Newer than what the first run fetched ("+d.stamp+")."); err != nil {
		return err
	}
	asked := time.Now()
	fast, err := d.reconcile(ctx, issue8)
	if err != nil {
		return err
	}
	newer, err := d.awaitRun(ctx, fast)
	if err != nil {
		return err
	}
	d.showRun("newer", newer, time.Since(asked))
	equal(d.checks, "status of the newer run", newer.Status, surgical.StatusSucceeded)
	if err := d.gitlab.release(ctx, issue8); err != nil {
		return err
	}
	older, err := d.awaitRun(ctx, slow.body.RunID)
	if err != nil {
		return err
	}
	d.showRun("overtaken", older, time.Since(sent))
	equal(d.checks, "status of the overtaken run", older.Status, surgical.StatusSucceeded)
	equal(d.checks, "skipped_stale in the overtaken run", older.skippedStale(), true)
	e, err := d.stored(ctx, issue8)
	if err != nil {
		return err
	}
	equal(d.checks, "run of the stored copy", e.RunID, fast)
	d.end()
	return nil
}

// idle waits until no run waits in a queue. Those of the last demo's backfill would be
// ahead of the one that is to overtake, and would let the held one go first.
func (d *demo) idle(ctx context.Context) error {
	client := sqs.NewFromConfig(d.stack.AWS)
	return d.until(ctx, bulkTimeout, "waiting for the runs of the last demo:", func() (idle bool, _ string, err error) {
		left := 0
		for _, name := range []string{"RequestsQueueUrl", "BulkQueueUrl"} {
			waiting, received, err := queue.Depth(ctx, client, d.stack.Outputs[name])
			if err != nil {
				return false, "", err
			}
			left += waiting + received
		}
		return left == 0, fmt.Sprintf("%d runs left", left), nil
	})
}

// reconcile requests the entity through the bulk queue, like a reconciliation.
func (d *demo) reconcile(ctx context.Context, ref surgical.EntityRef) (runID string, err error) {
	key := rand.Text()
	r := surgical.Request{
		RunID: surgical.RunID(surgical.OriginReconcile, key), ProjectID: ref.ProjectID, Targets: []surgical.Target{ref.Target},
		Origin: surgical.OriginReconcile, EventAt: time.Now(), IdempotencyKey: key,
	}
	sender := queue.NewSender(sqs.NewFromConfig(d.stack.AWS), d.stack.Outputs["BulkQueueUrl"])
	return r.RunID, sender.Send(ctx, r)
}

func (d *demo) push(ctx context.Context) error {
	d.begin("Push", "push")
	a, err := d.deliver(ctx, "push")
	if err != nil {
		return err
	}
	equal(d.checks, "response", a.status, http.StatusOK)
	equal(d.checks, "status", a.body.Status, "ignored")
	d.end()
	return nil
}

func (d *demo) wrongSignature(ctx context.Context) error {
	d.begin("Event signed with the wrong key", "issue_opened, wrong signature")
	del, err := d.delivery("issue_opened")
	if err != nil {
		return err
	}
	del.signingToken = token.NewSigning()
	a, err := d.send(ctx, del)
	if err != nil {
		return err
	}
	equal(d.checks, "response", a.status, http.StatusUnauthorized)
	equal(d.checks, "run", a.body.RunID, "")
	d.end()
	return nil
}
