package api

import (
	"context"
	"errors"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func (s *server) retryBackfill(ctx context.Context, in *backfillInput) (*backfillOutput, error) {
	p, r, err := s.backfill(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if r != nil {
		return s.retryRequest(ctx, *r)
	}
	resumed, p, err := s.resume(ctx, p)
	switch {
	case err != nil:
		return nil, err
	case !resumed && p.Status != surgical.StatusRunning:
		return nil, nothingToRetry(in.ID)
	}
	s.crawl(ctx)
	view, err := s.passView(ctx, p)
	return &backfillOutput{Location: backfillPath(p.ID), Body: view}, err
}

func nothingToRetry(id string) error {
	return surgical.NewError(surgical.CodeConflict, "backfill "+id+": nothing failed, and nothing is left to list")
}

// resume lets a pass go on; resumed is false if it is running, or has nothing to do. A
// pass that did not succeed and cannot be continued is started again, under a new id.
func (s *server) resume(ctx context.Context, p surgical.Pass) (resumed bool, _ surgical.Pass, err error) {
	id, now := p.ID, s.Clock()
	p, err = s.Passes.ChangePass(ctx, p.ProjectID, id, func(p surgical.Pass) (surgical.Pass, bool) {
		p, resumed = p.Resume(now)
		return p, resumed
	})
	if err == nil && !p.Continues() && p.Status != surgical.StatusSucceeded {
		resumed = true
		p, err = s.Passes.StartBackfill(ctx, p.Anew(now))
	}
	if errors.Is(err, surgical.ErrMoved) || errors.Is(err, surgical.ErrReplaced) {
		err = passMoved("backfill " + id)
	}
	return resumed, p, err
}

// retryRequest resumes the backfills of a request that did not succeed, and the list of
// projects if it had not ended, or not all of it could be read.
func (s *server) retryRequest(ctx context.Context, r surgical.BackfillRequest) (*backfillOutput, error) {
	passes, err := s.wantedBy(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	next, some := r.Resume(s.Clock())
	for _, p := range passes {
		resumed, p, err := s.resume(ctx, p)
		if err != nil {
			return nil, err
		}
		some = some || resumed || p.Status == surgical.StatusRunning
	}
	if !some {
		return nil, nothingToRetry(r.ID)
	}
	if r.Status != surgical.StatusRunning {
		if r, err = s.saveRequest(ctx, next); err != nil {
			return nil, err
		}
	}
	s.crawl(ctx)
	view, err := s.requestView(ctx, r)
	return &backfillOutput{Location: backfillPath(r.ID), Body: view}, err
}
