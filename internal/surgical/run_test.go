package surgical_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func TestCodes_AllHaveAMeaningAnActionAndOneName(t *testing.T) {
	seen := map[surgical.Code]bool{}
	for _, code := range surgical.Codes() {
		e := surgical.NewError(code, "x")
		if seen[code] || code.Means() == "" || e.Action == "" {
			t.Errorf("%s: twice %t, meaning %q, action %q", code, seen[code], code.Means(), e.Action)
		}
		if e.Action == surgical.ActionRetryFailed && !e.Retryable {
			t.Errorf("%s is to be retried, although that does not help", code)
		}
		seen[code] = true
	}
	if surgical.Code("else").Means() != "" {
		t.Error("an unknown code has a meaning")
	}
}

// What another try may fix, what a retry of the run may fix, and what neither can.
func TestCode_SaysWhatAnotherTryCanDo(t *testing.T) {
	for code, want := range map[surgical.Code]struct{ retryable, later bool }{
		surgical.CodeInvalidRequest:     {false, false},
		surgical.CodeProjectNotAllowed:  {false, false},
		surgical.CodeGitLabUnauthorized: {true, true},
		surgical.CodeGitLabForbidden:    {false, true}, // access can be granted
		surgical.CodeGitLabNotFound:     {false, false},
		surgical.CodeGitLabRateLimited:  {true, true},
		surgical.CodeGitLabUnavailable:  {true, true},
		surgical.CodeGitLabTimeout:      {true, true},
		surgical.CodeIngestFailed:       {true, true},
		surgical.CodeDocsFailed:         {true, true},
		surgical.CodeAbortedByPeer:      {true, true},
		surgical.CodeRunLost:            {true, true},
		surgical.CodeInternal:           {true, true},
	} {
		if got := surgical.NewError(code, "x").Retryable; got != want.retryable {
			t.Errorf("%s: retryable %t", code, got)
		}
		if got := code.CanSucceedLater(); got != want.later {
			t.Errorf("%s: CanSucceedLater = %t", code, got)
		}
	}
}

func TestAsError_HidesWhatIsNotTyped(t *testing.T) {
	cause := errors.New("the title of an issue")
	e := surgical.AsError(fmt.Errorf("wrapped: %w", cause))
	if e.Code != surgical.CodeInternal || !errors.Is(e, cause) || e.Message != "an internal error; the logs hold its cause" {
		t.Errorf("%+v", e)
	}
	typed := surgical.WrapError(surgical.CodeDocsFailed, cause, "documents")
	if got := surgical.AsError(fmt.Errorf("wrapped: %w", typed)); got != typed || surgical.CodeOf(got) != surgical.CodeDocsFailed {
		t.Errorf("%+v", got)
	}
	if got := typed.Error(); got != "docs_failed: documents: the title of an issue" {
		t.Errorf("with its cause: %q", got)
	}
	if got := surgical.NewError(surgical.CodeConflict, "taken").Error(); got != "conflict: taken" {
		t.Errorf("without a cause: %q", got)
	}
}

func TestErrorSeconds_RoundsUp(t *testing.T) {
	for after, want := range map[time.Duration]int64{0: 0, time.Nanosecond: 1, time.Second: 1, 1500 * time.Millisecond: 2} {
		if got := (&surgical.Error{RetryAfter: after}).Seconds(); got != want {
			t.Errorf("%s: %d seconds, want %d", after, got, want)
		}
	}
}

func TestScopeUnion_CoversBoth(t *testing.T) {
	name := rapid.Custom(func(t *rapid.T) string { return fmt.Sprintf("discussion#%d", rapid.IntRange(0, 900).Draw(t, "child")) })
	scope := rapid.Custom(func(t *rapid.T) surgical.Scope {
		s := surgical.Scope{All: rapid.IntRange(0, 9).Draw(t, "all") == 0, Hide: rapid.Bool().Draw(t, "hide")}
		if !s.All {
			s.Children = rapid.SliceOfNDistinct(name, 0, surgical.MaxNamedChildren, rapid.ID).Draw(t, "children")
		}
		return s
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := scope.Draw(t, "a"), scope.Draw(t, "b")
		union := a.Union(b)
		if union.Hide != (a.Hide || b.Hide) {
			t.Errorf("hide: %t", union.Hide)
		}
		if len(union.Children) > surgical.MaxNamedChildren || union.All && union.Children != nil {
			t.Errorf("%d children, all %t", len(union.Children), union.All)
		}
		if union.All {
			return
		}
		if a.All || b.All {
			t.Error("it is not all")
		}
		want := slices.Compact(slices.Sorted(slices.Values(slices.Concat(a.Children, b.Children))))
		if !slices.Equal(want, union.Children) {
			t.Errorf("children %v, want %v", union.Children, want)
		}
	})
}

func TestPreviewOf_CountsWhatWasFetched(t *testing.T) {
	got := surgical.PreviewOf(surgical.Snapshot{
		UpdatedAt: t0, Entity: json.RawMessage(`{"iid":7}`),
		Children: []surgical.Child{
			{Kind: surgical.KindDiscussion, ID: "a", Raw: json.RawMessage(`{}`)},
			{Kind: surgical.KindDiscussion, ID: "b", Raw: json.RawMessage(`{}`)},
			{Kind: surgical.KindLabelEvent, ID: "1", Raw: json.RawMessage(`{"id":1}`)},
		},
	})
	want := surgical.Preview{UpdatedAt: t0, Bytes: 9 + 2 + 2 + 8, Discussions: 2, Events: 1}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("preview (-want +got):\n%s", diff)
	}
}

func TestRunLogClosed_WarnsOnlyOfAFailure(t *testing.T) {
	run := surgical.Run{Request: request(nil), Status: surgical.StatusFailed, Stage: surgical.StagePreflight}
	run.Error = surgical.NewError(surgical.CodePreflightFailed, "x")
	run.Error.Failures = []surgical.TargetFailure{{Target: issue(7), Code: surgical.CodeGitLabNotFound}}
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&out, nil))
	line := func(run surgical.Run) map[string]any {
		out.Reset()
		run.LogClosed(t.Context(), log, "generation", 2)
		var fields map[string]any
		if err := json.Unmarshal(out.Bytes(), &fields); err != nil {
			t.Fatal(err)
		}
		delete(fields, "time")
		return fields
	}
	want := map[string]any{
		"level": "WARN", "msg": "closed", "run_id": "w1", "project_id": 1.0, "origin": "webhook", "type": "issue", "iid": 7.0,
		"status": "failed", "stage": "preflight", "code": "surgical_preflight_failed", "cause_code": "gitlab_not_found", "generation": 2.0,
	}
	if diff := cmp.Diff(want, line(run)); diff != "" {
		t.Errorf("failed (-want +got):\n%s", diff)
	}
	run.Status, run.Stage, run.Error, run.Targets = surgical.StatusSucceeded, surgical.StageDone, nil, []surgical.Target{issue(7), issue(8)}
	want = map[string]any{
		"level": "INFO", "msg": "closed", "run_id": "w1", "project_id": 1.0, "origin": "webhook",
		"status": "succeeded", "stage": "done", "generation": 2.0,
	}
	if diff := cmp.Diff(want, line(run)); diff != "" {
		t.Errorf("succeeded (-want +got):\n%s", diff)
	}
}

func TestParseAttributes_TakesNullForEmptyAndRefusesAnotherType(t *testing.T) {
	a, err := surgical.ParseAttributes(json.RawMessage(`{"title":"T","labels":null,"author":null,"confidential":true}`))
	if err != nil || a.Title != "T" || a.Author != nil || a.Labels != nil || !a.Confidential {
		t.Errorf("%+v, %v", a, err)
	}
	if _, err := surgical.ParseAttributes(json.RawMessage(`{"confidential":1}`)); err == nil {
		t.Error("a number was taken for a boolean")
	}
}

func TestRunStatus_TerminalNeverChanges(t *testing.T) {
	for status, want := range map[surgical.RunStatus]bool{
		surgical.StatusQueued: false, surgical.StatusRunning: false,
		surgical.StatusSucceeded: true, surgical.StatusFailed: true, surgical.StatusCancelled: true,
	} {
		if status.Terminal() != want {
			t.Errorf("%s: terminal %t", status, !want)
		}
	}
}

func TestOnlyMissing_IsAnOrdinaryDeletion(t *testing.T) {
	failure := func(codes ...surgical.Code) *surgical.Error {
		e := surgical.NewError(surgical.CodePreflightFailed, "x")
		for _, code := range codes {
			e.Failures = append(e.Failures, surgical.TargetFailure{Code: code})
		}
		return e
	}
	for name, c := range map[string]struct {
		run  surgical.Run
		want bool
	}{
		"a 404":               {surgical.Run{Status: surgical.StatusFailed, Error: failure(surgical.CodeGitLabNotFound)}, true},
		"several":             {surgical.Run{Status: surgical.StatusFailed, Error: failure(surgical.CodeGitLabNotFound, surgical.CodeGitLabNotFound)}, true},
		"a 404 and a 403":     {surgical.Run{Status: surgical.StatusFailed, Error: failure(surgical.CodeGitLabNotFound, surgical.CodeGitLabForbidden)}, false},
		"one that waits":      {surgical.Run{Status: surgical.StatusRunning, Error: failure(surgical.CodeGitLabNotFound)}, false},
		"one without targets": {surgical.Run{Status: surgical.StatusFailed, Error: failure()}, false},
		"one without error":   {surgical.Run{Status: surgical.StatusFailed}, false},
		"one that succeeded":  {surgical.Run{Status: surgical.StatusSucceeded}, false},
	} {
		if got := c.run.OnlyMissing(); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestRunBegunAt_IsTheEventUnlessTheRowCameFirst(t *testing.T) {
	created := time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct{ event, want time.Time }{
		"the event":                   {created.Add(-time.Hour), created.Add(-time.Hour)},
		"no event":                    {time.Time{}, created},
		"an event of a later clock":   {created.Add(time.Second), created},
		"an event of the same moment": {created, created},
	} {
		run := surgical.Run{CreatedAt: created}
		run.EventAt = c.event
		if got := run.BegunAt(); !got.Equal(c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
