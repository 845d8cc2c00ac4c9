package gitlab

import (
	"context"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Of several failures, the one that affects every fetch is returned, then what is known
// of the entity, then what passes; a request that was only cancelled says least.
func TestMostTelling_RanksWhatAffectsMoreFirst(t *testing.T) {
	ranked := []error{
		surgical.NewError(surgical.CodeGitLabUnauthorized, ""), surgical.NewError(surgical.CodeGitLabRateLimited, ""),
		surgical.NewError(surgical.CodeGitLabForbidden, ""), surgical.NewError(surgical.CodeGitLabNotFound, ""),
		surgical.NewError(surgical.CodeEntityTooLarge, ""), surgical.NewError(surgical.CodeGitLabUnavailable, ""),
		surgical.NewError(surgical.CodeGitLabTimeout, ""), surgical.WrapError(surgical.CodeGitLabTimeout, context.Canceled, ""),
	}
	for i, more := range ranked {
		for _, less := range append(ranked[i+1:], nil) {
			for _, errs := range [][]error{{more, less}, {less, more}} {
				if got := mostTelling(errs); got != more {
					t.Errorf("of %v, %v was returned", errs, got)
				}
			}
		}
	}
	if got := mostTelling([]error{nil, nil}); got != nil {
		t.Errorf("%v although nothing failed", got)
	}
}
