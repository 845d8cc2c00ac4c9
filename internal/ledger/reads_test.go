package ledger_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// book is a ledger whose clock a test sets.
type book struct {
	*testing.T
	*ledger.Ledger
	now time.Time
}

// made adds a run to the ledger that ends with the status, or stays open.
func (b *book) made(id string, status surgical.RunStatus, iids ...int64) {
	b.Helper()
	b.now = b.now.Add(time.Second)
	req := surgical.Request{RunID: id, ProjectID: 1, Origin: surgical.OriginManual, EventAt: b.now}
	for _, iid := range iids {
		req.Targets = append(req.Targets, surgical.Target{Type: surgical.Issue, IID: iid})
	}
	run, err := b.Queue(b.Context(), req)
	if err == nil && status != surgical.StatusQueued {
		run, err = b.Claim(b.Context(), run, surgical.Claim{Request: req, MessageID: "m", Lease: time.Minute})
	}
	if err == nil && status.Terminal() {
		why := surgical.NewError(surgical.CodeIngestFailed, "broken")
		_, err = b.Close(b.Context(), run, map[surgical.RunStatus]surgical.Ending{
			surgical.StatusSucceeded: surgical.Succeeded{}, surgical.StatusFailed: surgical.Failed{Error: why}, surgical.StatusCancelled: surgical.Cancelled{Error: why},
		}[status])
	}
	if err != nil {
		b.Fatal(err)
	}
}

func ids(runs []surgical.Run) []string {
	var all []string
	for _, run := range runs {
		all = append(all, run.RunID)
	}
	return all
}

func issue(iid int64) surgical.EntityRef {
	return surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.Issue, IID: iid}}
}

func TestAListHoldsTheRunsOfItsSpanAlone(t *testing.T) {
	b := inMemory(t)
	begin := b.now
	for i := range 9 {
		b.made(fmt.Sprintf("r%d", i), []surgical.RunStatus{surgical.StatusSucceeded, surgical.StatusFailed, surgical.StatusQueued}[i%3], 7)
	}
	at := func(n int) time.Time { return begin.Add(time.Duration(n+1) * time.Second) }
	for name, c := range map[string]struct {
		filter ledger.RunFilter
		want   []string
	}{
		"all":               {ledger.RunFilter{}, []string{"r8", "r7", "r6", "r5", "r4", "r3", "r2", "r1", "r0"}},
		"since":             {ledger.RunFilter{Made: ledger.Span{Since: at(6)}}, []string{"r8", "r7", "r6"}},
		"until":             {ledger.RunFilter{Made: ledger.Span{Until: at(1)}}, []string{"r1", "r0"}},
		"between":           {ledger.RunFilter{Made: ledger.Span{Since: at(2), Until: at(4)}}, []string{"r4", "r3", "r2"}},
		"of the project":    {ledger.RunFilter{ProjectID: 1, Made: ledger.Span{Since: at(2), Until: at(4)}}, []string{"r4", "r3", "r2"}},
		"of a status":       {ledger.RunFilter{Statuses: []surgical.RunStatus{surgical.StatusFailed}, Made: ledger.Span{Since: at(2)}}, []string{"r7", "r4"}},
		"ends before begin": {ledger.RunFilter{Made: ledger.Span{Since: at(4), Until: at(2)}}, nil},
	} {
		for _, limit := range []int{1, 2, 100} {
			var got []string
			var place ledger.RunPlace
			for {
				runs, next, err := b.List(b.Context(), c.filter, place, limit)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if got = append(got, ids(runs)...); next.IsZero() {
					break
				}
				place = next
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s, limit %d (-want +got):\n%s", name, limit, diff)
			}
		}
	}
}

func TestRunsAreCountedUpToABound(t *testing.T) {
	b := inMemory(t)
	begin := b.now
	for i := range 5 {
		b.made(fmt.Sprintf("f%d", i), surgical.StatusFailed, 7)
		b.made(fmt.Sprintf("s%d", i), surgical.StatusSucceeded, 7)
	}
	for name, c := range map[string]struct {
		made ledger.Span
		most int
		want string
	}{
		"all of them":       {ledger.Span{}, 100, "5 false"},
		"as many as there":  {ledger.Span{}, 5, "5 false"},
		"fewer":             {ledger.Span{}, 4, "4 true"},
		"of a span":         {ledger.Span{Since: begin.Add(3 * time.Second), Until: begin.Add(7 * time.Second)}, 100, "3 false"},
		"ends before begin": {ledger.Span{Since: begin.Add(time.Hour), Until: begin}, 100, "0 false"},
	} {
		n, more, err := b.Count(b.Context(), surgical.StatusFailed, c.made, c.most)
		if got := fmt.Sprint(n, more); err != nil || got != c.want {
			t.Errorf("%s: %s, %v; want %s", name, got, err, c.want)
		}
	}
}

func TestOpenRunsComeTheLongestOpenFirst(t *testing.T) {
	b := inMemory(t)
	b.made("a", surgical.StatusRunning, 7)
	b.made("b", surgical.StatusSucceeded, 7)
	b.made("c", surgical.StatusQueued, 7)
	b.made("d", surgical.StatusRunning, 7)
	b.made("e", surgical.StatusCancelled, 7)
	b.made("f", surgical.StatusQueued, 7)
	b.made("g", surgical.StatusQueued, 7)
	for most, want := range map[int]struct {
		ids  []string
		more bool
	}{
		10: {[]string{"a", "c", "d", "f", "g"}, false},
		3:  {[]string{"a", "c", "d", "f", "g"}, false},
		2:  {[]string{"a", "c", "d", "f"}, true},
		1:  {[]string{"a", "c"}, true},
	} {
		runs, more, err := b.Open(b.Context(), most)
		if err != nil || more != want.more || !slices.Equal(ids(runs), want.ids) {
			t.Errorf("up to %d: %v, more %v, %v; want %v, %v", most, ids(runs), more, err, want.ids, want.more)
		}
	}
}

func TestTheOutcomeOfAnEntityIsThatOfItsLastRun(t *testing.T) {
	b := inMemory(t)
	b.made("a", surgical.StatusFailed, 7, 8)
	b.made("b", surgical.StatusSucceeded, 8, 9)
	b.made("c", surgical.StatusSucceeded, 7)
	b.made("d", surgical.StatusFailed, 9)
	b.made("e", surgical.StatusRunning, 7, 11)
	got, err := b.Outcomes(b.Context(), []surgical.EntityRef{issue(7), issue(8), issue(9), issue(10), issue(11)})
	if err != nil {
		t.Fatal(err)
	}
	want := map[surgical.EntityRef]string{issue(7): "c ok", issue(8): "b ok", issue(9): "d failed ingest_failed broken"}
	short := map[surgical.EntityRef]string{}
	for ref, row := range got {
		short[ref] = row.RunID + " " + string(row.Status)
		if row.Code != "" {
			short[ref] += " " + string(row.Code) + " " + row.Message
		}
	}
	if diff := cmp.Diff(want, short); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if none, err := b.Outcomes(b.Context(), nil); err != nil || len(none) != 0 {
		t.Errorf("outcomes of nothing: %v, %v", none, err)
	}
}
