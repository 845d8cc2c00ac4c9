package surgical

import (
	"fmt"
	"slices"
	"time"
)

// BehindState is what happens next to documents that are behind.
type BehindState string

// The states.
const (
	// BehindRunning: the run is making them.
	BehindRunning BehindState = "running"
	// BehindPostponed: the run could not make them yet, and is resumed at NextAt.
	BehindPostponed BehindState = "postponed"
	// BehindWaiting: the run has ended. A drain makes them at NextAt, or a run of the
	// entity before that.
	BehindWaiting BehindState = "waiting"
	// BehindHeldBack: the embedder failed for a reason that only an operator can
	// remove. A drain makes them once the embedder works again.
	BehindHeldBack BehindState = "held_back"
)

// Behind says that an entity's documents, or their embeddings, are older than its copy.
type Behind struct {
	// Since is when the oldest change that they do not show was committed.
	Since time.Time
	// All reports that any document may be behind. Otherwise Changes counts the changed
	// parts of the entity.
	All     bool
	Changes int
	State   BehindState
	// RunID is the run that is to make them, or left them undone.
	RunID string
	// Code is that of the failure for which they wait, or empty; Reason says why they
	// are behind.
	Code   Code
	Reason string
	// NextAt is when the next attempt is due, zero if that is not known. A time in the
	// past is due with the next sweep.
	NextAt time.Time
}

// Undone is a dirty source with its run. The run is empty if it is no longer in the
// ledger.
type Undone struct {
	DirtySource
	Run Run
}

// ended reports whether the source's run has ended.
func (u Undone) ended() bool { return u.Run.RunID == "" || u.Run.Status.Terminal() }

// settled reports that the run made everything: its dirty source went before it ended.
func (u Undone) settled() bool {
	return u.Run.Status == StatusSucceeded && !u.Run.Options.NoDocs && !u.Run.Options.NoEmbed
}

// BehindOf sums up the dirty sources of an entity; nil if there are none. What ended
// runs left decides, because it takes the longest.
func BehindOf(rows []Undone) *Behind {
	rows = slices.DeleteFunc(slices.Clone(rows), Undone.settled)
	if len(rows) == 0 {
		return nil
	}
	b := Behind{Since: rows[0].BehindSince()}
	var scope Scope
	var left []Undone
	for _, row := range rows {
		scope = scope.Union(row.Scope)
		if row.BehindSince().Before(b.Since) {
			b.Since = row.BehindSince()
		}
		if row.ended() {
			left = append(left, row)
		}
	}
	b.All, b.Changes = scope.All, len(scope.Children)
	if len(left) > 0 {
		b.leftBy(left)
	} else {
		b.workedOn(rows)
	}
	return &b
}

// leftBy describes what ended runs left. The row that failed most often decides when
// it is drained.
func (b *Behind) leftBy(rows []Undone) {
	worst := slices.MaxFunc(rows, func(x, y Undone) int { return int(x.LeftBy(x.Run).Failures() - y.LeftBy(y.Run).Failures()) })
	b.State, b.NextAt = BehindWaiting, worst.LeftBy(worst.Run).DueAt()
	for _, row := range rows {
		if row.LeftBy(row.Run).Blocked {
			worst, b.State, b.NextAt = row, BehindHeldBack, time.Time{}
		}
	}
	b.RunID = worst.RunID
	b.Code, b.Reason = worst.whyLeft()
}

// whyLeft is why the run, which has ended, left the source.
func (u Undone) whyLeft() (Code, string) {
	switch {
	case u.Run.Status == StatusSucceeded:
		return "", "the run was requested without documents or embeddings"
	case u.Run.Error == nil:
		return "", "the run ended before it made them"
	}
	for _, f := range u.Run.Error.Failures {
		if f.Target == u.Ref.Target {
			return f.Code, f.Message
		}
	}
	return u.Run.Error.Code, u.Run.Error.Message
}

// workedOn describes what open runs are to make: one that waits decides.
func (b *Behind) workedOn(rows []Undone) {
	b.State, b.RunID, b.Reason = BehindRunning, rows[0].RunID, "the run is making them"
	for _, row := range rows {
		if row.Run.ResumeAt.After(b.NextAt) {
			b.State, b.RunID, b.NextAt = BehindPostponed, row.RunID, row.Run.ResumeAt
			if row.Run.Error != nil {
				b.Code, b.Reason = row.Run.Error.Code, row.Run.Error.Message
			}
		}
	}
}

// By says how much is behind: "by 3 changes", or "all of them".
func (b Behind) By() string {
	switch {
	case b.All:
		return "all of them"
	case b.Changes == 1:
		return "by 1 change"
	}
	return fmt.Sprintf("by %d changes", b.Changes)
}
