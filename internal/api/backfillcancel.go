package api

import (
	"context"
	"errors"
	"fmt"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func (s *server) cancelBackfill(ctx context.Context, in *backfillInput) (*answer[BackfillView], error) {
	p, r, err := s.backfill(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if r != nil {
		return s.cancelRequest(ctx, *r)
	}
	p, err = s.cancelPass(ctx, p, in.ID)
	if err != nil {
		return nil, err
	}
	if p.Status != surgical.StatusCancelled {
		return nil, surgical.NewError(surgical.CodeConflict, fmt.Sprintf("backfill %s can no longer be cancelled; its status is %s", in.ID, p.Status))
	}
	s.crawl(ctx)
	view, err := s.passView(ctx, p)
	return &answer[BackfillView]{view}, err
}

// cancelPass cancels the pass if nobody but the request with the id wants it, or if
// that is the pass itself. Otherwise only that request no longer wants it.
func (s *server) cancelPass(ctx context.Context, p surgical.Pass, wanted string) (surgical.Pass, error) {
	id, now := p.ID, s.Clock()
	p, err := s.Passes.ChangePass(ctx, p.ProjectID, id, func(p surgical.Pass) (surgical.Pass, bool) { return p.Cancel(wanted, now) })
	if errors.Is(err, surgical.ErrMoved) {
		err = passMoved("backfill " + id)
	}
	return p, err
}

// cancelRequest first ends the request, so that it starts no more backfills.
func (s *server) cancelRequest(ctx context.Context, r surgical.BackfillRequest) (*answer[BackfillView], error) {
	switch r.Status {
	case surgical.StatusRunning:
		r.Status, r.FinishedAt = surgical.StatusCancelled, s.Clock()
		r.Error = surgical.NewError(surgical.CodeRunCancelled, "the backfill was cancelled by request")
		var err error
		if r, err = s.saveRequest(ctx, r); err != nil {
			return nil, err
		}
	case surgical.StatusCancelled: // its backfills may not be cancelled yet
	default:
		return nil, surgical.NewError(surgical.CodeConflict, fmt.Sprintf("backfill %s can no longer be cancelled; its status is %s", r.ID, r.Status))
	}
	passes, err := s.wantedBy(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	for _, p := range passes {
		if _, err := s.cancelPass(ctx, p, r.ID); err != nil && surgical.CodeOf(err) != surgical.CodeBackfillNotFound {
			return nil, err
		}
	}
	s.crawl(ctx)
	view, err := s.requestView(ctx, r)
	return &answer[BackfillView]{view}, err
}
