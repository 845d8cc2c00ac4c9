package apiclient

import (
	"context"
	"net/http"
	"time"
)

// Drain is an accepted request to make what ended runs left undone.
type Drain struct {
	// ProjectID is 0 for all projects.
	ProjectID   int64     `json:"project_id"`
	RequestedAt time.Time `json:"requested_at"`
	StartsBy    time.Time `json:"starts_by"`
	// Undone counts the entities, including those that a run is working on.
	Undone int `json:"undone_entities"`
}

// RequestDrain asks for the documents and embeddings that ended runs left undone, of
// the project or, for 0, of all.
func (c *Client) RequestDrain(ctx context.Context, projectID int64) (Answer[Drain], error) {
	body := struct {
		ProjectID int64 `json:"project_id,omitempty"`
	}{projectID}
	return call[Drain](ctx, c, http.MethodPost, "v1/drains", nil, body)
}
