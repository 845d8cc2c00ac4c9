package surgical

import (
	"fmt"
	"time"
)

// Erasure says that an entity was erased: it is kept out until that is lifted.
type Erasure struct {
	Ref EntityRef
	// ErasedAt is when it was erased.
	ErasedAt time.Time
	// OpenSince is when its items were last asked to be removed; zero once nothing was
	// found any more, so long after that no function can still write.
	OpenSince time.Time
}

// Complete reports whether everything of the entity is removed for certain.
func (e Erasure) Complete() bool { return e.OpenSince.IsZero() }

// SettlesAt is from when on nothing is written any more by a function that began
// before the entity was erased.
func (e Erasure) SettlesAt() time.Time { return e.OpenSince.Add(EraseSettle) }

// IndexedUntil is until when objects of the search index may have words of the entity. No
// search finds it from the erasing on.
func (e Erasure) IndexedUntil() time.Time { return e.ErasedAt.Add(IndexForgets) }

// RecoverableUntil is until when point-in-time recovery can restore the table as it was
// before the entity was erased.
func (e Erasure) RecoverableUntil() time.Time { return e.ErasedAt.Add(PointInTimeRecovery) }

// Unsettled is the error for lifting the erasure too early.
func (e Erasure) Unsettled(now time.Time) *Error {
	err := NewError(CodeConflict, fmt.Sprintf("%s is still being erased; this can be lifted from %s on", e.Ref, moment(e.SettlesAt())))
	err.Retryable, err.Action, err.RetryAfter = true, ActionRetryAfter, max(time.Second, e.SettlesAt().Add(SweepInterval).Sub(now))
	return err
}
