package content_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// send sends one write, and returns what DynamoDB answered.
func (w *world) send(write types.TransactWriteItem, err error) error {
	w.Helper()
	w.must(err)
	return dynamo.Transact(ctx(), w.raw, []types.TransactWriteItem{write})
}

// erase erases the head as it was read, and returns the new one.
func (w *world) erase(head surgical.Head) surgical.Head {
	w.Helper()
	w.must(w.send(w.Erase(head, w.now)))
	return must(w.Head(ctx(), head.Ref))
}

func always() bool { return true }

func TestErase_LeavesNothingOfTheEntity(t *testing.T) {
	for name, notes := range map[string]int{"a manifest in the head": 1, "a manifest in parts": 60} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			ref, other := issue(1), issue(2)
			g := newIssue().and("discussion#long", note("long", strings.Repeat("long text ", 20_000)))
			for i := range notes {
				id := "n" + string(rune('A'+i))
				g = g.and("discussion#"+id, note(id, "text"))
			}
			kept, _ := w.commit(other, newIssue())
			w.write(kept, document("entity", "x"))
			head, _ := w.commit(ref, g)
			w.write(head, document("entity", strings.Repeat("long text ", 20_000)))
			w.embed(head, "entity", "c1")
			w.now = w.now.Add(time.Minute)
			w.must(w.StageChildren(ctx(), []*content.Change{w.prepare(ref, g.and("discussion#d1", note("d1", "b")), attempt("staged", 1))}))
			others := must(w.Collection(ctx(), other))

			if found := must(w.Collection(ctx(), ref)); found.Parts < notes || found.Documents != 1 || found.Embeddings != 2 {
				t.Errorf("found %+v", found)
			}
			w.now = w.now.Add(time.Hour)
			erased := w.erase(head)
			w.same("the head", surgical.Head{
				Ref: ref, Revision: 2, ChangedRevision: 2, DocumentsVisibleFrom: 2, UpdatedAt: head.UpdatedAt, FetchedUntil: w.now, ErasedAt: w.now,
			}, erased)
			if _, err := w.Read(ctx(), ref); surgical.CodeOf(err) != surgical.CodeEntityNotFound {
				t.Errorf("it is read: %v", err)
			}
			if done := must(w.RemoveErased(ctx(), erased, always)); !done {
				t.Error("it is not done")
			}
			staying, expiring := w.keys(ref, "")
			w.same("what is stored", []string{"head"}, slices.Concat(staying, expiring))
			w.same("what is stored of another", others, must(w.Collection(ctx(), other)))
		})
	}
}

func TestRemoveErased_StopsAndGoesOn(t *testing.T) {
	w := newWorld(t)
	ref := issue(1)
	head, _ := w.commit(ref, newIssue())
	w.write(head, document("entity", "x"))
	erased := w.erase(head)
	steps := 0
	for ; steps < 10; steps++ {
		left := 1
		if must(w.RemoveErased(ctx(), erased, func() bool { left--; return left >= 0 })) {
			break
		}
	}
	if found := must(w.Collection(ctx(), ref)); found.Total() > 0 || steps == 0 {
		t.Errorf("%+v after %d steps", found, steps)
	}
}

func TestErase_KeepsTheEntityOut(t *testing.T) {
	w := newWorld(t)
	ref := issue(1)
	head, _ := w.commit(ref, newIssue())
	w.now = w.now.Add(time.Minute)
	before := w.prepare(ref, newIssue().with("title", "New"), attempt("before", 1))
	erased := w.erase(head)
	if err := w.put(before); !slices.Equal(dynamo.Refusals(err), []int{0}) {
		t.Errorf("a commit that was prepared before: %v", err)
	}
	if err := w.hide(head, w.now); !slices.Equal(dynamo.Refusals(err), []int{0}) {
		t.Errorf("a hide that was read before: %v", err)
	}
	w.now = w.now.Add(time.Hour)
	for name, snap := range map[string]surgical.Snapshot{"finds": w.snapshot(ref, newIssue()), "does not find": w.missing(ref)} {
		if change, seen, err := w.Prepare(ctx(), snap, attempt("after", 1), nil); err != nil || change != nil || !seen.Erased() {
			t.Errorf("a later fetch that %s it: %v, %+v, %v", name, change, seen, err)
		}
	}
	// Whatever else is broken, the conditions refuse it.
	blind := erased
	blind.ErasedAt = time.Time{}
	if err := w.send(w.Hide(blind, w.now)); !slices.Equal(dynamo.Refusals(err), []int{0}) {
		t.Errorf("the head of an erased entity was changed: %v", err)
	}
	w.must(w.send(w.StaysErased(erased)))
	if err := w.send(w.StaysErased(head)); !slices.Equal(dynamo.Refusals(err), []int{0}) {
		t.Errorf("another head is erased: %v", err)
	}
}

func TestErase_KeepsOutWhatWasNeverStored(t *testing.T) {
	w := newWorld(t)
	ref := issue(1)
	change := w.prepare(ref, newIssue(), attempt("r1", 1))
	if erased := w.erase(surgical.Head{Ref: ref}); !erased.Erased() || erased.Revision != 1 {
		t.Fatalf("%+v", erased)
	}
	if err := w.put(change); !slices.Equal(dynamo.Refusals(err), []int{0}) {
		t.Errorf("a first copy: %v", err)
	}
}

func TestLiftErasure_LetsOnlyALaterFetchStoreACopy(t *testing.T) {
	w := newWorld(t)
	ref := issue(1)
	head, _ := w.commit(ref, newIssue())
	old := w.snapshot(ref, newIssue())
	w.now = w.now.Add(time.Minute)
	erased := w.erase(head)
	must(w.RemoveErased(ctx(), erased, always))
	w.must(w.send(w.LiftErasure(erased)))
	if _, err := w.Read(ctx(), ref); surgical.CodeOf(err) != surgical.CodeEntityNotFound {
		t.Errorf("it is read: %v", err)
	}
	if change, _, err := w.Prepare(ctx(), old, attempt("old", 1), nil); err != nil || change != nil {
		t.Errorf("a fetch from before is accepted: %v, %v", change, err)
	}
	head, change := w.commit(ref, newIssue())
	if head.Revision != 3 || head.DocumentsVisibleFrom != 2 || !change.Scope.All {
		t.Errorf("%+v, scope %+v", head, change.Scope)
	}
	w.shows(ref, w.snapshot(ref, newIssue()))
}
