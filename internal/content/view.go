package content

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// View is one revision of an entity, of which single children can be read.
type View struct {
	surgical.Head
	store *Store
	named entries
}

// View reads the head and as much of its manifest as names the children; nil
// stands for all of them. An entity without a head gives a View of revision 0.
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

// Discussions returns the keys of the discussions that the view names, in
// order of their ids.
func (v View) Discussions() []string {
	var keys []string
	for _, child := range slices.Sorted(maps.Keys(v.named)) {
		if strings.HasPrefix(child, string(surgical.KindDiscussion)+"#") {
			keys = append(keys, child)
		}
	}
	return keys
}

// Load reads children by their keys; those that the revision does not have are
// left out. A view older than the expiry of its children fails.
func (v View) Load(ctx context.Context, children []string) (map[string]json.RawMessage, error) {
	wanted := entries{}
	for _, child := range children {
		if entry, ok := v.named[child]; ok {
			wanted[child] = entry
		}
	}
	return v.store.someChildren(ctx, v.Ref, wanted)
}
