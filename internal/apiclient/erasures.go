package apiclient

import (
	"context"
	"net/http"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Erasure is how far the erasing of an entity has come.
type Erasure struct {
	ProjectID int64 `json:"project_id"`
	surgical.Target
	// ErasedAt is zero if the entity is not erased.
	ErasedAt time.Time `json:"erased_at"`
	// Found is what was stored before a request to erase, Left what is.
	Found            StoredItems `json:"found"`
	Left             StoredItems `json:"left"`
	Complete         bool        `json:"complete"`
	SettlesAt        time.Time   `json:"settles_at"`
	IndexedUntil     time.Time   `json:"indexed_until"`
	RecoverableUntil time.Time   `json:"recoverable_until"`
}

// Ref is the entity.
func (e Erasure) Ref() surgical.EntityRef {
	return surgical.EntityRef{ProjectID: e.ProjectID, Target: e.Target}
}

// StoredItems counts items of the table.
type StoredItems struct {
	Parts      int `json:"parts"`
	Documents  int `json:"documents"`
	Embeddings int `json:"embeddings"`
}

// Total counts all items.
func (s StoredItems) Total() int { return s.Parts + s.Documents + s.Embeddings }

// ErasureList is what was erased.
type ErasureList struct {
	Erasures []Erasure `json:"erasures"`
}

// Erase erases the entity. If time ran out, something is left, and a repeated request
// goes on.
func (c *Client) Erase(ctx context.Context, ref surgical.EntityRef) (Answer[Erasure], error) {
	return call[Erasure](ctx, c, http.MethodPost, entityPath(ref)+"/erasure", nil, nil)
}

// Erasure counts what is stored of the entity.
func (c *Client) Erasure(ctx context.Context, ref surgical.EntityRef) (Answer[Erasure], error) {
	return call[Erasure](ctx, c, http.MethodGet, entityPath(ref)+"/erasure", nil, nil)
}

// Unerase lets the entity be fetched again. The error is [surgical.CodeConflict] while
// it is being removed.
func (c *Client) Unerase(ctx context.Context, ref surgical.EntityRef) (Answer[Erasure], error) {
	return call[Erasure](ctx, c, http.MethodDelete, entityPath(ref)+"/erasure", nil, nil)
}

// Erasures lists everything that was erased.
func (c *Client) Erasures(ctx context.Context) (Answer[ErasureList], error) {
	return whole[ErasureList](ctx, c, "v1/erasures", nil)
}
