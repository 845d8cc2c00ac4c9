package content

import (
	"context"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Stored is how much the store holds of an entity.
type Stored struct {
	surgical.Head
	Discussions, Events int
	// Documents are those that are visible, Embedded those of them whose
	// embeddings are current.
	Documents, Embedded int
}

// Stored counts what readers see of the entity; a head of revision 0 says that
// it is not in the store. It reads the manifest and no child.
func (s *Store) Stored(ctx context.Context, ref surgical.EntityRef) (Stored, error) {
	// The head comes last: it hides what it must of the documents read before.
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
