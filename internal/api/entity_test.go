package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gitlab.com/lorehook/lorehook/internal/api"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

func pathOf(ref surgical.EntityRef) string {
	return fmt.Sprintf("/v1/projects/%d/%ss/%d", ref.ProjectID, ref.Type, ref.IID)
}

// truth asks the demo GitLab itself.
func truth[T any](f *fixture, ref surgical.EntityRef, endpoint string) T {
	f.Helper()
	path := strings.Replace(pathOf(ref), "/v1/", "/api/v4/", 1) + endpoint + "?per_page=100"
	return decode[T](f.T, call(f.GitLab, http.MethodGet, path, "", "PRIVATE-TOKEN", cloud.Token), http.StatusOK)
}

func TestAnEntityIsReadAsGitLabHasIt(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		for _, ref := range []surgical.EntityRef{fakegitlab.IssueRef(7), fakegitlab.IssueRef(9), fakegitlab.MergeRequestRef(12)} {
			run := f.Webhook(ref)
			got := get[api.EntityView](f, pathOf(ref))
			var entity map[string]any
			if err := json.Unmarshal(got.Entity, &entity); err != nil {
				t.Fatal(err)
			}
			want := truth[map[string]any](f, ref, "")
			if diff := cmp.Diff(want, entity); diff != "" {
				t.Errorf("%s (-GitLab +API):\n%s", ref, diff)
			}
			lists := map[string][]json.RawMessage{
				"/discussions": got.Discussions, "/resource_state_events": got.Events.State,
				"/resource_label_events": got.Events.Label, "/resource_milestone_events": got.Events.Milestone,
			}
			for endpoint, list := range lists {
				if diff := cmp.Diff(truth[[]any](f, ref, endpoint), decoded(t, list)); diff != "" {
					t.Errorf("%s%s (-GitLab +API):\n%s", ref, endpoint, diff)
				}
			}
			if got.Title != want["title"] || got.State != want["state"] || got.WebURL != want["web_url"] || got.Confidential != (want["confidential"] == true) {
				t.Errorf("%s: title %q, state %q, url %q, confidential %v", ref, got.Title, got.State, got.WebURL, got.Confidential)
			}
			if got.RunID != run.RunID || got.Revision != 1 || got.NextCursor != "" || got.FetchedUntil.Before(got.FetchedAt) {
				t.Errorf("%s: run %s, revision %d, cursor %q, fetched %s to %s", ref, got.RunID, got.Revision, got.NextCursor, got.FetchedAt, got.FetchedUntil)
			}
			if len(got.Documents) != 1+len(got.Discussions) {
				t.Errorf("%s: %d documents for %d discussions", ref, len(got.Documents), len(got.Discussions))
			}
			for _, d := range got.Documents {
				if !d.Embedded || d.Chunks == 0 || !d.Visible || d.Hash == "" || d.Title == "" || d.Confidential != got.Confidential && got.Confidential {
					t.Errorf("%s: document %+v", ref, d)
				}
			}
		}
	})
}

// undone commits the request's run, whose documents then fail.
func (f *fixture) undone(req surgical.Request) {
	f.Helper()
	if _, err := f.Deliver(req); err != nil {
		f.Fatal(err)
	}
	f.Workflow.Forget()
	if _, err := f.Ledger.Close(f.Context(), f.World.Run(req.RunID), surgical.Failed{Error: surgical.StageError(req.RunID, surgical.StageDocs)}); err != nil {
		f.Fatal(err)
	}
}

func TestAnEntitySaysWhetherItsDocumentsAreBehind(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		ref := fakegitlab.IssueRef(7)
		f.Webhook(ref)
		if got := get[api.EntityView](f, pathOf(ref)); got.DocumentsBehind != nil {
			t.Errorf("current documents are behind: %+v", got.DocumentsBehind)
		}
		f.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: "One more."})
		f.World.Clock.Advance(10 * time.Second)
		req := f.Request(surgical.OriginManual, ref)
		f.undone(req)
		page := get[api.EntityView](f, pathOf(ref)+"?limit=1")
		committed, ended := f.World.Run(req.RunID).Marks.Committed, f.World.Run(req.RunID).FinishedAt
		next := ended.Add(surgical.BacklogAge)
		if diff := cmp.Diff(&api.BehindView{
			Since: committed, Changes: 1, State: surgical.BehindWaiting, RunID: req.RunID,
			Code: surgical.CodeDocsFailed, Reason: surgical.StageError(req.RunID, surgical.StageDocs).Message, NextTryAt: &next,
		}, page.DocumentsBehind); diff != "" {
			t.Errorf("behind (-want +got):\n%s", diff)
		}
		if second := get[api.EntityView](f, pathOf(ref)+"?limit=1&cursor="+page.NextCursor); second.DocumentsBehind != nil {
			t.Errorf("the second page repeats it: %+v", second.DocumentsBehind)
		}
		f.World.Clock.Advance(10 * time.Second)
		f.Webhook(ref)
		if got := get[api.EntityView](f, pathOf(ref)); got.DocumentsBehind != nil {
			t.Errorf("after the next run: %+v", got.DocumentsBehind)
		}
	})
}

func decoded(t *testing.T, list []json.RawMessage) []any {
	t.Helper()
	out := []any{}
	for _, raw := range list {
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	return out
}

func TestDocumentsFromBeforeAnIssueTurnedConfidentialAreLeftOut(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		ref := fakegitlab.IssueRef(7)
		f.Webhook(ref)
		f.GitLab.EditIssue(ref, func(i *fakegitlab.Issue) { i.Confidential = true })
		f.World.Clock.Advance(10 * time.Second)
		req := f.Request(surgical.OriginManual, ref)
		if _, err := f.Deliver(req); err != nil {
			t.Fatal(err)
		}
		got := get[api.EntityView](f, pathOf(ref))
		if !got.Confidential || len(got.Documents) != 0 {
			t.Errorf("before the workflow: confidential %v, documents %v", got.Confidential, got.Documents)
		}
		f.Drive()
		if got = get[api.EntityView](f, pathOf(ref)); len(got.Documents) != 1+len(got.Discussions) {
			t.Errorf("after it: %d documents", len(got.Documents))
		}
	})
}

// pages follows cursors to the end and puts the pages together.
func pages(f *fixture, path string) (whole api.EntityView, count int) {
	f.Helper()
	sep := "?"
	if strings.Contains(path, "?") {
		sep = "&"
	}
	for cursor := ""; ; {
		page := get[api.EntityView](f, path+cursor)
		if count++; count == 1 {
			whole = page
		} else {
			if page.Entity != nil || page.Revision != whole.Revision {
				f.Errorf("page %d has the entity (%v) or another revision (%d)", count, page.Entity != nil, page.Revision)
			}
			whole.Discussions = append(whole.Discussions, page.Discussions...)
			whole.Events.State = append(whole.Events.State, page.Events.State...)
			whole.Events.Label = append(whole.Events.Label, page.Events.Label...)
			whole.Events.Milestone = append(whole.Events.Milestone, page.Events.Milestone...)
			whole.Documents = append(whole.Documents, page.Documents...)
			whole.Omitted = append(whole.Omitted, page.Omitted...)
		}
		if whole.NextCursor = page.NextCursor; page.NextCursor == "" {
			return whole, count
		}
		if cursor = sep + "cursor=" + page.NextCursor; count > 1000 {
			f.Fatalf("%s has no end", path)
		}
	}
}

func TestPagesOfAnyLengthAddUpToTheWhole(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		ref := fakegitlab.MergeRequestRef(12)
		f.Webhook(ref)
		want := get[api.EntityView](f, pathOf(ref))
		for _, limit := range []int{1, 2, 3, 7, 10000} {
			got, _ := pages(f, fmt.Sprintf("%s?limit=%d", pathOf(ref), limit))
			if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(api.EntityView{})); diff != "" {
				t.Errorf("limit %d (-whole +pages):\n%s", limit, diff)
			}
		}
	})
}

func TestAnEntityBeyondLambdasLimitIsCutIntoPagesThatFit(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		ref := fakegitlab.IssueRef(7)
		// Quotes stand for two bytes in JSON and for four in Lambda's answer.
		nasty, plain := strings.Repeat(`"`, 900_000), strings.Repeat("x", 900_000)
		f.GitLab.Edit(ref, func(c *fakegitlab.Common) { c.Description = nasty })
		for range 3 {
			f.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: nasty})
			f.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: plain})
		}
		large := f.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: nasty}, fakegitlab.Note{Body: nasty})
		req := f.Request(surgical.OriginManual, ref)
		req.Options.NoDocs, req.Options.NoEmbed = true, true // chunks of 10 MB are beside the point
		f.Sync(req)
		got, count := pages(f, pathOf(ref))
		if count < 4 {
			t.Errorf("%d pages: the test shows nothing", count)
		}
		if want := len(f.GitLab.Discussions(ref)) - 1; len(got.Discussions) != want {
			t.Errorf("%d discussions, want %d", len(got.Discussions), want)
		}
		if len(got.Omitted) != 1 || got.Omitted[0].ID != large || got.Omitted[0].Kind != surgical.KindDiscussion {
			t.Errorf("omitted: %+v", got.Omitted)
		}
		for cursor := ""; ; {
			w := call(f.handler, http.MethodGet, pathOf(ref)+cursor, "")
			answer, err := json.Marshal(w.Body.String())
			if err != nil || len(answer) > 6_200_000 {
				t.Fatalf("an answer of %d bytes within Lambda's, error %v", len(answer), err)
			}
			page := decode[api.EntityView](t, w, http.StatusOK)
			if page.NextCursor == "" {
				return
			}
			cursor = "?cursor=" + page.NextCursor
		}
	})
}

func TestACursorEndsWithItsRevision(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		ref := fakegitlab.IssueRef(7)
		f.Webhook(ref)
		page := get[api.EntityView](f, pathOf(ref)+"?limit=1")
		f.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: "meanwhile"})
		f.Webhook(ref)
		w := call(f.handler, http.MethodGet, pathOf(ref)+"?cursor="+page.NextCursor, "")
		if p := problemIn(t, w, http.StatusConflict); p.Code != surgical.CodeConflict || !strings.Contains(p.Detail, "revision 1") {
			t.Errorf("%+v", p)
		}
	})
}
