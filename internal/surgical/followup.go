package surgical

import "time"

// FollowUp is a fetch of one entity that is due later, because an earlier one
// contradicts what is known. It becomes a run once its time has come; at most one
// is pending for an entity.
type FollowUp struct {
	Ref EntityRef
	// NotBefore is when it is due.
	NotBefore time.Time
	// ConfirmAt, if set, is when a copy that contradicts the stored one is
	// believed: the follow-up has to fetch then, or later, even if it is due
	// sooner.
	ConfirmAt time.Time
	// EventAt is the newest event that it is for, Evidence the maximum of theirs.
	EventAt  time.Time
	Evidence Evidence
	// By is the attempt that wrote it last: it tells two states of it apart.
	By          AttemptID
	TraceParent string
}

// Merge adds a new follow-up to the pending one of the same entity: the earlier
// time counts, the newest event and all of the evidence.
func (f FollowUp) Merge(added FollowUp) FollowUp {
	if f.NotBefore.Before(added.NotBefore) {
		added.NotBefore = f.NotBefore
	}
	added.ConfirmAt = later(f.ConfirmAt, added.ConfirmAt)
	added.EventAt = later(f.EventAt, added.EventAt)
	added.Evidence = f.Evidence.Merge(added.Evidence)
	return added
}

// Begin splits a follow-up that is due into the run to start now, and what stays
// pending after it, if its confirmation is still ahead.
func (f FollowUp) Begin(now time.Time) (run Request, rest *FollowUp) {
	run = Request{
		ProjectID: f.Ref.ProjectID, Targets: []Target{f.Ref.Target}, Origin: OriginFollowUp,
		EventAt: f.EventAt, Evidence: f.Evidence, NotBefore: f.NotBefore, TraceParent: f.TraceParent,
	}
	switch {
	case f.ConfirmAt.IsZero():
	case f.ConfirmAt.After(now):
		left := f
		left.NotBefore = f.ConfirmAt
		rest = &left
	default:
		run.NotBefore, run.Confirms = f.ConfirmAt, true
	}
	run.RunID = RunID(OriginFollowUp, f.Ref.Key()+" "+f.By.String()+" "+f.NotBefore.UTC().Format(time.RFC3339Nano))
	return run, rest
}

// lastFollowUp is when the last follow-up of an event is due: what a fetch that
// begins then still contradicts is dropped.
func lastFollowUp(eventAt time.Time) time.Time { return eventAt.Add(Settle + Confirmation) }

// nextFollowUp returns when an event is followed up after a fetch that began at
// fetchedAt: at the first of its times that is still ahead, or at once if none is
// but the fetch came before the last of them. There is no counter, so that late
// and merged events have no more follow-ups than others.
func nextFollowUp(eventAt, fetchedAt, now time.Time) (at time.Time, ok bool) {
	for _, after := range []time.Duration{FollowUpSoon, FollowUpLater, Confirmation} {
		if at := eventAt.Add(Settle + after); at.After(now) {
			return at, true
		}
	}
	return now, fetchedAt.Before(lastFollowUp(eventAt))
}

func (r Request) followUp(t Target, at time.Time) FollowUp {
	return FollowUp{
		Ref: EntityRef{ProjectID: r.ProjectID, Target: t}, NotBefore: at,
		EventAt: r.EventAt, Evidence: r.Evidence, TraceParent: r.TraceParent,
	}
}

// CoveredBy reports whether the head makes a fetch for the request unnecessary:
// it shows a fetch that began late enough, and shows the evidence.
func (r Request) CoveredBy(h Head) bool {
	return h.Covers(r.EventAt) && h.sight().shows(r.Evidence, r.EventAt) && !(r.Confirms && h.FetchedAt.Before(r.NotBefore))
}

// Doubt judges a commit for the request, which put the head shown in place of
// replaced. What the guard accepts is committed always; behind reports that it
// contradicts the event's evidence or what the replaced head had, or that its
// date proves nothing. The follow-up is nil if there is no doubt, or no follow-up
// is left.
func (r Request) Doubt(replaced, shown Head, now time.Time) (next *FollowUp, behind bool) {
	// A lagging replica drops notes that were there.
	if replaced.HasCopy() && shown.FetchedAt.Before(replaced.FetchedUntil.Add(Confirmation)) && !shown.Notes.Reach(replaced.Notes) {
		r.EventAt = later(r.EventAt, replaced.FetchedUntil.Add(-Settle))
		r.Evidence = r.Evidence.Merge(Evidence{NoteID: replaced.Notes.MaxID, NoteAt: replaced.Notes.MaxUpdatedAt})
	}
	sight := shown.sight()
	if sight.contradicts(r.Evidence) {
		if at, ok := nextFollowUp(r.EventAt, shown.FetchedAt, now); ok {
			f := r.followUp(shown.Ref.Target, at)
			next = &f
		}
		return next, true
	}
	if !sight.provesNothing(r.Evidence, r.EventAt) && !r.outOfDate(replaced, shown) {
		return nil, false
	}
	f := r.followUp(shown.Ref.Target, later(now, lastFollowUp(r.EventAt)))
	f.ConfirmAt = lastFollowUp(r.EventAt)
	return &f, true
}

// outOfDate reports whether the event is dated before the head that its run
// replaced: dates do not tell which of the two is newer. Webhooks may give whole
// seconds only.
func (r Request) outOfDate(replaced, shown Head) bool {
	return r.Origin != OriginFollowUp && replaced.Exists() && !r.Evidence.UpdatedAt.IsZero() &&
		r.Evidence.UpdatedAt.Before(replaced.UpdatedAt.Truncate(time.Second)) && shown.FetchedAt.Before(lastFollowUp(r.EventAt))
}

// Refused returns the follow-up of a fetch that the guard refused for its older
// date: it confirms the date, once the confirmation time has passed since the
// head's fetch. It is due sooner if one of the two does not show the event.
func (r Request) Refused(h Head, s Snapshot, now time.Time) FollowUp {
	confirmAt := later(h.FetchedUntil, r.EventAt.Add(Settle)).Add(Confirmation)
	f := r.followUp(s.Ref.Target, later(now, confirmAt))
	f.ConfirmAt = confirmAt
	if !s.sight().shows(r.Evidence, r.EventAt) || h.sight().contradicts(r.Evidence) {
		if at, ok := nextFollowUp(r.EventAt, s.FetchedAt, now); ok && at.Before(lastFollowUp(r.EventAt)) {
			f.NotBefore = at
		}
	}
	return f
}

// LookAgain returns a follow-up that fetches the entity at the given time, or
// later, whatever was fetched before. It is for no event.
func (r Request) LookAgain(t Target, at time.Time) FollowUp {
	r.EventAt, r.Evidence = at.Add(-Settle-Confirmation), Evidence{}
	f := r.followUp(t, at)
	f.ConfirmAt = at
	return f
}

// Unconfirmed returns the follow-up of a fetch that did not find an entity whose
// copy is too young for that to count.
func (r Request) Unconfirmed(h Head, now time.Time) FollowUp {
	return r.LookAgain(h.Ref.Target, later(now, h.FetchedUntil.Add(Confirmation)))
}

// Hidden returns the follow-up of a hide request: once the confirmation time has
// passed, a fetch that finds the issue public is believed, so nothing stays hidden.
func (r Request) Hidden(now time.Time) FollowUp {
	f := r.followUp(r.Targets[0], later(now, lastFollowUp(r.EventAt)))
	f.ConfirmAt = lastFollowUp(r.EventAt)
	return f
}

// Hiding returns the request of the run that hides a target if GitLab still does
// not show it. r is the run that did not find it.
func (r Request) Hiding(t Target, now time.Time) Request {
	ref := EntityRef{ProjectID: r.ProjectID, Target: t}
	return Request{
		RunID: RunID(OriginHide, r.RunID+" "+ref.Key()), ProjectID: r.ProjectID, Targets: []Target{t},
		Origin: OriginHide, EventAt: now, TraceParent: r.TraceParent,
	}
}

// Missing returns the follow-up of an event whose entity GitLab did not have when
// the fetch began at fetchedAt: a replica may not have a new entity yet. Neither an
// entity that has a copy nor a request that no event asked for has one.
func (r Request) Missing(h Head, fetchedAt, now time.Time) *FollowUp {
	if !r.ofEvent() || h.HasCopy() || !fetchedAt.Before(lastFollowUp(r.EventAt)) {
		return nil
	}
	at, ok := nextFollowUp(r.EventAt, fetchedAt, now)
	if !ok {
		return nil
	}
	f := r.followUp(r.Targets[0], at)
	return &f
}

// ofEvent reports whether GitLab itself announced the one entity of the request.
func (r Request) ofEvent() bool {
	return len(r.Targets) == 1 && (r.Origin == OriginWebhook || r.Origin == OriginFollowUp || r.Origin == OriginRetry && !r.Evidence.IsZero())
}
