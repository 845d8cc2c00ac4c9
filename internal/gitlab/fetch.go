package gitlab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	api "gitlab.com/gitlab-org/api/client-go/v2"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// listing is one of the lists that belong to an entity.
type listing struct {
	path string
	kind surgical.ChildKind
	// filtered says that GitLab drops what the token may not see after it has
	// counted: a page may then hold fewer records than the total promises.
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

// Fetch reads all of one entity: itself, its discussions and its resource
// events, every page, all endpoints at once. The snapshot's children stand in
// the order of the endpoints, and within one in GitLab's order.
//
// It fails as a whole, with one of the gitlab_ codes; of several failures the
// most telling is returned. What shifted between two pages fails as
// gitlab_unavailable. Of a failed fetch the snapshot holds Ref and Requests.
func (c *Client) Fetch(ctx context.Context, ref surgical.EntityRef) (surgical.Snapshot, error) {
	ctx, exchanged := withTraffic(ctx)
	snap, err := c.fetch(ctx, ref)
	if err != nil && err.Code == surgical.CodeGitLabUnauthorized && c.refresh != nil {
		// A failure to read the token anew changes nothing: it is the old one.
		if renewed, refreshErr := c.refresh(ctx); refreshErr == nil && renewed {
			snap, err = c.fetch(ctx, ref)
		}
	}
	told := exchanged.told(err)
	if c.meter != nil {
		c.meter.Fetched(told)
	}
	if err != nil {
		return surgical.Snapshot{Ref: ref, Requests: int(told.Requests)}, err
	}
	snap.Requests = int(told.Requests)
	return snap, nil
}

func (c *Client) fetch(ctx context.Context, ref surgical.EntityRef) (surgical.Snapshot, *surgical.Error) {
	path, err := entityPath(ref)
	if err != nil {
		return surgical.Snapshot{}, err
	}
	started := c.clock()
	snap := surgical.Snapshot{Ref: ref, FetchedAt: started.UTC().Truncate(time.Microsecond)}
	lists := listings()
	children := make([][]surgical.Child, len(lists))
	tasks := []func(context.Context) error{func(ctx context.Context) (err error) {
		snap.Entity, snap.UpdatedAt, err = c.entity(ctx, path, ref)
		return err
	}}
	for i, l := range lists {
		tasks = append(tasks, func(ctx context.Context) (err error) {
			children[i], err = c.list(ctx, path+"/"+l.path, l, ref)
			return err
		})
	}
	if err := together(ctx, tasks); err != nil {
		return surgical.Snapshot{}, err
	}
	// Rounded up: the fetch had not ended a moment before. A clock that was set
	// back must not turn the interval around.
	until := c.clock().UTC().Add(time.Microsecond - time.Nanosecond).Truncate(time.Microsecond)
	snap.FetchedUntil = snap.FetchedAt
	if until.After(snap.FetchedAt) {
		snap.FetchedUntil = until
	}
	snap.Children = slices.Concat(children...)
	return snap, nil
}

func entityPath(ref surgical.EntityRef) (string, *surgical.Error) {
	collection := map[surgical.EntityType]string{surgical.Issue: "issues", surgical.MergeRequest: "merge_requests"}[ref.Type]
	if collection == "" || ref.ProjectID <= 0 || ref.IID <= 0 {
		return "", surgical.NewError(surgical.CodeInvalidRequest, fmt.Sprintf("%s is no entity of GitLab", ref))
	}
	return fmt.Sprintf("projects/%d/%s/%d", ref.ProjectID, collection, ref.IID), nil
}

// together runs the tasks at once and cancels the others when one fails, but for
// a 404: of an entity that is gone all of them answer so, and its own words are
// the clearest. Unlike an errgroup it looks at all failures before it chooses one.
func together(ctx context.Context, tasks []func(context.Context) error) *surgical.Error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(tasks))
	var wg sync.WaitGroup
	for i, task := range tasks {
		wg.Go(func() {
			if errs[i] = task(ctx); errs[i] != nil && surgical.CodeOf(errs[i]) != surgical.CodeGitLabNotFound {
				cancel()
			}
		})
	}
	wg.Wait()
	return mostTelling(errs)
}

func (c *Client) entity(ctx context.Context, path string, ref surgical.EntityRef) (json.RawMessage, time.Time, error) {
	what := ref.String()
	raw, _, err := c.get(ctx, path, what)
	if err != nil {
		return nil, time.Time{}, err
	}
	var entity struct {
		IID       int64  `json:"iid"`
		ProjectID int64  `json:"project_id"`
		UpdatedAt string `json:"updated_at"`
	}
	if json.Unmarshal(raw, &entity) != nil {
		return nil, time.Time{}, notJSON(what)
	}
	if entity.IID != ref.IID || entity.ProjectID != ref.ProjectID {
		return nil, time.Time{}, surgical.NewError(surgical.CodeGitLabUnavailable, what+" was answered with another entity")
	}
	updatedAt, timeErr := time.Parse(time.RFC3339, entity.UpdatedAt)
	if timeErr != nil {
		return nil, time.Time{}, surgical.NewError(surgical.CodeGitLabUnavailable, what+" was answered without a usable updated_at")
	}
	return raw, updatedAt.UTC(), nil
}

// get returns the body of one answer as GitLab wrote it.
func (c *Client) get(ctx context.Context, path, what string, options ...api.RequestOptionFunc) ([]byte, *api.Response, error) {
	req, err := c.api.NewRequest(http.MethodGet, path, nil, append(options, api.WithContext(ctx)))
	if err != nil {
		return nil, nil, surgical.WrapError(surgical.CodeInternal, err, "a request to GitLab could not be built")
	}
	var body bytes.Buffer
	resp, err := c.api.Do(req, &body)
	if err != nil {
		// A cancelled request does not always say that it was.
		return nil, nil, failure(what, resp, errors.Join(err, ctx.Err()), c.clock())
	}
	return body.Bytes(), resp, nil
}

func notJSON(what string) *surgical.Error {
	return surgical.NewError(surgical.CodeGitLabUnavailable, what+" was not answered with GitLab's JSON; a proxy may stand between")
}

func perPage(page int64) api.RequestOptionFunc {
	return api.WithKeysetPaginationParameters("?per_page=" + strconv.Itoa(pageSize) + "&page=" + strconv.FormatInt(page, 10))
}
