package apiclient

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// BackfillRequest names what to copy: one of its fields is set.
type BackfillRequest struct {
	Project string `json:"project,omitempty"`
	Group   string `json:"group,omitempty"`
	All     bool   `json:"all,omitempty"`
}

// BackfillFailure is an entity that a backfill could not bring up to date.
type BackfillFailure struct {
	ProjectID int64 `json:"project_id"`
	surgical.Target
	RunID   string          `json:"run_id"`
	Code    surgical.Code   `json:"code"`
	Message string          `json:"message"`
	Action  surgical.Action `json:"action"`
}

// Backfill is the backfill of a project, or a request for several, as far as it is
// displayed.
type Backfill struct {
	ID         string             `json:"id"`
	ProjectID  int64              `json:"project_id"`
	Path       string             `json:"path"`
	Project    string             `json:"project"`
	Group      string             `json:"group"`
	All        bool               `json:"all"`
	Status     surgical.RunStatus `json:"status"`
	CreatedAt  time.Time          `json:"created_at"`
	FinishedAt time.Time          `json:"finished_at"`
	WaitsUntil time.Time          `json:"waits_until"`
	Progress   struct {
		// Total is nil if GitLab did not count.
		Total       *int64 `json:"total"`
		Listed      int64  `json:"listed"`
		Different   int64  `json:"different"`
		Done        int64  `json:"done"`
		Failed      int64  `json:"failed"`
		Outstanding int64  `json:"outstanding"`
		Unreadable  int64  `json:"unreadable"`
		Requests    int64  `json:"requests"`
	} `json:"progress"`
	Projects *struct {
		Listed     int64 `json:"listed"`
		AllListed  bool  `json:"all_listed"`
		NotAllowed int64 `json:"not_allowed"`
		Joined     int64 `json:"joined"`
		Unreadable int64 `json:"unreadable"`
		Running    int64 `json:"running"`
		Succeeded  int64 `json:"succeeded"`
		Failed     int64 `json:"failed"`
	} `json:"projects"`
	Failures []BackfillFailure `json:"failures"`
	Error    *PassError        `json:"error"`
}

// PassError is why a pass failed or waits.
type PassError struct {
	Code      surgical.Code   `json:"code"`
	Message   string          `json:"message"`
	Action    surgical.Action `json:"action"`
	Retryable bool            `json:"retryable"`
}

// Err returns it as an error.
func (e *PassError) Err() *surgical.Error {
	return &surgical.Error{Code: e.Code, Message: e.Message, Action: e.Action, Retryable: e.Retryable}
}

// BackfillList is all backfills, newest first.
type BackfillList struct {
	Backfills []Backfill `json:"backfills"`
}

// ReconcileRequest names what to reconcile: a project by its id or path, or all.
type ReconcileRequest struct {
	Project string `json:"project,omitempty"`
	All     bool   `json:"all,omitempty"`
}

// Reconcile is the running or last reconcile of a project.
type Reconcile struct {
	ProjectID   int64              `json:"project_id"`
	Path        string             `json:"path"`
	Cycle       string             `json:"cycle"`
	Status      surgical.RunStatus `json:"status"`
	RequestedAt time.Time          `json:"requested_at"`
	BeganAt     time.Time          `json:"began_at"`
	EndedAt     time.Time          `json:"ended_at"`
	Listed      int64              `json:"listed"`
	Different   int64              `json:"different"`
	Outstanding int64              `json:"outstanding"`
	Requests    int64              `json:"requests"`
	Error       *PassError         `json:"error"`
}

// ReconcileList has one reconcile for each project.
type ReconcileList struct {
	Reconciles []Reconcile `json:"reconciles"`
}

const (
	backfillsPath  = "v1/backfills"
	reconcilesPath = "v1/reconciles"
)

// StartBackfill starts a backfill, once for each key.
func (c *Client) StartBackfill(ctx context.Context, req BackfillRequest, key string) (Answer[Backfill], error) {
	return call[Backfill](ctx, c, http.MethodPost, backfillsPath, nil, req, "Idempotency-Key", key)
}

// Backfills lists all backfills.
func (c *Client) Backfills(ctx context.Context) (Answer[BackfillList], error) {
	return call[BackfillList](ctx, c, http.MethodGet, backfillsPath, nil, nil)
}

// Backfill returns a backfill with its failures.
func (c *Client) Backfill(ctx context.Context, id string) (Answer[Backfill], error) {
	return call[Backfill](ctx, c, http.MethodGet, backfillsPath+"/"+url.PathEscape(id), nil, nil)
}

// CancelBackfill cancels a backfill.
func (c *Client) CancelBackfill(ctx context.Context, id string) (Answer[Backfill], error) {
	return call[Backfill](ctx, c, http.MethodPost, backfillsPath+"/"+url.PathEscape(id)+"/cancel", nil, nil)
}

// RetryBackfill resumes a backfill and retries what failed.
func (c *Client) RetryBackfill(ctx context.Context, id string) (Answer[Backfill], error) {
	return call[Backfill](ctx, c, http.MethodPost, backfillsPath+"/"+url.PathEscape(id)+"/retry-failed", nil, nil)
}

// StartReconcile makes the next reconcile due now.
func (c *Client) StartReconcile(ctx context.Context, req ReconcileRequest) (Answer[ReconcileList], error) {
	return call[ReconcileList](ctx, c, http.MethodPost, reconcilesPath, nil, req)
}

// Reconciles lists the running or last reconcile of the project, or of each project if
// it is 0.
func (c *Client) Reconciles(ctx context.Context, projectID int64) (Answer[ReconcileList], error) {
	var q url.Values
	if projectID != 0 {
		q = url.Values{"project": {strconv.FormatInt(projectID, 10)}}
	}
	return call[ReconcileList](ctx, c, http.MethodGet, reconcilesPath, q, nil)
}
