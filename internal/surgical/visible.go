package surgical

import (
	"fmt"
	"time"
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
)

// Visible is the one rule of what readers may see: it reports whether the entity
// is shown and, if not, why. hiddenAt is when the entity's project was last
// hidden, zero if never.
//
// A copy that is stored as confidential is shown as such whatever its HiddenSince:
// that only guards against showing it as public.
func Visible(h Head, hiddenAt time.Time) (shown bool, why Concealment) {
	switch {
	case h.Erased():
		return false, Erased
	case h.Exists() && h.Gone:
		return false, Gone
	case !h.HasCopy():
		return false, Absent
	case !h.HiddenSince.IsZero() && !h.Attributes.Confidential:
		return false, Hidden
	case !h.FetchedAt.After(hiddenAt):
		return false, ProjectHidden
	}
	return true, ""
}

// Concealed returns the error for naming an entity that is not shown. Only one
// that is gone differs from one that was never stored.
func Concealed(ref EntityRef, why Concealment) *Error {
	if why == Gone {
		return NewError(CodeEntityGone, fmt.Sprintf("%s is gone: GitLab no longer shows it to the token, because it was deleted, moved or restricted", ref))
	}
	return NewError(CodeEntityNotFound, ref.String()+" is not in the store")
}
