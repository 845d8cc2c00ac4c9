package invariants_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/worker"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/engines"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// The worker does not know that its commit will land, and is about to give up
// the run: it is too old, and its last attempt failed.
func TestInvariant9ARunIsNotGivenUpIfItsCommitLandsMeanwhile(t *testing.T) {
	for _, when := range []string{"before the row is read", "between the row and the closing"} {
		t.Run(when, func(t *testing.T) {
			engines.Run(t, func(t *testing.T, e engines.Engine) {
				var commit func() error
				land := func(call cloud.Call) {
					if commit == nil {
						return
					}
					if err := commit(); err != nil {
						t.Errorf("the commit did not land: %v at %s", err, call)
					}
					commit = nil
				}
				lost, reads := errors.New("the response was lost"), 0
				db := cloud.Intercept(e.DynamoDB, func(_ context.Context, call cloud.Call, send func() error) error {
					runs := slices.Contains(call.Tables(), e.Tables.SyncRuns)
					switch {
					case call.Operation == "TransactWriteItems" && slices.Contains(call.Tables(), e.Tables.Content) && runs:
						commit, reads = call.Land, 0
						return lost
					case call.Operation == "GetItem" && runs && commit != nil:
						if reads++; reads == 1 {
							return lost // how the worker would have learned of it
						}
						if when == "before the row is read" {
							land(call)
						}
					case call.Operation == "TransactWriteItems" && runs:
						land(call)
					}
					return send()
				})
				w := cloud.NewWorld(t, db, e.Tables)
				req := w.Request(surgical.OriginManual, fakegitlab.IssueRef(7))
				real := w.Fetch
				w.Fetch = func(context.Context, surgical.EntityRef) (surgical.Snapshot, error) {
					return surgical.Snapshot{}, surgical.NewError(surgical.CodeGitLabUnavailable, "away")
				}
				if verdict, err := w.Deliver(req); cloud.Deleted(verdict) || err == nil {
					t.Fatalf("verdict %v, error %v", verdict, err)
				}
				w.Fetch = real
				w.Clock.Advance(7 * time.Hour)
				verdict, err := w.Deliver(req)
				if err != nil || !cloud.Deleted(verdict) || verdict == (worker.DeadLetter{}) {
					t.Fatalf("verdict %v, error %v", verdict, err)
				}
				w.Drive()
				if run := w.Run(req.RunID); run.Status != surgical.StatusSucceeded || run.CommittedBy != run.Attempt || run.Attempt != 2 {
					t.Errorf("run %s of attempt %d, committed by %d: %v", run.Status, run.Attempt, run.CommittedBy, run.Error)
				}
				w.Entity(fakegitlab.IssueRef(7))
			})
		})
	}
}
