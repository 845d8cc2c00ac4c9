package cli_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mattn/go-runewidth"
)

// The columns of a table stay aligned, and within 80 columns, whatever a title is written
// in.
func TestTables_CountColumnsAndNotCharacters(t *testing.T) {
	titles := []string{"検索結果が古い " + strings.Repeat("検索", 40), "Cafe\u0301 e\u0301te\u0301", "🙂 smile", "Plain"}
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		var rows []map[string]any
		for i, title := range titles {
			rows = append(rows, map[string]any{"project_id": 1, "type": "issue", "iid": i + 1, "title": title, "state": "opened", "labels": []string{"バグ"}, "updated_at": "2026-11-02T05:00:00Z"})
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"entities": rows})
	}))
	defer api.Close()
	p := newProgram(t)
	p.env["LOREHOOK_API_URL"], p.env["NO_COLOR"], p.terminal = api.URL, "1", true
	got := p.run("list", "-p", "1")
	lines := strings.Split(strings.TrimSpace(got.out), "\n")
	if got.exit != 0 || len(lines) != len(titles)+1 {
		t.Fatalf("%+v", got)
	}
	width := &runewidth.Condition{}
	begins := width.StringWidth(lines[0][:strings.Index(lines[0], "LABELS")])
	for _, line := range lines[1:] {
		at := strings.Index(line, "バグ")
		if at < 0 || width.StringWidth(line[:at]) != begins || width.StringWidth(line) > 80 {
			t.Errorf("labels begin at column %d, want %d, in a line of %d: %s", width.StringWidth(line[:max(at, 0)]), begins, width.StringWidth(line), line)
		}
	}
	if !strings.Contains(lines[1], "…") {
		t.Errorf("%q is not cut", lines[1])
	}
}
