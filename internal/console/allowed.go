package console

import (
	"context"
	"iter"
	"slices"

	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// allowed is the part of a ledger that is about projects on the allow list. Its counts,
// which name no project, are of all runs.
type allowed struct {
	Ledger
	allows func(projectID int64) bool
}

// check returns [surgical.CodeProjectNotAllowed] for a project that is not on the list.
func (a allowed) check(projectID int64) error {
	if a.allows(projectID) {
		return nil
	}
	return surgical.NotAllowed(projectID)
}

func (a allowed) of(runs []surgical.Run) []surgical.Run {
	return slices.DeleteFunc(runs, func(run surgical.Run) bool { return !a.allows(run.ProjectID) })
}

func (a allowed) Run(ctx context.Context, runID string) (surgical.Run, error) {
	run, err := a.Ledger.Run(ctx, runID)
	if err != nil {
		return run, err
	}
	return run, a.check(run.ProjectID)
}

func (a allowed) List(ctx context.Context, filter ledger.RunFilter, from ledger.RunPlace, limit int) ([]surgical.Run, ledger.RunPlace, error) {
	if filter.ProjectID != 0 {
		if err := a.check(filter.ProjectID); err != nil {
			return nil, ledger.RunPlace{}, err
		}
	}
	runs, next, err := a.Ledger.List(ctx, filter, from, limit)
	return a.of(runs), next, err
}

func (a allowed) ListOfEntity(ctx context.Context, ref surgical.EntityRef, from ledger.RunPlace, limit int) ([]surgical.Run, ledger.RunPlace, error) {
	if err := a.check(ref.ProjectID); err != nil {
		return nil, ledger.RunPlace{}, err
	}
	return a.Ledger.ListOfEntity(ctx, ref, from, limit)
}

func (a allowed) Open(ctx context.Context, most int) ([]surgical.Run, bool, error) {
	runs, more, err := a.Ledger.Open(ctx, most)
	return a.of(runs), more, err
}

func (a allowed) Project(ctx context.Context, projectID int64) (surgical.Project, error) {
	if err := a.check(projectID); err != nil {
		return surgical.Project{}, err
	}
	return a.Ledger.Project(ctx, projectID)
}

func (a allowed) ProjectsAfter(ctx context.Context, after int64, atOnce int) iter.Seq2[surgical.Project, error] {
	return func(yield func(surgical.Project, error) bool) {
		for p, err := range a.Ledger.ProjectsAfter(ctx, after, atOnce) {
			if (err != nil || a.allows(p.ID)) && !yield(p, err) {
				return
			}
		}
	}
}
