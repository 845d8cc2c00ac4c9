package apiclient

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// entitiesAtOnce is how many entities one page of a list has at most.
const entitiesAtOnce = 100

// EntityPage is a page of the stored copies of a project, as far as it is needed to
// read each of them.
type EntityPage struct {
	Entities []struct {
		ProjectID int64 `json:"project_id"`
		surgical.Target
	} `json:"entities"`
	NextCursor string `json:"next_cursor"`
}

// EntitiesAfter yields the entities of the project that are shown, page by page, in the
// order of their targets as texts, starting after the target; the zero target starts at
// the first. After an error, the list can be read on from the last entity.
func (c *Client) EntitiesAfter(ctx context.Context, projectID int64, after surgical.Target) iter.Seq2[[]surgical.EntityRef, error] {
	return func(yield func([]surgical.EntityRef, error) bool) {
		q := url.Values{"limit": {strconv.Itoa(entitiesAtOnce)}}
		if after != (surgical.Target{}) {
			q.Set("after", after.String())
		}
		for {
			page, err := call[EntityPage](ctx, c, http.MethodGet, fmt.Sprintf("%s/%d/entities", projectsPath, projectID), q, nil)
			if err != nil {
				yield(nil, err)
				return
			}
			refs := make([]surgical.EntityRef, len(page.Value.Entities))
			for i, e := range page.Value.Entities {
				refs[i] = surgical.EntityRef{ProjectID: projectID, Target: e.Target}
			}
			if !yield(refs, nil) || page.Value.NextCursor == "" {
				return
			}
			q.Del("after")
			q.Set("cursor", page.Value.NextCursor)
		}
	}
}

// ListedEntity is an entity in a list. Only the selected fields are set.
type ListedEntity struct {
	ProjectID int64 `json:"project_id"`
	surgical.Target
	UpdatedAt    time.Time `json:"updated_at"`
	FetchedAt    time.Time `json:"fetched_at"`
	Title        string    `json:"title"`
	State        string    `json:"state"`
	Confidential bool      `json:"confidential"`
	Labels       []string  `json:"labels"`
	Author       string    `json:"author"`
}

// Listing is a page of issues or merge requests, each as the API returns it.
type Listing struct {
	Entities   []json.RawMessage `json:"entities"`
	NextCursor string            `json:"next_cursor"`
}

// Entities yields the issues or merge requests of the project that the query selects, as
// the API returns them.
func (c *Client) Entities(ctx context.Context, projectID int64, t surgical.EntityType, query url.Values) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		q := maps.Clone(query)
		for {
			page, err := c.EntitiesPage(ctx, projectID, t, q)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, entity := range page.Value.Entities {
				if !yield(entity, nil) {
					return
				}
			}
			if page.Value.NextCursor == "" {
				return
			}
			q.Set("cursor", page.Value.NextCursor)
		}
	}
}

// EntitiesPage reads one page of [Client.Entities].
func (c *Client) EntitiesPage(ctx context.Context, projectID int64, t surgical.EntityType, query url.Values) (Answer[Listing], error) {
	return call[Listing](ctx, c, http.MethodGet, fmt.Sprintf("%s/%d/%ss", projectsPath, projectID, t), query, nil)
}
