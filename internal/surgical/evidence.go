package surgical

import "time"

// Evidence is what a delivery says about the state that it announces: a copy
// that is older, or lacks the note, does not show the event. It is not trusted:
// wrong evidence costs at most the follow-ups.
type Evidence struct {
	// UpdatedAt is the entity's updated_at; zero if the delivery has none.
	UpdatedAt time.Time `json:"updated_at,omitzero"`
	// NoteID and NoteAt are the id of a note and the time of its last edit.
	NoteID int64     `json:"note_id,omitempty"`
	NoteAt time.Time `json:"note_at,omitzero"`
	// InternalNoteID and InternalNoteAt are those of an internal note, which the
	// token may not be allowed to see.
	InternalNoteID int64     `json:"internal_note_id,omitempty"`
	InternalNoteAt time.Time `json:"internal_note_at,omitzero"`
	// Confidential is set if the issue itself is confidential.
	Confidential bool `json:"confidential,omitempty"`
}

// IsZero reports whether there is no evidence.
func (e Evidence) IsZero() bool {
	return e.UpdatedAt.IsZero() && e.NoteID == 0 && e.NoteAt.IsZero() && !e.OfInternalNote() && !e.Confidential
}

// OfInternalNote reports whether some of the evidence is of an internal note.
func (e Evidence) OfInternalNote() bool { return e.InternalNoteID != 0 || !e.InternalNoteAt.IsZero() }

// WithoutInternalNote drops what only a token that sees internal notes can
// confirm.
func (e Evidence) WithoutInternalNote() Evidence {
	e.InternalNoteID, e.InternalNoteAt = 0, time.Time{}
	return e
}

// Merge returns the maximum of both: what shows it shows either.
func (e Evidence) Merge(o Evidence) Evidence {
	return Evidence{
		UpdatedAt: later(e.UpdatedAt, o.UpdatedAt),
		NoteID:    max(e.NoteID, o.NoteID), NoteAt: later(e.NoteAt, o.NoteAt),
		InternalNoteID: max(e.InternalNoteID, o.InternalNoteID), InternalNoteAt: later(e.InternalNoteAt, o.InternalNoteAt),
		Confidential: e.Confidential || o.Confidential,
	}
}

// notes are the marks that a fetch must reach to show the evidence.
func (e Evidence) notes() Notes {
	return Notes{MaxID: max(e.NoteID, e.InternalNoteID), MaxUpdatedAt: later(e.NoteAt, e.InternalNoteAt)}
}

// Reach reports whether no mark of the others is greater.
func (n Notes) Reach(others Notes) bool {
	return n.MaxID >= others.MaxID && !n.MaxUpdatedAt.Before(others.MaxUpdatedAt)
}

// sight is what one fetch shows, as far as evidence is concerned.
type sight struct {
	updatedAt, fetchedAt time.Time
	notes                Notes
}

func (h Head) sight() sight { return sight{h.UpdatedAt, h.FetchedAt, h.Notes} }

func (s Snapshot) sight() sight { return sight{s.UpdatedAt, s.FetchedAt, s.Notes} }

// contradicts reports whether the fetch is older than the evidence, or lacks its
// note.
func (s sight) contradicts(e Evidence) bool {
	return s.updatedAt.Before(e.UpdatedAt) || !s.notes.Reach(e.notes())
}

// provesNothing reports whether the fetch's date, against which the evidence is
// held, lies in the future of the fetch itself. Only time confirms such a copy.
func (s sight) provesNothing(e Evidence, eventAt time.Time) bool {
	return !e.UpdatedAt.IsZero() && s.updatedAt.After(s.fetchedAt) && s.fetchedAt.Before(lastFollowUp(eventAt))
}

// shows reports whether the fetch meets the evidence of an event received at
// eventAt.
func (s sight) shows(e Evidence, eventAt time.Time) bool {
	return !s.contradicts(e) && !s.provesNothing(e, eventAt)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
