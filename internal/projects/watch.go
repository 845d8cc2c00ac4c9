// Package projects follows what GitLab says about projects themselves: their paths,
// and whether it still shows them.
package projects

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"gitlab.com/lorehook/lorehook/internal/function/metrics"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Watch records GitLab's answers about projects. All fields but Meter are required.
type Watch struct {
	Ledger *ledger.Ledger
	Clock  func() time.Time
	// HideAfter is how long a project must be out of sight before its copies are
	// hidden.
	HideAfter time.Duration
	// Backfill requests a backfill of the project. Repeating a request is harmless.
	Backfill func(ctx context.Context, projectID int64) error
	// Resume lets a backfill of the project go on that could not fetch something while
	// GitLab did not show the project. Repeating that is harmless as well.
	Resume func(ctx context.Context, p surgical.Project) error
	Log    *slog.Logger
	Meter  *metrics.Emitter
}

// Answer is what GitLab answered to GET /projects/:id.
type Answer struct {
	// Path is the project's path with its groups. Anything that cannot be one is
	// ignored.
	Path string
	// AskedAt is when the request was sent.
	AskedAt time.Time
	// Err is why GitLab did not show the project.
	Err error
}

// Record records an answer about the project and acts on it. p is the project as it
// was read before the request was sent. A step that was carried out before Record
// failed, or its process died, does no harm when it is repeated with the next
// answer.
func (w *Watch) Record(ctx context.Context, p surgical.Project, a Answer) error {
	now := w.Clock()
	s := p.Sighting(a.Err, now, w.HideAfter)
	if s.Unseen {
		w.Meter.ProjectUnseen()
		return w.unseen(ctx, p, a.Err, s, now)
	}
	if a.Err != nil {
		return nil
	}
	if path, err := surgical.ParseProjectPath(a.Path); err == nil && path != p.Path {
		if err := w.Ledger.NameProject(ctx, p.ID, path, a.AskedAt); err != nil {
			return err
		}
	}
	if !s.Back {
		return nil
	}
	// First the backfill: once unseen_since is cleared, nothing remembers that the
	// copies were hidden, or that something could not be fetched.
	if err := w.restore(ctx, p, s); err != nil {
		return fmt.Errorf("restore project %d: %w", p.ID, err)
	}
	if err := w.Ledger.SeenProject(ctx, p); err != nil {
		return err
	}
	w.Log.InfoContext(ctx, "project_seen_again", "project_id", p.ID, "unseen_since", p.UnseenSince, "backfill", s.Restore)
	return nil
}

// restore fetches what was hidden, or could not be fetched, while GitLab did not show the
// project.
func (w *Watch) restore(ctx context.Context, p surgical.Project, s surgical.Sighting) error {
	if s.Restore {
		return w.Backfill(ctx, p.ID)
	}
	return w.Resume(ctx, p)
}

// Refused records that GitLab refuses the token, as a request about something else found
// out: it shows the project as little as any other.
func (w *Watch) Refused(ctx context.Context, p surgical.Project) error {
	why, now := surgical.NewError(surgical.CodeGitLabUnauthorized, "GitLab refuses the token"), w.Clock()
	return w.unseen(ctx, p, why, p.Sighting(why, now, w.HideAfter), now)
}

func (w *Watch) unseen(ctx context.Context, p surgical.Project, why error, s surgical.Sighting, now time.Time) error {
	if p.UnseenSince.IsZero() {
		w.Log.WarnContext(ctx, "project_unseen", "project_id", p.ID, "code", string(surgical.CodeOf(why)))
		return w.Ledger.UnseenProject(ctx, p.ID, now)
	}
	if s.HideAt.IsZero() {
		return nil
	}
	if err := w.Ledger.HideProject(ctx, p.ID, s.HideAt); err != nil {
		return err
	}
	w.Log.ErrorContext(ctx, "project_hidden", "project_id", p.ID, "unseen_since", p.UnseenSince, "code", string(surgical.CodeOf(why)))
	return nil
}
