package load

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// fetchRequests is how many requests the fetch of an entity takes whose lists have one
// page each.
const fetchRequests = 5

// Recovery is what one reconcile did about the events that were never delivered.
type Recovery struct {
	// Lost counts the events that were never delivered, Differing the entities whose
	// copies differed when the reconcile was requested.
	Lost      int `json:"lost"`
	Differing int `json:"differing"`
	// EntityRequests counts the requests to GitLab for entities, ListRequests those for
	// lists and hooks.
	EntityRequests int     `json:"entity_requests"`
	ListRequests   int     `json:"list_requests"`
	Seconds        float64 `json:"seconds"`
}

// recover requests one reconcile of every project, and waits until that and all that
// follows from it has ended.
func (t *Target) recover(ctx context.Context, lost int, refs []surgical.EntityRef, w *watcher) (r Recovery, err error) {
	r.Lost = lost
	before, err := t.Compare(ctx, refs)
	if err != nil {
		return r, err
	}
	differing := map[string]bool{}
	for _, difference := range before.Differences {
		entity, _, _ := strings.Cut(difference, ": ")
		differing[entity] = true
	}
	r.Differing = len(differing)
	began, requests := time.Now(), t.gitlab.Requests()
	if err := t.stack.Wake(ctx, "crawler"); err != nil {
		return r, err
	}
	if err := t.reconcile(ctx, refs); err != nil {
		return r, err
	}
	if err := w.rest(ctx); err != nil {
		return r, err
	}
	r.Seconds = time.Since(began).Seconds()
	for endpoint, n := range since(t.gitlab.Requests(), requests) {
		if strings.Contains(endpoint, "#") {
			r.EntityRequests += n
		} else {
			r.ListRequests += n
		}
	}
	return r, nil
}

// reconcile requests a reconcile of each of the entities' projects, and waits until all
// have ended.
func (t *Target) reconcile(ctx context.Context, refs []surgical.EntityRef) error {
	client, err := apiclient.New(apiclient.Options{BaseURL: t.stack.Endpoints.APIURL})
	if err != nil {
		return err
	}
	requested := map[int64]time.Time{}
	for _, ref := range refs {
		if _, ok := requested[ref.ProjectID]; ok {
			continue
		}
		answer, err := client.StartReconcile(ctx, apiclient.ReconcileRequest{Project: strconv.FormatInt(ref.ProjectID, 10)})
		if err != nil {
			return err
		}
		requested[ref.ProjectID] = answer.Value.Reconciles[0].RequestedAt
	}
	tick := time.NewTicker(lookInterval)
	defer tick.Stop()
	for {
		now, err := client.Reconciles(ctx, 0)
		if err != nil {
			return err
		}
		open := len(requested)
		for _, r := range now.Value.Reconciles {
			if at, ok := requested[r.ProjectID]; ok && r.Status.Terminal() && r.BeganAt.After(at) {
				open--
			}
		}
		if open == 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%d reconciles have not ended: %w", open, ctx.Err())
		}
	}
}

// wrong says what one reconcile must not leave or cost.
func (r Recovery) wrong() []string {
	var wrong []string
	if r.Lost > 0 && r.Differing == 0 {
		wrong = append(wrong, fmt.Sprintf("%d events were lost, and no copy differed", r.Lost))
	}
	if most := fetchRequests * r.Differing; r.EntityRequests > most {
		wrong = append(wrong, fmt.Sprintf("%d requests for the %d entities whose copies differed, more than %d", r.EntityRequests, r.Differing, most))
	}
	return wrong
}
