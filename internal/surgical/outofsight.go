package surgical

import (
	"errors"
	"time"
)

// Sighting is what GitLab's answer about a project itself means for its copies. The
// zero Sighting means nothing: it was not GitLab that answered, or it cannot.
type Sighting struct {
	// Unseen: GitLab does not show the project to the token.
	Unseen bool
	// HideAt is the time before which every copy of the project is to be hidden, if
	// it was out of sight for long enough; otherwise zero.
	HideAt time.Time
	// Back: GitLab shows the project again.
	Back bool
	// Restore: its copies were hidden in the meantime, and a backfill brings back what
	// GitLab still has.
	Restore bool
}

// Sighting judges an answer about the project itself, which arrived at the time: err
// is nil if GitLab showed the project. Only GitLab's own 401, 403 and 404 mean that
// it does not. Even these hide nothing until the project has been out of sight for
// hideAfter, because an expired token or a setting changed by mistake look the same.
func (p Project) Sighting(err error, at time.Time, hideAfter time.Duration) Sighting {
	unseen := !p.UnseenSince.IsZero()
	if err == nil {
		return Sighting{Back: unseen, Restore: unseen && !p.HiddenAt.Before(p.UnseenSince)}
	}
	if errors.Is(err, ErrTokenUnread) {
		return Sighting{}
	}
	switch CodeOf(err) {
	case CodeGitLabUnauthorized, CodeGitLabForbidden, CodeGitLabNotFound:
	default:
		return Sighting{}
	}
	s := Sighting{Unseen: true}
	if due := p.UnseenSince.Add(hideAfter); unseen && !at.Before(due) && p.HiddenAt.Before(due) {
		s.HideAt = at
	}
	return s
}
