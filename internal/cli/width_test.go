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

// A table is as wide as the terminal at most, and says more on a wider one.
func TestTables_FitIntoTheTerminal(t *testing.T) {
	title := strings.Repeat("Exports time out ", 20)
	run := map[string]any{
		"run_id": "ma2kky2crzohqhdzmcdjdz23y4u", "project_id": 1, "status": "failed", "origin": "manual", "stage": "preflight", "error_code": "surgical_preflight_failed",
		"targets": []map[string]any{{"type": "issue", "iid": 7}, {"type": "issue", "iid": 4711}, {"type": "merge_request", "iid": 123456}}, "created_at": "2026-11-02T05:00:00Z",
	}
	entity := map[string]any{"project_id": 1, "type": "issue", "iid": 7, "title": title, "state": "opened", "labels": []string{"needs information", "performance"}, "updated_at": "2026-11-02T05:00:00Z"}
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"entities": []any{entity}, "runs": []any{run}})
	}))
	defer api.Close()
	for _, c := range []struct {
		args     []string
		variable string
		columns  int
		want     int
	}{
		{[]string{"list", "-p", "1"}, "", 0, 80}, {[]string{"list", "-p", "1"}, "50", 120, 50}, {[]string{"list", "-p", "1"}, "", 120, 120}, {[]string{"list", "-p", "1"}, "wide", 200, 200},
		{[]string{"runs", "list"}, "60", 0, 60}, {[]string{"runs", "list"}, "", 0, 80}, {[]string{"runs", "list"}, "", 120, 120},
	} {
		p := newProgram(t)
		p.env["LOREHOOK_API_URL"], p.env["NO_COLOR"], p.terminal, p.columns = api.URL, "1", true, c.columns
		if c.variable != "" {
			p.env["COLUMNS"] = c.variable
		}
		got := p.run(c.args...)
		widest := 0
		for line := range strings.SplitSeq(got.out, "\n") {
			widest = max(widest, runewidth.StringWidth(line))
		}
		if got.exit != 0 || widest > c.want || c.args[0] == "list" && widest < c.want-2 {
			t.Errorf("%s on %d columns, COLUMNS=%q: exit %d, %d columns\n%s%s", c.args, c.columns, c.variable, got.exit, widest, got.out, got.errors)
		}
	}
}
