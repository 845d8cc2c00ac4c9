package apiclient

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"gitlab.com/lorehook/lorehook/internal/problem"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// RunRequest is the body of a request for a run: the targets and the options.
type RunRequest struct {
	ProjectID     int64   `json:"project_id"`
	Issues        []int64 `json:"issues,omitempty"`
	MergeRequests []int64 `json:"merge_requests,omitempty"`
	surgical.Options
}

// Run is a run, as far as it is displayed.
type Run struct {
	RunID         string             `json:"run_id"`
	ProjectID     int64              `json:"project_id"`
	Origin        surgical.Origin    `json:"origin"`
	Status        surgical.RunStatus `json:"status"`
	Stage         surgical.Stage     `json:"stage"`
	Targets       []surgical.Target  `json:"targets"`
	Options       surgical.Options   `json:"options"`
	CreatedAt     time.Time          `json:"created_at"`
	StartedAt     time.Time          `json:"started_at"`
	FinishedAt    time.Time          `json:"finished_at"`
	Attempts      int64              `json:"attempts"`
	NotBefore     time.Time          `json:"not_before"`
	BehindEvent   bool               `json:"behind_event"`
	CoalescedWith string             `json:"coalesced_with"`
	RetryOf       string             `json:"retry_of"`
	RetriedBy     string             `json:"retried_by"`
	// TimingsMS has the duration of each finished stage, and "total", in
	// milliseconds.
	TimingsMS map[string]int64 `json:"timings_ms"`
	Times     RunTimes         `json:"times"`
	Counters  map[string]int64 `json:"counters"`
	Entities  []RunEntity      `json:"entities"`
	// Jobs counts jobs by stage and status.
	Jobs map[string]map[string]int `json:"jobs"`
	// Code is the error's code. Lists return only this; single runs also have Error.
	Code surgical.Code `json:"error_code"`
	// Error has its text in Message.
	Error *problem.Problem `json:"error"`
}

// RunTimes are when a run began, and when its stages began and ended; zero if not reached.
// Lists have none.
type RunTimes struct {
	Begun            time.Time `json:"begun"`
	PreflightStarted time.Time `json:"preflight_started"`
	IngestStarted    time.Time `json:"ingest_started"`
	Committed        time.Time `json:"committed"`
	DocsStarted      time.Time `json:"docs_started"`
	DocsEnded        time.Time `json:"docs_ended"`
	EmbedStarted     time.Time `json:"embed_started"`
	EmbedEnded       time.Time `json:"embed_ended"`
}

// RunEntity is the outcome of one target.
type RunEntity struct {
	surgical.Target
	Stage   surgical.Stage        `json:"stage"`
	Status  surgical.EntityStatus `json:"status"`
	Code    surgical.Code         `json:"error_code"`
	Message string                `json:"error_message"`
	// Warnings name the records that documents show incompletely or not at all.
	Warnings []string `json:"warnings"`
	// Preview is what a preflight_only run found.
	Preview *struct {
		UpdatedAt   time.Time `json:"updated_at"`
		Bytes       int64     `json:"bytes"`
		Discussions int       `json:"discussions"`
		Events      int       `json:"events"`
	} `json:"preview"`
}

// RunList is a page of runs.
type RunList struct {
	Runs       []Run  `json:"runs"`
	NextCursor string `json:"next_cursor"`
}

// Plan is the response to a dry run: what the run would do.
type Plan struct {
	ProjectID int64            `json:"project_id"`
	Targets   []PlannedTarget  `json:"targets"`
	Stages    []surgical.Stage `json:"stages"`
	Conflicts []Conflict       `json:"conflicts"`
}

// PlannedTarget is one target of a plan. Local is its stored copy, or nil.
type PlannedTarget struct {
	surgical.Target
	Local *struct {
		Revision  int64     `json:"revision"`
		UpdatedAt time.Time `json:"updated_at"`
		FetchedAt time.Time `json:"fetched_at"`
	} `json:"local"`
}

// Conflict is an existing run that conflicts with a plan.
type Conflict struct {
	Reason  string             `json:"reason"`
	RunID   string             `json:"run_id"`
	Status  surgical.RunStatus `json:"status"`
	Targets []surgical.Target  `json:"targets"`
}

// Filter restricts a list of runs. Zero fields match everything; Limit is
// required.
type Filter struct {
	ProjectID int64
	// Target is an entity of ProjectID. It cannot be combined with Status.
	Target surgical.Target
	Status surgical.RunStatus
	Limit  int
	Cursor string
}

// StartRun requests a run. Repeating a request with the same idempotency key
// returns the same run.
func (c *Client) StartRun(ctx context.Context, req RunRequest, key string) (Answer[Run], error) {
	return call[Run](ctx, c, http.MethodPost, "v1/sync-runs", nil, req, "Idempotency-Key", key)
}

// Plan returns what the request would do, and does none of it. The idempotency
// key may be empty.
func (c *Client) Plan(ctx context.Context, req RunRequest, key string) (Answer[Plan], error) {
	req.DryRun = true
	var headers []string
	if key != "" {
		headers = []string{"Idempotency-Key", key}
	}
	return call[Plan](ctx, c, http.MethodPost, "v1/sync-runs", nil, req, headers...)
}

// Run returns a run, or [surgical.CodeRunNotFound].
func (c *Client) Run(ctx context.Context, runID string) (Answer[Run], error) {
	return call[Run](ctx, c, http.MethodGet, runPath(runID), nil, nil)
}

// maxPage is how many runs a page has at most.
const maxPage = 100

// maxPages limits how many pages are read for one list: a page may have fewer
// runs than the limit, even none, and still have a next page.
const maxPages = 20

// Runs lists up to f.Limit runs, newest first.
func (c *Client) Runs(ctx context.Context, f Filter) (Answer[RunList], error) {
	whole := rawRunList{Runs: []json.RawMessage{}}
	for range maxPages {
		page, err := c.runsPage(ctx, f)
		if err != nil {
			return Answer[RunList]{}, err
		}
		whole.Runs = append(whole.Runs, page.Runs...)
		whole.NextCursor = page.NextCursor
		f.Cursor = page.NextCursor
		if f.Limit -= len(page.Runs); f.Cursor == "" || f.Limit <= 0 {
			break
		}
	}
	raw, err := json.Marshal(whole)
	if err != nil {
		return Answer[RunList]{}, fmt.Errorf("merge pages: %w", err)
	}
	a := Answer[RunList]{Raw: raw}
	if err := json.Unmarshal(raw, &a.Value); err != nil {
		return a, surgical.WrapError(surgical.CodeInternal, err, "GET v1/sync-runs returned a response that this version of the program cannot read")
	}
	return a, nil
}

type rawRunList struct {
	Runs       []json.RawMessage `json:"runs"`
	NextCursor string            `json:"next_cursor,omitempty"`
}

func (c *Client) runsPage(ctx context.Context, f Filter) (rawRunList, error) {
	q, path := url.Values{}, "v1/sync-runs"
	if f.Target.IID != 0 {
		path = entityPath(surgical.EntityRef{ProjectID: f.ProjectID, Target: f.Target}) + "/sync-runs"
	} else if f.ProjectID != 0 {
		q.Set("project_id", strconv.FormatInt(f.ProjectID, 10))
	}
	if f.Status != "" {
		q.Set("status", string(f.Status))
	}
	q.Set("limit", strconv.Itoa(min(f.Limit, maxPage)))
	if f.Cursor != "" {
		q.Set("cursor", f.Cursor)
	}
	page, err := call[rawRunList](ctx, c, http.MethodGet, path, q, nil)
	return page.Value, err
}

// RetryFailed retries the failed targets of a run and returns the new run.
// Repeating the call returns the same new run.
func (c *Client) RetryFailed(ctx context.Context, runID string) (Answer[Run], error) {
	return call[Run](ctx, c, http.MethodPost, runPath(runID)+"/retry-failed", nil, nil)
}

// Cancel cancels a run, which stops at its next safe point, and returns it.
func (c *Client) Cancel(ctx context.Context, runID string) (Answer[Run], error) {
	return call[Run](ctx, c, http.MethodPost, runPath(runID)+"/cancel", nil, nil)
}

func runPath(runID string) string { return "v1/sync-runs/" + url.PathEscape(runID) }
