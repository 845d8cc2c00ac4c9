package surgical_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func TestReadNotes_ReturnsTheGreatestOfAllDiscussions(t *testing.T) {
	at := time.Date(2026, 11, 2, 6, 0, 0, 123e6, time.UTC)
	for name, c := range map[string]struct {
		discussions []string
		want        surgical.Notes
	}{
		"none": {nil, surgical.Notes{}},
		"two discussions": {[]string{
			`{"notes":[{"id":9,"created_at":"2026-11-02T06:00:00.123Z","updated_at":"2026-11-02T05:00:00Z"},{"id":7}]}`,
			`{"notes":[{"id":8,"updated_at":"2026-11-02T05:00:00Z"}]}`,
		}, surgical.Notes{MaxID: 9, MaxUpdatedAt: at}},
		"an older note edited later": {[]string{`{"notes":[{"id":9,"updated_at":"2026-11-01T06:00:00Z"},{"id":7,"updated_at":"2026-11-02T06:00:00.123Z"}]}`},
			surgical.Notes{MaxID: 9, MaxUpdatedAt: at}},
		"an id in another spelling": {[]string{`{"notes":[{"id":"9"},{"id":7.0}]}`}, surgical.Notes{MaxID: 9}},
		"internal":                  {[]string{`{"notes":[{"id":9,"internal":true}]}`}, surgical.Notes{MaxID: 9, Internal: true}},
		"internal, as before":       {[]string{`{"notes":[{"id":9,"confidential":true}]}`}, surgical.Notes{MaxID: 9, Internal: true}},
		"odd ones are left out alone": {[]string{
			`{"notes":[{"id":"x","updated_at":"2026-11-02T06:00:00.123Z"},{"id":9,"updated_at":17},7,null]}`, `{"notes":{}}`, `[]`, `{`,
		}, surgical.Notes{MaxID: 9, MaxUpdatedAt: at}},
	} {
		children := []surgical.Child{{Kind: surgical.KindStateEvent, ID: "99", Raw: json.RawMessage(`{"notes":[{"id":99}]}`)}}
		for _, raw := range c.discussions {
			children = append(children, surgical.Child{Kind: surgical.KindDiscussion, Raw: json.RawMessage(raw)})
		}
		got, _ := surgical.ReadNotes(children)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestReadNotes_CountsWhatPeopleWrote(t *testing.T) {
	for raw, want := range map[string]int64{
		`{"notes":[{"system":false},{"system":true},{}]}`: 2, `{"notes":[{"system":"x"}]}`: 1, `{"notes":[]}`: 0, `{}`: 0, `[]`: 0,
	} {
		_, got := surgical.ReadNotes([]surgical.Child{
			{Kind: surgical.KindDiscussion, Raw: json.RawMessage(raw)}, {Kind: surgical.KindLabelEvent, Raw: json.RawMessage(`{"notes":[{}]}`)},
		})
		if got != want {
			t.Errorf("%s: %d, want %d", raw, got, want)
		}
	}
}

func TestSnapshotUserNotesCount_IsThatOfGitLab(t *testing.T) {
	for entity, want := range map[string]int64{
		`{"user_notes_count":3}`: 3, `{}`: 0, `{"user_notes_count":"3"}`: 3, `{"user_notes_count":[3]}`: 0, `{"user_notes_count":-1}`: 0, `[]`: 0,
	} {
		if got := (surgical.Snapshot{Entity: json.RawMessage(entity)}).UserNotesCount(); got != want {
			t.Errorf("%s: %d, want %d", entity, got, want)
		}
	}
}
