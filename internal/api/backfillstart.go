package api

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// BackfillBody is what to copy.
type BackfillBody struct {
	Project projectRef `json:"project,omitempty" example:"group/project" doc:"GitLab's id of the project, or its path. A path that is not known yet is looked up in GitLab."`
	Group   string     `json:"group,omitempty" minLength:"1" maxLength:"1000" pattern:"^[A-Za-z0-9_.][A-Za-z0-9_.-]*(/[A-Za-z0-9_.][A-Za-z0-9_.-]*)*$" patternDescription:"the id of a group, or its path such as group/subgroup" example:"group/subgroup" doc:"The id or path of a group: all of its projects, and those of its subgroups, that are on the allow list."`
	All     bool       `json:"all,omitempty" doc:"Every project on the allow list that the access token is a member of."`

	raw []byte
}

// UnmarshalJSON implements [json.Unmarshaler]; it keeps the text for [ambiguous].
func (b *BackfillBody) UnmarshalJSON(raw []byte) error {
	type plain BackfillBody
	return unmarshalKeeping(raw, (*plain)(b), &b.raw)
}

type startBackfillInput struct {
	Key  string `header:"Idempotency-Key" minLength:"1" maxLength:"128" pattern:"^[!-~]+$" patternDescription:"1 to 128 printable ASCII characters without spaces" example:"first-import" doc:"Repeated requests with the same key start one backfill. Without a key, every request starts its own."`
	Body BackfillBody
}

// Resolve implements [huma.Resolver].
func (in *startBackfillInput) Resolve(ctx huma.Context) (errs []error) {
	errs = emptyKey(ctx)
	errs = append(errs, ambiguous(in.Body.raw, reflect.TypeFor[BackfillBody]())...)
	if len(errs) > 0 || in.Body.raw == nil {
		return errs
	}
	named := 0
	for _, given := range []bool{in.Body.Project != "", in.Body.Group != "", in.Body.All} {
		if given {
			named++
		}
	}
	if named != 1 {
		errs = append(errs, &huma.ErrorDetail{Location: "body.project", Message: "expected exactly one of project, group, and all with true", Value: in.Body.Project})
	}
	return errs
}

func (s *server) startBackfill(ctx context.Context, in *startBackfillInput) (*backfillOutput, error) {
	key := in.Key
	if key == "" {
		key = s.NewKey()
	}
	now := s.Clock()
	if in.Body.Project != "" {
		id, err := s.project(ctx, "body.project", in.Body.Project)
		var asked bool
		if err == nil {
			asked, err = s.askedFor(ctx, in.Body.Project, key)
		}
		switch {
		case asked:
		case err == nil:
			return s.startOfProject(ctx, id, key, now)
		case surgical.CodeOf(err) != surgical.CodeProjectUnknown:
			return nil, err
		}
		// Only GitLab can know the path: the crawler looks it up.
	}
	r := surgical.BackfillRequest{
		ID:     surgical.NewPassID(0, surgical.PassBackfill, key),
		Scope:  surgical.BackfillScope{Project: string(in.Body.Project), Group: in.Body.Group, All: in.Body.All},
		Status: surgical.StatusRunning, CreatedAt: now, DueAt: now,
	}
	stored, err := s.Passes.SaveBackfillRequest(ctx, r)
	if errors.Is(err, surgical.ErrMoved) {
		stored, err = s.Passes.BackfillRequest(ctx, r.ID)
		if err == nil && stored.Scope != r.Scope {
			err = surgical.NewError(surgical.CodeConflict, "the Idempotency-Key was used for a different request, backfill "+r.ID)
		}
	}
	if err != nil {
		return nil, err
	}
	s.crawl(ctx)
	view, err := s.requestView(ctx, stored)
	return &backfillOutput{Location: backfillPath(stored.ID), Body: view}, err
}

// askedFor reports whether a request with the key named the project by this path before
// the path was known.
func (s *server) askedFor(ctx context.Context, path projectRef, key string) (bool, error) {
	r, err := s.Passes.BackfillRequest(ctx, surgical.NewPassID(0, surgical.PassBackfill, key))
	if surgical.CodeOf(err) == surgical.CodeBackfillNotFound {
		return false, nil
	}
	return err == nil && r.Scope == surgical.BackfillScope{Project: string(path)}, err
}

func (s *server) startOfProject(ctx context.Context, projectID int64, key string, now time.Time) (*backfillOutput, error) {
	id := surgical.NewPassID(projectID, surgical.PassBackfill, key)
	p, err := s.Passes.StartBackfill(ctx, surgical.NewBackfill(projectID, id, id, now))
	switch {
	case errors.Is(err, surgical.ErrMoved):
		return nil, passMoved("backfill " + id)
	case errors.Is(err, surgical.ErrReplaced):
		return nil, surgical.NewError(surgical.CodeConflict, fmt.Sprintf("the Idempotency-Key started backfill %s, and a later one of project %d took its place since; use another key to start one more", id, projectID))
	case err != nil:
		return nil, err
	case p.ID != id:
		return nil, surgical.NewError(surgical.CodeConflict, fmt.Sprintf("backfill %s of project %d is running", p.ID, projectID))
	}
	s.crawl(ctx)
	view, err := s.passView(ctx, p)
	return &backfillOutput{Location: backfillPath(id), Body: view}, err
}
