package cli_test

import (
	"context"
	"sync"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func TestRun_PrintsSuccessfulRuns(t *testing.T) {
	inStack(t, func(t *testing.T, s *stack) {
		s.goldens("empty_list", 0, "runs", "list")
		s.goldens("plan", 0, "sync", "-p", "1", "--issue", "7", "--mr", "12", "--dry-run")
		sync := []string{"sync", "-p", "1", "--issue", "7", "--mr", "12", "--idempotency-key", "tour"}
		queued := s.goldens("queued", 0, sync...)
		s.goldens("plan_conflict", 0, "sync", "-p", "1", "--issue", "7", "--dry-run")
		// The first of the two waits; the second finds that the run has ended.
		s.goldens("succeeded", 0, append(sync, "--wait")...)
		s.goldens("run", 0, "runs", "view", queued.field(t, "run_id"))
		s.goldens("list", 0, "runs", "list", "-p", "1", "--status", "succeeded", "--limit", "1")
		s.goldens("list_of_entity", 0, "runs", "list", "-p", "1", "--issue", "7")
		s.goldens("issue", 0, "show", "-p", "1", "--issue", "7")
		s.goldens("documents", 0, "show", "-p", "1", "--issue", "7", "--documents")
		s.goldens("preflight_only", 0, "sync", "-p", "1", "--issue", "8", "--preflight-only", "--wait", "--idempotency-key", "look")
		s.goldens("no_docs", 0, "sync", "-p", "1", "--issue", "8", "--no-docs", "--no-embed", "--wait", "--idempotency-key", "bare")
		s.goldens("behind", 0, "show", "-p", "1", "--issue", "8")
		s.goldens("drain", 0, "drain", "-p", "1")
		s.goldens("drain_all", 0, "drain")
		s.goldens("drain_not_allowed", 10, "drain", "-p", "99")
	})
}

func TestSyncRuns_RetryAFailedRunOnceEvenIfRepeated(t *testing.T) {
	inStack(t, func(t *testing.T, s *stack) {
		s.refuse(map[int64]*surgical.Error{
			8:   surgical.NewError(surgical.CodeGitLabForbidden, "project 1 issue#8: GitLab denied access (403)"),
			404: surgical.NewError(surgical.CodeGitLabNotFound, "project 1 issue#404 was not found (404)"),
		})
		failed := s.goldens("preflight_failed", 30, "sync", "-p", "1", "--issue", "7,8,404", "--wait", "--idempotency-key", "fails")
		id := failed.Error.RunID
		if id == "" || failed.Error.Total != 3 || len(failed.Error.Failures) != 2 {
			t.Fatalf("%+v", failed.Error)
		}
		s.goldens("failed_run", 0, "runs", "view", id)
		retry := s.goldens("retry", 0, "runs", "retry", id).field(t, "run_id")
		if again, _ := s.robot("runs", "retry", id); again.field(t, "run_id") != retry || retry == id {
			t.Errorf("retried by %s, and then by %s", retry, again.Data)
		}
		got, _ := s.robot("runs", "retry", id, "--wait")
		if got.field(t, "run_id") != retry || got.field(t, "status") != "succeeded" {
			t.Errorf("%s", got.Data)
		}
		if again, _ := s.robot("runs", "retry", id); again.field(t, "run_id") != retry {
			t.Errorf("after the retry ended, retried by %s", again.Data)
		}
	})
}

// refuse makes the next fetch of each issue fail.
func (s *stack) refuse(issues map[int64]*surgical.Error) {
	real := s.Fetch
	var mu sync.Mutex
	s.Fetch = func(ctx context.Context, ref surgical.EntityRef) (surgical.Snapshot, error) {
		mu.Lock()
		err := issues[ref.IID]
		delete(issues, ref.IID)
		mu.Unlock()
		if err != nil {
			return surgical.Snapshot{}, err
		}
		return real(ctx, ref)
	}
}

func TestSyncRuns_ExitWithTheCodeOfACancelledRun(t *testing.T) {
	inStack(t, func(t *testing.T, s *stack) {
		queued, _ := s.robot("sync", "-p", "1", "--issue", "7", "--idempotency-key", "cancelled")
		id := queued.field(t, "run_id")
		s.goldens("cancel", 0, "runs", "cancel", id)
		s.goldens("cancelled", 35, "runs", "watch", id)
		if _, got := s.robot("runs", "cancel", id, "--wait"); got.exit != 0 {
			t.Errorf("--cancel --wait: exit %d", got.exit)
		}
		if s.work(t.Context()); s.Run(id).Status != surgical.StatusCancelled {
			t.Error("the cancelled run was executed")
		}
	})
}

func TestRun_KeepsTheCodesOfTheAPIsErrors(t *testing.T) {
	inStack(t, func(t *testing.T, s *stack) {
		s.goldens("not_allowed", 10, "sync", "-p", "99", "--issue", "7")
		s.goldens("run_not_found", 41, "runs", "view", "munknown")
		s.goldens("entity_not_found", 42, "show", "-p", "1", "--mr", "999")
		s.robot("sync", "-p", "1", "--issue", "7", "--idempotency-key", "one")
		s.goldens("conflict", 43, "sync", "-p", "1", "--issue", "8", "--idempotency-key", "one")
		if e, got := s.robot("runs", "list", "--cursor", "bm8"); got.exit != 2 {
			t.Errorf("a foreign cursor: exit %d, %s", got.exit, e.Error.Message)
		}
	})
}
