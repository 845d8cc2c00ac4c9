package surgical

import (
	"fmt"
	"slices"
	"time"
)

// everything are the lists of a backfill, from their beginning.
func everything() []Leg {
	return []Leg{
		{Type: Issue, Total: -1}, {Type: MergeRequest, Total: -1},
		{Type: Issue, CatchUp: true, Total: -1}, {Type: MergeRequest, CatchUp: true, Total: -1},
	}
}

// NewBackfill returns a backfill that is due now. wanted is the request that wants it:
// the backfill's own id, or that of a request for several projects.
func NewBackfill(projectID int64, id, wanted string, now time.Time) Pass {
	return Pass{
		ProjectID: projectID, Kind: PassBackfill, ID: id, Status: StatusRunning, For: []string{wanted},
		RequestedAt: now, StartedAt: now, DueAt: now, Legs: everything(),
	}
}

// Restarted returns a running backfill as it goes on now. If the project was hidden since
// it began, that hid what it had compared by then: it lists everything once more.
func (p Pass) Restarted(hiddenAt, now time.Time) Pass {
	if p.Kind != PassBackfill || p.Status != StatusRunning || !hiddenAt.After(p.StartedAt) {
		return p
	}
	p = p.relisted(now)
	if p.Counts.Failed > 0 {
		p.Legs = append(p.Legs, Leg{})
	}
	return p
}

// adviceOf returns what to do about backfills that failed: what each of them says, if that
// is the same. If none of them can succeed later, a retry would only repeat them.
func adviceOf(failed []Pass) (action Action, retryable bool) {
	for i, p := range failed {
		why := p.Error
		if why == nil {
			why = NewError(CodeRunCancelled, "")
		}
		retryable = retryable || why.CanSucceedLater()
		if i == 0 {
			action = why.Action
		} else if action != why.Action {
			action = ""
		}
	}
	switch {
	case action != "":
	case retryable:
		action = ActionRetryFailed
	default:
		action = ActionContactOperator
	}
	return action, retryable
}

// relisted returns the backfill as it lists everything once more.
func (p Pass) relisted(now time.Time) Pass {
	p.StartedAt, p.Legs, p.Leg, p.Cursor = now, everything(), 0, ""
	p.Counts.Listed, p.Counts.Unreadable = 0, 0
	return p
}

// Resume returns the pass with what it takes to go on: from its checkpoint, if it
// failed or was cancelled before its lists ended, and with the entities that failed.
// If its lists had records that cannot be read, it reads them all once more. It reports
// false if there is nothing left to do.
func (p Pass) Resume(now time.Time) (Pass, bool) {
	if p.Status == StatusRunning || !p.Continues() || p.Listed() && p.Counts.Failed == 0 && p.Counts.Unreadable == 0 {
		return p, false
	}
	if p.Counts.Unreadable > 0 {
		p = p.relisted(now)
	}
	if p.Counts.Failed > 0 {
		p, _ = p.retrying(Leg{})
	}
	p.Status, p.FinishedAt, p.DueAt = StatusRunning, time.Time{}, now
	return p.WithoutFailure(), true
}

// SeenAgain returns the backfill as it goes on once GitLab shows its project again, which
// it did not since unseenSince: one that failed in the meantime goes on like one that was
// retried, and one that is still running tries what failed once more at its end. It
// reports false if there is nothing to change. Clocks may differ by [Settle].
func (p Pass) SeenAgain(unseenSince, now time.Time) (Pass, bool) {
	switch {
	case p.Status == StatusFailed && !p.FinishedAt.Before(unseenSince.Add(-Settle)):
		return p.Resume(now)
	case p.Status != StatusRunning || !p.Continues():
		return p, false
	}
	return p.retrying(Leg{CatchUp: true})
}

// retrying returns the backfill with a leg at its end that tries what failed again, and
// false if it has one that is still ahead. One that was read is read again, so that the
// row does not grow with every try.
func (p Pass) retrying(leg Leg) (Pass, bool) {
	last := len(p.Legs) - 1
	switch p.Legs = slices.Clone(p.Legs); {
	case p.Legs[last].Type != "":
		p.Legs = append(p.Legs, leg)
	case p.Leg < last || p.Leg == last && p.Cursor == "":
		return p, false
	default:
		p.Legs[last], p.Leg, p.Cursor = leg, last, ""
	}
	return p, true
}

// Anew returns the backfill that takes the place of one that cannot be continued. It
// lists everything again, for the same requests.
func (p Pass) Anew(now time.Time) Pass {
	id := NewPassID(p.ProjectID, p.Kind, "anew "+p.ID)
	next := NewBackfill(p.ProjectID, id, id, now)
	if wanted := slices.DeleteFunc(slices.Clone(p.For), func(wanted string) bool { return wanted == p.ID }); len(wanted) > 0 {
		next.For = wanted
	}
	return next
}

// Replacing returns a backfill as it takes the place of the last one of its project,
// which has ended, with what is left in that one's windows: runs that have not ended are
// outstanding as before, so that starting again never queues more than may be. What
// wanted the last one wants this one too, unless it succeeded.
func (p Pass) Replacing(last Pass, windows []Window) (Pass, []Window) {
	p.Revision = last.Revision
	if last.Status != StatusSucceeded {
		for _, wanted := range last.For {
			if wanted != last.ID && !p.Wants(wanted) {
				p.For = append(slices.Clone(p.For), wanted)
			}
		}
		p.For = p.For[:min(len(p.For), MaxWanting)]
	}
	var awaited []Awaited
	for _, w := range windows {
		awaited = append(awaited, w.Awaited...)
	}
	var left []Window
	for some := range slices.Chunk(awaited[:min(len(awaited), MaxWindows*MaxWindow)], MaxWindow) {
		left = append(left, Window{PassID: p.ID, Number: p.Windows, Sent: true, Left: true, Awaited: some})
		p.Windows++
		p.Outstanding += int64(len(some))
	}
	return p, left
}

// Cancel returns the pass as the request with the id no longer wants it: cancelled if
// no other request wants it, or if the id is the pass's own. It reports false if there
// is nothing to change.
func (p Pass) Cancel(id string, now time.Time) (Pass, bool) {
	if p.Status != StatusRunning || !p.Wants(id) && id != p.ID {
		return p, false
	}
	if id != p.ID {
		p.For = slices.DeleteFunc(slices.Clone(p.For), func(wanted string) bool { return wanted == id })
		if len(p.For) > 0 {
			return p, true
		}
		p.For = []string{id}
	}
	p.Status, p.FinishedAt, p.DueAt = StatusCancelled, now, now
	p.Error = NewError(CodeRunCancelled, "the backfill was cancelled by request")
	return p, true
}

// BackfillScope is what a request for backfills names: one of its fields is set.
type BackfillScope struct {
	// Project is a project's path that no row has; Group the id or path of a group.
	Project, Group string
	// All stands for every project that the token is a member of.
	All bool
}

// String describes the scope.
func (s BackfillScope) String() string {
	switch {
	case s.All:
		return "all projects"
	case s.Group != "":
		return "group " + s.Group
	}
	return "project " + s.Project
}

// BackfillRequest requests a backfill of every allowed project in its scope. It lists
// the projects page by page, and starts a pass for each.
type BackfillRequest struct {
	ID     string
	Scope  BackfillScope
	Status RunStatus
	// Revision counts the changes of the row. A change is conditional on it.
	Revision                                int64
	CreatedAt, UpdatedAt, FinishedAt, DueAt time.Time
	// Cursor is where the list of projects goes on. Listed reports that it has ended.
	Cursor string
	Listed bool
	// Projects counts the projects that were listed, NotAllowed those among them that
	// the allow list does not name, and Joined those whose backfill was running already.
	Projects, NotAllowed, Joined int64
	// Unreadable counts records of the list that named no project.
	Unreadable int64
	Requests   int64
	// Error, Tries and FailingSince are as those of a [Pass].
	Error        *Error
	Tries        int64
	FailingSince time.Time
}

// Outdated is the request as it was read from a row of another version. If it is
// retried, it lists its projects again, and finds the backfills that it started.
func (r BackfillRequest) Outdated(version int64) BackfillRequest {
	if !r.Listed {
		r = r.relisted()
	}
	if r.Status == StatusRunning {
		r.Status, r.Error = StatusFailed, CheckpointOutdated(version)
	}
	return r
}

// Resume returns the request as it goes on: it lists the rest of its projects, or all of
// them once more if records of the list could not be read. It finds the backfills that it
// started. It reports false if its list had ended and was read.
func (r BackfillRequest) Resume(now time.Time) (_ BackfillRequest, more bool) {
	if more = !r.Listed || r.Unreadable > 0; r.Unreadable > 0 {
		r = r.relisted()
	}
	r.Status, r.FinishedAt, r.DueAt = StatusRunning, time.Time{}, now
	return r.WithoutFailure(), more
}

// WithoutFailure returns the request as it goes on once nothing fails any more.
func (r BackfillRequest) WithoutFailure() BackfillRequest {
	r.Error, r.Tries, r.FailingSince = nil, 0, time.Time{}
	return r
}

func (r BackfillRequest) relisted() BackfillRequest {
	r.Cursor, r.Listed, r.Projects, r.NotAllowed, r.Joined, r.Unreadable = "", false, 0, 0, 0, 0
	return r
}

// Conclude ends a request whose projects were all listed, given the passes that it
// wanted: it succeeds if all of them did, and if every record of the list named a project.
// It reports false while one is still running.
func (r BackfillRequest) Conclude(passes []Pass, now time.Time) (BackfillRequest, bool) {
	var failed []Pass
	for _, p := range passes {
		switch {
		case p.Status == StatusRunning:
			return r, false
		case p.Status != StatusSucceeded:
			failed = append(failed, p)
		}
	}
	r.Status, r.FinishedAt, r.Error = StatusSucceeded, now, nil
	switch {
	case len(failed) > 0:
		r.Status = StatusFailed
		r.Error = NewError(CodeBackfillIncomplete, fmt.Sprintf("the backfills of %d of %d projects did not succeed", len(failed), len(passes)))
		r.Error.Action, r.Error.Retryable = adviceOf(failed)
	case r.Unreadable > 0:
		r.Status = StatusFailed
		r.Error = NewError(CodeBackfillIncomplete, fmt.Sprintf("records of GitLab's list of projects that name no project: %d; "+
			"request the backfill of each project that is missing by its id, or retry this one once GitLab lists them with id and path_with_namespace", r.Unreadable))
		r.Error.Action, r.Error.Retryable = ActionContactOperator, false
	case r.Projects == 0 && len(passes) == 0:
		r.Status = StatusFailed
		r.Error = NewError(CodeGitLabNotFound, fmt.Sprintf("nothing was copied: GitLab shows no project to the token (%s)", r.Scope))
	case r.Projects > 0 && r.Projects == r.NotAllowed && len(passes) == 0:
		r.Status = StatusFailed
		r.Error = NewError(CodeProjectNotAllowed, fmt.Sprintf("none of the %d projects is on the allow list", r.Projects))
	}
	return r, true
}
