package worker_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// What is only displayed never makes an entity too large.
func TestProcess_StoresAnEntityWhateverTheSizeOfWhatIsDisplayed(t *testing.T) {
	const long = 600_000
	text := strings.Repeat("9", long)
	var people []map[string]string
	for i := range 4000 {
		people = append(people, map[string]string{"username": fmt.Sprintf("user-%d", i), "name": strings.Repeat("n", 250)})
	}
	for name, fields := range map[string]map[string]any{
		"times":     {"created_at": text, "closed_at": text, "merged_at": text, "due_date": text},
		"people":    {"assignees": people, "reviewers": people},
		"texts":     {"title": text, "state": text, "issue_type": text, "web_url": text, "milestone": map[string]string{"title": text}, "author": map[string]string{"username": text, "name": text}},
		"labels":    {"labels": []string{text, "a"}},
		"unshown":   {"references": map[string]string{"full": text}, "weight": text, "moved_to_id": text},
		"odd lists": {"assignees": make([]any, 100_000), "labels": make([]any, 100_000)},
	} {
		t.Run(name, func(t *testing.T) {
			entity := map[string]any{"id": 1007, "iid": 7, "project_id": 1, "title": "T", "updated_at": "2026-05-28T06:17:50.386Z"}
			for field, value := range fields {
				entity[field] = value
			}
			raw, err := json.Marshal(entity)
			if err != nil {
				t.Fatal(err)
			}
			w := newWorld(t)
			w.GitLab.Inject(fakegitlab.Fault{Ref: issue7, Endpoint: "entity", Requests: 1, Status: http.StatusOK, Body: string(raw)})
			w.Sync(w.Request(surgical.OriginManual, issue7))
		})
	}
}

// A record that is not one costs itself only, and the run says which it was.
func TestProcess_LeavesOutWhatIsNotARecordAndSaysSo(t *testing.T) {
	w := newWorld(t)
	ref := fakegitlab.IssueRef(70)
	w.GitLab.SetIssue(fakegitlab.NewIssue(70, "Odd", "", fakegitlab.Time{Time: w.Clock.Now()}))
	w.discussions(ref, "2", `[{"id":"a","notes":[{"id":1,"body":"One."}]},null]`)
	w.GitLab.Inject(fakegitlab.Fault{Ref: ref, Endpoint: "resource_state_events", Requests: 1, Status: http.StatusOK, Header: http.Header{"X-Total": {"1"}}, Body: `["x"]`})
	run := w.Sync(w.Request(surgical.OriginManual, ref))
	if got := len(w.documents(ref)); got != 2 {
		t.Errorf("%d documents, want 2", got)
	}
	rows, err := w.Ledger.Entities(t.Context(), run.RunID)
	if err != nil || len(rows) != 1 {
		t.Fatalf("%d rows, error %v", len(rows), err)
	}
	want := []string{"record 2 of a page of discussions is left out: it is null", "record 1 of a page of resource_state_events is left out: it is a text"}
	if !slices.Equal(rows[0].Warnings, want) {
		t.Errorf("warnings %q, want %q", rows[0].Warnings, want)
	}
}

// The ends of a line range are objects whose line numbers may be text.
func TestProcess_StoresACommentWhoseLineRangeIsText(t *testing.T) {
	end := func(n int) string {
		return fmt.Sprintf(`{"line_code":"c_1_%d","type":"new","old_line":"1","new_line":"%d"}`, n, n)
	}
	position := fmt.Sprintf(`{"old_path":"a.go","new_path":"a.go","position_type":"text","old_line":null,"new_line":4,"line_range":{"start":%s,"end":%s}}`, end(2), end(4))
	w := newWorld(t)
	w.discussions(mr12, "1", `[{"id":"a","notes":[{"id":1,"type":"DiffNote","body":"About these lines.","position":`+position+`}]}]`)
	run := w.Sync(w.Request(surgical.OriginManual, mr12))
	document, err := w.Content.Document(t.Context(), mr12, "discussion#a")
	if err != nil || !strings.Contains(document.Text, "About these lines.") || !strings.Contains(document.Text, "a.go") {
		t.Errorf("document %q, error %v", document.Text, err)
	}
	if rows, err := w.Ledger.Entities(t.Context(), run.RunID); err != nil || len(rows) != 1 || len(rows[0].Warnings) > 0 {
		t.Errorf("rows %+v, error %v", rows, err)
	}
}
