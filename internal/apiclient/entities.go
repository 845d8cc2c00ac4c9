package apiclient

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Entity is the stored copy of an entity, as far as it is displayed.
type Entity struct {
	ProjectID int64 `json:"project_id"`
	surgical.Target
	Revision     int64     `json:"revision"`
	UpdatedAt    time.Time `json:"updated_at"`
	FetchedAt    time.Time `json:"fetched_at"`
	RunID        string    `json:"run_id"`
	Title        string    `json:"title"`
	State        string    `json:"state"`
	Confidential bool      `json:"confidential"`
	WebURL       string    `json:"web_url"`
	Labels       []string  `json:"labels"`
	// Entity is GitLab's JSON.
	Entity      json.RawMessage              `json:"entity"`
	Discussions []json.RawMessage            `json:"discussions"`
	Events      map[string][]json.RawMessage `json:"events"`
	Documents   []Document                   `json:"documents"`
	// DocumentsBehind is nil if documents and embeddings are current.
	DocumentsBehind *DocumentsBehind `json:"documents_behind"`
}

// DocumentsBehind says that documents or embeddings are older than the copy.
type DocumentsBehind struct {
	Since     time.Time            `json:"since"`
	Changes   int                  `json:"changes"`
	All       bool                 `json:"all_documents"`
	State     surgical.BehindState `json:"state"`
	RunID     string               `json:"run_id"`
	Code      surgical.Code        `json:"code"`
	Reason    string               `json:"reason"`
	NextTryAt time.Time            `json:"next_try_at"`
}

// Document is one document of an entity. Text is set only by
// [Client.Documents].
type Document struct {
	ID           string `json:"id"`
	Title        string `json:"title"`
	URL          string `json:"url"`
	Confidential bool   `json:"confidential"`
	Revision     int64  `json:"revision"`
	Chunks       int    `json:"chunks"`
	Embedded     bool   `json:"embedded"`
	Beginning
	// Begins is the first words of the first comment, or of the description.
	Begins string `json:"begins"`
	Text   string `json:"text"`
}

// Beginning says who began a discussion or opened an entity, and when. Both are empty as
// far as GitLab does not say.
type Beginning struct {
	Author    string    `json:"author"`
	CreatedAt time.Time `json:"created_at"`
}

// Documents are the documents of an entity.
type Documents struct {
	Documents []Document `json:"documents"`
}

// maxRestarts is how often a read starts over because a newer revision was
// committed between two pages.
const maxRestarts = 3

// Entity reads every page of one revision of the stored copy. The error is
// [surgical.CodeEntityNotFound] if there is none, [surgical.CodeEntityGone] if
// GitLab no longer shows the entity, and [surgical.CodeConflict] if
// the copy keeps changing while it is being read.
func (c *Client) Entity(ctx context.Context, ref surgical.EntityRef) (Answer[Entity], error) {
	return whole[Entity](ctx, c, entityPath(ref), nil)
}

// EntityFields reads only these fields of the stored copy, by their names in the API. The
// errors are those of [Client.Entity].
func (c *Client) EntityFields(ctx context.Context, ref surgical.EntityRef, fields string) (Answer[Entity], error) {
	return whole[Entity](ctx, c, entityPath(ref), url.Values{"fields": {fields}})
}

// Documents reads all documents of an entity with their text. It returns the
// same errors as [Client.Entity].
func (c *Client) Documents(ctx context.Context, ref surgical.EntityRef) (Answer[Documents], error) {
	return whole[Documents](ctx, c, entityPath(ref)+"/documents", nil)
}

func entityPath(ref surgical.EntityRef) string {
	return fmt.Sprintf("v1/projects/%d/%ss/%d", ref.ProjectID, ref.Type, ref.IID)
}

// whole merges the pages of one revision into one answer.
func whole[T any](ctx context.Context, c *Client, path string, query url.Values) (Answer[T], error) {
	for restarts := 0; ; restarts++ {
		all, err := pages(ctx, c, path, query)
		if surgical.CodeOf(err) == surgical.CodeConflict && restarts < maxRestarts {
			continue
		}
		if err != nil {
			return Answer[T]{}, err
		}
		raw, err := json.Marshal(all)
		if err != nil {
			return Answer[T]{}, fmt.Errorf("merge pages: %w", err)
		}
		a := Answer[T]{Raw: raw}
		if err := json.Unmarshal(raw, &a.Value); err != nil {
			return a, surgical.WrapError(surgical.CodeInternal, err, "GET "+path+" returned a response that this version of the program cannot read")
		}
		return a, nil
	}
}

func pages(ctx context.Context, c *Client, path string, query url.Values) (map[string]json.RawMessage, error) {
	var all map[string]json.RawMessage
	for cursor := ""; ; {
		q := url.Values{}
		maps.Copy(q, query)
		if cursor != "" {
			q.Set("cursor", cursor)
		}
		page, err := call[map[string]json.RawMessage](ctx, c, http.MethodGet, path, q, nil)
		if err != nil {
			return nil, err
		}
		next := page.Value["next_cursor"]
		delete(page.Value, "next_cursor")
		if all == nil {
			all = page.Value
		} else if err := appendLists(all, page.Value); err != nil {
			return nil, err
		}
		if len(next) == 0 {
			return all, nil
		}
		if err := json.Unmarshal(next, &cursor); err != nil || cursor == "" {
			return all, nil
		}
	}
}

// appendLists appends every list in more to the list of the same name in all,
// and does the same inside nested objects, such as events.
func appendLists(all, more map[string]json.RawMessage) error {
	for name, value := range more {
		if len(value) == 0 || !slices.Contains([]byte("[{"), value[0]) {
			continue
		}
		joined, err := join(all[name], value)
		if err != nil {
			return fmt.Errorf("merge pages: %s: %w", name, err)
		}
		all[name] = joined
	}
	return nil
}

func join(into, more json.RawMessage) (json.RawMessage, error) {
	if len(into) == 0 {
		return more, nil
	}
	if more[0] == '{' {
		var a, b map[string]json.RawMessage
		if err := json.Unmarshal(into, &a); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(more, &b); err != nil {
			return nil, err
		}
		if err := appendLists(a, b); err != nil {
			return nil, err
		}
		return json.Marshal(a)
	}
	var a, b []json.RawMessage
	if err := json.Unmarshal(into, &a); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(more, &b); err != nil {
		return nil, err
	}
	return json.Marshal(append(a, b...))
}
