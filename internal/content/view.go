package content

import (
	"context"
	"maps"
	"slices"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// View is one revision of an entity whose children can be read selectively, by
// [View.Batch].
type View struct {
	surgical.Head
	store *Store
	named entries
}

// View reads the head and those parts of its manifest that name the children;
// nil means all children. If there is no head, the View has revision 0.
func (s *Store) View(ctx context.Context, ref surgical.EntityRef, children []string) (View, error) {
	item, err := s.headItem(ctx, ref)
	if err != nil {
		return View{}, err
	}
	view := View{Head: surgical.Head{Ref: ref}, store: s, named: entries{}}
	if item == nil {
		return view, nil
	}
	view.Head = item.head(ref)
	wanted := func(part int) bool {
		return children == nil || slices.ContainsFunc(children, func(child string) bool {
			return partOf(child, len(item.Parts.Refs)) == part
		})
	}
	m, err := s.manifest(ctx, ref, item, wanted)
	if err != nil {
		return View{}, err
	}
	view.named = m.all()
	return view, nil
}

// Discussions returns the keys of the discussions in the view, in order of their
// ids.
func (v View) Discussions() []string {
	var keys []string
	for _, child := range slices.Sorted(maps.Keys(v.named)) {
		if strings.HasPrefix(child, string(surgical.KindDiscussion)+"#") {
			keys = append(keys, child)
		}
	}
	return keys
}
