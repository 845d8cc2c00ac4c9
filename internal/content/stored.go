package content

import (
	"context"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Stored describes how much of an entity is stored.
type Stored struct {
	// Head has revision 0 if the entity is not shown.
	surgical.Head
	// Why is why the entity is not shown; "" if it is.
	Why                 surgical.Concealment
	Discussions, Events int
	// Documents counts the visible documents, Embedded those of them whose
	// embeddings are current.
	Documents, Embedded int
}

// Stored counts what readers see of the entity. It reads the manifest, but no
// children.
func (r *Reader) Stored(ctx context.Context, ref surgical.EntityRef) (Stored, error) {
	// The head is read last, so that it hides what it has to of the documents.
	documents, err := r.store.Documents(ctx, ref)
	if err != nil {
		return Stored{}, err
	}
	ids := make([]string, len(documents))
	for i, d := range documents {
		ids[i] = d.ID
	}
	embeddings, err := r.store.Embeddings(ctx, ref, ids)
	if err != nil {
		return Stored{}, err
	}
	view, err := r.store.View(ctx, ref, nil)
	if err != nil {
		return Stored{}, err
	}
	sight, why, err := r.judge(ctx, view.Head)
	if why == surgical.Excluded {
		why = surgical.Absent
	}
	if err != nil || why != "" {
		return Stored{Head: surgical.Head{Ref: ref}, Why: why}, err
	}
	stored := Stored{Head: view.Head}
	shown, internal := shownOf(documents, view.Head, sight), map[string]bool{}
	for _, d := range documents {
		internal[d.ID] = sight.Confidential != surgical.Include && d.Confidential
	}
	for child := range view.named {
		switch kind, _, _ := strings.Cut(child, "#"); surgical.ChildKind(kind) {
		case surgical.KindEntity, surgical.KindDescription:
		case surgical.KindDiscussion:
			if !internal[child] { // as far as its document tells
				stored.Discussions++
			}
		default:
			stored.Events++
		}
	}
	for _, d := range shown {
		stored.Documents++
		if embeddings[d.ID].Current(view.Head, d.Hash) {
			stored.Embedded++
		}
	}
	return stored, nil
}
