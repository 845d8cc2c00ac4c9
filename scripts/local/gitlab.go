package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/devstack"
)

// demoGitLab changes and reads the demo GitLab through its /_demo/ endpoints and
// the GitLab API.
type demoGitLab struct{ url string }

func (g demoGitLab) control(ctx context.Context, method, what string, ref surgical.EntityRef, args url.Values, v any) error {
	if args == nil {
		args = url.Values{}
	}
	args.Set("project", strconv.FormatInt(ref.ProjectID, 10))
	args.Set("type", string(ref.Type))
	args.Set("iid", strconv.FormatInt(ref.IID, 10))
	return callJSON(ctx, method, g.url+"/_demo/"+what+"?"+args.Encode(), devstack.DemoGitLabToken, v)
}

func (g demoGitLab) note(ctx context.Context, ref surgical.EntityRef, body string) error {
	var ignored any
	return g.control(ctx, http.MethodPost, "note", ref, url.Values{"body": {body}}, &ignored)
}

// addIssues adds issues that nothing announces, and returns the first, which has a
// comment. Numbers are never used again: the copies of deleted issues keep them.
func (g demoGitLab) addIssues(ctx context.Context, project int64, n int) (surgical.EntityRef, error) {
	listed, err := g.entities(ctx, project)
	if err != nil {
		return surgical.EntityRef{}, err
	}
	first := surgical.EntityRef{ProjectID: project, Target: surgical.Target{Type: surgical.Issue, IID: firstAdded}}
	for _, ref := range listed {
		if ref.Type == surgical.Issue {
			first.IID = max(first.IID, ref.IID+1)
		}
	}
	var ignored any
	return first, g.control(ctx, http.MethodPost, "fill", first, url.Values{"first": {strconv.FormatInt(first.IID, 10)}, "issues": {strconv.Itoa(n)}}, &ignored)
}

// withdraw deletes the entity's comments that begin with the text.
func (g demoGitLab) withdraw(ctx context.Context, ref surgical.EntityRef, text string) error {
	type discussion struct {
		Notes []struct {
			ID   int64
			Body string
		}
	}
	discussions, err := everyPage[discussion](ctx, g, fmt.Sprintf("%d/%ss/%d/discussions", ref.ProjectID, ref.Type, ref.IID))
	if err != nil {
		return err
	}
	var ignored any
	for _, d := range discussions {
		for _, note := range d.Notes {
			if !strings.HasPrefix(note.Body, text) {
				continue
			}
			if err := g.control(ctx, http.MethodPost, "delete_note", ref, url.Values{"note": {strconv.FormatInt(note.ID, 10)}}, &ignored); err != nil {
				return err
			}
		}
	}
	return nil
}

func (g demoGitLab) rename(ctx context.Context, ref surgical.EntityRef, title string) error {
	var ignored any
	return g.control(ctx, http.MethodPost, "edit", ref, url.Values{"title": {title}}, &ignored)
}

// hook gives the owner, "projects/1" or "groups/harbor", a new webhook for the stack. The
// demo delivers its events itself, so GitLab's log of an old one would look silent.
func (g demoGitLab) hook(ctx context.Context, owner, address, signingToken string) error {
	hooks := g.url + "/api/v4/" + owner + "/hooks"
	var have []struct{ ID int64 }
	if err := getJSON(ctx, hooks, devstack.DemoGitLabToken, &have); err != nil {
		return err
	}
	for _, old := range have {
		if err := call(ctx, http.MethodDelete, fmt.Sprintf("%s/%d", hooks, old.ID), devstack.DemoGitLabToken, nil); err != nil {
			return err
		}
	}
	return call(ctx, http.MethodPost, hooks, devstack.DemoGitLabToken, map[string]any{
		"url": address, "signing_token": signingToken, "issues_events": true, "confidential_issues_events": true,
		"merge_requests_events": true, "note_events": true, "confidential_note_events": true,
	})
}

func (g demoGitLab) remove(ctx context.Context, ref surgical.EntityRef) error {
	var ignored any
	return g.control(ctx, http.MethodPost, "delete", ref, nil, &ignored)
}

// hold withholds the response to the next request for the entity, so that a
// fetch of it cannot complete.
func (g demoGitLab) hold(ctx context.Context, ref surgical.EntityRef) error {
	var ignored any
	return g.control(ctx, http.MethodPost, "hold", ref, url.Values{"requests": {"1"}}, &ignored)
}

func (g demoGitLab) release(ctx context.Context, ref surgical.EntityRef) error {
	var ignored any
	return g.control(ctx, http.MethodPost, "release", ref, nil, &ignored)
}

// awaitHeld waits for the request that is to be held.
func (g demoGitLab) awaitHeld(ctx context.Context, ref surgical.EntityRef, waiting func()) error {
	ctx, cancel := context.WithTimeoutCause(ctx, runTimeout, fmt.Errorf("no run fetched %s within %s", ref, runTimeout))
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		var held struct {
			Awaited int `json:"awaited"`
		}
		if err := g.control(ctx, http.MethodGet, "hold", ref, nil, &held); err != nil {
			return err
		}
		if held.Awaited == 0 {
			return nil
		}
		waiting()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// requests returns how many requests for the entity GitLab has answered so far.
func (g demoGitLab) requests(ctx context.Context, ref surgical.EntityRef) (int, error) {
	var counts map[string]int
	if err := getJSON(ctx, g.url+"/_demo/requests", devstack.DemoGitLabToken, &counts); err != nil {
		return 0, err
	}
	sum := 0
	for endpoint, n := range counts {
		if strings.HasPrefix(endpoint, ref.Key()+" ") {
			sum += n
		}
	}
	return sum, nil
}

// truth is what readers are to see of an entity, according to GitLab itself. The stack
// excludes confidential issues and internal notes.
type truth struct {
	title, state        string
	updatedAt           time.Time
	discussions, events int
}

func (g demoGitLab) entity(ctx context.Context, ref surgical.EntityRef) (truth, error) {
	var entity struct {
		Title     string    `json:"title"`
		State     string    `json:"state"`
		UpdatedAt time.Time `json:"updated_at"`
	}
	if err := g.get(ctx, ref, "", &entity); err != nil {
		return truth{}, err
	}
	t := truth{title: entity.Title, state: entity.State, updatedAt: entity.UpdatedAt}
	for list, into := range map[string]*int{
		"discussions": &t.discussions, "resource_state_events": &t.events,
		"resource_label_events": &t.events, "resource_milestone_events": &t.events,
	} {
		n, err := g.shown(ctx, ref, list)
		if err != nil {
			return truth{}, err
		}
		*into += n
	}
	return t, nil
}

// shown returns how many records of a list readers are to see: all, except discussions
// without a public note.
func (g demoGitLab) shown(ctx context.Context, ref surgical.EntityRef, list string) (int, error) {
	type record struct {
		Notes []struct{ Internal bool }
	}
	records, err := everyPage[record](ctx, g, fmt.Sprintf("%d/%ss/%d/%s", ref.ProjectID, ref.Type, ref.IID, list))
	return len(slices.DeleteFunc(records, func(r record) bool {
		return len(r.Notes) > 0 && !slices.ContainsFunc(r.Notes, func(n struct{ Internal bool }) bool { return !n.Internal })
	})), err
}

// entities are the issues and merge requests that GitLab lists for a project, without
// confidential ones.
func (g demoGitLab) entities(ctx context.Context, project int64) ([]surgical.EntityRef, error) {
	var refs []surgical.EntityRef
	for _, typ := range []surgical.EntityType{surgical.Issue, surgical.MergeRequest} {
		listed, err := everyPage[struct {
			IID          int64
			Confidential bool
		}](ctx, g, fmt.Sprintf("%d/%ss", project, typ))
		if err != nil {
			return nil, err
		}
		for _, e := range listed {
			if e.Confidential {
				continue
			}
			refs = append(refs, surgical.EntityRef{ProjectID: project, Target: surgical.Target{Type: typ, IID: e.IID}})
		}
	}
	return refs, nil
}

// everyPage reads a list of GitLab's projects API.
func everyPage[T any](ctx context.Context, g demoGitLab, path string) ([]T, error) {
	const perPage = 100
	var all []T
	for page := 1; ; page++ {
		var items []T
		url := fmt.Sprintf("%s/api/v4/projects/%s?per_page=%d&page=%d", g.url, path, perPage, page)
		if err := getJSON(ctx, url, devstack.DemoGitLabToken, &items); err != nil {
			return nil, err
		}
		all = append(all, items...)
		if len(items) < perPage {
			return all, nil
		}
	}
}

func (g demoGitLab) get(ctx context.Context, ref surgical.EntityRef, rest string, v any) error {
	return getJSON(ctx, fmt.Sprintf("%s/api/v4/projects/%d/%ss/%d%s", g.url, ref.ProjectID, ref.Type, ref.IID, rest), devstack.DemoGitLabToken, v)
}
