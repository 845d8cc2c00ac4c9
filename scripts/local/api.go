package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// api reads the stack's manual API.
type api struct{ url string }

// errNotFound is a 404. A webhook's run returns it until a worker claims the run.
var errNotFound = errors.New("not found")

// runView is GET /v1/sync-runs/{run_id}.
type runView struct {
	RunID         string             `json:"run_id"`
	Origin        surgical.Origin    `json:"origin"`
	Status        surgical.RunStatus `json:"status"`
	Stage         surgical.Stage     `json:"stage"`
	CreatedAt     time.Time          `json:"created_at"`
	FinishedAt    time.Time          `json:"finished_at"`
	Attempts      int64              `json:"attempts"`
	CoalescedWith string             `json:"coalesced_with"`
	BehindEvent   bool               `json:"behind_event"`
	TimingsMS     map[string]float64 `json:"timings_ms"`
	Counters      map[string]int64   `json:"counters"`
	Entities      []struct {
		Type   surgical.EntityType   `json:"type"`
		IID    int64                 `json:"iid"`
		Status surgical.EntityStatus `json:"status"`
		Code   surgical.Code         `json:"error_code"`
	} `json:"entities"`
	Jobs  map[string]map[string]int `json:"jobs"`
	Error *struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Action  string `json:"action"`
	} `json:"error"`
}

// entityView is GET /v1/projects/{id}/issues/{iid} or /merge_requests/{iid}.
type entityView struct {
	RunID       string                       `json:"run_id"`
	Title       string                       `json:"title"`
	State       string                       `json:"state"`
	UpdatedAt   string                       `json:"updated_at"`
	Discussions []json.RawMessage            `json:"discussions"`
	Events      map[string][]json.RawMessage `json:"events"`
	Documents   []struct {
		ID       string `json:"id"`
		Title    string `json:"title"`
		Chunks   int    `json:"chunks"`
		Embedded bool   `json:"embedded"`
	} `json:"documents"`
}

func (a api) run(ctx context.Context, id string) (runView, error) {
	var r runView
	return r, getJSON(ctx, a.url+"/v1/sync-runs/"+id, "", &r)
}

func (a api) entity(ctx context.Context, ref surgical.EntityRef) (entityView, error) {
	var e entityView
	return e, getJSON(ctx, a.url+entityPath(ref), "", &e)
}

// status is the HTTP status of the response for an entity.
func (a api) status(ctx context.Context, ref surgical.EntityRef) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url+entityPath(ref), nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

// entityPath is the path of one entity's snapshot in the API.
func entityPath(ref surgical.EntityRef) string {
	return fmt.Sprintf("/v1/projects/%d/%ss/%d", ref.ProjectID, ref.Type, ref.IID)
}

// await polls the run until it is terminal and passes each status to progress.
func (a api) await(ctx context.Context, id string, timeout time.Duration, progress func(status string)) (runView, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("the run did not end within %s", timeout))
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	last := "queued"
	for {
		r, err := a.run(ctx, id)
		switch {
		case err == nil && r.Status.Terminal():
			return r, nil
		case err == nil:
			last = string(r.Status) + ", " + string(r.Stage)
			if r.Error != nil {
				last += ", waits: " + r.Error.Code
			}
		case !errors.Is(err, errNotFound) && ctx.Err() == nil:
			return runView{}, err
		}
		progress(last)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return r, fmt.Errorf("run %s: %w; it was %s", id, context.Cause(ctx), last)
		}
	}
}

// getJSON reads one JSON document. A non-empty token is sent as GitLab's
// PRIVATE-TOKEN header.
func getJSON(ctx context.Context, url, token string, v any) error {
	return callJSON(ctx, http.MethodGet, url, token, v)
}

func callJSON(ctx context.Context, method, url, token string, v any) error {
	raw, err := answerOf(ctx, method, url, token, nil)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("%s %s: %w", method, url, err)
	}
	return nil
}

// call sends a body as JSON, nil for none, and ignores what the answer says beyond its
// status.
func call(ctx context.Context, method, url, token string, body any) error {
	_, err := answerOf(ctx, method, url, token, body)
	return err
}

func answerOf(ctx context.Context, method, url, token string, body any) ([]byte, error) {
	sent, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, url, err)
	}
	if body == nil {
		sent = nil
	}
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(sent))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("PRIVATE-TOKEN", token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s %s: %w", method, url, err)
	case resp.StatusCode == http.StatusNotFound:
		return nil, fmt.Errorf("%s %s: %w: %.300s", method, url, errNotFound, raw)
	case resp.StatusCode >= http.StatusMultipleChoices:
		return nil, fmt.Errorf("%s %s returned %s: %.300s", method, url, resp.Status, raw)
	}
	return raw, nil
}
