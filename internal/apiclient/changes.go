package apiclient

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Change is an entity that changed, as it is now.
type Change struct {
	ProjectID int64 `json:"project_id"`
	surgical.Target
	ChangedAt time.Time `json:"changed_at"`
	// Gone reports that the entity is no longer shown.
	Gone   bool `json:"gone"`
	Entity struct {
		Revision int64  `json:"revision"`
		Title    string `json:"title"`
		State    string `json:"state"`
	} `json:"entity"`
}

// ChangeList is a page of the change feed.
type ChangeList struct {
	Changes []Change `json:"changes"`
	// Next is the since of the next call.
	Next string `json:"next"`
	More bool   `json:"more"`
}

// Changes returns what changed since an earlier call; "" begins now. The project is 0 for
// all. The error is [surgical.CodeFeedRestarted] if changes may be missing.
func (c *Client) Changes(ctx context.Context, since string, project int64, limit int) (Answer[ChangeList], error) {
	q := url.Values{"limit": {strconv.Itoa(limit)}}
	if since != "" {
		q.Set("since", since)
	}
	if project != 0 {
		q.Set("project", strconv.FormatInt(project, 10))
	}
	return call[ChangeList](ctx, c, http.MethodGet, "v1/changes", q, nil)
}
