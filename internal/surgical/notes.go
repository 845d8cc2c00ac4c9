package surgical

import (
	"iter"
	"time"

	"gitlab.com/lorehook/lorehook/internal/record"
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
	for note := range s.notes() {
		marks.add(note)
	}
	return marks
}

// notes yields the notes of all discussions, without what is not an object.
func (s Snapshot) notes() iter.Seq[record.Fields] {
	return func(yield func(record.Fields) bool) {
		for _, child := range s.Children {
			if child.Kind != KindDiscussion {
				continue
			}
			discussion, _ := record.Read(child.Raw) // what is not an object has no notes
			for _, note := range discussion.Objects("notes") {
				if !yield(note) {
					return
				}
			}
		}
	}
}

func (n *Notes) add(note record.Fields) {
	n.MaxID = max(n.MaxID, note.Integer("id"))
	for _, member := range []string{"created_at", "updated_at"} {
		if at, ok := ParseTime(note.Text(member)); ok && at.After(n.MaxUpdatedAt) {
			n.MaxUpdatedAt = at
		}
	}
	n.Internal = n.Internal || note.Flag("internal") || note.Flag("confidential")
}

// UserNotes counts the snapshot's comments, as [Snapshot.UserNotesCount] does:
// without the notes that GitLab itself writes.
func (s Snapshot) UserNotes() int64 {
	var count int64
	for note := range s.notes() {
		if !note.Flag("system") {
			count++
		}
	}
	return count
}

// UserNotesCount returns GitLab's own count of the entity's comments, 0 if the
// entity does not say.
func (s Snapshot) UserNotesCount() int64 {
	entity, _ := record.Read(s.Entity) // what is not an object says nothing
	return max(entity.Integer("user_notes_count"), 0)
}
