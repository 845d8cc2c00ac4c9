package surgical

import (
	"encoding/json"
	"strconv"
	"time"
)

// Notes are the marks that the notes of one fetch leave: a fetch whose marks are
// lower than those of an earlier one lacks a note that was there.
type Notes struct {
	// MaxID is the greatest id, 0 without a note.
	MaxID int64
	// MaxUpdatedAt is the latest time at which a note was written or edited; zero
	// without a note.
	MaxUpdatedAt time.Time
	// Internal reports whether an internal note is among them.
	Internal bool
}

// Notes returns the marks of the snapshot's notes. A note whose id or time is
// odd counts without it.
func (s Snapshot) Notes() Notes {
	var marks Notes
	for _, child := range s.Children {
		if child.Kind != KindDiscussion {
			continue
		}
		var discussion struct {
			Notes []json.RawMessage `json:"notes"`
		}
		if json.Unmarshal(child.Raw, &discussion) != nil {
			continue
		}
		for _, raw := range discussion.Notes {
			marks.add(raw)
		}
	}
	return marks
}

func (n *Notes) add(raw json.RawMessage) {
	// Every member by itself: an odd one must not hide the others.
	var note struct {
		ID           json.RawMessage `json:"id"`
		CreatedAt    json.RawMessage `json:"created_at"`
		UpdatedAt    json.RawMessage `json:"updated_at"`
		Internal     json.RawMessage `json:"internal"`
		Confidential json.RawMessage `json:"confidential"`
	}
	if json.Unmarshal(raw, &note) != nil {
		return
	}
	if id, err := strconv.ParseInt(string(note.ID), 10, 64); err == nil {
		n.MaxID = max(n.MaxID, id)
	}
	for _, member := range []json.RawMessage{note.CreatedAt, note.UpdatedAt} {
		var text string
		if json.Unmarshal(member, &text) != nil {
			continue
		}
		if at, ok := ParseTime(text); ok && at.After(n.MaxUpdatedAt) {
			n.MaxUpdatedAt = at
		}
	}
	n.Internal = n.Internal || string(note.Internal) == "true" || string(note.Confidential) == "true"
}

// UserNotes counts the snapshot's comments, as [Snapshot.UserNotesCount] does:
// without the notes that GitLab itself writes.
func (s Snapshot) UserNotes() int64 {
	var count int64
	for _, child := range s.Children {
		var discussion struct {
			Notes []struct {
				System json.RawMessage `json:"system"`
			} `json:"notes"`
		}
		if child.Kind != KindDiscussion || json.Unmarshal(child.Raw, &discussion) != nil {
			continue
		}
		for _, note := range discussion.Notes {
			if string(note.System) != "true" {
				count++
			}
		}
	}
	return count
}

// UserNotesCount returns GitLab's own count of the entity's comments, 0 if the
// entity does not say.
func (s Snapshot) UserNotesCount() int64 {
	var entity struct {
		Count json.RawMessage `json:"user_notes_count"`
	}
	if json.Unmarshal(s.Entity, &entity) != nil {
		return 0
	}
	count, err := strconv.ParseInt(string(entity.Count), 10, 64)
	if err != nil {
		return 0
	}
	return max(count, 0)
}
