package surgical_test

import (
	"encoding/json"
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
	confidential := with(func(h *surgical.Head) { h.Attributes.Confidential = true })
	for _, c := range []struct {
		name             string
		head             surgical.Head
		hiddenAt         time.Time
		include, exclude surgical.Concealment
	}{
		{"a public copy", public, time.Time{}, "", ""},
		{"no head", surgical.Head{}, time.Time{}, surgical.Absent, surgical.Absent},
		{"a head without a copy", surgical.Head{Revision: 1, HiddenSince: at}, time.Time{}, surgical.Absent, surgical.Excluded},
		{"an erased entity", with(func(h *surgical.Head) { h.ErasedAt = at }), at, surgical.Erased, surgical.Erased},
		{"an erased entity that was gone", with(func(h *surgical.Head) { h.ErasedAt, h.Gone = at, true }), time.Time{}, surgical.Erased, surgical.Erased},
		{"a tombstone", with(func(h *surgical.Head) { h.Gone = true }), time.Time{}, surgical.Gone, surgical.Gone},
		{"a tombstone in a hidden project", with(func(h *surgical.Head) { h.Gone = true }), at, surgical.Gone, surgical.Gone},
		{"a tombstone of a confidential copy", with(func(h *surgical.Head) { h.Gone, h.Attributes.Confidential = true, true }), time.Time{}, surgical.Gone, surgical.Excluded},
		{"a tombstone of a public copy that was called confidential", with(func(h *surgical.Head) { h.Gone, h.HiddenSince = true, at }), time.Time{}, surgical.Gone, surgical.Gone},
		{"a public copy that was called confidential", with(func(h *surgical.Head) { h.HiddenSince = at.Add(-time.Hour) }), time.Time{}, surgical.Hidden, surgical.Excluded},
		{"a confidential copy", confidential, time.Time{}, "", surgical.Excluded},
		{"a confidential copy that was called confidential", with(func(h *surgical.Head) {
			h.HiddenSince, h.Attributes.Confidential = at.Add(time.Hour), true
		}), time.Time{}, "", surgical.Excluded},
		{"a copy from after the project was hidden", public, at.Add(-time.Microsecond), "", ""},
		{"a copy from when the project was hidden", public, at, surgical.ProjectHidden, surgical.ProjectHidden},
		{"a confidential copy from before the project was hidden", confidential, at.Add(time.Hour), surgical.ProjectHidden, surgical.Excluded},
	} {
		for policy, want := range map[surgical.Policy]surgical.Concealment{surgical.Include: c.include, surgical.Exclude: c.exclude, "": c.exclude} {
			shown, why := surgical.Visible(c.head, surgical.Sight{HiddenAt: c.hiddenAt, Confidential: policy})
			if shown != (want == "") || why != want {
				t.Errorf("Visible of %s, confidential %q: %t, %q, want %q", c.name, policy, shown, why, want)
			}
		}
	}
}

func TestSight_ShowsDocumentsThatHoldNothingInternal(t *testing.T) {
	head := surgical.Head{Revision: 5, DocumentsVisibleFrom: 3}
	for _, c := range []struct {
		revision         int64
		confidential     bool
		include, exclude bool
	}{
		{2, false, false, false}, {3, false, true, true}, {2, true, false, false}, {3, true, true, false},
	} {
		include := surgical.Sight{Confidential: surgical.Include}.ShowsDocument(head, c.revision, c.confidential)
		exclude := surgical.Sight{}.ShowsDocument(head, c.revision, c.confidential)
		if include != c.include || exclude != c.exclude {
			t.Errorf("revision %d, confidential %t: include %t, exclude %t", c.revision, c.confidential, include, exclude)
		}
	}
}

func TestSight_LeavesInternalNotesOutOneByOne(t *testing.T) {
	for _, c := range []struct{ name, raw, want string }{
		{"public notes", `{"id":"d", "notes":[{"id":1},{"id":2,"internal":false}]}`, `{"id":"d", "notes":[{"id":1},{"id":2,"internal":false}]}`},
		{"one internal", `{"notes":[{"id":1},{"id":2,"internal":true},{"id":3}],"id":"d"}`, `{"id":"d","notes":[{"id":1},{"id":3}]}`},
		{"the older name", `{"id":"d","notes":[{"id":1,"confidential":true},{"id":3}]}`, `{"id":"d","notes":[{"id":3}]}`},
		{"the names disagree", `{"id":"d","notes":[{"id":1,"confidential":true,"internal":false},{"id":3}]}`, `{"id":"d","notes":[{"id":3}]}`},
		{"all internal", `{"id":"d","notes":[{"id":1,"internal":true}]}`, ""},
		{"a note that does not say", `{"id":"d","notes":[{"id":1,"internal":"no"},{"id":2}]}`, `{"id":"d","notes":[{"id":2}]}`},
		{"the older name does not say", `{"id":"d","notes":[{"id":1,"confidential":0},{"id":2}]}`, `{"id":"d","notes":[{"id":2}]}`},
		{"a note that is none", `{"id":"d","notes":["secret",{"id":2}]}`, `{"id":"d","notes":[{"id":2}]}`},
		{"no notes", `{"id":"d"}`, `{"id":"d"}`},
		{"notes that are no list", `{"id":"d","notes":{"body":"secret"}}`, ""},
		{"no object", `["secret"]`, ""},
	} {
		got, some := surgical.Sight{}.Discussion(json.RawMessage(c.raw))
		if string(got) != c.want || some != (c.want != "") {
			t.Errorf("%s: %s, %t, want %s", c.name, got, some, c.want)
		}
		if all, some := (surgical.Sight{Confidential: surgical.Include}).Discussion(json.RawMessage(c.raw)); string(all) != c.raw || !some {
			t.Errorf("%s, included: %s", c.name, all)
		}
	}
}

func TestPolicy_AcceptsOnlyItsTwoValues(t *testing.T) {
	for text, ok := range map[string]bool{"exclude": true, "include": true, "": false, "Include": false, "yes": false} {
		var p surgical.Policy
		if err := p.UnmarshalText([]byte(text)); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestConcealed_TellsOnlyWhatIsGoneFromWhatWasNeverStored(t *testing.T) {
	ref := surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.Issue, IID: 7}}
	for why, want := range map[surgical.Concealment]surgical.Code{
		surgical.Absent: surgical.CodeEntityNotFound, surgical.Hidden: surgical.CodeEntityNotFound, surgical.Excluded: surgical.CodeEntityNotFound,
		surgical.ProjectHidden: surgical.CodeEntityNotFound, surgical.Erased: surgical.CodeEntityNotFound, surgical.Gone: surgical.CodeEntityGone,
	} {
		if got := surgical.Concealed(ref, why); got.Code != want || got.Retryable {
			t.Errorf("Concealed(%s) is %v, retryable %t; want %s", why, got, got.Retryable, want)
		}
		if absent := surgical.Concealed(ref, surgical.Absent); want == absent.Code && surgical.Concealed(ref, why).Message != absent.Message {
			t.Errorf("%s differs from what was never stored", why)
		}
	}
}
