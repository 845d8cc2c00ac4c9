package workflow_test

import (
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakedynamodb "gitlab.com/lorehook/lorehook/test/fake/dynamodb"
	"gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// docs/api/runs.md promises that a cancelled run stops before its next batch of
// documents.
func TestRunner_WritesNoBatchAfterItsRunIsCancelled(t *testing.T) {
	for _, at := range []int{1, 2} {
		db, tables := fakedynamodb.New()
		var w *cloud.World
		var runID string
		batches, watching := 0, false
		client := cloud.Intercept(db.Client(), func(ctx context.Context, call cloud.Call, send func() error) error {
			err := send()
			if !watching || call.Operation != "TransactWriteItems" || !slices.Contains(call.Tables(), tables.Content) {
				return err
			}
			if batches++; batches == at {
				why := surgical.NewError(surgical.CodeRunCancelled, "by request")
				if _, err := w.Ledger.Close(ctx, w.Run(runID), surgical.Cancelled{Error: why}); err != nil {
					t.Error(err)
				}
			}
			return err
		})
		w = cloud.NewWorld(t, client, tables)
		ref := gitlab.IssueRef(7)
		for range 190 { // four batches
			w.GitLab.AddDiscussion(ref, gitlab.Note{Body: "A note."})
		}
		req := w.Request(surgical.OriginManual, ref)
		runID = req.RunID
		if _, err := w.Deliver(req); err != nil {
			t.Fatal(err)
		}
		watching = true
		w.Drive()
		if diff := cmp.Diff(at, batches); diff != "" {
			t.Errorf("cancelled after batch %d (-want +got batches):\n%s", at, diff)
		}
		if status := w.Run(runID).Status; status != surgical.StatusCancelled {
			t.Errorf("the run is %s", status)
		}
		documents, err := w.Content.Documents(t.Context(), ref)
		if err != nil || len(documents) != 49*at {
			t.Errorf("%d documents, want %d; error %v", len(documents), 49*at, err)
		}
	}
}
