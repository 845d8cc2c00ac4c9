package api_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/api"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

func TestAManualRunIsQueuedSentAndCarriedOut(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		w := f.post("/v1/sync-runs", `{"project_id":1,"merge_requests":[12],"issues":[8,7]}`, "Idempotency-Key", "nightly")
		got := decode[api.RunSummary](t, w, http.StatusAccepted)
		want := []api.TargetView{{Type: surgical.Issue, IID: 7}, {Type: surgical.Issue, IID: 8}, {Type: surgical.MergeRequest, IID: 12}}
		if diff := cmp.Diff(want, got.Targets); diff != "" {
			t.Errorf("targets (-want +got):\n%s", diff)
		}
		if got.RunID != surgical.RunID(surgical.OriginManual, "nightly") || got.Status != surgical.StatusQueued || w.Header().Get("Location") != "/v1/sync-runs/"+got.RunID {
			t.Errorf("%+v at %s", got, w.Header().Get("Location"))
		}
		if run := get[api.SyncResult](f, w.Header().Get("Location")); run.Status != surgical.StatusQueued || run.Stage != "" {
			t.Errorf("before the worker: %s, stage %q", run.Status, run.Stage)
		}
		f.work()
		run := get[api.SyncResult](f, w.Header().Get("Location"))
		if run.Status != surgical.StatusSucceeded || len(run.Entities) != 3 || run.Attempts != 1 {
			t.Errorf("after it: %+v", run)
		}
		if again := f.start(`{"project_id":1,"issues":[7,8],"merge_requests":[12]}`, "Idempotency-Key", "nightly"); again != got.RunID {
			t.Errorf("the same set in another order is run %s", again)
		}
		if sent := f.queue.take(); len(sent) != 0 {
			t.Errorf("a run that has ended was sent again: %v", sent)
		}
	})
}

func TestOfRequestsUnderOneKeyExactlyOneCommits(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		const requests = 100
		answers := make([]*httptest.ResponseRecorder, requests)
		var wg sync.WaitGroup
		for i := range requests {
			wg.Go(func() {
				// One in four asks for something else under the same key.
				answers[i] = f.post("/v1/sync-runs", fmt.Sprintf(`{"project_id":1,"issues":[%d]}`, 7+i%4/3), "Idempotency-Key", "race")
			})
		}
		wg.Wait()
		id := surgical.RunID(surgical.OriginManual, "race")
		won := f.World.Run(id).Targets[0].IID
		for i, w := range answers {
			if int64(7+i%4/3) != won {
				if p := problemIn(t, w, http.StatusConflict); p.Code != surgical.CodeConflict || !strings.Contains(p.Detail, id) {
					t.Errorf("%+v", p)
				}
			} else if got := decode[api.RunSummary](t, w, http.StatusAccepted); got.RunID != id {
				t.Errorf("run %s, want %s", got.RunID, id)
			}
		}
		messages := f.queue.take()
		if len(messages) != 1 || messages[0].Targets[0].IID != won {
			t.Fatalf("messages: %v", messages)
		}
		for range 3 {
			if _, err := f.Deliver(messages[0]); err != nil {
				t.Fatal(err)
			}
		}
		f.Drive()
		if head := f.Entity(fakegitlab.IssueRef(won)); head.Revision != 1 || f.World.Run(id).Attempt != 1 {
			t.Errorf("revision %d after %d attempts", head.Revision, f.World.Run(id).Attempt)
		}
		if list := get[api.RunList](f, "/v1/sync-runs"); len(list.Runs) != 1 {
			t.Errorf("%d runs", len(list.Runs))
		}
	})
}

func TestARequestThatTheQueueDidNotTakeIsSentByTheNextOneLikeIt(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		const body = `{"project_id":1,"issues":[7]}`
		f.queue.down = true
		w := f.post("/v1/sync-runs", body, "Idempotency-Key", "k")
		p := problemIn(t, w, http.StatusServiceUnavailable)
		if p.Code != surgical.CodeQueueUnavailable || !p.Retryable || p.RunID == "" || w.Header().Get("Retry-After") == "" {
			t.Errorf("%+v, Retry-After %q", p, w.Header().Get("Retry-After"))
		}
		f.queue.down = false
		id := f.start(body, "Idempotency-Key", "k")
		f.work()
		if run := f.World.Run(id); id != p.RunID || run.Status != surgical.StatusSucceeded {
			t.Errorf("run %s is %s", id, run.Status)
		}
	})
}

// The Lambda adapter splits a header at its commas.
func TestKeysThatDifferBehindACommaAreDifferentKeys(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		ids := map[string]bool{}
		for _, parts := range [][]string{{"a", "b"}, {"a", "c"}, {"a"}, {"a,b"}} {
			r := httptest.NewRequest(http.MethodPost, "/v1/sync-runs", strings.NewReader(`{"project_id":1,"issues":[7]}`))
			r.Header["Idempotency-Key"] = parts
			w := httptest.NewRecorder()
			f.handler.ServeHTTP(w, r)
			ids[decode[api.RunSummary](t, w, http.StatusAccepted).RunID] = true
		}
		if len(ids) != 3 {
			t.Errorf("%d runs, want 3", len(ids))
		}
	})
}

func TestRequestsWithoutAKeyAreRunsOfTheirOwn(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		if a, b := f.start(`{"project_id":1,"issues":[7]}`), f.start(`{"project_id":1,"issues":[7]}`); a == b {
			t.Errorf("both are run %s", a)
		}
	})
}

func iids(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprint(i + 1)
	}
	return "[" + strings.Join(list, ",") + "]"
}

func TestARequestThatIsNotValidLeavesNothingBehind(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		for _, c := range []struct {
			body, key string
			status    int
			code      surgical.Code
			names     string
		}{
			{`{"project_id":1}`, "k", 422, "invalid_request", "body.issues: issues and merge_requests together name 1 to 25 targets, got 0"},
			{`{"issues":[7]}`, "k", 422, "invalid_request", "project_id"},
			{`{"project_id":0,"issues":[7]}`, "k", 422, "invalid_request", "body.project_id: expected number >= 1, got 0"},
			{`{"project_id":"1","issues":[7]}`, "k", 422, "invalid_request", `body.project_id: expected integer, got "1"`},
			{`{"project_id":1,"issues":[-7]}`, "k", 422, "invalid_request", "body.issues[0]: expected number >= 1, got -7"},
			{`{"project_id":1,"issues":[7,0]}`, "k", 422, "invalid_request", "body.issues[1]: expected number >= 1, got 0"},
			{`{"project_id":1,"merge_requests":[1.5]}`, "k", 422, "invalid_request", "1.5"},
			{`{"project_id":1,"issues":[99999999999999999999]}`, "k", 422, "invalid_request", "body.issues[0]: expected number <= 9007199254740991, got 100000000000000000000"},
			{`{"project_id":1,"issues":7}`, "k", 422, "invalid_request", "body.issues: expected array, got 7"},
			{`{"project_id":1,"issues":[7,7]}`, "k", 422, "invalid_request", "body.issues[1]: named twice, got 7"},
			{`{"project_id":1,"issues":` + iids(26) + `}`, "k", 422, "invalid_request", "body.issues"},
			{`{"project_id":1,"issues":` + iids(13) + `,"merge_requests":` + iids(13) + `}`, "k", 422, "invalid_request", "body.issues: issues and merge_requests together name 1 to 25 targets, got 26"},
			{`{"project_id":1,"issues":[7],"isues":[8]}`, "k", 422, "invalid_request", "body.isues: unexpected property"},
			{`{"project_id":1,"issues":[7],"Dry_Run":true}`, "k", 422, "invalid_request", "body.Dry_Run: unexpected property, got true"},
			{`{"project_id":1,"issues":[7],"dry_run":true,"dry_run":false}`, "k", 422, "invalid_request", "body.dry_run: named twice, got false"},
			{`{"project_id":1,"issues":[7],"dry_run":null}`, "k", 422, "invalid_request", "body.dry_run: expected a value, got null"},
			{`{"project_id":1,"issues":[7],"dry_run":"yes"}`, "k", 422, "invalid_request", `body.dry_run: expected boolean, got "yes"`},
			{`{"project_id":1,"issues":[7],"dry_run":true,"preflight_only":true}`, "k", 422, "invalid_request", "body.preflight_only: preflight_only and dry_run exclude each other, got true"},
			{`{"project_id":1,"issues":[7],"no_docs":true}`, "k", 422, "invalid_request", "body.no_docs: no_docs requires no_embed, got true"},
			{`{"project_id":3,"issues":[7]}`, "k", 403, "project_not_allowed", "project 3"},
			{`{"project_id":3,"issues":[7],"dry_run":true}`, "k", 403, "project_not_allowed", "project 3"},
			{`{"project_id":1,"issues":[7]}`, "with space", 422, "invalid_request", `header.Idempotency-Key`},
			{`{"project_id":1,"issues":[7]}`, strings.Repeat("k", 129), 422, "invalid_request", "header.Idempotency-Key"},
			{`{"project_id":1,"issues":[7]}`, "", 422, "invalid_request", "header.Idempotency-Key"},
			{`{"project_id":1,`, "k", 400, "invalid_request", "body"},
			{`[]`, "k", 422, "invalid_request", "body"},
			{``, "k", 400, "invalid_request", "body is required"},
			{`{"project_id":1,"issues":[7]}` + strings.Repeat(" ", 70_000), "k", 413, "payload_too_large", "too large"},
		} {
			p := problemIn(t, f.post("/v1/sync-runs", c.body, "Idempotency-Key", c.key), c.status)
			if p.Code != c.code || !strings.Contains(p.Detail, c.names) || p.Action != surgical.ActionFixRequest {
				t.Errorf("%.80s: %+v, want %s and %q", c.body, p, c.code, c.names)
			}
			if c.status == http.StatusUnprocessableEntity && len(p.Errors) == 0 {
				t.Errorf("%.80s: no value is named: %+v", c.body, p)
			}
		}
		if items := f.items(f.Tables.SyncRuns); items != 0 || len(f.queue.take()) != 0 {
			t.Errorf("%d runs were written", items)
		}
	})
}

// items counts what a table holds.
func (f *fixture) items(table string) int32 {
	f.Helper()
	out, err := f.DB.Scan(f.Context(), &dynamodb.ScanInput{TableName: &table})
	if err != nil {
		f.Fatal(err)
	}
	return out.Count
}

// contents is all that a table holds, as text.
func (f *fixture) contents(table string) string {
	f.Helper()
	var all []string
	in := &dynamodb.ScanInput{TableName: &table, ConsistentRead: aws.Bool(true)}
	for pages := dynamodb.NewScanPaginator(f.DB, in); pages.HasMorePages(); {
		page, err := pages.NextPage(f.Context())
		if err != nil {
			f.Fatal(err)
		}
		for _, item := range page.Items {
			var row map[string]any
			if err := attributevalue.UnmarshalMap(item, &row); err != nil {
				f.Fatal(err)
			}
			all = append(all, fmt.Sprint(row))
		}
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

func TestADryRunAnswersWithThePlanAndDoesNothing(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		head := f.Webhook(fakegitlab.IssueRef(7))
		const others = `{"project_id":1,"issues":[8,9]`
		open := f.start(others+`}`, "Idempotency-Key", "other")
		waiting := f.start(`{"project_id":1,"issues":[7,12]}`)
		f.queue.take()
		tables := []string{f.Tables.Content, f.Tables.SyncRuns, f.Tables.SyncRunEntities, f.Tables.DirtySources, f.Tables.DependentQueue, f.Tables.State}
		before := map[string]string{}
		for _, table := range tables {
			before[table] = f.contents(table)
		}
		requests := fmt.Sprint(f.GitLab.Requests())

		w := f.post("/v1/sync-runs", `{"project_id":1,"issues":[7,8],"dry_run":true,"no_embed":true}`, "Idempotency-Key", "other")
		got := decode[api.PlanView](t, w, http.StatusOK)

		copied := f.Entity(fakegitlab.IssueRef(7))
		want := api.PlanView{
			DryRun: true, ProjectID: 1, Options: api.OptionsView{DryRun: true, NoEmbed: true},
			Targets: []api.PlanTargetView{
				{TargetView: api.TargetView{Type: surgical.Issue, IID: 7}, Local: &api.LocalView{
					Revision: 1, UpdatedAt: copied.UpdatedAt, FetchedAt: copied.FetchedAt, RunID: head.RunID}},
				{TargetView: api.TargetView{Type: surgical.Issue, IID: 8}},
			},
			Stages: []surgical.Stage{surgical.StagePreflight, surgical.StageIngest, surgical.StageDocs},
			Conflicts: []api.ConflictView{
				{Reason: "idempotency_key", RunID: open, Status: surgical.StatusQueued, Targets: issues(8)},
				{Reason: "open_run", RunID: waiting, Status: surgical.StatusQueued, Targets: issues(7)},
			},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		w = f.post("/v1/sync-runs", others+`,"dry_run":true}`, "Idempotency-Key", "other")
		if own := decode[api.PlanView](t, w, http.StatusOK); len(own.Conflicts) != 0 {
			t.Errorf("a repeated request is in conflict with its own run: %+v", own.Conflicts)
		}
		for _, table := range tables {
			if diff := cmp.Diff(before[table], f.contents(table)); diff != "" {
				t.Errorf("%s (-before +after):\n%s", table, diff)
			}
		}
		if now := fmt.Sprint(f.GitLab.Requests()); now != requests || len(f.queue.take()) != 0 {
			t.Errorf("GitLab was asked: %s, before %s", now, requests)
		}
	})
}

func TestAPreflightOnlyRunShowsWhatItFound(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		id := f.start(`{"project_id":1,"issues":[7],"preflight_only":true}`)
		f.work()
		got := get[api.SyncResult](f, "/v1/sync-runs/"+id)
		if got.Status != surgical.StatusSucceeded || got.TimingsMS.Preflight == nil || got.TimingsMS.Ingest != nil || len(got.Entities) != 1 || got.Entities[0].Preview == nil {
			t.Fatalf("%+v", got)
		}
		found := got.Entities[0].Preview
		ref := fakegitlab.IssueRef(7)
		if !found.UpdatedAt.Equal(f.GitLab.UpdatedAt(ref)) || found.Discussions != len(f.GitLab.Discussions(ref)) || found.Bytes == 0 {
			t.Errorf("%+v", found)
		}
		problemIn(t, call(f.handler, http.MethodGet, pathOf(ref), ""), http.StatusNotFound)
	})
}

func TestAPreflightOnlyRunTellsOfEachTargetWhetherItCanBeFetched(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		f.GitLab.Inject(fakegitlab.Fault{Ref: fakegitlab.IssueRef(8), Requests: 1, Status: http.StatusForbidden})
		id := f.start(`{"project_id":1,"issues":[7,8,404],"merge_requests":[12],"preflight_only":true}`)
		f.work()
		got := map[api.TargetView]surgical.Code{}
		for _, row := range get[api.SyncResult](f, "/v1/sync-runs/"+id).Entities {
			got[row.TargetView] = row.Code
			if fetched := row.Code == surgical.CodeAbortedByPeer; fetched != (row.Preview != nil) || fetched && row.Preview.Bytes == 0 {
				t.Errorf("%v with %s has the preview %+v", row.TargetView, row.Code, row.Preview)
			}
		}
		want := map[api.TargetView]surgical.Code{
			{Type: surgical.Issue, IID: 7}: surgical.CodeAbortedByPeer, {Type: surgical.Issue, IID: 8}: surgical.CodeGitLabForbidden,
			{Type: surgical.Issue, IID: 404}: surgical.CodeGitLabNotFound, {Type: surgical.MergeRequest, IID: 12}: surgical.CodeAbortedByPeer,
		}
		if diff := cmp.Diff(want, got); diff != "" || f.items(f.Tables.Content) != 0 {
			t.Errorf("%d items of content, codes (-want +got):\n%s", f.items(f.Tables.Content), diff)
		}
	})
}
