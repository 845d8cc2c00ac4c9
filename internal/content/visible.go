package content

import (
	"context"
	"fmt"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// HiddenAt returns when the project was last hidden, zero if never.
type HiddenAt func(ctx context.Context, projectID int64) (time.Time, error)

// ForReaders returns a store whose reading methods (Read, Stored, VisibleHead and
// VisibleHeads) also leave out what hidden projects had. Without it, no project is
// hidden.
func (s *Store) ForReaders(hiddenAt HiddenAt) *Store {
	reader := *s
	reader.hiddenAt = hiddenAt
	return &reader
}

// concealed returns why readers may not see the head's entity, "" if they may. The
// project is read after the head: what hides it counts at once.
func (s *Store) concealed(ctx context.Context, head surgical.Head) (surgical.Concealment, error) {
	var hiddenAt time.Time
	if head.HasCopy() {
		var err error
		if hiddenAt, err = s.projectHiddenAt(ctx, head.Ref.ProjectID); err != nil {
			return "", err
		}
	}
	_, why := surgical.Visible(head, hiddenAt)
	return why, nil
}

// projectHiddenAt returns when the project was last hidden, as far as this store
// heeds it.
func (s *Store) projectHiddenAt(ctx context.Context, projectID int64) (time.Time, error) {
	if s.hiddenAt == nil {
		return time.Time{}, nil
	}
	at, err := s.hiddenAt(ctx, projectID)
	if err != nil {
		return at, fmt.Errorf("read whether project %d is hidden: %w", projectID, err)
	}
	return at, nil
}

// visible returns the error for naming the head's entity, nil if readers may see
// it.
func (s *Store) visible(ctx context.Context, head surgical.Head) error {
	why, err := s.concealed(ctx, head)
	switch {
	case err != nil:
		return err
	case why != "":
		return surgical.Concealed(head.Ref, why)
	}
	return nil
}

// VisibleHead reads the head of an entity for a reader. The error is
// [surgical.CodeEntityGone] or [surgical.CodeEntityNotFound] if the entity is not
// shown.
func (s *Store) VisibleHead(ctx context.Context, ref surgical.EntityRef) (surgical.Head, error) {
	head, err := s.Head(ctx, ref)
	if err == nil {
		err = s.visible(ctx, head)
	}
	if err != nil {
		return surgical.Head{Ref: ref}, err
	}
	return head, nil
}

// VisibleHeads reads the heads of those of the entities that are shown. refs must
// not repeat.
func (s *Store) VisibleHeads(ctx context.Context, refs []surgical.EntityRef) (map[surgical.EntityRef]surgical.Head, error) {
	heads, err := s.Heads(ctx, refs)
	if err != nil {
		return nil, err
	}
	// Each project is read once, after all heads: what hides it counts at once.
	hidden := map[int64]time.Time{}
	for ref, head := range heads {
		hiddenAt, read := hidden[ref.ProjectID]
		if !read {
			if hiddenAt, err = s.projectHiddenAt(ctx, ref.ProjectID); err != nil {
				return nil, err
			}
			hidden[ref.ProjectID] = hiddenAt
		}
		if shown, _ := surgical.Visible(head, hiddenAt); !shown {
			delete(heads, ref)
		}
	}
	return heads, nil
}
