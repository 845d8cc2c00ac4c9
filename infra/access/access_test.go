package access_test

import (
	"maps"
	"os"
	"slices"
	"testing"

	"gitlab.com/lorehook/lorehook/infra/access"
)

func TestFunctions_NamesEveryFunction(t *testing.T) {
	entries, err := os.ReadDir("../../functions")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, entry := range entries {
		want = append(want, entry.Name())
	}
	if got := slices.Sorted(maps.Keys(access.Functions())); !slices.Equal(got, want) {
		t.Errorf("functions %v, want %v", got, want)
	}
}

func TestAllows_OnlyWhatIsListed(t *testing.T) {
	functions := access.Functions()
	for _, c := range []struct {
		function, action, resource string
		want                       bool
	}{
		{"worker", "dynamodb:BatchGetItem", "sync_runs", true},
		{"worker", "dynamodb:DeleteItem", "content", false},
		{"worker", access.Query, access.Index("sync_runs", "runs_by_status"), false},
		{"sweeper", access.Query, access.Index("sync_runs", "runs_by_status"), true},
		{"sweeper", "dynamodb:Scan", access.Index("sync_runs", "runs_by_status"), false},
		{"sweeper", access.Query, "sync_runs", false},
		{"webhook", access.Send, access.Requests, true},
		{"webhook", access.Send, access.Hides, true},
		{"webhook", access.Send, access.Bulk, false},
		{"worker", access.Send, access.DeadLetters, true},
		{"worker", access.Send, access.Requests, false},
		{"worker", "sqs:ChangeMessageVisibility", access.Bulk, true},
		{"sweeper", "sqs:ReceiveMessage", access.Requests, false},
		{"api", access.Count, access.DeadLetters, true},
		{"api", "sqs:ReceiveMessage", access.DeadLetters, false},
		{"widget", access.Count, access.DeadLetters, false},
		{"docs", access.Start, access.Workflow, true},
		{"api", access.Start, access.Workflow, false},
		{"unknown", "dynamodb:GetItem", "sync_runs", false},
	} {
		if got := functions[c.function].Allows(c.action, c.resource); got != c.want {
			t.Errorf("%s may %s on %s: %v", c.function, c.action, c.resource, got)
		}
	}
}
