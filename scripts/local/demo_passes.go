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
	"gitlab.com/lorehook/lorehook/internal/duration"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

const (
	demoProject = "1"
	// added is how many issues the demo adds to GitLab without an event; the numbers of
	// all that demos add begin with firstAdded.
	added      = 12
	firstAdded = 100
	// passTimeout is how long to wait for a backfill or a reconcile. Its runs let
	// deliveries go first, which takes up to 20 s.
	passTimeout = 3 * time.Minute
	// hideTimeout is how long to wait for a deletion that may be believed: the sweeper
	// sends the messages of the follow-up and the hide run.
	hideTimeout = 5 * time.Minute
	// sweepInterval is how often the demo runs the sweeper in the meantime, which a schedule does
	// every minute.
	sweepInterval = 2 * time.Second
)

// backfill copies the issues that no event announced.
func (d *demo) backfill(ctx context.Context) error {
	d.begin("Backfill", "lore backfill -p "+demoProject)
	first, err := d.gitlab.addIssues(ctx, added)
	if err != nil {
		return err
	}
	d.out.row("GitLab", fmt.Sprintf("has %d more issues, which no webhook announced", added))
	before, err := d.copies(ctx)
	if err != nil {
		return err
	}
	b, err := d.lore.StartBackfill(ctx, apiclient.BackfillRequest{Project: demoProject}, rand.Text())
	if err != nil {
		return err
	}
	if err := d.until(ctx, passTimeout, "the backfill", func() (ended bool, _ string, err error) {
		b, err = d.lore.Backfill(ctx, b.Value.ID)
		return err == nil && b.Value.Status.Terminal(), fmt.Sprintf("%d of %d copied", b.Value.Progress.Done, b.Value.Progress.Different), err
	}); err != nil {
		return err
	}
	d.showPass("backfill", b.Value.Status, b.Value.FinishedAt.Sub(b.Value.CreatedAt),
		fmt.Sprintf("%d listed · %d copied · %d failed · %s", b.Value.Progress.Listed, b.Value.Progress.Done, b.Value.Progress.Failed, count(int(b.Value.Progress.Requests), "request")))
	equal(d.checks, "status", b.Value.Status, surgical.StatusSucceeded)
	after, err := d.copies(ctx)
	if err != nil {
		return err
	}
	want, err := d.gitlab.entities(ctx)
	if err != nil {
		return err
	}
	d.out.row("copies", fmt.Sprintf("%d before, %d after; GitLab lists %d that are not confidential", len(before), len(after), len(want)))
	for _, ref := range want {
		equal(d.checks, "copy of "+ref.String(), slices.Contains(after, ref), true)
	}
	d.backfilled = first
	_, err = d.stored(ctx, first)
	d.end()
	return err
}

// lostWebhook changes an issue without a delivery, and lets a reconcile find it.
func (d *demo) lostWebhook(ctx context.Context) error {
	d.begin("Lost webhook", "an edit without a delivery, then lore reconcile -p "+demoProject)
	ref, title := d.backfilled, "Renamed while no webhook was sent ("+d.stamp+")"
	if err := d.gitlab.rename(ctx, ref, title); err != nil {
		return err
	}
	old, err := d.api.entity(ctx, ref)
	if err != nil {
		return err
	}
	d.out.row("before", fmt.Sprintf("“%s” in the copy, “%s” in GitLab", old.Title, title))
	equal(d.checks, "the copy shows the edit before the reconcile", old.Title == title, false)
	asked := time.Now()
	requested, err := d.lore.StartReconcile(ctx, apiclient.ReconcileRequest{Project: demoProject})
	if err != nil {
		return err
	}
	if len(requested.Value.Reconciles) != 1 {
		return fmt.Errorf("the API requested %d reconciles of one project", len(requested.Value.Reconciles))
	}
	var r apiclient.Reconcile
	if err := d.until(ctx, passTimeout, "the reconcile", func() (bool, string, error) {
		list, err := d.lore.Reconciles(ctx, ref.ProjectID)
		if err != nil || len(list.Value.Reconciles) != 1 {
			return false, "not listed", err
		}
		r = list.Value.Reconciles[0]
		return r.Status.Terminal() && r.BeganAt.After(requested.Value.Reconciles[0].RequestedAt), string(r.Status), nil
	}); err != nil {
		return err
	}
	d.showPass("reconcile", r.Status, time.Since(asked), fmt.Sprintf("%d listed · %d different · %s", r.Listed, r.Different, count(int(r.Requests), "request")))
	equal(d.checks, "status", r.Status, surgical.StatusSucceeded)
	e, err := d.stored(ctx, ref)
	if err != nil {
		return err
	}
	equal(d.checks, "title of the copy", e.Title, title)
	run, err := d.api.run(ctx, e.RunID)
	if err != nil {
		return err
	}
	equal(d.checks, "origin of the copy's run", run.Origin, surgical.OriginReconcile)
	d.end()
	return nil
}

// deletion deletes an issue, for which GitLab sends no event, and lets a sync notice it.
// GitLab's 404 counts once the copy is older than the confirmation time. On a stack that
// has just begun, it is that old only if the demo may wait for it.
func (d *demo) deletion(ctx context.Context) error {
	d.begin("Deletion", "deleted in GitLab, which sends no event, then lore sync")
	ref, err := d.oldestAdded(ctx)
	if err != nil {
		return err
	}
	stored, err := d.lore.Entity(ctx, ref)
	if err != nil {
		return err
	}
	if err := d.gitlab.remove(ctx, ref); err != nil {
		return err
	}
	d.out.row("GitLab", fmt.Sprintf("deleted %s, “%s”", ref.Target.Short(), stored.Value.Title))
	run, err := d.lore.StartRun(ctx, apiclient.RunRequest{ProjectID: ref.ProjectID, Issues: []int64{ref.IID}}, rand.Text())
	if err != nil {
		return err
	}
	r, err := d.awaitRun(ctx, run.Value.RunID)
	if err != nil {
		return err
	}
	equal(d.checks, "status", r.Status, surgical.StatusFailed)
	for _, e := range r.Entities {
		d.out.row("run", fmt.Sprintf("%s  %s: %s", r.RunID, r.Status, e.Code))
		equal(d.checks, "code", e.Code, surgical.CodeGitLabNotFound)
	}
	believed := stored.Value.FetchedAt.Add(surgical.Confirmation)
	if left := time.Until(believed); left > 0 && !d.wait {
		return d.stillShown(ctx, ref, believed)
	} else if left > 0 {
		d.out.row("waiting", fmt.Sprintf("until the copy is %s old, at %s: a younger 404 may come from a replica that lags", duration.Text(surgical.Confirmation), believed.Local().Format(time.TimeOnly)))
	}
	return d.hidden(ctx, ref, believed)
}

// stillShown says when an issue will be hidden whose copy is too young: GitLab's 404
// may come from a replica that lags.
func (d *demo) stillShown(ctx context.Context, ref surgical.EntityRef, believed time.Time) error {
	status, err := d.api.status(ctx, ref)
	if err != nil {
		return err
	}
	equal(d.checks, "response of the API while the 404 does not count", status, http.StatusOK)
	d.out.row("copy", fmt.Sprintf("still shown: a 404 counts once the copy is %s old, because it may come from a replica that lags", duration.Text(surgical.Confirmation)))
	d.out.row("", fmt.Sprintf("hidden within three minutes after %s, without another sync", believed.Local().Format(time.TimeOnly)))
	d.pending = ref
	d.end()
	return nil
}

// hidden waits until readers no longer see the issue.
func (d *demo) hidden(ctx context.Context, ref surgical.EntityRef, believed time.Time) error {
	d.out.row("sweeper", fmt.Sprintf("run every %s by the demo, instead of every minute", duration.Text(sweepInterval)))
	began, status := time.Now(), 0
	var (
		swept  time.Time
		failed error
	)
	if err := d.until(ctx, max(0, time.Until(believed))+hideTimeout, "the hide run", func() (_ bool, _ string, err error) {
		if time.Now().After(believed) && time.Since(swept) > sweepInterval {
			swept, failed = time.Now(), d.stack.Invoke(ctx, "sweeper") // tried again
		}
		status, err = d.api.status(ctx, ref)
		return status != http.StatusOK, fmt.Sprintf("the API still answers %d", status), err
	}); err != nil {
		return errors.Join(err, failed)
	}
	_, err := d.lore.Entity(ctx, ref)
	d.out.row("API", fmt.Sprintf("%d %s", status, surgical.CodeOf(err))+d.out.faint.Sprintf("  after %s", duration.Text(time.Since(began))))
	equal(d.checks, "response of the API", status, http.StatusGone)
	equal(d.checks, "code of the API", surgical.CodeOf(err), surgical.CodeEntityGone)
	d.out.row("CLI", surgical.AsError(err).Message)
	left, err := d.copies(ctx)
	if err != nil {
		return err
	}
	equal(d.checks, "copy is listed", slices.Contains(left, ref), false)
	d.end()
	return nil
}

// oldestAdded is the issue with the lowest number that demos added, and that still exists.
func (d *demo) oldestAdded(ctx context.Context) (surgical.EntityRef, error) {
	refs, err := d.gitlab.entities(ctx)
	if err != nil {
		return surgical.EntityRef{}, err
	}
	refs = slices.DeleteFunc(refs, func(r surgical.EntityRef) bool {
		return r.Type != surgical.Issue || r.IID < firstAdded || r == d.backfilled
	})
	if len(refs) == 0 {
		return surgical.EntityRef{}, errors.New("GitLab lists none of the issues that the demo added")
	}
	return slices.MinFunc(refs, func(a, b surgical.EntityRef) int { return a.Compare(b.Target) }), nil
}

// copies are the entities that readers see.
func (d *demo) copies(ctx context.Context) ([]surgical.EntityRef, error) {
	var all []surgical.EntityRef
	for page, err := range d.lore.EntitiesAfter(ctx, issue7.ProjectID, surgical.Target{}) {
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
	}
	return all, nil
}

// until looks again and again until look says that what it waits for has happened.
func (d *demo) until(ctx context.Context, timeout time.Duration, what string, look func() (done bool, state string, err error)) error {
	began := time.Now()
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		done, state, err := look()
		switch {
		case err != nil || done:
			return err
		case time.Since(began) > timeout:
			return fmt.Errorf("%s did not end within %s: %s", what, duration.Text(timeout), state)
		}
		d.out.passing("   %s %s  %s  %s", spinner(i), what, state, duration.Text(time.Since(began)))
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
