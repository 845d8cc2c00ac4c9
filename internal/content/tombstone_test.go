package content_test

import (
	"fmt"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// missing is a fetch of now that did not find the entity.
func (w *world) missing(ref surgical.EntityRef) surgical.Snapshot {
	return surgical.Snapshot{Ref: ref, Missing: true, FetchedAt: w.now, FetchedUntil: w.now.Add(time.Second)}
}

// bury puts a tombstone over the entity's head once that is old enough.
func (w *world) bury(ref surgical.EntityRef) *content.Change {
	w.Helper()
	w.now = w.now.Add(time.Hour)
	w.runs++
	change, _, err := w.Prepare(ctx(), w.missing(ref), attempt(fmt.Sprintf("h%d", w.runs), 1), nil)
	w.must(err)
	if change == nil {
		w.Fatalf("the guard refused the tombstone")
	}
	w.must(w.StageChildren(ctx(), []*content.Change{change}))
	w.must(w.put(change))
	w.must(w.ExpireSuperseded(ctx(), []*content.Change{change}))
	return change
}

func TestPrepare_ATombstoneLeavesNothingOfTheEntity(t *testing.T) {
	for name, notes := range map[string]int{"a manifest in the head": 1, "a manifest in parts": 60} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			ref := issue(1)
			g := newIssue()
			for i := range notes {
				id := fmt.Sprintf("n%d", i)
				g = g.and("discussion#"+id, note(id, "text"))
			}
			head, _ := w.commit(ref, g)
			w.write(head, document("entity", "x"))
			w.embed(head, "entity", "c1")
			w.poke(ref, "head", map[string]any{"hidden_since": int64(5)})
			change := w.bury(ref)
			if change.Revision != 2 || !change.Changed || !change.Scope.All || !change.Scope.Hide || change.ChildrenWritten != 0 {
				t.Errorf("the change %+v", change)
			}
			got, err := w.Head(ctx(), ref)
			w.must(err)
			w.same("the tombstone", surgical.Head{
				Ref: ref, Revision: 2, ChangedRevision: 2, DocumentsVisibleFrom: 2, UpdatedAt: head.UpdatedAt,
				FetchedAt: w.now, FetchedUntil: w.now.Add(time.Second), RunID: "h2", HiddenSince: time.UnixMicro(5).UTC(), Gone: true,
			}, got)
			orphans, err := w.Orphans(ctx(), ref)
			w.must(err)
			if len(orphans) > 0 {
				t.Errorf("%v do not expire", orphans)
			}
			if done, err := w.RemoveHidden(ctx(), got, func() bool { return true }); err != nil || !done {
				t.Fatal(done, err)
			}
			documents, err := w.Documents(ctx(), ref)
			w.must(err)
			embedded, err := w.Embedded(ctx(), ref)
			w.must(err)
			if len(documents)+len(embedded) > 0 {
				t.Errorf("left: %v, %v", documents, embedded)
			}
		})
	}
}

func TestPrepare_StagesEverythingAnewAfterATombstone(t *testing.T) {
	w := newWorld(t)
	ref := issue(1)
	_, first := w.commit(ref, newIssue())
	w.bury(ref)
	head, change := w.commit(ref, newIssue())
	if head.Gone || head.Revision != 3 || head.ChangedRevision != 3 || head.DocumentsVisibleFrom != 2 {
		t.Errorf("the head %+v", head)
	}
	if !change.Changed || !change.Scope.All || change.ChildrenWritten != first.ChildrenWritten {
		t.Errorf("%d children of %d are written, scope %+v", change.ChildrenWritten, first.ChildrenWritten, change.Scope)
	}
	w.expire(ref)
	w.shows(ref, w.snapshot(ref, newIssue()))
}
