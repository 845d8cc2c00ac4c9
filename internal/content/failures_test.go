package content_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// No call may fail unnoticed: what was not read is not known, and what was not
// written is not there.
func TestStore_ReportsEveryCallThatFails(t *testing.T) {
	broken := errors.New("broken")
	ref := issue(1)
	long := document("discussion#d1", noise(700_000))
	for name, do := range map[string]func(w *world, head surgical.Head, change *content.Change, was map[string]content.Document) error{
		"Head": func(w *world, _ surgical.Head, _ *content.Change, _ map[string]content.Document) error {
			_, err := w.Head(ctx(), ref)
			return err
		},
		"Heads": func(w *world, _ surgical.Head, _ *content.Change, _ map[string]content.Document) error {
			_, err := w.Heads(ctx(), []surgical.EntityRef{ref})
			return err
		},
		"Read": func(w *world, _ surgical.Head, _ *content.Change, _ map[string]content.Document) error {
			_, err := w.Read(ctx(), ref)
			return err
		},
		"Documents": func(w *world, _ surgical.Head, _ *content.Change, _ map[string]content.Document) error {
			_, err := w.Documents(ctx(), ref)
			return err
		},
		"Document": func(w *world, _ surgical.Head, _ *content.Change, _ map[string]content.Document) error {
			_, err := w.Document(ctx(), ref, long.ID)
			return err
		},
		"Batch": func(w *world, _ surgical.Head, _ *content.Change, _ map[string]content.Document) error {
			_, err := w.Batch(ctx(), ref, []string{"entity", long.ID})
			return err
		},
		"Embedded": func(w *world, _ surgical.Head, _ *content.Change, _ map[string]content.Document) error {
			_, err := w.Embedded(ctx(), ref)
			return err
		},
		"Vectors": func(w *world, _ surgical.Head, _ *content.Change, _ map[string]content.Document) error {
			_, err := w.Vectors(ctx(), ref, "entity")
			return err
		},
		"Orphans": func(w *world, _ surgical.Head, _ *content.Change, _ map[string]content.Document) error {
			_, err := w.Orphans(ctx(), ref)
			return err
		},
		"ExpireOrphans": func(w *world, _ surgical.Head, _ *content.Change, _ map[string]content.Document) error {
			_, err := w.ExpireOrphans(ctx(), ref, everyAttemptEnded)
			return err
		},
		"View and its Batch": func(w *world, _ surgical.Head, _ *content.Change, _ map[string]content.Document) error {
			view, err := w.View(ctx(), ref, nil)
			if err != nil {
				return err
			}
			_, _, err = view.Batch(ctx(), []string{"entity"}, view.Discussions())
			return err
		},
		"DocumentsAfter": func(w *world, _ surgical.Head, _ *content.Change, _ map[string]content.Document) error {
			for _, err := range w.DocumentsAfter(ctx(), ref, "") {
				if err != nil {
					return err
				}
			}
			return nil
		},
		"Prepare": func(w *world, _ surgical.Head, _ *content.Change, _ map[string]content.Document) error {
			_, _, err := w.Prepare(ctx(), w.snapshot(ref, large("c")), attempt("r3", 1), nil)
			return err
		},
		"StageChildren": func(w *world, _ surgical.Head, change *content.Change, _ map[string]content.Document) error {
			return w.StageChildren(ctx(), []*content.Change{change})
		},
		"ExpireSuperseded": func(w *world, _ surgical.Head, change *content.Change, _ map[string]content.Document) error {
			return w.ExpireSuperseded(ctx(), []*content.Change{change})
		},
		"WriteDocuments": func(w *world, head surgical.Head, _ *content.Change, was map[string]content.Document) error {
			return w.WriteDocuments(ctx(), head, "t.d9", []surgical.Document{long}, was)
		},
		"PutVectors": func(w *world, _ surgical.Head, _ *content.Change, was map[string]content.Document) error {
			return w.PutVectors(ctx(), ref, was[long.ID], "m", map[string][]float32{"c": {1}}, true)
		},
		"WriteEmbeddings": func(w *world, _ surgical.Head, _ *content.Change, was map[string]content.Document) error {
			return w.WriteEmbeddings(ctx(), ref, content.EmbeddingsWrite{Document: was[long.ID], Model: "m"})
		},
		"RemoveEmbeddings": func(w *world, _ surgical.Head, _ *content.Change, _ map[string]content.Document) error {
			return w.RemoveEmbeddings(ctx(), ref, "gone")
		},
		"RemoveHidden": func(w *world, head surgical.Head, _ *content.Change, _ map[string]content.Document) error {
			head.DocumentsVisibleFrom = 9
			_, err := w.RemoveHidden(ctx(), head, func() bool { return true })
			return err
		},
	} {
		for at := 1; ; at++ {
			w := newWorld(t)
			head, _ := w.commit(ref, large("a"))
			w.write(head, long, document("entity", "x"))
			w.embed(head, "entity", "c1")
			w.now = w.now.Add(time.Minute)
			change := w.prepare(ref, large("b"), attempt("r2", 1))
			w.must(w.StageChildren(ctx(), []*content.Change{change})) // orphans, too
			was := w.stored(ref, long)
			failed, calls := false, 0
			w.around = func(_ any, send func() (any, error)) (any, error) {
				w.mu.Lock()
				defer w.mu.Unlock()
				if calls++; calls == at {
					failed = true
					return nil, broken
				}
				return send()
			}
			err := do(w, head, change, was)
			if !failed {
				if err != nil || at == 1 {
					t.Errorf("%s: %d calls, %v", name, at-1, err)
				}
				break
			}
			if !errors.Is(err, broken) {
				t.Errorf("%s: call %d failed, and the answer is %v", name, at, err)
			}
			if at > 12 {
				break
			}
		}
	}
}

// A conflict with another writer that outlasts every try says nothing about the
// document: its embeddings must not be left behind as if it had come back.
func TestRemoveEmbeddings_DoesNotTakeAConflictForADocument(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.commit(issue(1), newIssue())
		w.around = func(input any, send func() (any, error)) (any, error) {
			if _, ok := input.(*dynamodb.TransactWriteItemsInput); ok {
				return nil, &types.TransactionCanceledException{CancellationReasons: []types.CancellationReason{{Code: aws.String("TransactionConflict")}}}
			}
			return send()
		}
		err := w.RemoveEmbeddings(ctx(), issue(1), "a")
		if err == nil || errors.Is(err, surgical.ErrMoved) {
			t.Errorf("got %v", err)
		}
	})
}
