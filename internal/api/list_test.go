package api_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/api"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// all follows the cursors of a list of runs.
func all(f *fixture, path string) []string {
	f.Helper()
	var ids []string
	for cursor := ""; ; {
		list := get[api.RunList](f, path+cursor)
		for _, run := range list.Runs {
			ids = append(ids, run.RunID)
		}
		if list.NextCursor == "" {
			return ids
		}
		if cursor = "&cursor=" + list.NextCursor; len(ids) > 1000 {
			f.Fatalf("%s has no end", path)
		}
	}
}

// The runs of a project that left the allow list are still in the ledger.
func TestRunsOfAProjectThatIsNotAllowedAreNotRead(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		var ids []string
		for project := range int64(3) {
			req := f.Request(surgical.OriginManual, surgical.EntityRef{ProjectID: project + 1, Target: fakegitlab.IssueRef(7).Target})
			if _, err := f.Ledger.Queue(t.Context(), req); err != nil {
				t.Fatal(err)
			}
			ids = append(ids, req.RunID)
		}
		listed := all(f, "/v1/sync-runs?limit=2")
		if slices.Contains(listed, ids[2]) || len(listed) != 2 {
			t.Errorf("listed %v of %v", listed, ids)
		}
		for _, c := range []struct{ method, path string }{{http.MethodGet, ""}, {http.MethodPost, "/cancel"}, {http.MethodPost, "/retry-failed"}} {
			if p := problemIn(t, call(f.handler, c.method, "/v1/sync-runs/"+ids[2]+c.path, ""), http.StatusForbidden); p.Code != surgical.CodeProjectNotAllowed {
				t.Errorf("%s %s: %+v", c.method, c.path, p)
			}
		}
	})
}

func TestRunsAreListedNewestFirstEachOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		// Several share an instant, in which no index orders them.
		now := f.Clock.Now()
		rows := ledger.New(f.DB, f.Tables, func() time.Time { return now })
		at := map[string]time.Time{}
		byProject := map[int64][]string{}
		var cancelled []string
		for i := range 30 {
			if i%7 == 0 {
				now = now.Add(time.Second)
			}
			req := surgical.Request{
				RunID: surgical.RunID(surgical.OriginManual, fmt.Sprint(i)), ProjectID: int64(1 + i%2), Origin: surgical.OriginManual,
				Targets: []surgical.Target{{Type: surgical.Issue, IID: 7}}, EventAt: now,
			}
			if _, err := rows.Queue(t.Context(), req); err != nil {
				t.Fatal(err)
			}
			at[req.RunID] = now
			byProject[req.ProjectID] = append(byProject[req.ProjectID], req.RunID)
			if i%5 == 0 {
				decode[api.SyncResult](t, f.post("/v1/sync-runs/"+req.RunID+"/cancel", ""), http.StatusOK)
				cancelled = append(cancelled, req.RunID)
			}
		}
		everything := slices.Concat(byProject[1], byProject[2])
		for _, c := range []struct {
			filter string
			want   []string
		}{
			{"", everything},
			{"project_id=2&", byProject[2]},
			{"status=cancelled&", cancelled},
			{"status=failed&", nil},
			{"project_id=1&status=cancelled&", intersection(cancelled, byProject[1])},
			{"project_id=1&status=queued&", difference(byProject[1], cancelled)},
		} {
			for _, limit := range []int{1, 4, 7, 100} {
				got := all(f, fmt.Sprintf("/v1/sync-runs?%slimit=%d", c.filter, limit))
				if !slices.IsSortedFunc(got, func(a, b string) int { return at[b].Compare(at[a]) }) {
					t.Errorf("%q, limit %d: not newest first", c.filter, limit)
				}
				slices.Sort(got)
				want := slices.Sorted(slices.Values(c.want))
				if !slices.Equal(got, want) {
					t.Errorf("%q, limit %d: %d runs, want %d", c.filter, limit, len(got), len(want))
				}
			}
		}
	})
}

func intersection(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return !slices.Contains(b, s) })
}

func difference(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}

func TestACursorOfAnotherListIsRefused(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		ref := fakegitlab.IssueRef(7)
		for range 3 {
			f.Webhook(ref)
		}
		runs := get[api.RunList](f, "/v1/sync-runs?project_id=1&limit=1").NextCursor
		ofEntity := get[api.RunList](f, pathOf(ref)+"/sync-runs?limit=1").NextCursor
		documents := get[api.DocumentList](f, pathOf(ref)+"/documents?limit=1").NextCursor
		for _, path := range []string{
			"/v1/sync-runs?cursor=" + runs,
			"/v1/sync-runs?project_id=2&cursor=" + runs,
			"/v1/sync-runs?project_id=1&status=failed&cursor=" + runs,
			"/v1/sync-runs?project_id=1&cursor=" + ofEntity,
			"/v1/projects/1/issues/8/sync-runs?cursor=" + ofEntity,
			"/v1/projects/1/issues/8/documents?cursor=" + documents,
			pathOf(ref) + "?cursor=" + documents,
		} {
			p := problemIn(t, call(f.handler, http.MethodGet, path, ""), http.StatusUnprocessableEntity)
			if p.Code != surgical.CodeInvalidRequest || !strings.Contains(p.Detail, "query.cursor: it ") {
				t.Errorf("%s: %+v", path, p)
			}
		}
	})
}

func TestTheRunsOfAnEntityBeginWithThoseThatAreOpen(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		ref := fakegitlab.IssueRef(7)
		var want []string
		for range 3 {
			want = append(want, f.Webhook(ref).RunID)
		}
		f.Webhook(fakegitlab.IssueRef(8))
		f.start(`{"project_id":1,"issues":[8]}`)
		want = append(want, f.start(`{"project_id":1,"issues":[7,9]}`))
		slices.Reverse(want)
		for _, limit := range []int{1, 2, 50} {
			if got := all(f, fmt.Sprintf("%s/sync-runs?limit=%d", pathOf(ref), limit)); !slices.Equal(got, want) {
				t.Errorf("limit %d: %v, want %v", limit, got, want)
			}
		}
	})
}
