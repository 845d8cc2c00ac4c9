package content_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
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

// Who may not see confidential issues must not learn that there was one.
func TestPrepare_ATombstoneRemembersThatTheCopyWasConfidential(t *testing.T) {
	for name, c := range map[string]struct {
		confidential bool
		want         surgical.Concealment
	}{"confidential": {true, surgical.Excluded}, "public": {false, surgical.Gone}} {
		w := newWorld(t)
		ref := issue(1)
		w.commit(ref, newIssue().with("confidential", c.confidential))
		w.bury(ref)
		head, err := w.Head(ctx(), ref)
		w.must(err)
		if shown, why := surgical.Visible(head, surgical.Sight{}); shown || why != c.want {
			t.Errorf("%s: concealed as %v, want %v", name, why, c.want)
		}
		if shown, why := surgical.Visible(head, surgical.Sight{Confidential: surgical.Include}); shown || why != surgical.Gone {
			t.Errorf("%s, for those who may see it: %v", name, why)
		}
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

func TestPrepare_ATombstoneCoversAHeadThatIsDamaged(t *testing.T) {
	for name, c := range map[string]struct {
		lost    func(sk string) bool
		most    int
		unknown bool
	}{
		"a part of the manifest is missing": {func(sk string) bool { return strings.HasPrefix(sk, "part#") }, 1, true},
		"no part is there":                  {func(sk string) bool { return strings.HasPrefix(sk, "part#") }, 1000, true},
		"a list of pieces is missing":       {func(sk string) bool { return strings.HasSuffix(sk, "#list") }, 1, true},
		"a child is missing":                {func(sk string) bool { return strings.HasPrefix(sk, "child#") }, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			ref := issue(1)
			g := newIssue().with("description", noise(600_000))
			for i := range 60 {
				id := fmt.Sprintf("n%d", i)
				g = g.and("discussion#"+id, note(id, "text"))
			}
			w.commit(ref, g)
			staged, _ := w.keys(ref, "")
			staged = slices.DeleteFunc(staged, func(sk string) bool { return !c.lost(sk) })
			if len(staged) == 0 {
				t.Fatal("nothing to lose")
			}
			w.remove(ref, staged[:min(len(staged), c.most)]...)
			w.now = w.now.Add(time.Hour)
			change, _, err := w.Prepare(ctx(), w.missing(ref), attempt("h", 1), nil)
			w.must(err)
			w.must(w.put(change))
			head, err := w.Head(ctx(), ref)
			w.must(err)
			if !head.Gone {
				t.Errorf("the head is %+v", head)
			}
			if err := w.ExpireSuperseded(ctx(), []*content.Change{change}); (err != nil) != c.unknown {
				t.Errorf("ExpireSuperseded: %v", err)
			}
			_, err = w.ExpireOrphans(ctx(), ref, func(context.Context, surgical.AttemptID) (bool, error) { return true, nil })
			w.must(err)
			if orphans, err := w.Orphans(ctx(), ref); err != nil || len(orphans) > 0 {
				t.Errorf("%v do not expire: %v", orphans, err)
			}
		})
	}
}
