package api_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/api"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/workflow"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

func issues(list ...int64) []api.TargetView {
	var targets []api.TargetView
	for _, iid := range list {
		targets = append(targets, api.TargetView{Type: surgical.Issue, IID: iid})
	}
	return targets
}

func TestARetryTakesWhatCanSucceedAndIsTheSameWhenAskedTwice(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		f.GitLab.Inject(fakegitlab.Fault{Ref: fakegitlab.IssueRef(8), Requests: 1, Status: http.StatusForbidden})
		id := f.start(`{"project_id":1,"issues":[7,8,404],"no_embed":true}`)
		f.work()
		var wg sync.WaitGroup
		ids := make([]string, 20)
		for i := range ids {
			wg.Go(func() {
				w := f.post("/v1/sync-runs/"+id+"/retry-failed", "")
				ids[i] = decode[api.RunSummary](t, w, http.StatusAccepted).RunID
			})
		}
		wg.Wait()
		want := surgical.RunID(surgical.OriginRetry, id)
		for _, got := range ids {
			if got != want {
				t.Errorf("run %s, want %s", got, want)
			}
		}
		f.work()
		retry := get[api.SyncResult](f, "/v1/sync-runs/"+want)
		if diff := cmp.Diff(issues(7, 8), retry.Targets); diff != "" || retry.Status != surgical.StatusSucceeded || retry.RetryOf != id || !retry.Options.NoEmbed {
			t.Errorf("%s, retry of %s, options %+v, targets (-want +got):\n%s", retry.Status, retry.RetryOf, retry.Options, diff)
		}
		if old := get[api.SyncResult](f, "/v1/sync-runs/"+id); old.RetriedBy != want {
			t.Errorf("the old run is retried by %q", old.RetriedBy)
		}
		if again := decode[api.RunSummary](t, f.post("/v1/sync-runs/"+id+"/retry-failed", ""), http.StatusAccepted); again.RunID != want || again.Status != surgical.StatusSucceeded {
			t.Errorf("asked after its end: %+v", again)
		}
	})
}

// Earlier versions could link a run to a retry that another entity's delivery under
// the same key had begun.
func TestRetryFailed_RefusesARetryThatIsAboutOtherEntities(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		f.GitLab.Inject(fakegitlab.Fault{Ref: fakegitlab.IssueRef(8), Requests: 1, Status: http.StatusForbidden})
		id := f.start(`{"project_id":1,"issues":[8]}`)
		f.work()
		run, err := f.Ledger.Run(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		other := f.Request(surgical.OriginRetry, fakegitlab.IssueRef(7))
		other.RetryOf = id
		if _, err := f.Ledger.Retry(t.Context(), run, other, "message"); err != nil {
			t.Fatal(err)
		}
		p := problemIn(t, f.post("/v1/sync-runs/"+id+"/retry-failed", ""), http.StatusConflict)
		if p.Code != surgical.CodeConflict || !strings.Contains(p.Detail, other.RunID) {
			t.Errorf("%+v", p)
		}
	})
}

func TestARetryTakesTargetsWhoseDocumentsWereLeftUndone(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		id := f.start(`{"project_id":1,"issues":[7,8]}`)
		if _, err := f.Deliver(f.queue.take()[0]); err != nil {
			t.Fatal(err)
		}
		abort := workflow.AbortInput{Input: workflow.Input{RunID: id, Generation: 1}, Stage: "docs", Error: "Permanent"}
		if _, err := f.Abort.Handle(t.Context(), abort); err != nil {
			t.Fatal(err)
		}
		w := f.post("/v1/sync-runs/"+id+"/retry-failed", "")
		if got := decode[api.RunSummary](t, w, http.StatusAccepted); !cmp.Equal(got.Targets, issues(7, 8)) {
			t.Errorf("targets %v", got.Targets)
		}
		f.work() // GitLab has nothing new
		for _, iid := range []int64{7, 8} {
			got := get[api.EntityView](f, pathOf(fakegitlab.IssueRef(iid)))
			if len(got.Documents) != 1+len(got.Discussions) || !got.Documents[0].Embedded {
				t.Errorf("issue %d has %d documents for %d discussions", iid, len(got.Documents), len(got.Discussions))
			}
		}
	})
}

func TestWhatCannotBeRetriedOrCancelledIsAConflict(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		succeeded := f.Webhook(fakegitlab.IssueRef(7)).RunID
		missing := f.start(`{"project_id":1,"issues":[404]}`)
		f.work()
		queued := f.start(`{"project_id":1,"issues":[7]}`)
		for _, c := range []struct{ path, names string }{
			{succeeded + "/retry-failed", "succeeded"},
			{succeeded + "/cancel", "succeeded"},
			{missing + "/retry-failed", "none of its targets"},
			{missing + "/cancel", "failed"},
			{queued + "/retry-failed", "queued"},
		} {
			p := problemIn(t, f.post("/v1/sync-runs/"+c.path, ""), http.StatusConflict)
			if p.Code != surgical.CodeConflict || !strings.Contains(p.Detail, c.names) {
				t.Errorf("%s: %+v", c.path, p)
			}
		}
		for _, path := range []string{"/v1/sync-runs/mabc/retry-failed", "/v1/sync-runs/mabc/cancel"} {
			if p := problemIn(t, f.post(path, ""), http.StatusNotFound); p.Code != surgical.CodeRunNotFound {
				t.Errorf("%s: %+v", path, p)
			}
		}
	})
}

func TestACancelledRunNeverStartsAndCanBeRetried(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		id := f.start(`{"project_id":1,"issues":[7]}`)
		for range 2 {
			got := decode[api.SyncResult](t, f.post("/v1/sync-runs/"+id+"/cancel", ""), http.StatusOK)
			if got.Status != surgical.StatusCancelled || got.ErrorCode != surgical.CodeRunCancelled || len(got.FailedIIDs.Issues) != 1 {
				t.Fatalf("%+v", got)
			}
		}
		f.work()
		if len(f.GitLab.Requests()) != 0 || f.items(f.Tables.Content) != 0 {
			t.Errorf("the run started: %v", f.GitLab.Requests())
		}
		retry := decode[api.RunSummary](t, f.post("/v1/sync-runs/"+id+"/retry-failed", ""), http.StatusAccepted)
		f.work()
		if run := f.World.Run(retry.RunID); run.Status != surgical.StatusSucceeded {
			t.Errorf("the retry is %s", run.Status)
		}
	})
}

func TestACancelStopsARunAtItsNextWriteInEveryStage(t *testing.T) {
	cancel := func(f *fixture, id string) {
		f.Helper()
		decode[api.SyncResult](f.T, f.post("/v1/sync-runs/"+id+"/cancel", ""), http.StatusOK)
	}
	stages := map[string]func(f *fixture, req surgical.Request){
		"preflight": func(f *fixture, req surgical.Request) {
			f.Fetch = before(f.Fetch, func() { cancel(f, req.RunID) })
			f.Deliver(req)
		},
		"docs": func(f *fixture, req surgical.Request) {
			f.Deliver(req)
			cancel(f, req.RunID)
			f.Drive()
		},
		"embed": func(f *fixture, req surgical.Request) {
			f.LeaveToEmbed = true
			f.Deliver(req)
			if _, err := f.Docs.Handle(f.Context(), workflow.Input{RunID: req.RunID, Generation: 1}); err != nil {
				f.Fatal(err)
			}
			cancel(f, req.RunID)
			f.Drive()
		},
	}
	for stage, act := range stages {
		t.Run(stage, func(t *testing.T) {
			inWorld(t, func(t *testing.T, f *fixture) {
				id := f.start(`{"project_id":1,"issues":[7]}`)
				act(f, f.queue.take()[0])
				got := get[api.SyncResult](f, "/v1/sync-runs/"+id)
				if got.Status != surgical.StatusCancelled || got.ErrorCode != surgical.CodeRunCancelled {
					t.Fatalf("%+v", got)
				}
				for _, jobs := range []map[surgical.JobStatus]int{got.Jobs.Docs, got.Jobs.Embed} {
					if jobs[surgical.JobPending]+jobs[surgical.JobClaimed] != 0 {
						t.Errorf("jobs %+v are open", got.Jobs)
					}
				}
				head, err := f.Content.Head(t.Context(), fakegitlab.IssueRef(7))
				if err != nil || head.Exists() != (stage != "preflight") {
					t.Errorf("the copy exists: %v, %v", head.Exists(), err)
				}
				retry := decode[api.RunSummary](t, f.post("/v1/sync-runs/"+id+"/retry-failed", ""), http.StatusAccepted)
				if !cmp.Equal(retry.Targets, issues(7)) {
					t.Errorf("the retry takes %v", retry.Targets)
				}
			})
		})
	}
}
