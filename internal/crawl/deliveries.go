package crawl

import (
	"context"
	"fmt"

	"gitlab.com/lorehook/lorehook/internal/gitlab"
	"gitlab.com/lorehook/lorehook/internal/queue"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/webhook/delivery"
)

// reading is one reading of the log of a hook's deliveries.
type reading struct {
	project surgical.Project
	owner   gitlab.Owner
	check   surgical.HookCheck
	// pages is how many more pages may be read.
	pages int
	// first is the newest page, newest the id of the newest delivery, and recovered how
	// many runs were requested.
	first     []gitlab.HookEvent
	newest    int64
	recovered int
}

// deliveries reads the log of the hook's deliveries down to the newest one that an
// earlier reading has seen, and requests a run for every one that failed. What its
// bounds leave unread, the next reading reads after what is new. It returns the first
// page, and whether there is a log and this call read it. What it has read is recorded
// only in check, and only at its end: a crash repeats the reading, whose runs have the
// same ids.
//
// A hook of a group is read once, for the first of the projects that it delivers; the
// others take over how far it was read.
func (w *watch) deliveries(ctx context.Context, project surgical.Project, check *surgical.HookCheck) (first []gitlab.HookEvent, read bool, err error) {
	if seen, looked := w.seen[check.ID]; looked {
		if !seen.ReadAt.IsZero() {
			check.NoLog, check.LastDelivery, check.ReadAt, check.Unread, check.UnreadTo = "", seen.LastDelivery, seen.ReadAt, seen.Unread, seen.UnreadTo
		}
		return nil, false, nil
	}
	w.seen[check.ID] = surgical.HookCheck{}
	r := reading{project: project, owner: gitlab.Owner{Project: project.ID}, check: *check, pages: surgical.MaxDeliveryPages, newest: check.LastDelivery}
	if check.Group != "" {
		r.owner = gitlab.Owner{Group: check.Group}
	}
	if check.ReadAt.IsZero() {
		r.pages = 1 // a backfill brings the rest
	}
	unavailable, err := w.readLog(ctx, &r, check)
	switch {
	case err != nil:
		return nil, false, err
	case unavailable != "":
		if check.NoLog != unavailable {
			w.Log.InfoContext(ctx, "no_delivery_log", "project_id", project.ID, "reason", unavailable)
		}
		check.NoLog = unavailable
		return nil, false, nil
	}
	if r.recovered > 0 {
		w.Log.InfoContext(ctx, "deliveries_recovered", "project_id", project.ID, "runs", r.recovered)
	}
	if check.Unread != "" {
		w.Log.InfoContext(ctx, "deliveries_unread", "project_id", project.ID, "hook_id", check.ID, "down_to", check.UnreadTo)
	}
	check.NoLog, check.LastDelivery, check.ReadAt = "", r.newest, w.now
	w.seen[check.ID] = *check
	return r.first, true, nil
}

// readLog reads what is new in the log, and then what earlier readings left unread, and
// records in check what is left of both. It returns why there is no log, or "".
func (w *watch) readLog(ctx context.Context, r *reading, check *surgical.HookCheck) (unavailable string, err error) {
	rest, unavailable, err := w.read(ctx, r, "", r.check.LastDelivery)
	switch {
	case err != nil || unavailable != "":
		return unavailable, err
	case r.check.ReadAt.IsZero():
		check.Unread, check.UnreadTo = "", 0
	case rest == "" && r.check.Unread != "":
		// Deliveries since then have moved the others further down: what is at this place
		// now was read, or comes before what was not.
		check.Unread, unavailable, err = w.read(ctx, r, r.check.Unread, r.check.UnreadTo)
	case rest != "" && r.check.Unread == "":
		check.Unread, check.UnreadTo = rest, r.check.LastDelivery
	case rest != "":
		check.Unread = rest // what was left before lies behind
	}
	if check.Unread == "" {
		check.UnreadTo = 0
	}
	return unavailable, err
}

// read reads the log from the cursor on, down to a delivery that is known, and requests
// the runs of those that failed. It returns where the rest begins if it did not get that
// far, or why there is no log.
func (w *watch) read(ctx context.Context, r *reading, cursor string, known int64) (rest, unavailable string, err error) {
	for {
		if r.pages <= 0 || r.first != nil && (w.report.spared || !enough(ctx, surgical.HooksReserve)) {
			return cursor, "", nil
		}
		r.pages--
		page, err := w.GitLab.HookEvents(ctx, r.owner, r.check.ID, cursor)
		if err != nil {
			return "", "", err
		}
		if err := w.spare(ctx, page.RateLimit, w.report); err != nil {
			return "", "", err
		}
		if page.Unavailable != "" {
			return "", page.Unavailable, nil
		}
		if r.first == nil {
			r.first = append([]gitlab.HookEvent{}, page.Events...)
		}
		for _, e := range page.Events {
			if e.ID <= known {
				return "", "", nil
			}
			r.newest = max(r.newest, e.ID)
			if !e.Failed() {
				continue
			}
			requested, err := w.recover(ctx, r.owner, r.check, e)
			if err != nil {
				return "", "", err
			}
			if requested {
				r.recovered++
				w.report.Runs++
			}
		}
		if cursor = page.Next; cursor == "" {
			return "", "", nil
		}
	}
}

// recover hides an issue that a failed delivery calls confidential, and requests the
// delivery's run, in the webhook's order. It reports whether it requested a run. What
// the webhook would ignore is ignored. The run has the id that the delivery itself has,
// so that a delivery that fails twice, or succeeds when GitLab sends it again, makes one
// run. The hide request does not depend on that: if the run is known, an earlier reading
// may have ended between the two.
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
	if req.Evidence.Confidential {
		if err := w.Hides.Send(ctx, req.HideRequest()); err != nil {
			return false, fmt.Errorf("send the hide request of delivery %d: %w", e.ID, err)
		}
	}
	return w.queue(ctx, req)
}
