package gitlab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"sync"
	"time"

	"gitlab.com/lorehook/lorehook/internal/function/metrics"
	"gitlab.com/lorehook/lorehook/internal/record"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// listing is one of an entity's lists.
type listing struct {
	path string
	kind surgical.ChildKind
	// filtered means that GitLab removes records that the token may not see after
	// counting them, so that there may be fewer records than X-Total says.
	filtered bool
}

func listings() []listing {
	return []listing{
		{path: "discussions", kind: surgical.KindDiscussion},
		{path: "resource_state_events", kind: surgical.KindStateEvent},
		{path: "resource_label_events", kind: surgical.KindLabelEvent, filtered: true},
		{path: "resource_milestone_events", kind: surgical.KindMilestoneEvent},
	}
}

// Fetch reads one entity completely: the entity itself, its discussions and its
// resource events, with every page, from all endpoints concurrently. The
// snapshot's children are ordered by endpoint, and within an endpoint as GitLab
// returns them.
//
// A fetch succeeds or fails as a whole. Its error has one of the gitlab_ codes, or
// [surgical.CodeEntityTooLarge]. What it read is taken from the context's
// [room.Share] and, if it fails, given back;
// if several requests fail, the most informative error is returned. Records that
// shift between two pages make it fail with gitlab_unavailable. After a failed
// fetch the snapshot has only Ref and Requests.
func (c *Client) Fetch(ctx context.Context, ref surgical.EntityRef) (surgical.Snapshot, error) {
	var snap surgical.Snapshot
	total, err := c.exchange(ctx, func(ctx context.Context) (failed *surgical.Error) {
		snap, failed = c.fetch(ctx, ref)
		if said := ctx.Value(trafficKey{}).(*traffic).lowest.Load(); said != nil {
			snap.RateLimit = *said
		}
		return failed
	})
	if err != nil {
		return surgical.Snapshot{Ref: ref, Requests: int(total.Requests)}, err
	}
	snap.Requests = int(total.Requests)
	return snap, nil
}

// exchange does something that takes requests, once more if GitLab refused a token
// that has been replaced since, and reports its traffic.
func (c *Client) exchange(ctx context.Context, do func(context.Context) *surgical.Error) (metrics.Traffic, *surgical.Error) {
	ctx, exchanged := withTraffic(ctx)
	err := do(ctx)
	if err != nil && err.Code == surgical.CodeGitLabUnauthorized && c.refresh != nil {
		// If the token cannot be read again, the 401 stands.
		if renewed, refreshErr := c.refresh(ctx); refreshErr == nil && renewed {
			err = do(ctx)
		}
	}
	total := exchanged.total(err)
	if c.meter != nil {
		c.meter.Fetched(total)
	}
	return total, err
}

func (c *Client) fetch(ctx context.Context, ref surgical.EntityRef) (surgical.Snapshot, *surgical.Error) {
	path, err := entityPath(ref)
	if err != nil {
		return surgical.Snapshot{}, err
	}
	ctx, spent := withBudget(ctx, ref)
	started := c.clock()
	snap := surgical.Snapshot{Ref: ref, FetchedAt: started.UTC().Truncate(time.Microsecond)}
	lists := listings()
	results := make([]read, len(lists))
	absent := make([]error, len(lists)) // lists that are missing
	tasks := []func(context.Context) error{func(ctx context.Context) (err error) {
		snap.Entity, snap.UpdatedAt, err = c.entity(ctx, path, ref)
		return err
	}}
	for i, l := range lists {
		tasks = append(tasks, func(ctx context.Context) (err error) {
			what := fmt.Sprintf("%s of %s", l.path, ref)
			results[i], err = c.list(ctx, path+"/"+l.path, what, l)
			if surgical.CodeOf(err) == surgical.CodeGitLabNotFound {
				absent[i] = listNotFound(surgical.AsError(err), what)
			}
			return err
		})
	}
	if err := together(ctx, tasks); err != nil {
		spent.drop()
		switch {
		case err.Code != surgical.CodeGitLabNotFound:
		case snap.Entity != nil: // the entity exists, and only lists are missing
			err = mostTelling(absent)
		case errors.Is(err, errNoRoute):
			err = notGitLab(ref.String())
		}
		return surgical.Snapshot{}, err
	}
	// Round up, so that the interval never ends before the fetch did. If the clock
	// was set back in the meantime, the interval is empty rather than negative.
	until := c.clock().UTC().Add(time.Microsecond - time.Nanosecond).Truncate(time.Microsecond)
	snap.FetchedUntil = snap.FetchedAt
	if until.After(snap.FetchedAt) {
		snap.FetchedUntil = until
	}
	for _, r := range results {
		snap.Children = append(snap.Children, r.children...)
		snap.LeftOut = append(snap.LeftOut, r.leftOut...)
	}
	snap.Notes, snap.Comments = surgical.ReadNotes(snap.Children)
	for i, l := range lists {
		if len(results[i].children) == 0 || l.kind == surgical.KindDiscussion && !results[i].counted && snap.UnseenComments() > 0 {
			snap.Doubtful = append(snap.Doubtful, l.kind)
		}
	}
	return snap, nil
}

func entityPath(ref surgical.EntityRef) (string, *surgical.Error) {
	collection := collections()[ref.Type]
	if collection == "" || ref.ProjectID <= 0 || ref.IID <= 0 {
		return "", surgical.NewError(surgical.CodeInvalidRequest, fmt.Sprintf("%s is not a GitLab entity", ref))
	}
	return fmt.Sprintf("projects/%d/%s/%d", ref.ProjectID, collection, ref.IID), nil
}

// collections names the lists that entities of each type are in.
func collections() map[surgical.EntityType]string {
	return map[surgical.EntityType]string{surgical.Issue: "issues", surgical.MergeRequest: "merge_requests"}
}

// together runs the tasks concurrently and cancels the rest when one fails. A 403
// or 404 cancels nothing: every endpoint of a deleted or forbidden entity returns
// it, and the entity's own error is the clearest. Unlike an errgroup, it waits for
// all errors, returns the most informative one, and turns a panic into a failure.
func together(ctx context.Context, tasks []func(context.Context) error) *surgical.Error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(tasks))
	var wg sync.WaitGroup
	for i, task := range tasks {
		wg.Go(func() {
			defer func() {
				if errs[i] != nil && !refusesEntity(surgical.CodeOf(errs[i])) {
					cancel()
				}
			}()
			defer surgical.Recover(&errs[i])
			errs[i] = task(ctx)
		})
	}
	wg.Wait()
	return mostTelling(errs)
}

// refusesEntity reports whether GitLab answers all requests for the entity so.
func refusesEntity(code surgical.Code) bool {
	return code == surgical.CodeGitLabNotFound || code == surgical.CodeGitLabForbidden
}

func (c *Client) entity(ctx context.Context, path string, ref surgical.EntityRef) (json.RawMessage, time.Time, error) {
	what := ref.String()
	raw, resp, err := c.get(ctx, path, what, nil)
	if err != nil {
		return nil, time.Time{}, err
	}
	entity, ok := record.Read(raw)
	if !ok {
		return nil, time.Time{}, notJSON(what, resp)
	}
	if entity.Integer("iid") != ref.IID || entity.Integer("project_id") != ref.ProjectID {
		return nil, time.Time{}, surgical.NewError(surgical.CodeGitLabUnavailable, what+": GitLab returned a different entity")
	}
	if len(raw) > surgical.MaxRecordBytes {
		return nil, time.Time{}, tooLargeRecord(what, len(raw))
	}
	return raw, dateOf(entity.Text("updated_at"), entity.Text("created_at")), nil
}

// dateOf returns the first of the texts that is a time. Old rows of GitLab have
// no updated_at, and importers write odd ones. Such an entity is dated 1970: the
// guard then accepts it as it accepts any date that was set back.
func dateOf(texts ...string) time.Time {
	for _, text := range texts {
		if t, ok := surgical.ParseTime(text); ok {
			return t
		}
	}
	return time.Unix(0, 0).UTC()
}

// get returns the body of one response verbatim.
func (c *Client) get(ctx context.Context, path, what string, query url.Values) ([]byte, *response, error) {
	var body pieces
	resp, err := c.getInto(ctx, path, what, query, &body)
	if err != nil {
		return nil, nil, err
	}
	return body.join(), resp, nil
}

// getInto writes the body of one response.
func (c *Client) getInto(ctx context.Context, path, what string, query url.Values, body io.Writer) (*response, error) {
	ctx, said := withRefusal(ctx)
	resp, err := c.requests.get(ctx, path, query, body)
	if err != nil || !succeeded(resp.status) {
		// A cancelled request's error does not always wrap the context's error.
		return nil, failure(what, *said, resp, errors.Join(err, ctx.Err()), c.clock())
	}
	return resp, nil
}

// notJSON is the failure of a successful response that GitLab cannot have written.
func notJSON(what string, resp *response) *surgical.Error {
	if isJSON(resp.header) {
		return surgical.NewError(surgical.CodeGitLabUnavailable, what+": the response is not the JSON that GitLab sends; check for a proxy in between")
	}
	return surgical.NewError(surgical.CodeGitLabUnavailable, fmt.Sprintf("%s: the response came with %s instead of GitLab's JSON; check for a proxy or a login page in between", what, contentType(resp.header)))
}
