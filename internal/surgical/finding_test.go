package surgical_test

import (
	"encoding/json"
	"slices"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func TestFindingsOf_TellsWhatChangedApart(t *testing.T) {
	const (
		entity     = `{"id":1,"title":"T","labels":["a","b"],"milestone":{"id":3,"title":"M"},"author":{"id":5,"username":"u"},"assignees":[{"id":5,"username":"u"}],"votes":1}`
		discussion = `{"id":"d","notes":[{"id":10,"body":"x","system":false,"author":{"id":5,"username":"u"}},{"id":11,"body":"y","system":false,"author":{"id":6,"username":"v"}}]}`
		event      = `{"id":7,"action":"add","label":{"id":8,"name":"a"},"user":{"id":5,"username":"u"}}`
		approval   = `{"id":"e","notes":[{"id":12,"body":"approved this merge request","system":true}]}`
		quote      = `{"id":"e","notes":[{"id":12,"body":"approved this merge request","system":false}]}`
	)
	type children = map[string]json.RawMessage
	one := func(key, raw string) children { return children{key: json.RawMessage(raw)} }
	for _, c := range []struct {
		name          string
		before, after children
		want          []surgical.Finding
	}{
		{"nothing", one("entity#0", entity), one("entity#0", entity), nil},
		{"an ignored field", one("entity#0", entity), one("entity#0", `{"id":1,"title":"T","labels":["a","b"],"milestone":{"id":3,"title":"M"},"author":{"id":5,"username":"u"},"assignees":[{"id":5,"username":"u"}],"votes":2}`), nil},
		{"the title", one("entity#0", `{"title":"T"}`), one("entity#0", `{"title":"U"}`), []surgical.Finding{surgical.FoundOther}},
		{"a label renamed", one("entity#0", `{"labels":["a","b"]}`), one("entity#0", `{"labels":["b","c"]}`), []surgical.Finding{surgical.FoundLabels}},
		{"a label renamed in its event", one("resource_label_event#7", event), one("resource_label_event#7", `{"id":7,"action":"add","label":{"id":8,"name":"z"},"user":{"id":5,"username":"u"}}`), []surgical.Finding{surgical.FoundLabels}},
		{"a label added", one("entity#0", `{"labels":["b"]}`), children{"entity#0": json.RawMessage(`{"labels":["a","b"]}`), "resource_label_event#7": json.RawMessage(event)}, []surgical.Finding{surgical.FoundOther}},
		{"a milestone renamed", one("entity#0", `{"milestone":{"id":3,"title":"M"}}`), one("entity#0", `{"milestone":{"id":3,"title":"N"}}`), []surgical.Finding{surgical.FoundMilestones}},
		{"another milestone", one("entity#0", `{"milestone":{"id":3,"title":"M"}}`), one("entity#0", `{"milestone":{"id":4,"title":"N"}}`), []surgical.Finding{surgical.FoundOther}},
		{"a milestone removed", one("entity#0", `{"milestone":{"id":3,"title":"M"}}`), one("entity#0", `{"milestone":null}`), []surgical.Finding{surgical.FoundOther}},
		{"a user renamed", one("entity#0", `{"author":{"id":5,"username":"u"},"assignees":[{"id":5,"username":"u"}]}`), one("entity#0", `{"author":{"id":5,"username":"w"},"assignees":[{"id":5,"username":"w"}]}`), []surgical.Finding{surgical.FoundUsers}},
		{"another assignee", one("entity#0", `{"assignees":[{"id":5,"username":"u"}]}`), one("entity#0", `{"assignees":[{"id":6,"username":"v"}]}`), []surgical.Finding{surgical.FoundOther}},
		{"an id of another type", one("entity#0", `{"author":{"id":{},"username":"u"}}`), one("entity#0", `{"author":{"id":{},"username":"w"}}`), []surgical.Finding{surgical.FoundOther}},
		{"the author of a note renamed", one("discussion#d", discussion), one("discussion#d", `{"id":"d","notes":[{"id":10,"body":"x","system":false,"author":{"id":5,"username":"w"}},{"id":11,"body":"y","system":false,"author":{"id":6,"username":"v"}}]}`), []surgical.Finding{surgical.FoundUsers}},
		{"a note edited", one("discussion#d", `{"notes":[{"id":10,"body":"x"}]}`), one("discussion#d", `{"notes":[{"id":10,"body":"z"}]}`), []surgical.Finding{surgical.FoundOther}},
		{"a note deleted in a thread", one("discussion#d", discussion), one("discussion#d", `{"id":"d","notes":[{"id":11,"body":"y","system":false,"author":{"id":6,"username":"v"}}]}`), []surgical.Finding{surgical.FoundDeletedNotes}},
		{"a discussion deleted", one("discussion#d", discussion), nil, []surgical.Finding{surgical.FoundDeletedNotes}},
		{"an event deleted", one("resource_label_event#7", event), nil, []surgical.Finding{surgical.FoundOther}},
		{"a comment", nil, one("discussion#d", discussion), []surgical.Finding{surgical.FoundOther}},
		{"an approval", nil, one("discussion#e", approval), []surgical.Finding{surgical.FoundApprovals}},
		{"a comment with the text of an approval", nil, one("discussion#e", quote), []surgical.Finding{surgical.FoundOther}},
		{"a description", nil, one("description#0", `"text"`), []surgical.Finding{surgical.FoundOther}},
		{"several", children{"entity#0": json.RawMessage(`{"labels":["a"]}`), "discussion#d": json.RawMessage(discussion)}, children{"entity#0": json.RawMessage(`{"labels":["z"]}`), "discussion#e": json.RawMessage(approval)},
			[]surgical.Finding{surgical.FoundApprovals, surgical.FoundDeletedNotes, surgical.FoundLabels}},
	} {
		if got := surgical.FindingsOf(c.before, c.after, []string{"votes"}); !slices.Equal(got, c.want) {
			t.Errorf("FindingsOf %s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestDescribeFindings_NamesTheNumberOfEachKind(t *testing.T) {
	for want, found := range map[string]map[surgical.Finding]int64{
		"nothing":                            nil,
		"2 gone, 1 deleted notes, 40 labels": {surgical.FoundLabels: 40, surgical.FoundGone: 2, surgical.FoundDeletedNotes: 1},
	} {
		if got := surgical.DescribeFindings(found); got != want {
			t.Errorf("DescribeFindings of %v: %q, want %q", found, got, want)
		}
	}
}
