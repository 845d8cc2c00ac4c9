package content

import (
	"context"
	"errors"
	"fmt"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// tombstone prepares the head of an entity that GitLab no longer shows: it names
// nothing, shows nothing, and hides every document. Of the attributes, it keeps whether
// the copy was confidential. A later fetch that finds the
// entity stages all of it anew, so nothing that expires is ever named again.
func (s *Store) tombstone(ctx context.Context, snap surgical.Snapshot, attempt surgical.AttemptID, base *Base) (*Change, error) {
	was := base.Head
	change := &Change{
		Ref: snap.Ref, Base: was, Revision: was.Revision + 1, Changed: true,
		Scope: surgical.Scope{All: true, Hide: true},
	}
	m, err := s.manifest(ctx, snap.Ref, base.item, everyPart)
	if err := change.incomplete(err); err != nil {
		return nil, fmt.Errorf("prepare the tombstone of %s: %w", snap.Ref, err)
	}
	lists, err := s.pieceLists(ctx, snap.Ref, m.all())
	if err := change.incomplete(err); err != nil {
		return nil, fmt.Errorf("prepare the tombstone of %s: %w", snap.Ref, err)
	}
	change.superseded = m.keys(lists)
	err = change.put(&headItem{
		PK: partition(snap.Ref), SK: headKey, ProjectID: snap.Ref.ProjectID, Entity: snap.Ref.Target.String(),
		Revision: change.Revision, ChangedRevision: change.Revision, DocumentsVisibleFrom: change.Revision,
		UpdatedAt: was.UpdatedAt.UnixMicro(), FetchedAt: snap.FetchedAt.UnixMicro(), FetchedUntil: snap.FetchedUntil.UnixMicro(),
		RunID: attempt.RunID, DocumentFormat: surgical.DocumentFormat, HiddenSince: dynamo.Micros(was.HiddenSince), Gone: true,
		Attributes: attributesItem{Confidential: was.Attributes.Confidential},
	}, snap)
	return change, err
}

// incomplete notes that a part of the manifest, or a list of pieces, is missing, so that
// not everything is known that the head names. That must not keep the entity visible:
// the sweeper expires the rest, because the tombstone names nothing. Any other error is
// returned.
func (c *Change) incomplete(err error) error {
	if errors.Is(err, errOvertaken) {
		c.unknown = errors.Join(c.unknown, err)
		return nil
	}
	return err
}
