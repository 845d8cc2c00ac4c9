package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
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
	// passTimeout is how long to wait for a backfill or a reconcile. If a delivery is
	// being processed, its runs let that go first, which takes up to 20 s.
	passTimeout = 3 * time.Minute
	// hideTimeout is how long to wait for a deletion that may be believed: the sweeper
	// sends the messages of the follow-up and the hide run.
	hideTimeout = 5 * time.Minute
	// sweepInterval is how often the demo runs the sweeper in the meantime, which a schedule does
	// every minute.
	sweepInterval = 2 * time.Second
)

// backfill copies the issues that no event announced.
func (s *step) backfill(ctx context.Context) error {
	first, err := s.gitlab.addIssues(ctx, issue7.ProjectID, added)
	if err != nil {
		return err
	}
	s.out.row("GitLab", fmt.Sprintf("has %d more issues, which no webhook announced", added))
	before, err := s.copies(ctx)
	if err != nil {
		return err
	}
	b, err := s.lore.StartBackfill(ctx, apiclient.BackfillRequest{Project: demoProject}, rand.Text())
	if err != nil {
		return err
	}
	if err := s.out.until(ctx, passTimeout, "the backfill", func() (ended bool, _ string, err error) {
		b, err = s.lore.Backfill(ctx, b.Value.ID)
		return err == nil && b.Value.Status.Terminal(), fmt.Sprintf("%d of %d copied", b.Value.Progress.Done, b.Value.Progress.Different), err
	}); err != nil {
		return err
	}
	s.out.showPass("backfill", b.Value.Status, b.Value.FinishedAt.Sub(b.Value.CreatedAt),
		fmt.Sprintf("%d listed · %d copied · %d failed · %s", b.Value.Progress.Listed, b.Value.Progress.Done, b.Value.Progress.Failed, count(int(b.Value.Progress.Requests), "request")))
	equal(s.checks, "status", b.Value.Status, surgical.StatusSucceeded)
	after, err := s.copies(ctx)
	if err != nil {
		return err
	}
	want, err := s.gitlab.entities(ctx, issue7.ProjectID)
	if err != nil {
		return err
	}
	s.out.row("copies", fmt.Sprintf("%d before, %d after; GitLab lists %d that are not confidential", len(before), len(after), len(want)))
	for _, ref := range want {
		equal(s.checks, "copy of "+ref.String(), slices.Contains(after, ref), true)
	}
	s.backfilled = first
	_, err = s.stored(ctx, first)
	return err
}

// lostWebhook changes an issue without a delivery, and lets a reconcile find it.
func (s *step) lostWebhook(ctx context.Context) error {
	ref, title := s.opened, "Renamed while no webhook was sent ("+s.stamp+")"
	if err := s.gitlab.rename(ctx, ref, title); err != nil {
		return err
	}
	old, err := s.api.entity(ctx, ref)
	if err != nil {
		return err
	}
	s.out.row("before", fmt.Sprintf("“%s” in the copy, “%s” in GitLab", old.Title, title))
	equal(s.checks, "the copy shows the edit before the reconcile", old.Title == title, false)
	asked := time.Now()
	requested, err := s.lore.StartReconcile(ctx, apiclient.ReconcileRequest{Project: strconv.Itoa(openedProject)})
	if err != nil {
		return err
	}
	if len(requested.Value.Reconciles) != 1 {
		return fmt.Errorf("the API requested %d reconciles of one project", len(requested.Value.Reconciles))
	}
	var r apiclient.Reconcile
	if err := s.out.until(ctx, passTimeout, "the reconcile", func() (bool, string, error) {
		list, err := s.lore.Reconciles(ctx, ref.ProjectID)
		if err != nil || len(list.Value.Reconciles) != 1 {
			return false, "not listed", err
		}
		r = list.Value.Reconciles[0]
		return r.Status.Terminal() && r.BeganAt.After(requested.Value.Reconciles[0].RequestedAt), string(r.Status), nil
	}); err != nil {
		return err
	}
	s.out.showPass("reconcile", r.Status, time.Since(asked), fmt.Sprintf("%d listed · %d different · %s", r.Listed, r.Different, count(int(r.Requests), "request")))
	equal(s.checks, "status", r.Status, surgical.StatusSucceeded)
	e, err := s.stored(ctx, ref)
	if err != nil {
		return err
	}
	equal(s.checks, "title of the copy", e.Title, title)
	run, err := s.api.run(ctx, e.RunID)
	if err != nil {
		return err
	}
	equal(s.checks, "origin of the copy's run", run.Origin, surgical.OriginReconcile)
	return nil
}

// deletion deletes an issue, for which GitLab sends no event, and lets a sync notice it.
// GitLab's 404 counts once the copy is older than the confirmation time. On a stack that
// has just begun, it is that old only if the demo may wait for it.
func (s *step) deletion(ctx context.Context) error {
	ref, found, err := s.oldestAdded(ctx)
	if err != nil {
		return err
	}
	if !found {
		return errors.New("GitLab lists none of the issues that the demo added")
	}
	stored, err := s.lore.Entity(ctx, ref)
	if err != nil {
		return err
	}
	if err := s.gitlab.remove(ctx, ref); err != nil {
		return err
	}
	s.out.row("GitLab", fmt.Sprintf("deleted %s, “%s”", ref.Target.Short(), stored.Value.Title))
	run, err := s.lore.StartRun(ctx, apiclient.RunRequest{ProjectID: ref.ProjectID, Issues: []int64{ref.IID}}, rand.Text())
	if err != nil {
		return err
	}
	r, err := s.awaitRun(ctx, run.Value.RunID)
	if err != nil {
		return err
	}
	equal(s.checks, "status", r.Status, surgical.StatusFailed)
	for _, e := range r.Entities {
		s.out.row("run", fmt.Sprintf("%s  %s: %s", r.RunID, r.Status, e.Code))
		equal(s.checks, "code", e.Code, surgical.CodeGitLabNotFound)
	}
	believed := stored.Value.FetchedAt.Add(surgical.Confirmation)
	if left := time.Until(believed); left > 0 && !s.wait {
		return s.stillShown(ctx, ref, believed)
	} else if left > 0 {
		s.out.row("waiting", fmt.Sprintf("until the copy is %s old, at %s: a younger 404 may come from a replica that lags", duration.Text(surgical.Confirmation), believed.Local().Format(time.TimeOnly)))
	}
	return s.hidden(ctx, ref, believed)
}

// stillShown says when an issue will be hidden whose copy is too young: GitLab's 404
// may come from a replica that lags.
func (s *step) stillShown(ctx context.Context, ref surgical.EntityRef, believed time.Time) error {
	status, err := s.api.status(ctx, ref)
	if err != nil {
		return err
	}
	equal(s.checks, "response of the API while the 404 does not count", status, http.StatusOK)
	s.out.row("copy", fmt.Sprintf("still shown: a 404 counts once the copy is %s old, because it may come from a replica that lags", duration.Text(surgical.Confirmation)))
	s.out.row("", fmt.Sprintf("hidden within three minutes after %s, without another sync", believed.Local().Format(time.TimeOnly)))
	s.pending = ref
	return nil
}

// hidden waits until readers no longer see the issue.
func (s *step) hidden(ctx context.Context, ref surgical.EntityRef, believed time.Time) error {
	s.out.row("sweeper", fmt.Sprintf("run every %s by the demo, instead of every minute", duration.Text(sweepInterval)))
	began, status := time.Now(), 0
	var (
		swept  time.Time
		failed error
	)
	if err := s.out.until(ctx, max(0, time.Until(believed))+hideTimeout, "the hide run", func() (_ bool, _ string, err error) {
		if time.Now().After(believed) && time.Since(swept) > sweepInterval {
			swept, failed = time.Now(), s.stack.Invoke(ctx, "sweeper") // tried again
		}
		status, err = s.api.status(ctx, ref)
		return status != http.StatusOK, fmt.Sprintf("the API still answers %d", status), err
	}); err != nil {
		return errors.Join(err, failed)
	}
	_, err := s.lore.Entity(ctx, ref)
	s.out.row("API", fmt.Sprintf("%d %s", status, surgical.CodeOf(err))+s.out.faint.Sprintf("  after %s", duration.Text(time.Since(began))))
	equal(s.checks, "response of the API", status, http.StatusGone)
	equal(s.checks, "code of the API", surgical.CodeOf(err), surgical.CodeEntityGone)
	s.out.row("CLI", surgical.AsError(err).Message)
	left, err := s.copies(ctx)
	if err != nil {
		return err
	}
	equal(s.checks, "copy is listed", slices.Contains(left, ref), false)
	return nil
}

// canDelete reports whether there is an issue to delete before this demo's backfill, which
// an earlier one has copied. One whose copy is too young is not waited for before that.
func (d *demo) canDelete(ctx context.Context) (bool, error) {
	ref, found, err := d.oldestAdded(ctx)
	if err != nil || !found {
		return false, err
	}
	stored, err := d.lore.Entity(ctx, ref)
	if err != nil {
		return false, nil // the earlier demo did not come so far
	}
	return !d.wait || time.Since(stored.Value.FetchedAt) > surgical.Confirmation, nil
}

// oldestAdded is the issue with the lowest number that demos added, and that still
// exists, but for the one that this demo shows.
func (d *demo) oldestAdded(ctx context.Context) (oldest surgical.EntityRef, found bool, err error) {
	refs, err := d.gitlab.entities(ctx, issue7.ProjectID)
	if err != nil {
		return oldest, false, err
	}
	refs = slices.DeleteFunc(refs, func(r surgical.EntityRef) bool {
		return r.Type != surgical.Issue || r.IID < firstAdded || r == d.backfilled
	})
	if len(refs) == 0 {
		return oldest, false, nil
	}
	return slices.MinFunc(refs, func(a, b surgical.EntityRef) int { return a.Compare(b.Target) }), true, nil
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
