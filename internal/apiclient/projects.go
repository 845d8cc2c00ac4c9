package apiclient

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Project is what is known of a project, as far as it is displayed. Zero fields are
// not known, or have not happened.
type Project struct {
	ProjectID    int64     `json:"project_id"`
	Path         string    `json:"path"`
	CompleteAsOf time.Time `json:"complete_as_of"`
	// CompleteExcept are entities to which CompleteAsOf does not apply.
	CompleteExcept []surgical.Target `json:"complete_except"`
	// Unreadable is nil if every record of the project's lists could be read.
	Unreadable *struct {
		Records  int64     `json:"records"`
		ListedAt time.Time `json:"listed_at"`
	} `json:"unreadable"`
	HiddenAt    time.Time `json:"hidden_at"`
	UnseenSince time.Time `json:"unseen_since"`
	Counts      *struct {
		Issues        int64     `json:"issues"`
		MergeRequests int64     `json:"merge_requests"`
		CountedAt     time.Time `json:"counted_at"`
	} `json:"counts"`
	Hook *struct {
		State     surgical.HookState `json:"state"`
		HookID    int64              `json:"hook_id"`
		Reason    string             `json:"reason"`
		CheckedAt time.Time          `json:"checked_at"`
		Findings  int64              `json:"findings"`
	} `json:"hook"`
	// Checkpoints are only of a single project.
	Checkpoints *struct {
		Issues        time.Time `json:"issues"`
		MergeRequests time.Time `json:"merge_requests"`
	} `json:"checkpoints"`
	LastReconcile *struct {
		BeganAt   time.Time `json:"began_at"`
		EndedAt   time.Time `json:"ended_at"`
		Listed    int64     `json:"listed"`
		Different int64     `json:"different"`
		Missed    int64     `json:"missed"`
		Requests  int64     `json:"requests"`
	} `json:"last_reconcile"`
	LastCensus *struct {
		BeganAt  time.Time                  `json:"began_at"`
		EndedAt  time.Time                  `json:"ended_at"`
		Listed   int64                      `json:"listed"`
		Fetched  int64                      `json:"fetched"`
		Failed   int64                      `json:"failed"`
		Requests int64                      `json:"requests"`
		Found    map[surgical.Finding]int64 `json:"found"`
	} `json:"last_census"`
}

// ProjectList is a page of projects.
type ProjectList struct {
	Projects   []Project `json:"projects"`
	NextCursor string    `json:"next_cursor"`
}

// HideRequest names what to hide: a project by its id or path, or all.
type HideRequest struct {
	Project string `json:"project,omitempty"`
	All     bool   `json:"all,omitempty"`
}

// Hidden is what was hidden: the project, or all projects if it is 0.
type Hidden struct {
	ProjectID int64     `json:"project_id"`
	HiddenAt  time.Time `json:"hidden_at"`
}

// Projects lists up to limit projects in the order of their ids.
func (c *Client) Projects(ctx context.Context, limit int, cursor string) (Answer[ProjectList], error) {
	q := url.Values{"limit": {strconv.Itoa(limit)}}
	if cursor != "" {
		q.Set("cursor", cursor)
	}
	return call[ProjectList](ctx, c, http.MethodGet, projectsPath, q, nil)
}

// AllProjects returns every project, or those that it read before an error.
func (c *Client) AllProjects(ctx context.Context) ([]Project, error) {
	var all []Project
	for cursor := ""; ; {
		page, err := c.Projects(ctx, 100, cursor)
		if err != nil {
			return all, err
		}
		all = append(all, page.Value.Projects...)
		if cursor = page.Value.NextCursor; cursor == "" {
			return all, nil
		}
	}
}

// ProjectByPath returns a list with the project that has the path, or had it. The
// error is [surgical.CodeProjectUnknown] if there is none.
func (c *Client) ProjectByPath(ctx context.Context, path string) (Answer[ProjectList], error) {
	return call[ProjectList](ctx, c, http.MethodGet, projectsPath, url.Values{"path": {path}}, nil)
}

// Project returns what is known of a project.
func (c *Client) Project(ctx context.Context, projectID int64) (Answer[Project], error) {
	return call[Project](ctx, c, http.MethodGet, projectsPath+"/"+strconv.FormatInt(projectID, 10), nil, nil)
}

// HideProjects hides all copies of a project, or of all projects.
func (c *Client) HideProjects(ctx context.Context, req HideRequest) (Answer[Hidden], error) {
	return call[Hidden](ctx, c, http.MethodPost, "/v1/hides", nil, req)
}

const projectsPath = "v1/projects"
