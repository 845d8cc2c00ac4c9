package surgical

import (
	"cmp"
	"encoding/json"
	"fmt"
	"time"

	"gitlab.com/lorehook/lorehook/internal/record"
)

// Concealment is why an entity is not shown.
type Concealment string

// The concealments.
const (
	// Absent: no copy is stored.
	Absent Concealment = "absent"
	// Gone: GitLab no longer shows it to the token.
	Gone Concealment = "gone"
	// Hidden: a delivery called the issue confidential, and the copy is still public.
	Hidden Concealment = "hidden"
	// Erased: an operator had it removed, and kept out.
	Erased Concealment = "erased"
	// ProjectHidden: the copy was fetched before its project was hidden.
	ProjectHidden Concealment = "project_hidden"
	// Excluded: the copy is confidential, or a delivery called the issue so, and
	// [Exclude] applies.
	Excluded Concealment = "excluded"
)

// Policy is what readers see of confidential issues and internal notes. Anything but
// [Include] excludes them.
type Policy string

// The policies.
const (
	// Exclude shows neither, and answers like something that was never stored.
	Exclude Policy = "exclude"
	// Include shows both.
	Include Policy = "include"
)

// UnmarshalText reads a setting.
func (p *Policy) UnmarshalText(text []byte) error {
	switch *p = Policy(text); *p {
	case Exclude, Include:
		return nil
	}
	return fmt.Errorf("expected %s or %s, got %q", Exclude, Include, text)
}

// Sight is what readers may see of a project. The zero Sight is of a project that was
// never hidden, and excludes what is confidential.
type Sight struct {
	// HiddenAt is when the project was last hidden, zero if never.
	HiddenAt     time.Time
	Confidential Policy
}

// Visible is the one rule of what readers may see: it reports whether the entity
// is shown and, if not, why. [Sight.ShowsDocument] and [Sight.Discussion] say the same
// of its parts.
//
// Under [Include], a copy that is stored as confidential is shown as such whatever its
// HiddenSince: that only guards against showing it as public. Under [Exclude], the
// tombstone of a confidential copy looks like something that was never stored either.
func Visible(h Head, sight Sight) (shown bool, why Concealment) {
	excludes := sight.Confidential != Include
	switch {
	case !h.Exists():
		return false, Absent
	case h.Erased():
		return false, Erased
	case excludes && (h.Attributes.Confidential || !h.HiddenSince.IsZero() && !h.Gone):
		return false, Excluded
	case h.Gone:
		return false, Gone
	case !h.HasCopy():
		return false, Absent
	case !h.HiddenSince.IsZero() && !h.Attributes.Confidential:
		return false, Hidden
	case !h.FetchedAt.After(sight.HiddenAt):
		return false, ProjectHidden
	}
	return true, ""
}

// ShowsDocument reports whether readers see a document of an entity that is shown: one
// that the head does not hide and, under [Exclude], that holds no internal note.
func (s Sight) ShowsDocument(h Head, revision int64, confidential bool) bool {
	return revision >= h.DocumentsVisibleFrom && (s.Confidential == Include || !confidential)
}

// Discussion returns what readers see of a discussion of an entity that is shown; false
// if that is nothing. Under [Exclude], internal notes are left out one by one, and so is
// what does not say whether it is one.
func (s Sight) Discussion(raw json.RawMessage) (json.RawMessage, bool) {
	if s.Confidential == Include {
		return raw, true
	}
	discussion, ok := record.Read(raw)
	if !ok {
		return nil, false
	}
	notes, ok := discussion.List("notes")
	if !ok {
		return nil, false
	}
	public := make([]json.RawMessage, 0, len(notes))
	for _, note := range notes {
		if isPublic(note) {
			public = append(public, note)
		}
	}
	switch {
	case len(public) == len(notes):
		return raw, true
	case len(public) == 0:
		return nil, false
	}
	shown, err := discussion.With("notes", public)
	return shown, err == nil
}

func isPublic(raw json.RawMessage) bool {
	note, ok := record.Read(raw)
	if !ok {
		return false
	}
	internal, err := IsInternal(note)
	return !internal && err == nil
}

// IsInternal reports whether the note is internal. Older versions of GitLab call it
// confidential. The error is about a field that does not tell, unless the other one
// says that it is.
func IsInternal(note record.Fields) (bool, error) {
	internal, err := note.Access("internal")
	confidential, olderErr := note.Access("confidential")
	if internal || confidential {
		return true, nil
	}
	return false, cmp.Or(err, olderErr)
}

// Concealed returns the error for naming an entity that is not shown. Only one
// that is gone differs from one that was never stored.
func Concealed(ref EntityRef, why Concealment) *Error {
	if why == Gone {
		return NewError(CodeEntityGone, fmt.Sprintf("%s is gone: GitLab no longer shows it to the token, because it was deleted, moved or restricted", ref))
	}
	return NewError(CodeEntityNotFound, ref.String()+" is not in the store")
}
