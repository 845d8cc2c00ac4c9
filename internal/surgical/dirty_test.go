package surgical_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func TestLeftover_WaitsLongerWithEveryRunThatFailedOverIt(t *testing.T) {
	failed := surgical.Run{Status: surgical.StatusFailed, FinishedAt: t0.Add(time.Hour)}
	for name, c := range map[string]struct {
		attempts int64
		by       surgical.Run
		failures int64
		due      time.Duration
	}{
		"left on purpose":               {0, surgical.Run{Status: surgical.StatusSucceeded, FinishedAt: t0.Add(time.Hour)}, 0, 15 * time.Minute},
		"cancelled":                     {0, surgical.Run{Status: surgical.StatusCancelled, FinishedAt: t0.Add(time.Hour)}, 0, 15 * time.Minute},
		"no longer in the ledger":       {3, surgical.Run{}, 3, 15 * time.Minute},
		"its first failure":             {0, failed, 1, time.Hour + 15*time.Minute},
		"its second":                    {1, failed, 2, time.Hour + 30*time.Minute},
		"its third":                     {2, failed, 3, 2 * time.Hour},
		"its fifth":                     {4, failed, 5, 5 * time.Hour},
		"its sixth, no longer than 6 h": {5, failed, 6, 7 * time.Hour},
		"its hundredth":                 {99, failed, 100, 7 * time.Hour},
	} {
		left := surgical.DirtySource{CreatedAt: t0, Attempts: c.attempts}.LeftBy(c.by)
		if left.Failures() != c.failures || !left.DueAt().Equal(t0.Add(c.due)) || left.Blocked {
			t.Errorf("%s: %d failures, due after %v, blocked %v", name, left.Failures(), left.DueAt().Sub(t0), left.Blocked)
		}
	}
}

func TestDirtySource_WithWhatWasLeftCoversBoth(t *testing.T) {
	own := surgical.DirtySource{ID: "own.1", RunID: "own", Revision: 4, Scope: surgical.Scope{Children: []string{"b"}}, CreatedAt: t0.Add(time.Hour)}
	left := func(age time.Duration, attempts int64, scope surgical.Scope, by surgical.RunStatus) surgical.Leftover {
		return surgical.DirtySource{ID: "old.1", RunID: "old", Revision: 5, Scope: scope, CreatedAt: t0.Add(-age), Attempts: attempts}.
			LeftBy(surgical.Run{Status: by, FinishedAt: t0})
	}
	for name, c := range map[string]struct {
		left []surgical.Leftover
		want surgical.DirtySource
	}{
		"nothing": {nil, own},
		"what a failed run left": {
			[]surgical.Leftover{left(time.Minute, 2, surgical.Scope{Children: []string{"a", "b"}}, surgical.StatusFailed)},
			surgical.DirtySource{ID: "own.1", RunID: "own", Revision: 5, Scope: surgical.Scope{Children: []string{"a", "b"}}, CreatedAt: t0.Add(time.Hour), Since: t0.Add(-time.Minute), Attempts: 3},
		},
		"what two runs left": {
			[]surgical.Leftover{left(time.Minute, 0, surgical.Scope{Hide: true}, surgical.StatusCancelled), left(time.Hour, 1, surgical.Scope{All: true}, surgical.StatusSucceeded)},
			surgical.DirtySource{ID: "own.1", RunID: "own", Revision: 5, Scope: surgical.Scope{All: true, Hide: true}, CreatedAt: t0.Add(time.Hour), Since: t0.Add(-time.Hour), Attempts: 1},
		},
	} {
		if diff := cmp.Diff(c.want, own.With(c.left)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestLeftover_IsBlockedByWhatOnlyAnOperatorCanRemove(t *testing.T) {
	target := surgical.Target{Type: surgical.Issue, IID: 7}
	of := func(target surgical.Target, code surgical.Code, retryable bool) *surgical.Error {
		return &surgical.Error{Failures: []surgical.TargetFailure{{Target: target, Code: code, Retryable: retryable}}}
	}
	for name, c := range map[string]struct {
		status surgical.RunStatus
		err    *surgical.Error
		want   bool
	}{
		"the embedder refuses the key":           {surgical.StatusFailed, of(target, surgical.CodeEmbedFailed, false), true},
		"the embedder is out of reach":           {surgical.StatusFailed, of(target, surgical.CodeEmbedFailed, true), false},
		"the documents cannot be made":           {surgical.StatusFailed, of(target, surgical.CodeDocsFailed, false), false},
		"another target failed":                  {surgical.StatusFailed, of(surgical.Target{Type: surgical.Issue, IID: 8}, surgical.CodeEmbedFailed, false), false},
		"a row of before failures were recorded": {surgical.StatusFailed, nil, false},
		"cancelled in the meantime":              {surgical.StatusCancelled, of(target, surgical.CodeEmbedFailed, false), false},
	} {
		source := surgical.DirtySource{Ref: surgical.EntityRef{ProjectID: 1, Target: target}}
		if left := source.LeftBy(surgical.Run{Status: c.status, Error: c.err}); left.Blocked != c.want {
			t.Errorf("%s: blocked %v", name, left.Blocked)
		}
	}
}
