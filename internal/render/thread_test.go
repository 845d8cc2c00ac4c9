package render_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/render"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func raws(texts ...string) (list []json.RawMessage) {
	for _, text := range texts {
		list = append(list, json.RawMessage(text))
	}
	return list
}

const mira = `{"username":"mira","name":"Mira L"}`

// thread is two discussions and events, neither in the order of time.
func thread() []render.Entry {
	return render.Thread(raws(
		`{"id":"d2","notes":[{"id":4,"body":"changed the description","system":true,"created_at":"2026-05-03T09:00:00Z","author":`+mira+`}]}`,
		`{"id":"d1","notes":[
			{"id":3,"body":"Yes.\n## @mira commented","created_at":"2026-05-04T09:00:00Z","author":{"username":"tomas"},"internal":true},
			{"id":1,"body":"Is it?","created_at":"2026-05-01T09:00:00.123Z","author":`+mira+`,"resolvable":true,"resolved":true,"position":{"new_path":"a.go","new_line":7}}]}`,
		`"odd"`,
	), map[surgical.ChildKind][]json.RawMessage{
		surgical.KindLabelEvent: raws(
			`{"action":"add","label":{"name":"bug"},"user":`+mira+`,"created_at":"2026-05-02T09:00:00Z"}`,
			`{"action":"remove","label":{"name":"bug"},"user":`+mira+`,"created_at":"2026-05-06T09:00:00Z"}`,
			`{"action":"add","label":null,"user":`+mira+`,"created_at":"2026-05-02T09:00:00Z"}`,
		),
		surgical.KindStateEvent:     raws(`{"state":"closed","user":null,"created_at":"2026-05-07T09:00:00Z"}`),
		surgical.KindMilestoneEvent: raws(`{"action":"add","milestone":{"title":"4.2"},"user":`+mira+`,"created_at":"2026-05-05T09:00:00Z"}`, `{}`, `[]`),
	})
}

func TestThread_IsInTheOrderOfTime(t *testing.T) {
	var got []string
	for _, e := range thread() {
		who := "nobody"
		if e.Author != nil {
			who = e.Author.Username
		}
		got = append(got, strings.Join(append([]string{e.At.Format("01-02"), who, e.Did, e.NoteID}, e.Marks...), "|"))
	}
	if diff := cmp.Diff([]string{
		"05-01|mira|commented|1|at a.go:7|resolved", "05-02|mira|added the label bug|", "05-03|mira|changed the description|4",
		"05-04|tomas|replied|3|internal note", "05-05|mira|set the milestone 4.2|", "05-06|mira|removed the label bug|", "05-07|nobody|closed|",
	}, got); diff != "" {
		t.Errorf("thread (-want +got):\n%s", diff)
	}
}

func TestReadable_QuotesWhatPeopleWrote(t *testing.T) {
	at := time.Date(2026, 5, 8, 9, 0, 0, 0, time.UTC)
	head, err := render.ReadableHead(surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.Issue, IID: 7}},
		json.RawMessage(`{"title":"A # *title*","state":"opened","author":`+mira+`,"labels":["bug"],"description":"What\u0000 is\n","created_at":"2026-05-01T08:00:00Z","web_url":"https://gitlab.example.com/7"}`), at, at.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	text := head
	for _, e := range thread() {
		text += e.Readable()
	}
	want := `# A # \*title\*

- Type: issue
- Reference: issue #7
- Project: 1
- State: opened
- Labels: bug
- Author: @mira (Mira L)
- Created: 2026-05-01T08:00:00Z
- Updated: 2026-05-08T09:00:00Z
- Fetched: 2026-05-08T09:01:00Z
- Link: <https://gitlab.example.com/7>

---

What␀ is

---

## @mira (Mira L) commented, 2026-05-01T09:00:00Z

(at a.go:7, resolved)

> Is it?

- @mira (Mira L) added the label bug, 2026-05-02T09:00:00Z

- @mira (Mira L) changed the description, 2026-05-03T09:00:00Z

## @tomas replied, 2026-05-04T09:00:00Z

(internal note)

> Yes.
> ## @mira commented

- @mira (Mira L) set the milestone 4.2, 2026-05-05T09:00:00Z

- @mira (Mira L) removed the label bug, 2026-05-06T09:00:00Z

- unknown author closed, 2026-05-07T09:00:00Z
`
	if diff := cmp.Diff(want, text); diff != "" {
		t.Errorf("page (-want +got):\n%s", diff)
	}
}
