package search

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/feed"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Source says which entities changed.
type Source interface {
	// Now returns the position behind all changes so far.
	Now(ctx context.Context) (Position, error)
	// After returns the next changes, of at most limit entities. [ErrRestarted] means
	// that some may have been lost: the index has to be rebuilt.
	After(ctx context.Context, from Position, limit int) (Changed, error)
}

// ErrRestarted reports that a source does not know what changed since the position.
var ErrRestarted = errors.New("the source of changes has no memory of this position")

// Changed is a part of a source's changes.
type Changed struct {
	// Refs are entities that may have changed; they do not repeat.
	Refs []surgical.EntityRef
	// Documents are those of their documents that may have changed; any of an entity that it
	// lacks.
	Documents map[surgical.EntityRef]content.DocumentSet
	// To is the position behind them.
	To Position
	// More reports whether there are further changes.
	More bool
}

// FeedSource is the [feed.Documents] feed as a source.
type FeedSource struct{ Store *feed.Store }

// feedPlace is the cursor of a feed.
type feedPlace struct {
	Epoch  int64 `json:"epoch"`
	Number int64 `json:"number"`
	// Offset is absent between two blocks, as in all places of 0.1.0.
	Offset int64 `json:"offset,omitempty"`
	// At is in microseconds.
	At int64 `json:"at"`
}

// positionOf has in AsOf when the feed had no entry beyond it.
func positionOf(p feed.Position) (Position, error) {
	raw, err := json.Marshal(feedPlace{p.Epoch, p.Number, p.Offset, p.At.UnixMicro()})
	if err != nil {
		return Position{}, fmt.Errorf("encode a place in the feed: %w", err)
	}
	return Position{Cursor: string(raw), AsOf: p.At.UTC()}, nil
}

// Now implements [Source].
func (s FeedSource) Now(ctx context.Context) (Position, error) {
	end, err := s.Store.End(ctx, feed.Documents)
	if err != nil {
		return Position{}, err
	}
	return positionOf(end)
}

// After implements [Source].
func (s FeedSource) After(ctx context.Context, from Position, limit int) (Changed, error) {
	var place feedPlace
	if json.Unmarshal([]byte(from.Cursor), &place) != nil {
		return Changed{}, ErrRestarted
	}
	page, err := s.Store.Read(ctx, feed.Documents, feed.Position{Epoch: place.Epoch, Number: place.Number, Offset: place.Offset, At: time.UnixMicro(place.At)}, limit)
	if surgical.CodeOf(err) == surgical.CodeFeedRestarted && err != nil {
		return Changed{}, ErrRestarted
	}
	if err != nil {
		return Changed{}, err
	}
	changed := ChangedBy(page.Entries)
	changed.More = page.More
	changed.To, err = positionOf(page.Next)
	return changed, err
}

// ChangedBy returns what the entries of a feed say, without a position.
func ChangedBy(entries []feed.Entry) Changed {
	changed, documents := Changed{Documents: map[surgical.EntityRef]content.DocumentSet{}}, map[surgical.EntityRef][]string{}
	for _, entry := range entries {
		ids, seen := documents[entry.Ref]
		if !seen {
			changed.Refs = append(changed.Refs, entry.Ref)
		}
		if entry.Document != "" {
			ids = append(ids, entry.Document)
		}
		documents[entry.Ref] = ids
	}
	for ref, ids := range documents {
		changed.Documents[ref] = content.OnlyDocuments(ids...)
	}
	return changed
}
