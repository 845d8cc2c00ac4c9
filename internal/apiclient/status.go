package apiclient

import (
	"context"
	"net/http"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Status is the state of a stack, as far as it is displayed.
type Status struct {
	At       time.Time      `json:"read_at"`
	Version  string         `json:"version"`
	Projects StatusProjects `json:"projects"`
	Runs     struct {
		Queued  Count `json:"queued"`
		Running Count `json:"running"`
		Failed  Count `json:"failed"`
	} `json:"runs"`
	Queues []QueueState `json:"queues"`
	GitLab StatusGitLab `json:"gitlab"`
	Index  Index        `json:"index"`
}

// Count is a number that is not counted to its end.
type Count struct {
	Count int  `json:"count"`
	More  bool `json:"more"`
}

// QueueState is how many messages a queue has.
type QueueState struct {
	Name     string `json:"name"`
	Waiting  int    `json:"waiting"`
	Received int    `json:"received"`
	Error    string `json:"error"`
}

// StatusProjects summarizes the projects.
type StatusProjects struct {
	Total        int       `json:"total"`
	More         bool      `json:"more"`
	Complete     int       `json:"complete"`
	Unseen       int       `json:"unseen"`
	CompleteAsOf time.Time `json:"complete_as_of"`
	OldestID     int64     `json:"oldest_project_id"`
	// Except counts the entities to which CompleteAsOf does not apply.
	Except int `json:"complete_except"`
	// ReconcileAge is in milliseconds. Its project is 0 if there was no reconcile, or the
	// API is of an earlier version.
	ReconcileAge   int64 `json:"reconcile_age_ms"`
	ReconcileAgeID int64 `json:"reconcile_age_project_id"`
	// ReconcileBehind is the ReconcileAge from which on someone should look, 0 from an API
	// of an earlier version.
	ReconcileBehind int64              `json:"reconcile_behind_ms"`
	Hooks           map[string]int     `json:"hooks"`
	Attention       []ProjectAttention `json:"attention"`
}

// ProjectAttention is a project that someone should look at.
type ProjectAttention struct {
	ProjectID    int64              `json:"project_id"`
	Path         string             `json:"path"`
	CompleteAsOf time.Time          `json:"complete_as_of"`
	Except       []surgical.Target  `json:"complete_except"`
	Unreadable   int64              `json:"unreadable"`
	UnseenSince  time.Time          `json:"unseen_since"`
	Hook         surgical.HookState `json:"hook"`
	HookReason   string             `json:"hook_reason"`
}

// StatusGitLab is what GitLab allows.
type StatusGitLab struct {
	AnsweredAt time.Time `json:"answered_at"`
	RateLimit  *struct {
		Limit     int64     `json:"limit"`
		Remaining int64     `json:"remaining"`
		ResetsAt  time.Time `json:"resets_at"`
	} `json:"rate_limit"`
	PassesWaitUntil time.Time `json:"passes_wait_until"`
	Pause           *struct {
		Until  time.Time       `json:"until"`
		Code   surgical.Code   `json:"code"`
		Action surgical.Action `json:"action"`
	} `json:"pause"`
}

// Status returns the state of the stack.
func (c *Client) Status(ctx context.Context) (Answer[Status], error) {
	return call[Status](ctx, c, http.MethodGet, "v1/status", nil, nil)
}

// Health returns the version of the API, which answers without reading anything.
func (c *Client) Health(ctx context.Context) (version string, err error) {
	a, err := call[struct {
		Status  string `json:"status"`
		Version string `json:"version"`
	}](ctx, c, http.MethodGet, "healthz", nil, nil)
	if err == nil && a.Value.Status != "ok" {
		return "", surgical.NewError(surgical.CodeInternal, "GET healthz was answered by something else than Lorehook")
	}
	return a.Value.Version, err
}
