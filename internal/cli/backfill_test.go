package cli_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

func TestBackfill_IsWatchedToItsEndAndCanBeLeftAndFoundAgain(t *testing.T) {
	inStack(t, func(t *testing.T, s *stack) {
		started, _ := s.robot("backfill", "-p", "1", "--detach", "--idempotency-key", "import")
		id := started.field(t, "id")
		if again, got := s.robot("backfill", "-p", "1", "--detach", "--idempotency-key", "import"); again.field(t, "id") != id || got.exit != 0 {
			t.Errorf("%s, exit %d", again.Data, got.exit)
		}
		if refused, got := s.robot("backfill", "-p", "1", "--detach"); got.exit != 43 || !strings.Contains(refused.Error.Message, id) {
			t.Errorf("another backfill: exit %d, %s", got.exit, refused.Error.Message)
		}
		s.goldens("backfill_cancelled", 0, "backfill", "-p", "1", "--cancel")
		s.crawls = true
		if _, got := s.robot("backfill", "--id", id, "--retry-failed"); got.exit != 0 {
			t.Errorf("resumed: exit %d", got.exit)
		}
		s.goldens("backfill_succeeded", 0, "backfill", "--id", id)
		s.goldens("backfills", 0, "backfill", "--list")
		if conflict, got := s.robot("backfill", "--id", id, "--retry-failed"); got.exit != 43 {
			t.Errorf("nothing to retry: exit %d, %s", got.exit, conflict.Error.Message)
		}
	})
}

func TestBackfill_OfAPathThatOnlyGitLabKnows(t *testing.T) {
	inStack(t, func(t *testing.T, s *stack) {
		s.crawls = true
		done, got := s.robot("backfill", "-p", "demo/lorehook-demo")
		if got.exit != 0 || done.field(t, "status") != string(surgical.StatusSucceeded) {
			t.Errorf("exit %d, %s", got.exit, done.Data)
		}
		if p, err := s.Ledger.Pass(t.Context(), 1, surgical.PassBackfill); err != nil || p.Status != surgical.StatusSucceeded || p.Counts.Done != 4 {
			t.Errorf("%+v, %v", p, err)
		}
		unknown, got := s.robot("backfill", "-p", "demo/nothing-like-it")
		if got.exit != 22 || unknown.Error.Code != surgical.CodeGitLabNotFound {
			t.Errorf("exit %d, %+v", got.exit, unknown.Error)
		}
	})
}

func TestBackfill_ListsWhatFailed(t *testing.T) {
	inStack(t, func(t *testing.T, s *stack) {
		s.crawls = true
		s.refuse(map[int64]*surgical.Error{8: surgical.NewError(surgical.CodeEntityTooLarge, "project 1 issue#8 is too large")})
		s.goldens("backfill_incomplete", 37, "backfill", "-p", "1", "--idempotency-key", "import")
		if retried, got := s.robot("backfill", "-p", "1", "--retry-failed"); got.exit != 0 || retried.field(t, "status") != "succeeded" {
			t.Errorf("exit %d, %s", got.exit, retried.Data)
		}
		s.GitLab.AddProject(1, "demo/renamed") // the API does not know that path yet
		var refused atomic.Bool
		real := s.Fetch
		s.Fetch = func(ctx context.Context, ref surgical.EntityRef) (surgical.Snapshot, error) {
			if refused.Load() && ref.IID == 8 {
				return surgical.Snapshot{}, surgical.NewError(surgical.CodeEntityTooLarge, "project 1 issue#8 is too large")
			}
			return real(ctx, ref)
		}
		for _, scope := range [][]string{{"-p", "demo/renamed"}, {"-g", "demo"}, {"--all"}} {
			s.Clock.Advance(time.Hour)
			s.GitLab.AddDiscussion(fakegitlab.IssueRef(8), fakegitlab.Note{Body: "Nobody announces this."})
			refused.Store(true)
			got := s.run(append([]string{"backfill"}, scope...)...)
			if got.exit != 37 || !strings.Contains(got.out, "1#issue#8  entity_too_large") || !strings.Contains(got.out, "retry them: lore backfill --id 0-") {
				t.Errorf("%v: exit %d\n%s", scope, got.exit, got.out)
			}
			refused.Store(false)
			if _, got := s.robot(append([]string{"backfill", "--retry-failed"}, scope...)...); got.exit != 0 {
				t.Errorf("%v, retried: exit %d", scope, got.exit)
			}
		}
	})
}

func TestBackfill_CancelsTheOneThatIsRunning(t *testing.T) {
	inStack(t, func(t *testing.T, s *stack) {
		s.crawls = true
		if _, got := s.robot("backfill", "-p", "demo/lorehook-demo"); got.exit != 0 {
			t.Fatalf("by a path that was not known: exit %d", got.exit)
		}
		s.Clock.Advance(time.Minute)
		running, got := s.robot("backfill", "-p", "demo/lorehook-demo", "--detach")
		if got.exit != 0 {
			t.Fatalf("again: exit %d", got.exit)
		}
		if cancelled, got := s.robot("backfill", "-p", "Demo/Lorehook-demo", "--cancel"); got.exit != 0 || cancelled.field(t, "id") != running.field(t, "id") {
			t.Errorf("exit %d, %s %+v", got.exit, cancelled.Data, cancelled.Error)
		}
	})
}

func TestBackfill_RefusesWhatCannotBeMeant(t *testing.T) {
	inStack(t, func(t *testing.T, s *stack) {
		for _, args := range [][]string{
			{"backfill"}, {"backfill", "-p", "1", "--all"}, {"backfill", "--list", "--cancel"}, {"backfill", "-p", "1", "--cancel", "--retry-failed"},
			{"backfill", "-p", "1", "--timeout", "0s"}, {"reconcile"}, {"reconcile", "-p", "1", "--all"},
		} {
			if _, got := s.robot(args...); got.exit != 2 {
				t.Errorf("%v: exit %d", args, got.exit)
			}
		}
		if _, got := s.robot("backfill", "-g", "demo", "--cancel"); got.exit == 0 {
			t.Error("a backfill that does not exist was cancelled")
		}
	})
}

func TestReconcile_WaitsUntilTheProjectIsCompared(t *testing.T) {
	inStack(t, func(t *testing.T, s *stack) {
		s.crawls = true
		s.World.Functions.Crawler.Listed = []int64{1}
		for _, args := range [][]string{{"reconcile", "-p", "1"}, {"reconcile", "--all"}} {
			list, got := s.robot(args...)
			if text := string(list.Data); got.exit != 0 || strings.Count(text, `"project_id"`) != 1 || !strings.Contains(text, `"status":"succeeded"`) {
				t.Errorf("%v: exit %d, %s", args, got.exit, text)
			}
		}
	})
}
