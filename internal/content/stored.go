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
func (s *Store) Stored(ctx context.Context, ref surgical.EntityRef) (Stored, error) {
	// The head is read last, so that it hides what it has to of the documents.
	documents, err := s.Documents(ctx, ref)
	if err != nil {
		return Stored{}, err
	}
	ids := make([]string, len(documents))
	for i, d := range documents {
		ids[i] = d.ID
	}
	embeddings, err := s.Embeddings(ctx, ref, ids)
	if err != nil {
		return Stored{}, err
	}
	view, err := s.View(ctx, ref, nil)
	if err != nil {
		return Stored{}, err
	}
	why, err := s.concealed(ctx, view.Head)
	if err != nil || why != "" {
		return Stored{Head: surgical.Head{Ref: ref}, Why: why}, err
	}
	stored := Stored{Head: view.Head}
	for child := range view.named {
		switch kind, _, _ := strings.Cut(child, "#"); surgical.ChildKind(kind) {
		case surgical.KindEntity, surgical.KindDescription:
		case surgical.KindDiscussion:
			stored.Discussions++
		default:
			stored.Events++
		}
	}
	for _, d := range documents {
		if d.Revision < view.DocumentsVisibleFrom {
			continue
		}
		stored.Documents++
		if embeddings[d.ID].Current(view.Head, d.Hash) {
			stored.Embedded++
		}
	}
	return stored, nil
}
