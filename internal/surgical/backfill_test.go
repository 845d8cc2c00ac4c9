package surgical_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// noon is when the passes of these tests begin.
var noon = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

// backfill is one that is wanted by itself and by a request for a group. It has ended
// its first list.
func backfill() surgical.Pass {
	p := surgical.NewBackfill(5, surgical.NewPassID(5, surgical.PassBackfill, "x"), "0-group", noon)
	p.For = append(p.For, p.ID)
	p.Leg, p.Cursor, p.Counts.Listed = 1, "page 3", 40
	return p
}

func TestNewBackfill_ListsEverythingAndThenWhatChangedMeanwhile(t *testing.T) {
	p := surgical.NewBackfill(5, "5-id", "5-id", noon)
	var lists []string
	for _, leg := range p.Legs {
		name := string(leg.Type)
		if leg.CatchUp {
			name += " again"
		}
		lists = append(lists, name)
	}
	if diff := cmp.Diff([]string{"issue", "merge_request", "issue again", "merge_request again"}, lists); diff != "" || p.Total() != -1 || p.Listed() {
		t.Errorf("%+v: %s", p, diff)
	}
	for i := range p.Legs {
		p.Legs[i].Total = 100
	}
	if p.Total() != 200 {
		t.Errorf("a total of %d: what is listed again was counted", p.Total())
	}
}

func TestRestarted_ListsAgainWhatWasHiddenSinceTheBackfillBegan(t *testing.T) {
	later := noon.Add(time.Hour)
	p := backfill()
	p.Counts.Failed, p.Counts.Done = 1, 39
	for name, unchanged := range map[string]surgical.Pass{
		"hidden before":      p.Restarted(noon, later),
		"of another kind":    func() surgical.Pass { c := p; c.Kind = surgical.PassCensus; return c.Restarted(later, later) }(),
		"ended in this time": func() surgical.Pass { c := p; c.Status = surgical.StatusFailed; return c.Restarted(later, later) }(),
	} {
		if unchanged.Cursor != "page 3" || unchanged.Leg != 1 {
			t.Errorf("%s: %+v", name, unchanged)
		}
	}
	again := p.Restarted(noon.Add(time.Minute), later)
	if !again.StartedAt.Equal(later) || again.Leg != 0 || again.Cursor != "" || again.Counts.Listed != 0 || again.Counts.Done != 39 {
		t.Errorf("%+v", again)
	}
	// What failed is tried again as well.
	if last := again.Legs[len(again.Legs)-1]; len(again.Legs) != 5 || last.Type != "" {
		t.Errorf("lists %+v", again.Legs)
	}
}

func TestResume_GoesOnFromTheCheckpointWithWhatFailed(t *testing.T) {
	later := noon.Add(time.Hour)
	if _, ok := backfill().Resume(later); ok {
		t.Error("one that runs was resumed")
	}
	failed := backfill()
	failed.Status, failed.FinishedAt, failed.Error, failed.Tries, failed.FailingSince = surgical.StatusFailed, noon, surgical.NewError(surgical.CodeGitLabUnavailable, "x"), 9, noon
	failed.Counts.Failed = 2
	got, ok := failed.Resume(later)
	if !ok || got.Status != surgical.StatusRunning || got.Cursor != "page 3" || got.Leg != 1 || len(got.Legs) != 5 || !got.DueAt.Equal(later) ||
		got.Error != nil || got.Tries != 0 || !got.FinishedAt.IsZero() || !got.FailingSince.IsZero() {
		t.Errorf("resumed %v: %+v", ok, got)
	}
	if len(failed.Legs) != 4 {
		t.Error("resuming changed the pass that was read")
	}
	done := backfill()
	done.Status, done.Leg = surgical.StatusSucceeded, len(done.Legs)
	if _, ok := done.Resume(later); ok {
		t.Error("one with nothing left was resumed")
	}
	done.Counts.Failed = 1
	if got, ok := done.Resume(later); !ok || got.Listed() {
		t.Errorf("its failures were not tried again: %v %+v", ok, got)
	}
	if _, ok := failed.Outdated(1).Resume(later); ok {
		t.Error("one of another format was resumed")
	}
}

func TestResume_ReadsTheListsOnceMoreWhoseRecordsCouldNotBeRead(t *testing.T) {
	p := backfill()
	p.Status, p.Leg, p.Counts.Unreadable = surgical.StatusFailed, len(p.Legs), 2
	got, ok := p.Resume(noon.Add(time.Hour))
	if !ok || got.Listed() || got.Leg != 0 || got.Cursor != "" || got.Counts.Unreadable != 0 {
		t.Errorf("resumed %v: %+v", ok, got)
	}
}

func TestAnew_IsForTheSameRequests(t *testing.T) {
	p := backfill()
	next := p.Anew(noon.Add(time.Hour))
	if next.ID == p.ID || next.ID != p.Anew(noon).ID || next.Leg != 0 || len(next.Legs) != 4 {
		t.Errorf("%+v", next)
	}
	if diff := cmp.Diff([]string{"0-group"}, next.For); diff != "" {
		t.Error(diff)
	}
	p.For = []string{p.ID}
	if next := p.Anew(noon); !next.Wants(next.ID) || next.Wants(p.ID) {
		t.Errorf("wanted by %v", next.For)
	}
}

func TestCancel_EndsABackfillThatNobodyElseWants(t *testing.T) {
	p := backfill()
	if _, ok := p.Cancel("0-stranger", noon); ok {
		t.Error("a request that does not want it cancelled it")
	}
	left, ok := p.Cancel("0-group", noon)
	if !ok || left.Status != surgical.StatusRunning || left.Wants("0-group") || !left.Wants(p.ID) || !p.Wants("0-group") {
		t.Errorf("still wanted by itself: %v %+v", ok, left)
	}
	for name, cancel := range map[string]func() (surgical.Pass, bool){
		"by its own id":         func() (surgical.Pass, bool) { return p.Cancel(p.ID, noon) },
		"by the last who wants": func() (surgical.Pass, bool) { left.For = []string{"0-group"}; return left.Cancel("0-group", noon) },
	} {
		got, ok := cancel()
		if !ok || got.Status != surgical.StatusCancelled || surgical.CodeOf(got.Error) != surgical.CodeRunCancelled || !got.FinishedAt.Equal(noon) || len(got.For) == 0 {
			t.Errorf("%s: %v %+v", name, ok, got)
		}
		if _, ok := got.Cancel(p.ID, noon); ok {
			t.Errorf("%s: cancelled twice", name)
		}
	}
}

func TestConclude_WaitsForEveryPassAndSaysWhatFailed(t *testing.T) {
	pass := func(status surgical.RunStatus) surgical.Pass { return surgical.Pass{Status: status} }
	for name, c := range map[string]struct {
		request surgical.BackfillRequest
		passes  []surgical.Pass
		status  surgical.RunStatus
		code    surgical.Code
		open    bool
	}{
		"one is running":                {surgical.BackfillRequest{Projects: 2}, []surgical.Pass{pass(surgical.StatusFailed), pass(surgical.StatusRunning)}, "", "", true},
		"all succeeded":                 {surgical.BackfillRequest{Projects: 2}, []surgical.Pass{pass(surgical.StatusSucceeded), pass(surgical.StatusSucceeded)}, surgical.StatusSucceeded, "", false},
		"one failed":                    {surgical.BackfillRequest{Projects: 2}, []surgical.Pass{pass(surgical.StatusFailed), pass(surgical.StatusSucceeded)}, surgical.StatusFailed, surgical.CodeBackfillIncomplete, false},
		"a record names no project":     {surgical.BackfillRequest{Projects: 2, Unreadable: 1}, []surgical.Pass{pass(surgical.StatusSucceeded), pass(surgical.StatusSucceeded)}, surgical.StatusFailed, surgical.CodeBackfillIncomplete, false},
		"one was cancelled":             {surgical.BackfillRequest{Projects: 1}, []surgical.Pass{pass(surgical.StatusCancelled)}, surgical.StatusFailed, surgical.CodeBackfillIncomplete, false},
		"no project is allowed":         {surgical.BackfillRequest{Projects: 3, NotAllowed: 3}, nil, surgical.StatusFailed, surgical.CodeProjectNotAllowed, false},
		"GitLab shows no project":       {surgical.BackfillRequest{Scope: surgical.BackfillScope{Group: "demo"}}, nil, surgical.StatusFailed, surgical.CodeGitLabNotFound, false},
		"only unlisted ones, succeeded": {surgical.BackfillRequest{}, []surgical.Pass{pass(surgical.StatusSucceeded)}, surgical.StatusSucceeded, "", false},
		"some projects are not allowed": {surgical.BackfillRequest{Projects: 3, NotAllowed: 2}, []surgical.Pass{pass(surgical.StatusSucceeded)}, surgical.StatusSucceeded, "", false},
	} {
		got, ended := c.request.Conclude(c.passes, noon)
		if ended == c.open || got.Status != c.status {
			t.Errorf("%s: ended %v, %+v", name, ended, got)
		}
		if c.code != "" && surgical.CodeOf(got.Error) != c.code || c.code == "" && got.Error != nil {
			t.Errorf("%s: %v", name, got.Error)
		}
	}
}

func TestConclude_AdvisesWhatItsBackfillsDo(t *testing.T) {
	failed := func(e *surgical.Error) surgical.Pass { return surgical.Pass{Status: surgical.StatusFailed, Error: e} }
	denied := failed(surgical.NewError(surgical.CodeGitLabForbidden, ""))
	missing := failed(surgical.NewError(surgical.CodeGitLabNotFound, ""))
	away := failed(surgical.NewError(surgical.CodeGitLabUnavailable, ""))
	stuck := failed(surgical.Incomplete(surgical.PassCounts{Unreadable: 1}, nil))
	for name, c := range map[string]struct {
		passes    []surgical.Pass
		action    surgical.Action
		retryable bool
	}{
		"access to all is denied":        {[]surgical.Pass{denied, denied}, surgical.ActionGrantAccess, true},
		"to one, the other succeeded":    {[]surgical.Pass{denied, {Status: surgical.StatusSucceeded}}, surgical.ActionGrantAccess, true},
		"to one, the other is out of it": {[]surgical.Pass{denied, away}, surgical.ActionRetryFailed, true},
		"none is there":                  {[]surgical.Pass{missing, missing}, surgical.ActionVerifyIID, false},
		"each fails in its own way":      {[]surgical.Pass{missing, stuck}, surgical.ActionContactOperator, false},
		"one is there, denied":           {[]surgical.Pass{missing, denied}, surgical.ActionRetryFailed, true},
		"one was cancelled":              {[]surgical.Pass{stuck, {Status: surgical.StatusCancelled}}, surgical.ActionRetryFailed, true},
	} {
		got, ended := surgical.BackfillRequest{Projects: 2}.Conclude(c.passes, noon)
		if e := got.Error; !ended || e == nil || e.Code != surgical.CodeBackfillIncomplete || e.Action != c.action || e.Retryable != c.retryable {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

func TestBackfillRequestOutdated_ListsItsProjectsAgain(t *testing.T) {
	r := surgical.BackfillRequest{Status: surgical.StatusRunning, Cursor: "c", Projects: 7, NotAllowed: 1, Joined: 2}
	got := r.Outdated(0)
	if got.Status != surgical.StatusFailed || surgical.CodeOf(got.Error) != surgical.CodeCheckpointOutdated || got.Cursor != "" || got.Projects != 0 || got.NotAllowed != 0 || got.Joined != 0 {
		t.Errorf("%+v", got)
	}
	r.Listed, r.Status = true, surgical.StatusSucceeded
	if diff := cmp.Diff(r, r.Outdated(0)); diff != "" {
		t.Errorf("one that has ended: %s", diff)
	}
}

func TestBackfillScope_NamesWhatItCovers(t *testing.T) {
	for want, scope := range map[string]surgical.BackfillScope{
		"all projects": {All: true}, "group a/b": {Group: "a/b"}, "project a/b/c": {Project: "a/b/c"},
	} {
		if got := scope.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestAwait_NamesARunByPassRevisionAndTry(t *testing.T) {
	p, entry := backfill(), surgical.Entry{Target: surgical.Target{Type: surgical.Issue, IID: 7}}
	first := p.Await(entry, 3, noon, 0)
	for name, other := range map[string]surgical.Awaited{
		"another revision": p.Await(entry, 4, noon, 0), "another try": p.Await(entry, 3, noon, 1),
		"another pass": p.Anew(noon).Await(entry, 3, noon, 0),
	} {
		if other.RunID == first.RunID {
			t.Errorf("%s is the same run", name)
		}
	}
	again := p.Await(entry, 3, noon.Add(time.Minute), 0)
	if again.RunID != first.RunID {
		t.Error("a page that is read again requests another run")
	}
	want := surgical.Request{RunID: first.RunID, ProjectID: 5, Targets: []surgical.Target{entry.Target}, Origin: surgical.OriginBackfill, EventAt: noon, IdempotencyKey: p.ID}
	if diff := cmp.Diff(want, p.Request(first, noon), cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

func TestPassReplacing_KeepsWhatIsOutstandingAndWhoWantsIt(t *testing.T) {
	last := surgical.NewBackfill(1, "1-last", "0-group", noon)
	last.For, last.Revision = append(last.For, "1-last", "0-other"), 7
	windows := []surgical.Window{{Awaited: make([]surgical.Awaited, 30)}, {Sent: true, Awaited: make([]surgical.Awaited, 40)}, {Awaited: make([]surgical.Awaited, 1)}}
	for status, wanting := range map[surgical.RunStatus][]string{
		surgical.StatusCancelled: {"1-next", "0-group", "0-other"}, surgical.StatusFailed: {"1-next", "0-group", "0-other"}, surgical.StatusSucceeded: {"1-next"},
	} {
		last.Status = status
		next, left := surgical.NewBackfill(1, "1-next", "1-next", noon).Replacing(last, windows)
		if diff := cmp.Diff(wanting, next.For); diff != "" {
			t.Errorf("%s: %s", status, diff)
		}
		if next.Revision != 7 || next.Outstanding != 71 || next.Windows != 2 || len(left) != 2 || len(left[0].Awaited) != 50 || len(left[1].Awaited) != 21 || !left[1].Left || !left[1].Sent || left[1].Number != 1 {
			t.Errorf("%s: %+v, %+v", status, next, left)
		}
	}
	for range 2 * surgical.MaxWanting {
		last.For = append(last.For, fmt.Sprint("0-", len(last.For)))
	}
	last.Status = surgical.StatusFailed
	if next, _ := surgical.NewBackfill(1, "1-next", "1-next", noon).Replacing(last, nil); len(next.For) != surgical.MaxWanting || next.For[0] != "1-next" {
		t.Errorf("%d want it: %v", len(next.For), next.For)
	}
}

func TestSeenAgain_TriesOnceMoreWhatFailedWhileTheProjectWasOutOfSight(t *testing.T) {
	unseen, now := noon.Add(time.Hour), noon.Add(2*time.Hour)
	failures := surgical.Leg{CatchUp: true}
	with := func(change func(p *surgical.Pass)) surgical.Pass {
		p := backfill()
		change(&p)
		return p
	}
	failed := func(at time.Time) surgical.Pass {
		return with(func(p *surgical.Pass) {
			p.Status, p.FinishedAt, p.Error = surgical.StatusFailed, at, surgical.NewError(surgical.CodeGitLabNotFound, "404")
		})
	}
	for name, c := range map[string]struct {
		p      surgical.Pass
		legs   int // beyond those that it had; -1 if it reads the last one again
		status surgical.RunStatus
	}{
		"running":                            {backfill(), 1, surgical.StatusRunning},
		"running, and it does so anyway":     {with(func(p *surgical.Pass) { p.Legs = append(p.Legs, failures) }), 0, surgical.StatusRunning},
		"running, and about to do so":        {with(func(p *surgical.Pass) { p.Legs, p.Leg, p.Cursor = append(p.Legs, failures), 4, "" }), 0, surgical.StatusRunning},
		"running, and doing so":              {with(func(p *surgical.Pass) { p.Legs, p.Leg, p.Cursor = append(p.Legs, failures), 4, "issue#7" }), -1, surgical.StatusRunning},
		"running, after it did so":           {with(func(p *surgical.Pass) { p.Legs, p.Leg, p.Cursor = append(p.Legs, failures), 5, "" }), -1, surgical.StatusRunning},
		"failed in this time":                {failed(unseen.Add(time.Minute)), 0, surgical.StatusRunning},
		"failed by a clock that is behind":   {failed(unseen.Add(-surgical.Settle)), 0, surgical.StatusRunning},
		"failed before":                      {failed(unseen.Add(-time.Minute)), 0, surgical.StatusFailed},
		"failed with entities, in this time": {with(func(p *surgical.Pass) { *p = failed(now); p.Counts.Failed = 2 }), 1, surgical.StatusRunning},
		"cancelled":                          {with(func(p *surgical.Pass) { p.Status, p.FinishedAt = surgical.StatusCancelled, now }), 0, surgical.StatusCancelled},
		"succeeded":                          {with(func(p *surgical.Pass) { p.Status, p.FinishedAt = surgical.StatusSucceeded, now }), 0, surgical.StatusSucceeded},
	} {
		before := len(c.p.Legs)
		got, changed := c.p.SeenAgain(unseen, now)
		if len(got.Legs) != before+max(c.legs, 0) || got.Status != c.status || changed != (c.legs != 0 || got.Status != c.p.Status) || len(c.p.Legs) != before {
			t.Errorf("%s: %v, %+v", name, changed, got)
		}
		if c.legs > 0 && got.Legs[before].Type != "" {
			t.Errorf("%s: it lists %+v", name, got.Legs[before])
		}
		leg, cursor := c.p.Leg, c.p.Cursor
		if c.legs < 0 {
			leg, cursor = before-1, ""
		}
		if changed && (got.Leg != leg || got.Cursor != cursor) {
			t.Errorf("%s: it goes on at %d %q", name, got.Leg, got.Cursor)
		}
	}
}
