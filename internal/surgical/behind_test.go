package surgical_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func TestBehindOf_SaysSinceWhenWhyAndWhatHappensNext(t *testing.T) {
	ref := surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.Issue, IID: 7}}
	failed := func(code surgical.Code, retryable bool) surgical.Run {
		run := surgical.Run{Request: surgical.Request{RunID: "failed"}, Status: surgical.StatusFailed, FinishedAt: t0.Add(time.Hour)}
		run.Error = surgical.NewError(surgical.CodeDocsFailed, "of the run").With(1, []surgical.TargetFailure{{Target: ref.Target, Code: code, Message: "of the target", Retryable: retryable}})
		return run
	}
	row := func(run surgical.Run, children ...string) surgical.Undone {
		return surgical.Undone{Run: run, DirtySource: surgical.DirtySource{
			ID: run.RunID + ".1", RunID: run.RunID, Ref: ref, CreatedAt: t0, Scope: surgical.Scope{Children: children},
		}}
	}
	open := surgical.Run{Request: surgical.Request{RunID: "open"}, Status: surgical.StatusRunning}
	postponed := surgical.Run{Request: surgical.Request{RunID: "postponed"}, Status: surgical.StatusRunning, ResumeAt: t0.Add(time.Minute), Error: surgical.NewError(surgical.CodeEmbedFailed, "throttled")}
	without := surgical.Run{Request: surgical.Request{RunID: "without", Options: surgical.Options{NoDocs: true, NoEmbed: true}}, Status: surgical.StatusSucceeded}
	done := surgical.Run{Request: surgical.Request{RunID: "done"}, Status: surgical.StatusSucceeded}
	cancelled := surgical.Run{Request: surgical.Request{RunID: "cancelled"}, Status: surgical.StatusCancelled}
	gone := row(surgical.Run{}, "a")
	gone.RunID = "gone"
	everything := row(failed(surgical.CodeDocsFailed, true))
	everything.Scope, everything.Since, everything.Attempts = surgical.Scope{All: true}, t0.Add(-time.Hour), 1
	for name, c := range map[string]struct {
		rows []surgical.Undone
		want *surgical.Behind
	}{
		"nothing":             {nil, nil},
		"removed in between":  {[]surgical.Undone{row(done, "a")}, nil},
		"its run works on it": {[]surgical.Undone{row(open, "a", "b")}, &surgical.Behind{Since: t0, Changes: 2, State: surgical.BehindRunning, RunID: "open", Reason: "the run is making them"}},
		"one of two runs waits": {[]surgical.Undone{row(open, "a"), row(postponed, "b"), row(open, "a")}, &surgical.Behind{
			Since: t0, Changes: 2, State: surgical.BehindPostponed, RunID: "postponed", Code: surgical.CodeEmbedFailed, Reason: "throttled", NextAt: t0.Add(time.Minute)}},
		"left on purpose": {[]surgical.Undone{row(without, "a")}, &surgical.Behind{
			Since: t0, Changes: 1, State: surgical.BehindWaiting, RunID: "without", Reason: "the run was requested without documents or embeddings", NextAt: t0.Add(15 * time.Minute)}},
		"cancelled": {[]surgical.Undone{row(cancelled, "a")}, &surgical.Behind{
			Since: t0, Changes: 1, State: surgical.BehindWaiting, RunID: "cancelled", Reason: "the run ended before it made them", NextAt: t0.Add(15 * time.Minute)}},
		"by a run that expired": {[]surgical.Undone{gone}, &surgical.Behind{
			Since: t0, Changes: 1, State: surgical.BehindWaiting, RunID: "gone", Reason: "the run ended before it made them", NextAt: t0.Add(15 * time.Minute)}},
		"failed": {[]surgical.Undone{row(failed(surgical.CodeDocsFailed, false), "a"), row(postponed, "b")}, &surgical.Behind{
			Since: t0, Changes: 2, State: surgical.BehindWaiting, RunID: "failed", Code: surgical.CodeDocsFailed, Reason: "of the target", NextAt: t0.Add(time.Hour + 15*time.Minute)}},
		"failed twice, and before": {[]surgical.Undone{row(without, "a"), everything}, &surgical.Behind{
			Since: t0.Add(-time.Hour), All: true, State: surgical.BehindWaiting, RunID: "failed", Code: surgical.CodeDocsFailed, Reason: "of the target", NextAt: t0.Add(time.Hour + 30*time.Minute)}},
		"refused by the embedder": {[]surgical.Undone{row(failed(surgical.CodeEmbedFailed, false), "a"), everything}, &surgical.Behind{
			Since: t0.Add(-time.Hour), All: true, State: surgical.BehindHeldBack, RunID: "failed", Code: surgical.CodeEmbedFailed, Reason: "of the target"}},
	} {
		if diff := cmp.Diff(c.want, surgical.BehindOf(c.rows)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestBehind_SaysByHowMuch(t *testing.T) {
	for want, b := range map[string]surgical.Behind{"all of them": {All: true}, "by 1 change": {Changes: 1}, "by 12 changes": {Changes: 12}} {
		if got := b.By(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
