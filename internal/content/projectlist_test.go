package content_test

import (
	"testing"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func TestEntitiesOf_ListsEveryEntityOfTheProjectOnceInPagesOfAnyLength(t *testing.T) {
	w := newWorld(t)
	mr := surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.MergeRequest, IID: 2}}
	elsewhere := surgical.EntityRef{ProjectID: 11, Target: issue(5).Target}
	// In the order of the texts.
	want := []surgical.EntityRef{issue(10), issue(100), issue(9), mr}
	for _, ref := range append(want, elsewhere) {
		w.commit(ref, newIssue())
	}
	for limit := 1; limit <= len(want)+1; limit++ {
		var got []surgical.EntityRef
		var after surgical.Target
		for more := true; more; {
			var page []surgical.Head
			var err error
			page, after, more, err = w.EntitiesOf(ctx(), 1, after, limit)
			w.must(err)
			if len(page) > limit {
				t.Errorf("a page of %d, limit %d", len(page), limit)
			}
			if more && len(page) == 0 {
				t.Fatalf("limit %d: an empty page, and more", limit)
			}
			for _, head := range page {
				got = append(got, head.Ref)
			}
		}
		w.same("entities", want, got)
	}
	if none, _, more, err := w.EntitiesOf(ctx(), 2, surgical.Target{}, 10); err != nil || more || len(none) != 0 {
		t.Errorf("a project without entities: %v, %t, %v", none, more, err)
	}
}
