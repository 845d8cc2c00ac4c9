package cli_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/workflow"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

func TestSync_ReportsThreeOfTenFailedTargetsLikeTheAPIAndTheLedger(t *testing.T) {
	inStack(t, func(t *testing.T, s *stack) {
		created := fakegitlab.Time{Time: s.Clock.Now()}
		for iid := int64(201); iid < 210; iid++ { // 200 is missing
			s.GitLab.SetIssue(fakegitlab.NewIssue(iid, "Issue", "Text", created))
		}
		s.GitLab.Inject(fakegitlab.Fault{Ref: fakegitlab.IssueRef(201), Requests: 1, Status: http.StatusForbidden})
		s.GitLab.Inject(fakegitlab.Fault{Ref: fakegitlab.IssueRef(202), Requests: 1, Status: http.StatusBadGateway})
		command := []string{"sync", "-p", "1", "--issue", "200,201,202,203,204,205,206,207,208,209", "--wait", "--idempotency-key", "ten"}

		ofCLI := s.goldens("three_of_ten_failed", 30, command...).Error.Error
		id := ofCLI.RunID
		var ofAPI struct {
			Error surgical.Error `json:"error"`
		}
		shown, printed := s.robot("runs", "view", id)
		if err := json.Unmarshal(shown.Data, &ofAPI); err != nil {
			t.Fatalf("%v in %s", err, printed.out)
		}
		ofLedger := s.Run(id).Error
		for name, e := range map[string]surgical.Error{"API": ofAPI.Error, "CLI": ofCLI} {
			if diff := cmp.Diff(*ofLedger, e, cmpopts.IgnoreUnexported(surgical.Error{})); diff != "" {
				t.Errorf("-ledger +%s:\n%s", name, diff)
			}
		}
		want := surgical.Error{
			Code: surgical.CodePreflightFailed, Action: surgical.ActionRetryFailed, Retryable: true, RunID: id, Total: 10,
			Failures: []surgical.TargetFailure{
				{Target: issue(200), Code: surgical.CodeGitLabNotFound, Action: surgical.ActionVerifyIID},
				{Target: issue(201), Code: surgical.CodeGitLabForbidden, Action: surgical.ActionGrantAccess},
				{Target: issue(202), Code: surgical.CodeGitLabUnavailable, Action: surgical.ActionRetryAfter, Retryable: true},
			},
		}
		messages := cmpopts.IgnoreFields(surgical.TargetFailure{}, "Message")
		if diff := cmp.Diff(want, ofCLI, messages, cmpopts.IgnoreFields(surgical.Error{}, "Message"), cmpopts.IgnoreUnexported(surgical.Error{})); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		s.peersAreAborted(id, 7)
		if n := s.contentWrites.Load(); n != 0 {
			t.Errorf("%d writes of content", n)
		}
		s.retryTakesAllBut(id, 200)
	})
}

func issue(iid int64) surgical.Target { return surgical.Target{Type: surgical.Issue, IID: iid} }

// peersAreAborted checks the entity rows in the ledger and in the API.
func (s *stack) peersAreAborted(id string, want int) {
	s.t.Helper()
	rows, err := s.Ledger.Entities(s.t.Context(), id)
	if err != nil || len(rows) != 10 {
		s.t.Fatalf("%d rows, error %v", len(rows), err)
	}
	var shown struct {
		Entities []struct {
			surgical.Target
			Status surgical.EntityStatus `json:"status"`
			Code   surgical.Code         `json:"error_code"`
		} `json:"entities"`
	}
	e, printed := s.robot("runs", "view", id)
	if err := json.Unmarshal(e.Data, &shown); err != nil {
		s.t.Fatalf("%v in %s", err, printed.out)
	}
	aborted := 0
	for i, row := range rows {
		if row.Status != surgical.EntityFailed || row.Code == surgical.CodeAbortedByPeer != (row.Ref.IID > 202) {
			s.t.Errorf("%s is %s with %s", row.Ref, row.Status, row.Code)
		}
		if got := shown.Entities[i]; got.Target != row.Ref.Target || got.Status != row.Status || got.Code != row.Code {
			s.t.Errorf("the API returns %+v for %+v", got, row)
		}
		if row.Code == surgical.CodeAbortedByPeer {
			aborted++
		}
	}
	if aborted != want {
		s.t.Errorf("%d targets were aborted by a peer, want %d", aborted, want)
	}
}

// retryTakesAllBut retries the run and checks that all but one target are stored.
func (s *stack) retryTakesAllBut(id string, missing int64) {
	s.t.Helper()
	got, printed := s.robot("runs", "retry", id, "--wait")
	retry := s.Run(got.field(s.t, "run_id"))
	if printed.exit != 0 || retry.RetryOf != id || len(retry.Targets) != 9 {
		s.t.Errorf("exit %d, retry of %s with %v", printed.exit, retry.RetryOf, retry.Targets)
	}
	for iid := int64(200); iid < 210; iid++ {
		head, err := s.Content.Head(s.t.Context(), fakegitlab.IssueRef(iid))
		if err != nil || head.Exists() != (iid != missing) {
			s.t.Errorf("issue %d is stored: %v, error %v", iid, head.Exists(), err)
		}
	}
}

// One of three entities can never be rendered, another has a comment with an odd
// field: both are named, the third is complete, and the retry takes the first.
func TestSync_ReportsWhatDocsLeftUndoneLikeTheAPIAndTheLedger(t *testing.T) {
	inStack(t, func(t *testing.T, s *stack) {
		created := fakegitlab.Time{Time: s.Clock.Now()}
		for iid := int64(201); iid < 204; iid++ {
			s.GitLab.SetIssue(fakegitlab.NewIssue(iid, "Issue", "Text", created))
		}
		fetch := s.Fetch
		s.Fetch = func(ctx context.Context, ref surgical.EntityRef) (surgical.Snapshot, error) {
			snap, err := fetch(ctx, ref)
			if ref == fakegitlab.IssueRef(202) {
				snap.Children = append(snap.Children, surgical.Child{Kind: surgical.KindDiscussion, ID: "odd", Raw: json.RawMessage(`{"id":"odd","notes":[{"id":{},"body":"Said."}]}`)})
			}
			return snap, err
		}
		sound := s.Docs.Work
		s.Docs.Work = hopelessFor{sound, fakegitlab.IssueRef(201)}
		ofCLI := s.goldens("docs_failed", 32, "sync", "-p", "1", "--issue", "201,202,203", "--wait", "--idempotency-key", "undone").Error.Error
		id := ofCLI.RunID
		shown, printed := s.robot("runs", "view", id)
		var ofAPI struct {
			Error      surgical.Error `json:"error"`
			FailedIIDs struct {
				Issues []int64 `json:"issues"`
			} `json:"failed_iids"`
			Entities []struct {
				surgical.Target
				Stage    surgical.Stage        `json:"stage"`
				Status   surgical.EntityStatus `json:"status"`
				Code     surgical.Code         `json:"error_code"`
				Warnings []string              `json:"warnings"`
			} `json:"entities"`
		}
		if err := json.Unmarshal(shown.Data, &ofAPI); err != nil {
			t.Fatalf("%v in %s", err, printed.out)
		}
		for name, e := range map[string]surgical.Error{"API": ofAPI.Error, "CLI": ofCLI} {
			if diff := cmp.Diff(*s.Run(id).Error, e, cmpopts.IgnoreUnexported(surgical.Error{})); diff != "" {
				t.Errorf("-ledger +%s:\n%s", name, diff)
			}
		}
		want := surgical.Error{
			Code: surgical.CodeDocsFailed, Message: surgical.StageError("", surgical.StageDocs).Message, Action: surgical.ActionContactOperator, RunID: id, Total: 3,
			Failures: []surgical.TargetFailure{{Target: issue(201), Code: surgical.CodeDocsFailed, Message: "hopeless", Action: surgical.ActionContactOperator}},
		}
		if diff := cmp.Diff(want, ofCLI, cmpopts.IgnoreUnexported(surgical.Error{})); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]int64{201}, ofAPI.FailedIIDs.Issues); diff != "" {
			t.Errorf("failed iids (-want +got):\n%s", diff)
		}
		for i, row := range ofAPI.Entities {
			failed, odd := row.IID == 201, row.IID == 202
			if failed != (row.Status == surgical.EntityFailed) || failed != (row.Stage == surgical.StageDocs && row.Code == surgical.CodeDocsFailed) || odd != (len(row.Warnings) == 1) {
				t.Errorf("row %d: %+v", i, row)
			}
		}
		s.goldens("run_docs_failed", 0, "runs", "view", id)
		s.Docs.Work = sound
		got, printed := s.robot("runs", "retry", id, "--wait")
		if retry := s.Run(got.field(t, "run_id")); printed.exit != 0 || len(retry.Targets) != 1 || retry.Targets[0] != issue(201) {
			t.Errorf("exit %d, the retry has %v", printed.exit, retry.Targets)
		}
	})
}

// hopelessFor is work that never succeeds for one entity.
type hopelessFor struct {
	workflow.Work
	ref surgical.EntityRef
}

func (h hopelessFor) Do(ctx context.Context, run surgical.Run, job *surgical.Job, budget *workflow.Budget) (ledger.Done, error) {
	if job.Ref != h.ref {
		return h.Work.Do(ctx, run, job, budget)
	}
	e := surgical.NewError(surgical.CodeDocsFailed, "hopeless")
	e.Action, e.Retryable = surgical.ActionContactOperator, false
	return ledger.Done{}, e
}
