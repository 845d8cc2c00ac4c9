package content

import (
	"context"
	"errors"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Findings says in what a change differs from what it replaces. It reads the children
// that the change replaces, up to [surgical.MaxNamedChildren] of them; what it cannot
// compare, because there are more, or because they are long, is
// [surgical.FoundOther].
func (s *Store) Findings(ctx context.Context, c *Change) ([]surgical.Finding, error) {
	switch {
	case !c.Base.HasCopy():
		return []surgical.Finding{surgical.FoundMissing}, nil
	case !c.Changed:
		return nil, nil
	case len(c.were) > surgical.MaxNamedChildren || len(c.were.inPieces()) > 0:
		return []surgical.Finding{surgical.FoundOther}, nil
	}
	var keys []dynamo.Item
	for child, entry := range c.were {
		for _, sk := range entry.textKeys(child, nil) {
			keys = append(keys, key(c.Ref, sk))
		}
	}
	items, err := dynamo.GetAll(ctx, s.db, s.table, keys)
	if err != nil {
		return nil, err
	}
	before, err := joinChildren(c.Ref, c.were, nil, items)
	if errors.Is(err, errOvertaken) { // the guard refuses this change
		return []surgical.Finding{surgical.FoundOther}, nil
	}
	if err != nil {
		return nil, err
	}
	return surgical.FindingsOf(before, c.are, VolatileFields()), nil
}
