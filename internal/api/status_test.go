package api_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/api"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/engines"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

func TestStatus_SummarizesTheStack(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		now := f.Clock.Now()
		empty := get[api.StatusView](f, "/v1/status")
		if empty.Projects.Total != 2 || empty.Projects.Complete != 0 || !empty.Projects.CompleteAsOf.IsZero() || len(empty.Projects.Attention) != 2 ||
			!empty.GitLab.AnsweredAt.IsZero() || empty.GitLab.RateLimit != nil || empty.GitLab.Pause != nil || empty.Index.Status != "absent" {
			t.Errorf("an empty stack: %+v", empty)
		}
		ctx := t.Context()
		f.must(f.Ledger.NameProject(ctx, 1, "demo/one", now))
		f.must(f.Ledger.NameProject(ctx, 2, "demo/two", now))
		f.must(f.Ledger.CompleteProject(ctx, 1, now.Add(-time.Minute), now.Add(-time.Hour)))
		f.must(f.Ledger.CompleteProject(ctx, 2, now.Add(-time.Hour), now.Add(-time.Hour)))
		f.must(f.Ledger.CompleteProject(ctx, 1, now.Add(-time.Minute), now.Add(-time.Hour), fakegitlab.IssueRef(7).Target, fakegitlab.MergeRequestRef(12).Target))
		for id, age := range map[int64]time.Duration{1: time.Hour, 2: 2 * time.Hour, 3: 3 * time.Hour} { // 3 is not allowed
			_, err := f.Ledger.SavePass(ctx, surgical.Pass{
				ProjectID: id, Kind: surgical.PassReconcile, ID: surgical.NewPassID(id, surgical.PassReconcile, "x"), Status: surgical.StatusSucceeded, ListedAt: now.Add(-age),
			}, ledger.PassChange{})
			f.must(err)
		}
		f.must(f.Ledger.CheckHook(ctx, 1, surgical.HookCheck{State: surgical.HookWorking, CheckedAt: now}))
		f.must(f.Ledger.CheckHook(ctx, 2, surgical.HookCheck{State: surgical.HookMissing, Reason: "there is none", CheckedAt: now}))
		f.must(f.Ledger.SawGitLab(ctx, ledger.Sighting{At: now, RateLimit: surgical.RateLimit{Limit: 60, Remaining: 12, Reset: now.Add(time.Second)}}))
		f.must(f.Ledger.SetSpare(ctx, now.Add(time.Minute)))
		f.must(f.Ledger.SetPause(ctx, now.Add(time.Hour), surgical.CodeGitLabUnauthorized))
		f.start(`{"project_id":1,"issues":[404]}`)
		f.start(`{"project_id":1,"issues":[9]}`)
		got := get[api.StatusView](f, "/v1/status")
		p := got.Projects
		if p.Complete != 2 || !p.CompleteAsOf.Equal(now.Add(-time.Hour).Truncate(time.Microsecond)) || p.OldestID != 2 {
			t.Errorf("projects %+v", p)
		}
		if diff := cmp.Diff(api.HooksState{Working: 1, Missing: 1}, p.Hooks); diff != "" {
			t.Errorf("hooks (-want +got):\n%s", diff)
		}
		if len(p.Attention) != 2 || p.Attention[1].ProjectID != 2 || p.Attention[1].Hook != surgical.HookMissing || p.Attention[1].HookReason == "" {
			t.Fatalf("attention %+v", p.Attention)
		}
		except := []api.TargetView{{Type: surgical.Issue, IID: 7}, {Type: surgical.MergeRequest, IID: 12}}
		if diff := cmp.Diff(except, p.Attention[0].Except); diff != "" || p.Except != 2 {
			t.Errorf("complete except for %d entities (-want +got):\n%s", p.Except, diff)
		}
		if p.ReconcileBehind != time.Hour.Milliseconds() {
			t.Errorf("behind from %d ms on", p.ReconcileBehind)
		}
		if age := time.Duration(p.ReconcileAge) * time.Millisecond; p.ReconcileAgeID != 2 || age < 2*time.Hour || age > 2*time.Hour+time.Minute {
			t.Errorf("project %d was compared %s ago, want project 2, two hours ago", p.ReconcileAgeID, age)
		}
		if g := got.GitLab; g.RateLimit == nil || g.RateLimit.Remaining != 12 || g.AnsweredAt.IsZero() || g.PassesWaitUntil.IsZero() ||
			g.Pause == nil || g.Pause.Code != surgical.CodeGitLabUnauthorized || g.Pause.Action != surgical.ActionCheckToken {
			t.Errorf("GitLab %+v", g)
		}
		if got.Runs.Queued.Count != 2 || got.Queues[0] != (api.QueueState{Name: "requests", Waiting: 2}) || got.Queues[3].Waiting != 1 {
			t.Errorf("runs %+v, queues %+v", got.Runs, got.Queues)
		}
		f.Clock.Advance(2 * time.Hour)
		if later := get[api.StatusView](f, "/v1/status").GitLab; later.Pause != nil || !later.PassesWaitUntil.IsZero() {
			t.Errorf("a pause that has ended: %+v", later)
		}
	})
}

func TestStatus_AnswersWithoutSQS(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e)
		o := f.options()
		o.Gauges = []api.Gauge{{Name: "bulk", Depth: func(context.Context) (int, int, error) { return 0, 0, errors.New("throttled") }}}
		got := decode[api.StatusView](t, call(serve(t, o), http.MethodGet, "/v1/status", ""), http.StatusOK)
		if len(got.Queues) != 1 || got.Queues[0].Error == "" {
			t.Errorf("%+v", got.Queues)
		}
	})
}

// What a status costs does not grow with what is stored: see the operation's description.
func TestStatus_CostsABoundedNumberOfCalls(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		calls := 0
		e.DynamoDB = cloud.Intercept(e.DynamoDB, func(_ context.Context, _ cloud.Call, send func() error) error {
			calls++
			return send()
		})
		f := newFixture(t, e)
		f.Webhook(fakegitlab.IssueRef(7))
		o := f.options()
		o.Allowed = nil
		for id := range int64(600) {
			o.Allowed = append(o.Allowed, id+1)
		}
		handler := serve(t, o)
		calls = 0
		got := decode[api.StatusView](t, call(handler, http.MethodGet, "/v1/status", ""), http.StatusOK)
		if got.Projects.Total != 500 || !got.Projects.More || len(got.Projects.Attention) != 20 || calls > 19 {
			t.Errorf("%d calls, %d projects, %d named", calls, got.Projects.Total, len(got.Projects.Attention))
		}
	})
}
