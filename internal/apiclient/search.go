package apiclient

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// SearchPage is a page of what a search found.
type SearchPage struct {
	Hits       []SearchHit `json:"hits"`
	NextCursor string      `json:"next_cursor"`
	Mode       string      `json:"mode"`
	Model      string      `json:"model"`
	Reason     string      `json:"reason"`
	AsOf       time.Time   `json:"as_of"`
}

// SearchHit is an entity that a search found.
type SearchHit struct {
	ProjectID int64 `json:"project_id"`
	surgical.Target
	Revision  int64           `json:"revision"`
	UpdatedAt time.Time       `json:"updated_at"`
	Title     string          `json:"title"`
	State     string          `json:"state"`
	WebURL    string          `json:"web_url"`
	Author    string          `json:"author"`
	Labels    []string        `json:"labels"`
	Score     float64         `json:"score"`
	Passages  []SearchPassage `json:"passages"`
}

// SearchPassage is a part of a document. Marks count characters.
type SearchPassage struct {
	Document string `json:"document"`
	Beginning
	URL   string `json:"url"`
	Text  string `json:"text"`
	Marks []struct {
		Start int `json:"start"`
		End   int `json:"end"`
	} `json:"marks"`
}

// Search asks the query, whose parameters are the API's. Without an index, the error is
// [surgical.CodeIndexNotReady].
func (c *Client) Search(ctx context.Context, query url.Values) (Answer[SearchPage], error) {
	return call[SearchPage](ctx, c, http.MethodGet, "v1/search", query, nil)
}

// Index is the state of the search index.
type Index struct {
	Status      string    `json:"status"`
	Engine      string    `json:"engine"`
	Index       string    `json:"index"`
	AsOf        time.Time `json:"as_of"`
	Language    string    `json:"language"`
	Model       string    `json:"model"`
	Entities    int       `json:"entities"`
	Documents   int       `json:"documents"`
	Chunks      int       `json:"chunks"`
	BuiltAt     time.Time `json:"built_at"`
	Batches     int       `json:"batches"`
	Pending     int       `json:"batched_documents"`
	Bytes       int64     `json:"bytes"`
	RequestedAt time.Time `json:"rebuild_requested_at"`
}

// Index reads the state of the search index.
func (c *Client) Index(ctx context.Context) (Answer[Index], error) {
	return call[Index](ctx, c, http.MethodGet, "v1/index", nil, nil)
}

// RebuildIndex asks for a rebuild of the search index.
func (c *Client) RebuildIndex(ctx context.Context) (Answer[Index], error) {
	return call[Index](ctx, c, http.MethodPost, "v1/index/rebuild", nil, nil)
}
