package surgical_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// givenUp is an entity that was listed at noon.
func givenUp(iid int64) surgical.Awaited {
	return surgical.Awaited{Entry: surgical.Entry{Target: surgical.Target{Type: surgical.Issue, IID: iid}, UpdatedAt: noon}, ListedAt: noon}
}

func TestPassGiveUp_RemembersEachEntityOnceAndThatThereAreMore(t *testing.T) {
	p := surgical.Pass{ProjectID: 1}
	for iid := range int64(surgical.MaxGivenUp) {
		p = p.GiveUp([]surgical.Awaited{givenUp(iid + 1), givenUp(1)}, noon)
	}
	if except, all := p.Except(); len(except) != surgical.MaxGivenUp || !all || except[0].IID != 1 || except[surgical.MaxGivenUp-1].IID != surgical.MaxGivenUp {
		t.Errorf("%v, all: %t", except, all)
	}
	p = p.GiveUp([]surgical.Awaited{givenUp(1000)}, noon)
	if except, all := p.Except(); len(except) != surgical.MaxGivenUp || all {
		t.Errorf("one more: %v, all: %t", except, all)
	}
	p = p.TakeUp(nil, surgical.Project{CompleteSince: noon})
	if except, all := p.Except(); len(except) != surgical.MaxGivenUp || all {
		t.Errorf("after a backfill that began before: %v, all: %t", except, all)
	}
	p = p.TakeUp(nil, surgical.Project{CompleteSince: noon.Add(time.Second)})
	if except, all := p.Except(); len(except) != 0 || !all {
		t.Errorf("after a backfill: %v, all: %t", except, all)
	}
}

func TestPassTakeUp_ForgetsWhatIsCurrent(t *testing.T) {
	p := surgical.Pass{ProjectID: 1}.GiveUp([]surgical.Awaited{givenUp(9), givenUp(8), givenUp(7)}, noon)
	head := func(iid int64, fetched, updated time.Time) (surgical.EntityRef, surgical.Head) {
		ref := surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.Issue, IID: iid}}
		return ref, surgical.Head{Ref: ref, Revision: 1, FetchedAt: fetched, UpdatedAt: updated}
	}
	heads := map[surgical.EntityRef]surgical.Head{}
	for iid, times := range map[int64][2]time.Time{7: {noon.Add(-time.Hour), noon}, 8: {noon.Add(time.Second), noon}} {
		ref, h := head(iid, times[0], times[1])
		heads[ref] = h
	}
	except, all := p.TakeUp(heads, surgical.Project{}).Except()
	if diff := cmp.Diff([]surgical.Target{{Type: surgical.Issue, IID: 7}, {Type: surgical.Issue, IID: 9}}, except); diff != "" || !all {
		t.Errorf("all: %t, %s", all, diff)
	}
	if got := surgical.ShortTargets(append(except, surgical.Target{Type: surgical.MergeRequest, IID: 12})); got != "#7, #9, !12" {
		t.Error(got)
	}
}
