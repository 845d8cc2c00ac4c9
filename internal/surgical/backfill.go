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
	p.StartedAt, p.Legs, p.Leg, p.Cursor = now, everything(), 0, ""
	if p.Counts.Failed > 0 {
		p.Legs = append(p.Legs, Leg{})
	}
	p.Counts.Listed, p.Counts.Unreadable = 0, 0
	return p
}

// Resume returns the pass with what it takes to go on: from its checkpoint, if it
// failed or was cancelled before its lists ended, and with the entities that failed.
// It reports false if there is nothing left to do.
func (p Pass) Resume(now time.Time) (Pass, bool) {
	if p.Status == StatusRunning || !p.Continues() || p.Listed() && p.Counts.Failed == 0 {
		return p, false
	}
	p.Legs = slices.Clone(p.Legs)
	if p.Counts.Failed > 0 {
		p.Legs = append(p.Legs, Leg{})
	}
	p.Status, p.FinishedAt, p.DueAt = StatusRunning, time.Time{}, now
	p.Error, p.Tries, p.FailingSince = nil, 0, time.Time{}
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
	Requests                     int64
	// Error, Tries and FailingSince are as those of a [Pass].
	Error        *Error
	Tries        int64
	FailingSince time.Time
}

// Outdated is the request as it was read from a row of another version. If it is
// retried, it lists its projects again, and finds the backfills that it started.
func (r BackfillRequest) Outdated(version int64) BackfillRequest {
	if !r.Listed {
		r.Cursor, r.Projects, r.NotAllowed, r.Joined = "", 0, 0, 0
	}
	if r.Status == StatusRunning {
		r.Status, r.Error = StatusFailed, CheckpointOutdated(version)
	}
	return r
}

// Conclude ends a request whose projects were all listed, given the passes that it
// wanted: it succeeds if all of them did. It reports false while one is still running.
func (r BackfillRequest) Conclude(passes []Pass, now time.Time) (BackfillRequest, bool) {
	failed := 0
	for _, p := range passes {
		switch {
		case p.Status == StatusRunning:
			return r, false
		case p.Status != StatusSucceeded:
			failed++
		}
	}
	r.Status, r.FinishedAt, r.Error = StatusSucceeded, now, nil
	switch {
	case failed > 0:
		r.Status = StatusFailed
		r.Error = NewError(CodeBackfillIncomplete, fmt.Sprintf("the backfills of %d of %d projects did not succeed", failed, len(passes)))
	case r.Projects > 0 && r.Projects == r.NotAllowed:
		r.Status = StatusFailed
		r.Error = NewError(CodeProjectNotAllowed, fmt.Sprintf("none of the %d projects is on the allow list", r.Projects))
	}
	return r, true
}
