package invariants_test

import (
	"context"
	"slices"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/workflow"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/engines"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// overtaking is a world in which something else happens once, immediately
// before a docs stage's next transaction on the content table.
func overtaking(t *testing.T, e engines.Engine) (w *cloud.World, before func(func())) {
	var other func()
	db := cloud.Intercept(e.DynamoDB, func(_ context.Context, call cloud.Call, send func() error) error {
		tables := call.Tables()
		if other != nil && call.Operation == "TransactWriteItems" && slices.Contains(tables, e.Tables.Content) && !slices.Contains(tables, e.Tables.SyncRuns) {
			do := other
			other = nil
			do()
		}
		return send()
	})
	return cloud.NewWorld(t, db, e.Tables), func(do func()) { other = do }
}

// committed commits a request and leaves its workflow to the caller.
func committed(w *cloud.World, ref surgical.EntityRef) workflow.Input {
	w.T.Helper()
	req := w.Request(surgical.OriginManual, ref)
	if verdict, err := w.Deliver(req); err != nil || !cloud.Deleted(verdict) {
		w.T.Fatalf("verdict %v, error %v", verdict, err)
	}
	w.Workflow.Forget()
	return workflow.InputOf(w.T.Context(), req.RunID, 1)
}

// handle runs one stage, and reports whether another one follows.
func handle(w *cloud.World, stage *workflow.Runner, in workflow.Input) bool {
	w.T.Helper()
	result, err := stage.Handle(w.T.Context(), in)
	if err != nil || result.Outcome != workflow.Done && result.Outcome != workflow.Closed {
		w.T.Fatalf("%s: %+v, error %v", in.RunID, result, err)
	}
	return result.Outcome == workflow.Done
}

// stages runs docs, and embed unless docs closed the run.
func stages(w *cloud.World, in workflow.Input) {
	w.T.Helper()
	if handle(w, w.Docs, in) {
		handle(w, w.Embed, in)
	}
}

// embedded fails unless the embeddings of each stored document are current.
func embedded(w *cloud.World, t *testing.T, ref surgical.EntityRef) []string {
	t.Helper()
	head, err := w.Content.Head(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	documents, err := w.Content.Documents(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, d := range documents {
		ids = append(ids, d.ID)
	}
	embeddings, err := w.Content.Embeddings(t.Context(), ref, ids)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range documents {
		if !embeddings[d.ID].Current(head, d.Hash) {
			t.Errorf("the embeddings of %s are not current", d.ID)
		}
	}
	return ids
}

func TestInvariant7WhatIsRegeneratedIsDecidedWhenTheDocumentsAreWritten(t *testing.T) {
	engines.Run(t, func(t *testing.T, e engines.Engine) {
		w, before := overtaking(t, e)
		w.LeaveToEmbed = true // so that one run embeds between the writes of another
		ref := fakegitlab.IssueRef(7)
		describe := func(text string) {
			w.GitLab.Edit(ref, func(c *fakegitlab.Common) { c.Description = text })
		}
		describe("one")
		w.Sync(w.Request(surgical.OriginManual, ref))
		describe("two")
		second := committed(w, ref)
		handle(w, w.Docs, second)
		describe("one")
		third := committed(w, ref)
		// So far the text "one" is embedded; then the second run embeds "two".
		before(func() { handle(w, w.Embed, second) })
		stages(w, third)
		embedded(w, t, ref)
	})
}

func TestInvariant7DocumentsOfAnOlderHeadAreNotWritten(t *testing.T) {
	engines.Run(t, func(t *testing.T, e engines.Engine) {
		w, before := overtaking(t, e)
		ref := fakegitlab.IssueRef(7)
		first := committed(w, ref)
		deleted := w.GitLab.Discussions(ref)[0].ID
		before(func() {
			w.GitLab.DeleteDiscussion(ref, deleted)
			w.Sync(w.Request(surgical.OriginManual, ref))
		})
		stages(w, first)
		ids := embedded(w, t, ref)
		if gone := string(surgical.KindDiscussion) + "#" + deleted; slices.Contains(ids, gone) || len(ids) != 1+len(w.GitLab.Discussions(ref)) {
			t.Errorf("documents %v, and %s was deleted", ids, gone)
		}
	})
}
