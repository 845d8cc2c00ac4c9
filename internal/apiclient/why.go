package apiclient

import (
	"context"
	"net/http"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Why explains the state of one entity's copy, as far as it is displayed.
type Why struct {
	Sentences []string `json:"sentences"`
	Runs      []Run    `json:"runs"`
}

// Why explains the state of the entity's copy. There need not be one.
func (c *Client) Why(ctx context.Context, ref surgical.EntityRef) (Answer[Why], error) {
	return call[Why](ctx, c, http.MethodGet, entityPath(ref)+"/why", nil, nil)
}
