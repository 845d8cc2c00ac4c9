package surgical_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

var (
	settle, c = surgical.Settle.Seconds(), surgical.Confirmation.Seconds()
	issue7    = surgical.Target{Type: surgical.Issue, IID: 7}
)

// event is a delivery of t0, with evidence.
func event(e surgical.Evidence) surgical.Request {
	return surgical.Request{RunID: "w1", ProjectID: 1, Targets: []surgical.Target{issue7}, Origin: surgical.OriginWebhook, EventAt: t0, Evidence: e}
}

func notes(id int64, at float64) surgical.Notes {
	return surgical.Notes{MaxID: id, MaxUpdatedAt: after(at)}
}

func TestRequestCoveredBy_OnlyALateEnoughFetchThatShowsTheEvidence(t *testing.T) {
	head := surgical.Head{Revision: 1, UpdatedAt: after(0), FetchedAt: after(10), Notes: notes(71, 0)}
	future := head
	future.UpdatedAt = after(1e9)
	confirms := event(surgical.Evidence{})
	confirms.Confirms, confirms.NotBefore = true, after(10)
	early := confirms
	early.NotBefore = after(10.000001)
	for name, c := range map[string]struct {
		req  surgical.Request
		head surgical.Head
		want bool
	}{
		"no evidence":                           {event(surgical.Evidence{}), head, true},
		"the state of the event":                {event(surgical.Evidence{UpdatedAt: after(0), NoteID: 71, NoteAt: after(0)}), head, true},
		"a newer date":                          {event(surgical.Evidence{UpdatedAt: after(0.001)}), head, false},
		"a newer note":                          {event(surgical.Evidence{NoteID: 72}), head, false},
		"a note edited later":                   {event(surgical.Evidence{NoteID: 70, NoteAt: after(1)}), head, false},
		"an internal note":                      {event(surgical.Evidence{InternalNoteID: 72}), head, false},
		"a head whose date proves nothing":      {event(surgical.Evidence{UpdatedAt: after(0)}), future, false},
		"the same without a date to compare":    {event(surgical.Evidence{NoteID: 71}), future, true},
		"a head of an earlier version":          {event(surgical.Evidence{NoteID: 1}), surgical.Head{Revision: 1, UpdatedAt: after(0), FetchedAt: after(10)}, false},
		"a confirmation by a fetch of its time": {confirms, head, true},
		"a confirmation by an earlier fetch":    {early, head, false},
		"a head that is too old":                {event(surgical.Evidence{}), surgical.Head{Revision: 1, FetchedAt: after(settle)}, false},
	} {
		if got := c.req.CoveredBy(c.head); got != c.want {
			t.Errorf("%s: %t, want %t", name, got, c.want)
		}
	}
}

func TestRequestDoubt_FollowsUpWhatContradictsWhatIsKnown(t *testing.T) {
	none := surgical.Head{}
	old := surgical.Head{Revision: 1, UpdatedAt: after(-1000), FetchedAt: after(-901), FetchedUntil: after(-900), Notes: notes(70, -1000)}
	young := surgical.Head{Revision: 1, UpdatedAt: after(-10), FetchedAt: after(-6), FetchedUntil: after(-5), Notes: notes(75, -10)}
	shown := func(fetched, updated float64, n surgical.Notes) surgical.Head {
		return surgical.Head{Ref: surgical.EntityRef{ProjectID: 1, Target: issue7}, Revision: 2, UpdatedAt: after(updated), FetchedAt: after(fetched), FetchedUntil: after(fetched + 1), Notes: n}
	}
	manual := event(surgical.Evidence{})
	manual.Origin = surgical.OriginManual
	followUp := event(surgical.Evidence{UpdatedAt: after(-2000)})
	followUp.Origin = surgical.OriginFollowUp
	gone := young
	gone.Gone = true
	for name, c := range map[string]struct {
		req             surgical.Request
		replaced, shown surgical.Head
		now             float64
		behind          bool
		due, confirm    float64 // relative to t0; 0: none
	}{
		"what the event says":              {event(surgical.Evidence{UpdatedAt: after(0), NoteID: 71, NoteAt: after(0)}), old, shown(3, 0, notes(71, 0)), 4, false, 0, 0},
		"more than the event says":         {event(surgical.Evidence{UpdatedAt: after(0), NoteID: 71}), none, shown(3, 1, notes(99, 2)), 4, false, 0, 0},
		"older than the event":             {event(surgical.Evidence{UpdatedAt: after(0)}), old, shown(3, -0.001, notes(70, -1000)), 4, true, settle + 10, 0},
		"without the event's note":         {event(surgical.Evidence{NoteID: 71}), old, shown(3, 0, notes(70, -1000)), 4, true, settle + 10, 0},
		"without the event's edit":         {event(surgical.Evidence{NoteID: 70, NoteAt: after(0)}), old, shown(3, 0, notes(70, -1000)), 4, true, settle + 10, 0},
		"the second time":                  {event(surgical.Evidence{NoteID: 71}), old, shown(13, 0, notes(70, 0)), 14, true, settle + 60, 0},
		"the third time":                   {event(surgical.Evidence{NoteID: 71}), old, shown(63, 0, notes(70, 0)), 64, true, settle + c, 0},
		"committed late":                   {event(surgical.Evidence{NoteID: 71}), old, shown(settle+c-1, 0, notes(70, 0)), 900, true, 900, 0},
		"the last time":                    {event(surgical.Evidence{NoteID: 71}), old, shown(settle+c, 0, notes(70, 0)), 900, true, 0, 0},
		"without a comment that was there": {manual, young, shown(3, 0, notes(70, -20)), 4, true, settle + 10, 0},
		"without its edit":                 {manual, young, shown(3, 0, notes(75, -20)), 4, true, settle + 10, 0},
		"the same, confirmed":              {manual, young, shown(-5+c, 0, notes(70, -20)), 999, false, 0, 0},
		"the same after a tombstone":       {manual, gone, shown(3, 0, notes(70, -20)), 4, false, 0, 0},
		"a date of the future":             {event(surgical.Evidence{UpdatedAt: after(0)}), old, shown(3, 1e9, notes(71, 0)), 4, true, settle + c, settle + c},
		"a date of the future, confirmed":  {event(surgical.Evidence{UpdatedAt: after(0)}), old, shown(settle+c, 1e9, notes(71, 0)), 900, false, 0, 0},
		"a date of the future by hand":     {manual, old, shown(3, 1e9, notes(71, 0)), 4, false, 0, 0},
		"an event older than the head":     {event(surgical.Evidence{UpdatedAt: after(-2000)}), old, shown(3, 0, notes(71, 0)), 4, true, settle + c, settle + c},
		"an event of the head's second":    {event(surgical.Evidence{UpdatedAt: after(-1000)}), surgical.Head{Revision: 1, UpdatedAt: after(-999.5)}, shown(3, 0, notes(71, 0)), 4, false, 0, 0},
		"a follow-up older than the head":  {followUp, old, shown(3, 0, notes(71, 0)), 4, false, 0, 0},
		"an old event, fetched long after": {event(surgical.Evidence{UpdatedAt: after(-2000)}), old, shown(settle+c, 0, notes(71, 0)), 900, false, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			next, behind := c.req.Doubt(c.replaced, c.shown, after(c.now))
			var due, confirm float64
			if next != nil {
				due = next.NotBefore.Sub(t0).Seconds()
				if !next.ConfirmAt.IsZero() {
					confirm = next.ConfirmAt.Sub(t0).Seconds()
				}
			}
			if behind != c.behind || due != c.due || confirm != c.confirm {
				t.Errorf("behind %t, due at %v, confirms at %v; want %t, %v, %v", behind, due, confirm, c.behind, c.due, c.confirm)
			}
		})
	}
}

// A comment that was there when the replaced head was fetched is followed up from
// then on, not from an older event.
func TestRequestDoubt_InheritsTheNotesOfTheReplacedHead(t *testing.T) {
	replaced := surgical.Head{Revision: 1, FetchedAt: after(99), FetchedUntil: after(100), Notes: notes(75, 99)}
	shown := surgical.Head{Ref: surgical.EntityRef{ProjectID: 1, Target: issue7}, Revision: 2, FetchedAt: after(101), Notes: notes(70, 0)}
	next, behind := event(surgical.Evidence{NoteID: 70}).Doubt(replaced, shown, after(102))
	if next == nil || !behind || !next.EventAt.Equal(after(100-settle)) || next.Evidence.NoteID != 75 || !next.Evidence.NoteAt.Equal(after(99)) || !next.NotBefore.Equal(after(110)) {
		t.Errorf("behind %v, follow-up %+v", behind, next)
	}
}

func TestRequestRefused_ConfirmsAnOlderDateOnce(t *testing.T) {
	head := surgical.Head{Revision: 1, UpdatedAt: after(50), FetchedAt: after(-10), FetchedUntil: after(-9), Notes: notes(71, 0)}
	covering := head
	covering.FetchedAt, covering.FetchedUntil = after(20), after(21)
	snap := func(fetched, updated float64, note int64) surgical.Snapshot {
		return surgical.Snapshot{Ref: surgical.EntityRef{ProjectID: 1, Target: issue7}, UpdatedAt: after(updated), FetchedAt: after(fetched), Notes: surgical.Notes{MaxID: note}}
	}
	for name, c := range map[string]struct {
		req          surgical.Request
		head         surgical.Head
		snap         surgical.Snapshot
		due, confirm float64
	}{
		"a date that was set back":                  {event(surgical.Evidence{UpdatedAt: after(-5)}), covering, snap(30, -5, 71), 21 + c, 21 + c},
		"under a head that does not show the event": {event(surgical.Evidence{NoteID: 72}), head, snap(3, -5, 72), settle + 10, settle + c},
		"by a replica that lags":                    {event(surgical.Evidence{NoteID: 72}), covering, snap(30, -5, 71), settle + 60, 21 + c},
		"by a replica that lags, at last":           {event(surgical.Evidence{NoteID: 72}), covering, snap(70, -5, 71), 21 + c, 21 + c},
	} {
		got := c.req.Refused(c.head, c.snap, c.snap.FetchedAt.Add(time.Second))
		if due, confirm := got.NotBefore.Sub(t0).Seconds(), got.ConfirmAt.Sub(t0).Seconds(); due != c.due || confirm != c.confirm {
			t.Errorf("%s: due at %v, confirms at %v; want %v, %v", name, due, confirm, c.due, c.confirm)
		}
	}
}

func TestRequestMissing_LosesNoNewEntity(t *testing.T) {
	with := func(origin surgical.Origin, e surgical.Evidence) surgical.Request {
		req := event(e)
		req.Origin = origin
		return req
	}
	dated := surgical.Evidence{UpdatedAt: t0}
	for name, c := range map[string]struct {
		req     surgical.Request
		head    surgical.Head
		fetched float64
		due     float64 // 0: none
	}{
		"a new entity":              {with(surgical.OriginWebhook, dated), surgical.Head{}, 3, settle + 10},
		"a new entity, undated":     {with(surgical.OriginWebhook, surgical.Evidence{}), surgical.Head{}, 3, settle + 10},
		"once more":                 {with(surgical.OriginFollowUp, dated), surgical.Head{}, 13, settle + 60},
		"at last":                   {with(surgical.OriginFollowUp, dated), surgical.Head{}, settle + c, 0},
		"a retry of an event":       {with(surgical.OriginRetry, dated), surgical.Head{}, 3, settle + 10},
		"a tombstone":               {with(surgical.OriginWebhook, dated), surgical.Head{Revision: 1, Gone: true, FetchedAt: t0}, 3, settle + 10},
		"a head without a copy":     {with(surgical.OriginWebhook, dated), surgical.Head{Revision: 1, HiddenSince: t0}, 3, settle + 10},
		"an entity that is stored":  {with(surgical.OriginWebhook, dated), surgical.Head{Revision: 1, FetchedAt: t0}, 3, 0},
		"a hide run":                {with(surgical.OriginHide, surgical.Evidence{}), surgical.Head{}, 3, 0},
		"one that nobody announced": {with(surgical.OriginManual, surgical.Evidence{}), surgical.Head{}, 3, 0},
		"a retry of a manual run":   {with(surgical.OriginRetry, surgical.Evidence{}), surgical.Head{}, 3, 0},
	} {
		next := c.req.Missing(c.head, after(c.fetched), after(c.fetched+1))
		var due float64
		if next != nil {
			due = next.NotBefore.Sub(t0).Seconds()
		}
		if due != c.due {
			t.Errorf("%s: due at %v, want %v", name, due, c.due)
		}
	}
}

// It is for no event: if it finds nothing, nothing follows it.
func TestRequestLookAgain_IsCoveredByNoEarlierFetch(t *testing.T) {
	req := event(surgical.Evidence{NoteID: 71})
	f := req.LookAgain(issue7, after(900))
	run, rest := f.Begin(after(901))
	if rest != nil || !run.Confirms || !run.NotBefore.Equal(after(900)) || !run.Evidence.IsZero() {
		t.Fatalf("%+v, left %+v", run, rest)
	}
	for fetched, want := range map[float64]bool{899: false, 900: true} {
		head := surgical.Head{Revision: 1, FetchedAt: after(fetched), FetchedUntil: after(fetched + 1)}
		if got := run.CoveredBy(head); got != want {
			t.Errorf("a head fetched at %v covers it: %t", fetched, got)
		}
	}
	if next := run.Missing(surgical.Head{}, after(900), after(901)); next != nil {
		t.Errorf("it is followed up: %+v", next)
	}
}

func TestRequestUnconfirmed_WaitsUntilTheCopyIsOldEnough(t *testing.T) {
	c := surgical.Confirmation.Seconds()
	for fetched, due := range map[float64]float64{100: 100 + c, 100 - c: 110} {
		head := surgical.Head{Ref: surgical.EntityRef{ProjectID: 1, Target: issue7}, Revision: 1, FetchedUntil: after(fetched)}
		if f := event(surgical.Evidence{}).Unconfirmed(head, after(110)); !f.NotBefore.Equal(after(due)) || !f.ConfirmAt.Equal(f.NotBefore) || f.Ref != head.Ref {
			t.Errorf("fetched until %v: %+v, want it at %v", fetched, f, due)
		}
	}
}

func TestRequestHidden_ConfirmsOnceTheEventIsOldEnough(t *testing.T) {
	c, settle := surgical.Confirmation.Seconds(), surgical.Settle.Seconds()
	req := event(surgical.Evidence{NoteID: 71, Confidential: true})
	for now, due := range map[float64]float64{1: settle + c, 9000: 9000} {
		f := req.Hidden(after(now))
		if !f.NotBefore.Equal(after(due)) || !f.ConfirmAt.Equal(after(settle+c)) || f.Evidence != req.Evidence || !f.EventAt.Equal(t0) {
			t.Errorf("at %v: %+v", now, f)
		}
	}
}

func TestRequestHiding_IsOneRunForEachTargetOfARun(t *testing.T) {
	req := event(surgical.Evidence{NoteID: 71})
	req.RunID, req.Options, req.TraceParent = "w1", surgical.Options{NoDocs: true, NoEmbed: true}, "00-1-2-01"
	hide := req.Hiding(issue7, after(5))
	if err := hide.Validate(); err != nil || hide.Origin != surgical.OriginHide || hide.Options != (surgical.Options{}) || !hide.Evidence.IsZero() || hide.TraceParent != req.TraceParent || hide.RunID[0] != 'h' {
		t.Errorf("%+v, %v", hide, err)
	}
	other := req
	other.RunID = "w2"
	if again := req.Hiding(issue7, after(6)); again.RunID != hide.RunID || other.Hiding(issue7, after(5)).RunID == hide.RunID || req.Hiding(surgical.Target{Type: surgical.Issue, IID: 8}, after(5)).RunID == hide.RunID {
		t.Error("the id is not that of the run and the target")
	}
}

func TestFollowUpBegin_KeepsAConfirmationThatIsStillAhead(t *testing.T) {
	f := surgical.FollowUp{
		Ref: surgical.EntityRef{ProjectID: 1, Target: issue7}, NotBefore: after(12), ConfirmAt: after(302), EventAt: t0,
		Evidence: surgical.Evidence{NoteID: 71}, By: surgical.AttemptID{RunID: "w1", Number: 2}, TraceParent: "00-1-2-01",
	}
	first, rest := f.Begin(after(20))
	if rest == nil || !rest.NotBefore.Equal(after(302)) || first.Confirms || !first.NotBefore.Equal(after(12)) {
		t.Fatalf("begun as %+v, left %+v", first, rest)
	}
	second, left := rest.Begin(after(310))
	want := surgical.Request{
		RunID: second.RunID, ProjectID: 1, Targets: []surgical.Target{issue7}, Origin: surgical.OriginFollowUp, EventAt: t0,
		Evidence: f.Evidence, NotBefore: after(302), Confirms: true, TraceParent: f.TraceParent,
	}
	if diff := cmp.Diff(want, second); diff != "" || left != nil || first.RunID == second.RunID {
		t.Errorf("left %+v, runs %s and %s, the second (-want +got):\n%s", left, first.RunID, second.RunID, diff)
	}
	if err := second.Validate(); err != nil {
		t.Error(err)
	}
}

// Whatever is merged: nothing that either follow-up was for is lost.
func TestFollowUpMerge_KeepsWhatBothAreFor(t *testing.T) {
	draw := func(t *rapid.T, name string) surgical.FollowUp {
		at := func(what string) time.Time { return after(float64(rapid.IntRange(0, 9).Draw(t, name+" "+what))) }
		return surgical.FollowUp{NotBefore: at("due"), ConfirmAt: at("confirm"), EventAt: at("event"), Evidence: surgical.Evidence{
			UpdatedAt: at("updated"), NoteID: rapid.Int64Range(0, 9).Draw(t, name+" note"), NoteAt: at("noted"),
			InternalNoteID: rapid.Int64Range(0, 9).Draw(t, name+" internal"), Confidential: rapid.Bool().Draw(t, name+" confidential"),
		}}
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := draw(t, "pending"), draw(t, "added")
		m := a.Merge(b)
		for _, f := range []surgical.FollowUp{a, b} {
			if m.NotBefore.After(f.NotBefore) || m.ConfirmAt.Before(f.ConfirmAt) || m.EventAt.Before(f.EventAt) || m.Evidence.Merge(f.Evidence) != m.Evidence {
				t.Fatalf("%+v and %+v became %+v", a, b, m)
			}
		}
	})
}
