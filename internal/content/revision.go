package content

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// maxOvertaken bounds how often a reader starts over because the items of its
// revision expired.
const maxOvertaken = 3

// Revision is one revision of an entity that is shown: what its head names, whatever is
// committed at the same time. What it reads leaves out what may not be shown.
type Revision struct {
	surgical.Head
	store *Store
	sight surgical.Sight
	named entries
}

// ReadRevision calls read with the entity's revision of this moment. It calls it again,
// with a newer one, if items expire before they are read, so read must begin anew with
// each call. The error is that of read, or for an entity that is not shown
// [surgical.CodeEntityGone] or [surgical.CodeEntityNotFound].
func (r *Reader) ReadRevision(ctx context.Context, ref surgical.EntityRef, read func(*Revision) error) error {
	for try := 1; ; try++ {
		revision, err := r.revision(ctx, ref)
		if err == nil {
			err = read(revision)
		}
		if !errors.Is(err, errOvertaken) || try == maxOvertaken {
			return err
		}
	}
}

func (r *Reader) revision(ctx context.Context, ref surgical.EntityRef) (*Revision, error) {
	item, err := r.store.headItem(ctx, ref)
	if err != nil {
		return nil, err
	}
	head := surgical.Head{Ref: ref}
	if item != nil {
		head = item.head(ref)
	}
	sight, err := r.visible(ctx, head)
	if err != nil {
		return nil, err
	}
	m, err := r.store.manifest(ctx, ref, item, everyPart)
	if err != nil {
		return nil, err
	}
	return &Revision{head, r.store, sight, m.all()}, nil
}

// texts reads all children together.
func (v *Revision) texts(ctx context.Context) (map[string]json.RawMessage, error) {
	return v.store.children(ctx, v.Ref, v.named)
}

// whole reads everything.
func (v *Revision) whole(ctx context.Context) (Entity, error) {
	texts, err := v.texts(ctx)
	if err != nil {
		return Entity{}, err
	}
	kinds := map[surgical.ChildKind]bool{}
	for child := range v.named {
		kinds[kindOf(child)] = true
	}
	entity := Entity{Head: v.Head, Events: map[surgical.ChildKind][]json.RawMessage{}}
	for kind := range kinds {
		switch kind {
		case surgical.KindEntity, surgical.KindDescription:
		case surgical.KindDiscussion:
			entity.Discussions = v.allShown(kind, texts)
		default:
			entity.Events[kind] = v.allShown(kind, texts)
		}
	}
	entity.Entity, err = v.entity(texts)
	return entity, err
}

// allShown returns what is shown of the children of one kind, in their order.
func (v *Revision) allShown(kind surgical.ChildKind, texts map[string]json.RawMessage) []json.RawMessage {
	children := v.named.inOrder(kind, texts)
	list := make([]json.RawMessage, 0, len(children))
	for _, child := range children {
		if raw, shown := v.shown(child, texts[child]); shown {
			list = append(list, raw)
		}
	}
	return list
}

// shown returns what is shown of a child; false if that is nothing.
func (v *Revision) shown(child string, raw json.RawMessage) (json.RawMessage, bool) {
	if kindOf(child) != surgical.KindDiscussion {
		return raw, true
	}
	return v.sight.Discussion(raw)
}

// entity returns GitLab's JSON of the entity itself, of which texts has all children.
func (v *Revision) entity(texts map[string]json.RawMessage) (json.RawMessage, error) {
	entity, err := wholeEntity(v.Head, texts)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", v.Ref, err)
	}
	return entity, nil
}
