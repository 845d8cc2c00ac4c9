package content

import (
	"context"
	"fmt"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Reader reads what may be shown of the content, and nothing else. Everything that shows
// content to somebody reads it from a Reader; a [Store] is for what keeps it.
type Reader struct {
	store        *Store
	hiddenAt     HiddenAt
	confidential surgical.Policy
}

// HiddenAt returns when the project was last hidden, zero if never.
type HiddenAt func(ctx context.Context, projectID int64) (time.Time, error)

// ForReaders returns a reader of the store that shows confidential issues and internal
// notes as the policy says. If hiddenAt is nil, no project counts as hidden.
func (s *Store) ForReaders(hiddenAt HiddenAt, confidential surgical.Policy) *Reader {
	return &Reader{s, hiddenAt, confidential}
}

// Confidential returns what the reader shows of confidential issues and internal notes.
func (r *Reader) Confidential() surgical.Policy { return r.confidential }

// VisibleHead reads the head of an entity. The error is [surgical.CodeEntityGone] or
// [surgical.CodeEntityNotFound] if the entity is not shown.
func (r *Reader) VisibleHead(ctx context.Context, ref surgical.EntityRef) (surgical.Head, error) {
	head, err := r.store.Head(ctx, ref)
	if err == nil {
		_, err = r.visible(ctx, head)
	}
	if err != nil {
		return surgical.Head{Ref: ref}, err
	}
	return head, nil
}

// VisibleHeads reads the heads of those of the entities that are shown. refs must
// not repeat.
func (r *Reader) VisibleHeads(ctx context.Context, refs []surgical.EntityRef) (map[surgical.EntityRef]surgical.Head, error) {
	heads, err := r.store.Heads(ctx, refs)
	if err != nil {
		return nil, err
	}
	// Each project is read once, after all heads: what hides it counts at once.
	sights := map[int64]surgical.Sight{}
	for ref, head := range heads {
		sight, read := sights[ref.ProjectID]
		if !read {
			if sight, err = r.sight(ctx, ref.ProjectID); err != nil {
				return nil, err
			}
			sights[ref.ProjectID] = sight
		}
		if shown, _ := surgical.Visible(head, sight); !shown {
			delete(heads, ref)
		}
	}
	return heads, nil
}

// Explained reads the head of an entity to explain why it is shown or not. One that is
// [surgical.Excluded] has the zero head: it shows nothing of the copy.
func (r *Reader) Explained(ctx context.Context, ref surgical.EntityRef) (surgical.Head, surgical.Concealment, error) {
	head, err := r.store.Head(ctx, ref)
	if err != nil {
		return surgical.Head{Ref: ref}, "", err
	}
	_, why, err := r.judge(ctx, head)
	if err != nil || why == surgical.Excluded {
		return surgical.Head{Ref: ref}, why, err
	}
	return head, why, nil
}

// visible returns what may be seen of the head's entity. The error is the one for naming
// an entity that is not shown.
func (r *Reader) visible(ctx context.Context, head surgical.Head) (surgical.Sight, error) {
	sight, why, err := r.judge(ctx, head)
	switch {
	case err != nil:
		return sight, err
	case why != "":
		return sight, surgical.Concealed(head.Ref, why)
	}
	return sight, nil
}

// judge returns why the head's entity is not shown, "" if it is. The project is read
// after the head: what hides it counts at once.
func (r *Reader) judge(ctx context.Context, head surgical.Head) (sight surgical.Sight, why surgical.Concealment, err error) {
	sight.Confidential = r.confidential
	if head.HasCopy() {
		if sight, err = r.sight(ctx, head.Ref.ProjectID); err != nil {
			return sight, "", err
		}
	}
	_, why = surgical.Visible(head, sight)
	return sight, why, nil
}

func (r *Reader) sight(ctx context.Context, projectID int64) (surgical.Sight, error) {
	sight := surgical.Sight{Confidential: r.confidential}
	if r.hiddenAt == nil {
		return sight, nil
	}
	var err error
	if sight.HiddenAt, err = r.hiddenAt(ctx, projectID); err != nil {
		return sight, fmt.Errorf("read whether project %d is hidden: %w", projectID, err)
	}
	return sight, nil
}
