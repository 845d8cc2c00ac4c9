package console

import (
	"context"
	"errors"
	"slices"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

type chainLink struct {
	Run    link
	Status mark
	Made   moment
	Code   string
	// Here marks the run that the page is about.
	Here bool
}

// maxChain bounds how many retries are followed in either direction.
const maxChain = 10

// chain follows the retries in both directions; runs that expired end it.
func (r reader) chain(ctx context.Context, run surgical.Run) ([]surgical.Run, error) {
	chain, seen := []surgical.Run{run}, map[string]bool{run.RunID: true}
	follow := func(next func(surgical.Run) string, add func(surgical.Run)) error {
		at := run
		for range maxChain {
			id := next(at)
			if id == "" || seen[id] {
				return nil
			}
			seen[id] = true
			found, err := r.ledger.Run(ctx, id)
			if isNotFound(err) {
				return nil
			}
			if err != nil {
				return err
			}
			add(found)
			at = found
		}
		return nil
	}
	if err := follow(func(run surgical.Run) string { return run.RetryOf }, func(run surgical.Run) { chain = slices.Insert(chain, 0, run) }); err != nil {
		return nil, err
	}
	err := follow(func(run surgical.Run) string { return run.RetriedBy }, func(run surgical.Run) { chain = append(chain, run) })
	return chain, err
}

func (f frame) chain(here surgical.Run, chain []surgical.Run) []chainLink {
	if len(chain) < 2 {
		return nil
	}
	var links []chainLink
	for _, run := range chain {
		l := chainLink{Run: f.toRun(run.RunID), Status: markOf(run.Status), Made: f.moment(run.CreatedAt), Here: run.RunID == here.RunID}
		if run.Error != nil {
			l.Code = string(run.Error.Code)
		}
		links = append(links, l)
	}
	return links
}

// isNotFound reports whether the ledger does not know the run.
func isNotFound(err error) bool {
	var e *surgical.Error
	return errors.As(err, &e) && e.Code == surgical.CodeRunNotFound
}
