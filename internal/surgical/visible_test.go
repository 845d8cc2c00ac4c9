package surgical_test

import (
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func TestVisible_ShowsOnlyWhatReadersMaySee(t *testing.T) {
	at := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	public := surgical.Head{Revision: 3, FetchedAt: at, FetchedUntil: at}
	with := func(change func(*surgical.Head)) surgical.Head {
		h := public
		change(&h)
		return h
	}
	for _, c := range []struct {
		name     string
		head     surgical.Head
		hiddenAt time.Time
		want     surgical.Concealment
	}{
		{"a public copy", public, time.Time{}, ""},
		{"no head", surgical.Head{}, time.Time{}, surgical.Absent},
		{"a head without a copy", surgical.Head{Revision: 1, HiddenSince: at}, time.Time{}, surgical.Absent},
		{"an erased entity", with(func(h *surgical.Head) { h.ErasedAt = at }), at, surgical.Erased},
		{"an erased entity that was gone", with(func(h *surgical.Head) { h.ErasedAt, h.Gone = at, true }), time.Time{}, surgical.Erased},
		{"a tombstone", with(func(h *surgical.Head) { h.Gone = true }), time.Time{}, surgical.Gone},
		{"a tombstone in a hidden project", with(func(h *surgical.Head) { h.Gone = true }), at, surgical.Gone},
		{"a public copy that was called confidential", with(func(h *surgical.Head) { h.HiddenSince = at.Add(-time.Hour) }), time.Time{}, surgical.Hidden},
		{"a confidential copy that was called confidential", with(func(h *surgical.Head) {
			h.HiddenSince, h.Attributes.Confidential = at.Add(time.Hour), true
		}), time.Time{}, ""},
		{"a copy from after the project was hidden", public, at.Add(-time.Microsecond), ""},
		{"a copy from when the project was hidden", public, at, surgical.ProjectHidden},
		{"a confidential copy from before the project was hidden", with(func(h *surgical.Head) { h.Attributes.Confidential = true }), at.Add(time.Hour), surgical.ProjectHidden},
	} {
		shown, why := surgical.Visible(c.head, c.hiddenAt)
		if shown != (c.want == "") || why != c.want {
			t.Errorf("Visible of %s: %t, %q, want %q", c.name, shown, why, c.want)
		}
	}
}

func TestConcealed_TellsOnlyWhatIsGoneFromWhatWasNeverStored(t *testing.T) {
	ref := surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.Issue, IID: 7}}
	for why, want := range map[surgical.Concealment]surgical.Code{
		surgical.Absent: surgical.CodeEntityNotFound, surgical.Hidden: surgical.CodeEntityNotFound,
		surgical.ProjectHidden: surgical.CodeEntityNotFound, surgical.Erased: surgical.CodeEntityNotFound, surgical.Gone: surgical.CodeEntityGone,
	} {
		if got := surgical.Concealed(ref, why); got.Code != want || got.Retryable {
			t.Errorf("Concealed(%s) is %v, retryable %t; want %s", why, got, got.Retryable, want)
		}
	}
	if a, b := surgical.Concealed(ref, surgical.Hidden), surgical.Concealed(ref, surgical.Absent); a.Message != b.Message {
		t.Errorf("hidden and absent differ: %q and %q", a.Message, b.Message)
	}
}
