package workflow_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/workflow"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// Each call is a round trip of some milliseconds, and money.
func TestRunner_CallsDynamoDBNoMoreThanOneNewCommentTakes(t *testing.T) {
	w := newWorld(t)
	ref := gitlab.IssueRef(7)
	w.synced(ref)
	w.GitLab.AddDiscussion(ref, gitlab.Note{Body: "One more comment."})
	in := w.commit(surgical.Options{}, ref)
	for _, c := range []struct {
		runner *workflow.Runner
		want   []string
	}{
		{w.Docs, []string{
			"BatchGetItem content",
			"GetItem content",
			"TransactWriteItems content",
			"TransactWriteItems dependent_queue sync_runs",
			"UpdateItem dependent_queue",
			"UpdateItem sync_runs",
		}},
		{w.Embed, []string{
			"BatchGetItem content",
			"TransactWriteItems content",
			"TransactWriteItems dependent_queue dirty_sources state sync_runs",
			"UpdateItem dependent_queue",
			"UpdateItem sync_runs",
		}},
	} {
		calls := w.calls(func() { w.handle(c.runner, in) })
		if diff := cmp.Diff(c.want, calls); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.runner.Work.Type(), diff)
		}
	}
	w.settled(ref)
}

func TestRunner_EmbedsASmallChangeWithoutAJobOfItsOwn(t *testing.T) {
	w := newWorld(t)
	ref := gitlab.IssueRef(7)
	w.synced(ref)
	w.embedsSmall(surgical.SmallChange)
	w.GitLab.AddDiscussion(ref, gitlab.Note{Body: "One more comment."})
	in := w.commit(surgical.Options{}, ref)
	want := []string{
		"BatchGetItem content", // the comment, and its document
		"BatchGetItem content", // the document as it is now
		"GetItem content",
		"TransactWriteItems content", // the document
		"TransactWriteItems content", // its embeddings
		"TransactWriteItems dependent_queue dirty_sources state sync_run_entities sync_runs", // which ends the run
		"UpdateItem dependent_queue",
		"UpdateItem sync_runs",
	}
	var result workflow.Result
	if diff := cmp.Diff(want, w.calls(func() { result = w.handle(w.Docs, in) })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if w.settled(ref); result.Outcome != workflow.Closed {
		t.Errorf("the run is left to finish: %+v", result)
	}
}

// Only batches behind the first one look whether the run goes on.
func TestRunner_ReadsTheRunOncePerFurtherBatch(t *testing.T) {
	w := embedding(t, &embedder{model: "m", most: 64})
	ref := gitlab.IssueRef(7)
	w.discuss(ref, 120) // three batches with what is there
	in := w.commit(surgical.Options{}, ref)
	for _, runner := range []*workflow.Runner{w.Docs, w.Embed} {
		reads := 0
		for _, call := range w.calls(func() { w.handle(runner, in) }) {
			if call == "GetItem sync_runs" {
				reads++
			}
		}
		if reads != 2 {
			t.Errorf("%s reads the run %d times for three batches, want 2", runner.Work.Type(), reads)
		}
	}
}

// calls are the calls to DynamoDB that do makes, in order of their names.
func (w *world) calls(do func()) []string {
	var mu sync.Mutex
	var calls []string
	w.intercept(func(_ context.Context, call cloud.Call, send func() error) error {
		mu.Lock()
		calls = append(calls, place(call))
		mu.Unlock()
		return send()
	})
	do()
	w.around.Store(nil)
	return slices.Sorted(slices.Values(calls))
}

// Removing documents takes no more transactions than writing and embedding them
// does.
func TestDocuments_RemovesManyInNoMoreTransactionsThanItWroteThemIn(t *testing.T) {
	w := newWorld(t)
	ref := gitlab.IssueRef(7)
	ids := w.discuss(ref, 300)
	transactions := func() (n int) {
		in := w.commit(surgical.Options{}, ref)
		for _, call := range w.calls(func() { w.regenerate(in) }) {
			if call == "TransactWriteItems content" {
				n++
			}
		}
		w.settled(ref)
		return n
	}
	wrote := transactions()
	w.Clock.Advance(time.Minute)
	for _, id := range ids {
		w.GitLab.DeleteDiscussion(ref, strings.TrimPrefix(id, "discussion#"))
	}
	removed := transactions()
	t.Logf("300 documents: %d transactions to write and embed them, %d to remove them", wrote, removed)
	if removed > wrote {
		t.Error("removing takes more than writing")
	}
	if left := w.items(ref, "doc#discussion", "emb#discussion", "vec#discussion"); len(left) > 4*3 {
		t.Errorf("%d items are left", len(left))
	}
}
