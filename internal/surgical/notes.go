package surgical

import (
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

// ReadNotes returns the marks of all notes of the discussions among the children, and
// the number of comments: notes that people wrote, unlike those that GitLab itself
// writes. A note whose id or time is odd counts without it; what is not an object is
// left out. It decodes every discussion, so a fetch calls it once.
func ReadNotes(children []Child) (marks Notes, comments int64) {
	for _, child := range children {
		if child.Kind != KindDiscussion {
			continue
		}
		discussion, _ := record.Read(child.Raw) // what is not an object has no notes
		for _, note := range discussion.Objects("notes") {
			marks.add(note)
			if !note.Flag("system") {
				comments++
			}
		}
	}
	return marks, comments
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

// UnseenComments returns how many of the comments that GitLab counts its list did not
// show: internal notes that the token may not see, or what the list lost.
func (s Snapshot) UnseenComments() int64 { return max(0, s.UserNotesCount()-s.Comments) }

// UserNotesCount returns GitLab's own count of the entity's comments, 0 if the
// entity does not say.
func (s Snapshot) UserNotesCount() int64 {
	entity, _ := record.Read(s.Entity) // what is not an object says nothing
	return max(entity.Integer("user_notes_count"), 0)
}
