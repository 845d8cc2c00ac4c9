package crawl

import (
	"context"
	"fmt"

	"gitlab.com/lorehook/lorehook/internal/gitlab"
	"gitlab.com/lorehook/lorehook/internal/queue"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/webhook/delivery"
)

// deliveries reads the log of the hook's deliveries down to the newest one that an
// earlier reading has seen, and requests a run for every one that failed. It returns
// the first page, and whether there is a log and this call read it. What it has read is
// recorded only in check, and only once all of it was read: a crash repeats the
// reading, whose runs have the same ids.
//
// A hook of a group is read once, for the first of the projects that it delivers; the
// others take over how far it was read.
func (w *watch) deliveries(ctx context.Context, project surgical.Project, check *surgical.HookCheck) (first []gitlab.HookEvent, read bool, err error) {
	if seen, looked := w.seen[check.ID]; looked {
		if !seen.ReadAt.IsZero() {
			check.NoLog, check.LastDelivery, check.ReadAt = "", seen.LastDelivery, seen.ReadAt
		}
		return nil, false, nil
	}
	w.seen[check.ID] = surgical.HookCheck{}
	owner := gitlab.Owner{Project: project.ID}
	if check.Group != "" {
		owner = gitlab.Owner{Group: check.Group}
	}
	var recovered int
	newest, cursor := check.LastDelivery, ""
	for pages := 0; ; pages++ {
		page, err := w.GitLab.HookEvents(ctx, owner, check.ID, cursor)
		if err != nil {
			return nil, false, err
		}
		if err := w.spare(ctx, page.RateLimit, w.report); err != nil {
			return nil, false, err
		}
		if page.Unavailable != "" {
			if check.NoLog != page.Unavailable {
				w.Log.InfoContext(ctx, "no_delivery_log", "project_id", project.ID, "reason", page.Unavailable)
			}
			check.NoLog = page.Unavailable
			return nil, false, nil
		}
		if cursor == "" {
			first = page.Events
		}
		known := false
		for _, e := range page.Events {
			if known = e.ID <= check.LastDelivery; known {
				break
			}
			newest = max(newest, e.ID)
			if !e.Failed() {
				continue
			}
			requested, err := w.recover(ctx, owner, *check, e)
			if err != nil {
				return nil, false, err
			}
			if requested {
				recovered++
				w.report.Runs++
			}
		}
		if cursor = page.Next; known || cursor == "" || pages+1 >= surgical.MaxDeliveryPages || check.ReadAt.IsZero() {
			break // of a hook that was not read before, one page: a backfill brings the rest
		}
		if w.report.spared || !enough(ctx, surgical.HooksReserve) {
			break // a reconcile finds the rest
		}
	}
	if recovered > 0 {
		w.Log.InfoContext(ctx, "deliveries_recovered", "project_id", project.ID, "runs", recovered)
	}
	check.NoLog, check.LastDelivery, check.ReadAt = "", newest, w.now
	w.seen[check.ID] = *check
	return first, true, nil
}

// recover requests the run of a delivery that failed, and hides an issue that it calls
// confidential, as the webhook would have. It reports whether it requested a run. What
// the webhook would ignore is ignored. The run has the id that the delivery itself has,
// so that a delivery that fails twice, or succeeds when GitLab sends it again, makes one
// run.
func (w *watch) recover(ctx context.Context, owner gitlab.Owner, check surgical.HookCheck, e gitlab.HookEvent) (bool, error) {
	event, err := delivery.Classify(e.Headers, e.Body)
	switch {
	case err != nil, event.Ignored != "", !w.Allows(event.ProjectID):
		return false, nil // GitLab leaves large payloads out of the log: the lists show what they were about
	case owner.Group == "" && event.ProjectID != owner.Project:
		return false, nil
	}
	ref := surgical.EntityRef{ProjectID: event.ProjectID, Target: event.Target}
	key, name := delivery.LoggedName(e.Headers, check.Signed, fmt.Sprintf("hook-%d-delivery-%d", check.ID, e.ID))
	req := surgical.Request{
		RunID: surgical.DeliveryRunID(name, ref), ProjectID: ref.ProjectID, Targets: []surgical.Target{ref.Target},
		Origin: surgical.OriginWebhook, EventAt: w.now, Evidence: event.Evidence,
	}
	if queue.FitsID(key) {
		req.IdempotencyKey = key
	}
	requested, err := w.queue(ctx, req)
	if requested && err == nil && req.Evidence.Confidential {
		err = w.Hides.Send(ctx, req.HideRequest())
	}
	return requested, err
}
