package surgical_test

import (
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func TestDiffers_FindsWhatTheHeadLacks(t *testing.T) {
	at := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	entry := surgical.Entry{Target: surgical.Target{Type: surgical.Issue, IID: 7}, UpdatedAt: at, UserNotesCount: 3}
	current := surgical.Head{Revision: 2, UpdatedAt: at, UserNotesCount: 3, FetchedAt: at.Add(time.Second), FetchedUntil: at.Add(2 * time.Second), Listed: true}
	with := func(change func(*surgical.Head)) surgical.Head {
		h := current
		change(&h)
		return h
	}
	for _, c := range []struct {
		name     string
		head     surgical.Head
		hiddenAt time.Time
		after    time.Duration // from the end of the head's fetch to the listing
		want     bool
	}{
		{"current", current, time.Time{}, time.Hour, false},
		{"missing", surgical.Head{}, time.Time{}, time.Hour, true},
		{"a head without a copy", surgical.Head{Revision: 1, HiddenSince: at}, time.Time{}, time.Hour, true},
		{"older", with(func(h *surgical.Head) { h.UpdatedAt = at.Add(-time.Millisecond) }), time.Time{}, time.Hour, true},
		{"fewer comments", with(func(h *surgical.Head) { h.UserNotesCount = 2 }), time.Time{}, time.Hour, true},
		{"more comments", with(func(h *surgical.Head) { h.UserNotesCount = 4 }), time.Time{}, time.Hour, true},
		{"of an earlier version", with(func(h *surgical.Head) { h.Listed = false }), time.Time{}, time.Hour, true},
		{"called confidential, of an earlier version", with(func(h *surgical.Head) { h.HiddenSince, h.Listed = at, false }), time.Time{}, time.Hour, false},
		{"gone", with(func(h *surgical.Head) { h.Gone = true }), time.Time{}, time.Hour, true},
		{"erased", surgical.Head{Revision: 3, ErasedAt: at}, time.Time{}, time.Hour, false},
		{"hidden with its project", current, at.Add(time.Second), time.Hour, true},
		{"from after its project was hidden", current, at, time.Hour, false},
		{"called confidential", with(func(h *surgical.Head) { h.HiddenSince = at }), time.Time{}, time.Hour, false},
		{"newer, fetched just before", with(func(h *surgical.Head) { h.UpdatedAt, h.UserNotesCount = at.Add(time.Minute), 4 }), time.Time{}, surgical.Confirmation - 1, false},
		{"newer, fetched long before", with(func(h *surgical.Head) { h.UpdatedAt = at.Add(time.Minute) }), time.Time{}, surgical.Confirmation, true},
		{"newer, fetched afterwards", with(func(h *surgical.Head) { h.UpdatedAt = at.Add(time.Minute) }), time.Time{}, -time.Minute, false},
	} {
		if got := entry.Differs(c.head, c.hiddenAt, current.FetchedUntil.Add(c.after)); got != c.want {
			t.Errorf("Differs from a head that is %s: %t, want %t", c.name, got, c.want)
		}
	}
}

func TestSettled_AcceptsOnlyALaterFetchThatShowsTheEntry(t *testing.T) {
	at := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	awaited := surgical.Awaited{Entry: surgical.Entry{UpdatedAt: at, UserNotesCount: 3}, ListedAt: at.Add(time.Minute)}
	shown := surgical.Head{Revision: 2, UpdatedAt: at, UserNotesCount: 3, FetchedAt: at.Add(2 * time.Minute)}
	with := func(change func(*surgical.Head)) surgical.Head {
		h := shown
		change(&h)
		return h
	}
	for _, c := range []struct {
		name     string
		head     surgical.Head
		hiddenAt time.Time
		want     bool
	}{
		{"it shows the entry", shown, time.Time{}, true},
		{"it shows something newer", with(func(h *surgical.Head) { h.UpdatedAt, h.UserNotesCount = at.Add(time.Hour), 5 }), time.Time{}, true},
		{"nothing was committed", surgical.Head{}, time.Time{}, false},
		{"it is from before the list", with(func(h *surgical.Head) { h.FetchedAt = awaited.ListedAt }), time.Time{}, false},
		{"a lagging replica answered", with(func(h *surgical.Head) { h.UpdatedAt = at.Add(-time.Second) }), time.Time{}, false},
		{"a lagging replica lacks a comment", with(func(h *surgical.Head) { h.UserNotesCount = 2 }), time.Time{}, false},
		{"a comment was deleted", with(func(h *surgical.Head) {
			h.UserNotesCount, h.FetchedAt = 2, awaited.ListedAt.Add(surgical.Confirmation+1)
		}), time.Time{}, true},
		{"it is gone by now", with(func(h *surgical.Head) { h.Gone, h.UpdatedAt = true, time.Time{} }), time.Time{}, true},
		{"it is erased by now", surgical.Head{Revision: 3, ErasedAt: at}, time.Time{}, true},
		{"it was gone before", with(func(h *surgical.Head) { h.Gone, h.FetchedAt = true, at }), time.Time{}, false},
		{"its project was hidden since", shown, shown.FetchedAt, false},
	} {
		if got := awaited.Settled(c.head, c.hiddenAt); got != c.want {
			t.Errorf("Settled if %s: %t, want %t", c.name, got, c.want)
		}
	}
}

func TestNextCheckpoint_NeverPassesWhatALaggingListMayLack(t *testing.T) {
	at := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	overlapped := at.Add(-surgical.ReconcileOverlap)
	for _, c := range []struct {
		name string
		leg  surgical.Leg
		want time.Time
	}{
		{"nothing changed", surgical.Leg{Since: at.Add(-time.Hour), Began: at}, at.Add(-time.Hour)},
		{"nothing changed since a moment ago", surgical.Leg{Since: at.Add(-time.Minute), Began: at}, overlapped},
		{"the last change is long ago", surgical.Leg{Since: at.Add(-time.Hour), Began: at, Newest: at.Add(-30 * time.Minute)}, at.Add(-30*time.Minute + time.Millisecond)},
		{"the last change is just now", surgical.Leg{Since: at.Add(-time.Hour), Began: at, Newest: at.Add(-time.Second)}, overlapped},
		{"an entity is dated in the future", surgical.Leg{Since: at.Add(-time.Hour), Began: at, Newest: at.AddDate(73, 0, 0)}, overlapped},
		{"our clock was ahead at the first cycle", surgical.Leg{Since: at.Add(time.Hour), Began: at}, overlapped},
	} {
		if got := c.leg.NextCheckpoint(); !got.Equal(c.want) {
			t.Errorf("NextCheckpoint if %s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestParsePassID_AcceptsOnlyItsOwnIDs(t *testing.T) {
	for _, project := range []int64{0, 1, 71480000} {
		id := surgical.NewPassID(project, surgical.PassBackfill, "key")
		if got, err := surgical.ParsePassID(id); got != project || err != nil {
			t.Errorf("ParsePassID(%s): %d, %v", id, got, err)
		}
		if id == surgical.NewPassID(project, surgical.PassReconcile, "key") || id == surgical.NewPassID(project, surgical.PassBackfill, "other") {
			t.Errorf("%s names two passes", id)
		}
	}
	for _, id := range []string{"", "1", "1-", "-abcdefghijklmnop", "1-abcdefghijklmno", "1-ABCDEFGHIJKLMNOP", "01-abcdefghijklmnop", "-1-abcdefghijklmnop", "1-abcdefghijklmno0", "w-abcdefghijklmnop"} {
		if got, err := surgical.ParsePassID(id); err == nil {
			t.Errorf("ParsePassID(%q): %d", id, got)
		}
	}
}

func TestAnew_ListsEverythingForTheSameRequests(t *testing.T) {
	at := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	id := surgical.NewPassID(1, surgical.PassBackfill, "key")
	for _, c := range []struct {
		name      string
		old       []string
		others    []string
		wantsSelf bool
	}{
		{"its own", []string{id}, nil, true},
		{"a group's", []string{"0-group"}, []string{"0-group"}, false},
		{"both", []string{id, "0-group"}, []string{"0-group"}, false},
	} {
		old := surgical.NewBackfill(1, id, id, at)
		old.For, old.Leg, old.Cursor, old.Counts.Failed = c.old, 2, "cursor", 1
		old = old.Outdated(0)
		if _, ok := old.Resume(at); ok || old.Continues() {
			t.Errorf("%s: it is continued without its lists", c.name)
		}
		next := old.Anew(at)
		if next.ID == id || !next.Continues() || next.Leg != 0 || next.Cursor != "" || next.Counts != (surgical.PassCounts{}) || next.Wants(next.ID) != c.wantsSelf || next.Wants(id) {
			t.Errorf("%s: %+v", c.name, next)
		}
		for _, other := range c.others {
			if !next.Wants(other) {
				t.Errorf("%s: %s no longer wants it", c.name, other)
			}
		}
	}
}

func TestReached_IsWhatAListThatStoppedHasCompared(t *testing.T) {
	at := func(minute int) time.Time { return time.Date(2026, 11, 29, 12, minute, 0, 0, time.UTC) }
	for name, c := range map[string]struct {
		leg  surgical.Leg
		want time.Time
	}{
		"nothing yet":                       {surgical.Leg{Since: at(1)}, at(1)},
		"some":                              {surgical.Leg{Since: at(1), Newest: at(5), Began: at(50)}, at(5)},
		"what a replica may not have had":   {surgical.Leg{Since: at(1), Newest: at(49), Began: at(50)}, at(40)},
		"less than before":                  {surgical.Leg{Since: at(45), Newest: at(49), Began: at(50)}, at(45)},
		"of a list of everything, anything": {surgical.Leg{Newest: at(5), Began: at(50)}, time.Time{}},
	} {
		if got := c.leg.Reached(); !got.Equal(c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestIncomplete_AdvisesARetryOnlyIfItCanHelp(t *testing.T) {
	of := func(codes ...surgical.Code) (all []surgical.PassFailure) {
		for _, code := range codes {
			all = append(all, surgical.PassFailure{Code: code})
		}
		return all
	}
	if e := surgical.Incomplete(surgical.PassCounts{Done: 7}, nil); e != nil {
		t.Errorf("nothing is missing: %+v", e)
	}
	for name, c := range map[string]struct {
		counts    surgical.PassCounts
		failures  []surgical.PassFailure
		retryable bool
		action    surgical.Action
	}{
		"out of reach":                 {surgical.PassCounts{Failed: 1}, of(surgical.CodeGitLabUnavailable), true, surgical.ActionRetryFailed},
		"no access, yet":               {surgical.PassCounts{Failed: 1}, of(surgical.CodeGitLabForbidden), true, surgical.ActionRetryFailed},
		"too large":                    {surgical.PassCounts{Failed: 2}, of(surgical.CodeEntityTooLarge, surgical.CodeEntityTooLarge), false, surgical.ActionContactOperator},
		"one of them may succeed":      {surgical.PassCounts{Failed: 2}, of(surgical.CodeEntityTooLarge, surgical.CodeGitLabTimeout), true, surgical.ActionRetryFailed},
		"not all of them read":         {surgical.PassCounts{Failed: 200}, of(surgical.CodeEntityTooLarge), true, surgical.ActionRetryFailed},
		"a record that cannot be read": {surgical.PassCounts{Unreadable: 1}, nil, false, surgical.ActionContactOperator},
		"such a record, and no access": {surgical.PassCounts{Failed: 1, Unreadable: 1}, of(surgical.CodeGitLabForbidden), true, surgical.ActionRetryFailed},
	} {
		if e := surgical.Incomplete(c.counts, c.failures); e.Code != surgical.CodeBackfillIncomplete || e.Retryable != c.retryable || e.Action != c.action {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

func TestReconcileAge_IsThatOfTheProjectThatWaitedLongest(t *testing.T) {
	reconcile := func(id int64, age time.Duration) surgical.Pass {
		return surgical.Pass{ProjectID: id, Kind: surgical.PassReconcile, ListedAt: noon.Add(-age)}
	}
	passes := []surgical.Pass{
		reconcile(1, time.Minute), reconcile(2, time.Hour), reconcile(3, 2*time.Hour), reconcile(4, 3*time.Hour),
		{ProjectID: 2, Kind: surgical.PassReconcile}, {ProjectID: 1, Kind: surgical.PassCensus, ListedAt: noon.Add(-4 * time.Hour)},
	}
	projects := map[int64]surgical.Project{1: {}, 2: {}, 3: {UnseenSince: noon}} // 4 is no longer allowed
	if got, of := surgical.ReconcileAge(passes, projects, noon); got != time.Hour || of != 2 {
		t.Error(got, of)
	}
	if got, of := surgical.ReconcileAge(passes[2:], projects, noon); got != 0 || of != 0 {
		t.Errorf("of none: %s of project %d", got, of)
	}
	for _, age := range []time.Duration{-time.Minute, time.Hour} { // another machine's clock may be ahead
		together := []surgical.Pass{reconcile(2, age), reconcile(1, age)}
		if got, of := surgical.ReconcileAge(together, projects, noon); got != max(age, 0) || of != 1 {
			t.Errorf("of two that wait alike: %s of project %d", got, of)
		}
	}
}

func TestReconcileLate_FollowsFromTheInterval(t *testing.T) {
	for _, c := range []struct{ interval, late, behind time.Duration }{
		{5 * time.Minute, 15 * time.Minute, time.Hour},
		{time.Hour, 3 * time.Hour, 3 * time.Hour},
		{24 * time.Hour, 72 * time.Hour, 72 * time.Hour},
	} {
		if late, behind := surgical.ReconcileLate(c.interval), surgical.ReconcileBehind(c.interval); late != c.late || behind != c.behind {
			t.Errorf("every %v: late after %v and behind after %v, want %v and %v", c.interval, late, behind, c.late, c.behind)
		}
	}
}
