package console

import (
	"context"
	"slices"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

type chainLink struct {
	Run    link
	Status mark
	Made   moment
	Code   string
	// Here marks the run that the page shows.
	Here bool
}

// maxChain limits how many retries are followed in each direction.
const maxChain = 10

// chainOf follows retries in both directions, up to the first expired run.
func chainOf(ctx context.Context, run surgical.Run, find func(ctx context.Context, runID string) (surgical.Run, error)) ([]surgical.Run, error) {
	chain, seen := []surgical.Run{run}, map[string]bool{run.RunID: true}
	follow := func(next func(surgical.Run) string, add func(surgical.Run)) error {
		at := run
		for range maxChain {
			id := next(at)
			if id == "" || seen[id] {
				return nil
			}
			seen[id] = true
			found, err := find(ctx, id)
			if surgical.CodeOf(err) == surgical.CodeRunNotFound {
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
