package cli_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mattn/go-runewidth"

	"gitlab.com/lorehook/lorehook/internal/cli"
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
func TestList_UsesTheWidthOfTheTerminal(t *testing.T) {
	p := newProgram(t)
	p.answersOfTables()
	p.env["NO_COLOR"], p.terminal = "1", true
	for _, c := range []struct {
		variable      string
		columns, want int
	}{{"", 0, 80}, {"50", 120, 50}, {"", 100, 100}, {"wide", 90, 90}} {
		if p.columns = c.columns; c.variable == "" {
			delete(p.env, "COLUMNS")
		} else {
			p.env["COLUMNS"] = c.variable
		}
		got := p.run("list", "-p", "1")
		if widest := widestLine(got.out); got.exit != 0 || widest > c.want || widest < c.want-2 {
			t.Errorf("on %d columns, COLUMNS=%q: exit %d, %d columns\n%s%s", c.columns, c.variable, got.exit, widest, got.out, got.errors)
		}
	}
}

// No line is wider than the terminal, except where one word is. What a table is read for is
// whole: ids, counts, times, and the text in its last column.
func TestTables_FitIntoTheTerminal(t *testing.T) {
	for _, c := range []struct {
		args string
		exit int
		// cut means that titles, labels or paths may be cut.
		cut  bool
		want []string
	}{
		{"list -p 1", 0, true, []string{"#4711", "1 h ago"}},
		{"list -p 1 --state all", 0, true, []string{"#4711", "opened"}},
		{"runs list", 0, false, []string{"ma2kky2c", "surgical_preflight_failed", "1#4711", "1!123456"}},
		{"runs view " + tableRun, 0, false, []string{tableRun, tableReason, "gitlab_not_found", "4711", "could not show the label event 17"}},
		{"runs watch " + tableRun, 30, false, []string{tableReason}},
		{"runs retry --failed-since 24h", 0, false, []string{tableRun, tableReason}},
		{"backfill --list", 0, false, []string{tableBackfill, "group/with/a/long/path/of-projects (4711)", "1,234,567"}},
		{"backfill --id " + tableBackfill, 37, false, []string{tableBackfill, tableReason, "gitlab_not_found", "lore backfill --id " + tableBackfill + " --retry-failed"}},
		{"projects", 0, true, []string{"4711", "1 h ago", "123456", "COMPLETE", "not shown by GitLab since 2026-11-02 05:00:00Z"}},
		{"projects show 4711", 0, false, []string{"group/with/a/long/path/of-projects", tableReason}},
		{"reconcile --all --detach", 24, true, []string{"4711", "1,234,567", tableReason}},
		{"status", 0, true, []string{"4711", "not shown by GitLab since 2026-11-02 05:00:00Z", "2026-11-02 05:00:00Z: GitLab refused the token"}},
		{"doctor", 56, false, []string{"lore projects list", "nothing is sent to GitLab until"}},
		{"changes", 0, true, []string{"project 1 issue#4711", "1 h ago"}},
		{"search anything", 0, true, []string{"project 1 issue#4711", "in a thread begun by somebody.with-a-long-name 1 h ago"}},
		{"show 1#4711", 0, true, []string{"somebody.with-a-long-name"}},
		{"show 1#4711 --verbose", 0, true, []string{tableDocument, "somebody.with-a-long-name", "needs information, performance"}},
		{"why 1#4711", 0, false, []string{tableReason, "ma2kky2c"}},
		{"erase --list", 0, false, []string{"project 1 issue#4711", "2026-11-03 05:00:00Z"}},
		{"sync 1#4711 --dry-run", 0, false, []string{"revision 4711", "1 h ago", "ma2kky2c", "issue#4711 merge_request#123456"}},
		{"index status", 0, false, []string{"1,234,567"}},
		{"drain", 0, false, []string{"4711, including those that a run is working on"}},
		{"config list", 0, false, []string{"LOREHOOK_API_URL", "gitlab-base-url"}},
		{"hooks list -p 1", 0, false, []string{"4711", "https://abc123.execute-api.eu-west-1.amazonaws.com/webhooks/gitlab", "signing", "issues"}},
		{"help exit-codes", 0, false, []string{"the output could not be written, as on a full disk; the command itself may have succeeded", "130 interrupted"}},
		{"show 1#4711 --issue 3", 2, false, []string{"invalid_request"}},
	} {
		for _, columns := range []int{40, 60, 80, 120} {
			p := newProgram(t)
			p.answersOfTables()
			p.env["NO_COLOR"], p.terminal, p.columns = "1", true, columns
			got := p.run(strings.Fields(c.args)...)
			text := got.out + regexp.MustCompile(`[^\r\n]*\r\x1b\[K`).ReplaceAllString(got.errors, "") // without progress
			for line := range strings.SplitSeq(text, "\n") {
				if width := runewidth.StringWidth(line); width > columns && !oneWord(line) {
					t.Errorf("lore %s on %d columns: a line of %d: %s", c.args, columns, width, line)
				}
			}
			words := strings.Join(strings.Fields(text), " ")
			for _, want := range c.want {
				if !strings.Contains(words, want) {
					t.Errorf("lore %s on %d columns does not say %q:\n%s", c.args, columns, want, text)
				}
			}
			if got.exit != c.exit || !c.cut && strings.Contains(text, "…") {
				t.Errorf("lore %s on %d columns: exit %d, and %v that something is cut:\n%s", c.args, columns, got.exit, strings.Contains(text, "…"), text)
			}
		}
	}
}

// Commands stay in one piece, so that they can be copied.
func TestHelp_FitsIntoTheTerminal(t *testing.T) {
	names, groups, err := cli.CommandNames()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Concat(names, groups, []string{""}) {
		for _, columns := range []int{60, 80, 120} {
			p := newProgram(t)
			p.terminal, p.columns = true, columns
			got := p.run(append(strings.Fields(name), "--help")...)
			for line := range strings.SplitSeq(got.out, "\n") {
				whole := oneWord(line) || strings.HasPrefix(line, "Usage: ") || strings.HasPrefix(line, `Run "lore `)
				if width := runewidth.StringWidth(line); width > columns && !whole {
					t.Errorf("lore %s --help on %d columns: a line of %d: %s", name, columns, width, line)
				}
			}
			if got.exit != 0 {
				t.Errorf("lore %s --help: exit %d\n%s", name, got.exit, got.out)
			}
		}
	}
}

// oneWord reports whether a line cannot be broken: an id, a URL or a command.
func oneWord(line string) bool {
	text := strings.TrimSpace(line)
	return !strings.Contains(text, " ") || strings.HasPrefix(text, "lore ")
}

func widestLine(text string) (widest int) {
	for line := range strings.SplitSeq(text, "\n") {
		widest = max(widest, runewidth.StringWidth(line))
	}
	return widest
}

const (
	tableRun      = "ma2kky2crzohqhdzmcdjdz23y4u"
	tableBackfill = "4711-lkhapo2w52x3f7qd"
	tableDocument = "discussion/6a9c1750b37d513a43987b574953fceb50b03ce7"
	tableReason   = "project 1 issue#4711 was not found, or the user of the token cannot see it (404)"
)

// answersOfTables makes p use an API and a GitLab that answer every request of a table with
// long values.
func (p *program) answersOfTables() {
	const at, target = `"2026-11-02T05:00:00Z"`, `"type":"issue","iid":4711`
	const title, author = `"Exports time out when the archive is larger than the disk, and nothing says so"`, `"somebody.with-a-long-name"`
	const path = `"path":"group/with/a/long/path/of-projects"`
	failure := `{` + target + `,"code":"gitlab_not_found","message":"` + tableReason + `","action":"verify_iid","run_id":"` + tableRun + `"}`
	targets := `"targets":[{` + target + `},{"type":"merge_request","iid":123456},{"type":"issue","iid":8}]`
	problem := `"error":{"code":"surgical_preflight_failed","detail":"1 of 3 targets failed: ` + tableReason + `","message":"` + tableReason + `","action":"retry_failed","total":3,"failures":[` + failure + `]}`
	run := `{"run_id":"` + tableRun + `","project_id":1,"status":"failed","origin":"manual","stage":"preflight","error_code":"surgical_preflight_failed",` + targets + `,"created_at":` + at + `,
		"counters":{"gitlab_requests":1234567,"write_units":1234567,"documents_written":1234567},` + problem + `,
		"entities":[{` + target + `,"stage":"preflight","status":"failed","error_code":"gitlab_not_found","error_message":"` + tableReason + `","warnings":["the documents could not show the label event 17 of a former label, whose name is not known"]}]}`
	project := `{"project_id":4711,` + path + `,"complete_as_of":` + at + `,"counts":{"issues":123456,"merge_requests":123456,"counted_at":` + at + `},"unseen_since":` + at + `,
		"hook":{"state":"disabled","reason":"` + tableReason + `","hook_id":4711,"checked_at":` + at + `},"last_reconcile":{"ended_at":` + at + `,"listed":1234567,"missed":12345}}`
	passError := `"error":{"code":"gitlab_unavailable","message":"` + tableReason + `","action":"retry_after"}`
	backfill := `{"id":"` + tableBackfill + `","project_id":4711,` + path + `,"status":"failed","created_at":` + at + `,"finished_at":` + at + `,
		"progress":{"total":1234567,"listed":1234567,"done":1234567,"failed":123456,"requests":1234567},"failures":[` + failure + `],"error":{"code":"backfill_incomplete","message":"` + tableReason + `","action":"retry_failed"}}`
	entity := `{"project_id":1,` + target + `,"title":` + title + `,"state":"opened","labels":["needs information","performance"],"updated_at":` + at + `,"fetched_at":` + at + `,"revision":4711,"run_id":"` + tableRun + `",
		"web_url":"https://gitlab.example.com/group/project/-/issues/4711","documents":[{"id":"` + tableDocument + `","revision":4711,"chunks":3,"embedded":true,"author":` + author + `,"created_at":` + at + `,"begins":` + title + `}],
		"documents_behind":{"since":` + at + `,"changes":3,"state":"held_back","run_id":"` + tableRun + `","code":"docs_failed","reason":` + title + `},
		"entity":{"title":` + title + `,"state":"opened","author":{"username":` + author + `},"created_at":` + at + `,"labels":["needs information"]}}`
	documents := map[string]string{
		"GET /v1/projects/1/issues":                        `{"entities":[` + entity + `]}`,
		"GET /v1/projects/1/issues/4711":                   entity,
		"GET /v1/projects/1/issues/4711/why":               `{"sentences":["The copy is not shown: ` + tableReason + `.","` + tableReason + `, and a second sentence."],"runs":[` + run + `]}`,
		"GET /v1/sync-runs":                                `{"runs":[` + run + `],"next_cursor":"eyJsIjoiY2hhbmdlcyIs"}`,
		"GET /v1/sync-runs/" + tableRun:                    run,
		"POST /v1/sync-runs":                               `{"project_id":1,"stages":["preflight","ingest","docs","embed"],"targets":[{` + target + `,"local":{"revision":4711,"updated_at":` + at + `,"fetched_at":` + at + `}}],"conflicts":[{"reason":"same_target","run_id":"` + tableRun + `","status":"running",` + targets + `}]}`,
		"POST /v1/sync-runs/" + tableRun + "/retry-failed": "",
		"GET /v1/backfills":                                `{"backfills":[` + backfill + `]}`,
		"GET /v1/backfills/" + tableBackfill:               backfill,
		"GET /v1/projects":                                 `{"projects":[` + project + `],"next_cursor":"eyJsIjoiY2hhbmdlcyIs"}`,
		"GET /v1/projects/4711":                            project,
		"POST /v1/reconciles":                              `{"reconciles":[{"project_id":4711,` + path + `,"status":"failed","began_at":` + at + `,"listed":1234567,"different":1234567,"requests":1234567,` + passError + `}]}`,
		"GET /v1/status": `{"projects":{"total":2,"complete":1,"complete_as_of":` + at + `,"unseen":1,"reconcile_age_project_id":4711,"reconcile_age_ms":99999999,"hooks":{"working":1,"disabled":1},"attention":[
			{"project_id":4711,` + path + `,"complete_as_of":` + at + `,"unseen_since":` + at + `,"hook":"disabled","hook_reason":"` + tableReason + `"}]},
			"queues":[{"name":"webhook","waiting":1234567},{"name":"manual","waiting":1234567,"received":1234567},{"name":"dead-letters","waiting":1}],
			"gitlab":{"answered_at":` + at + `,"rate_limit":{"limit":1234567,"remaining":123456},"passes_wait_until":` + at + `,"pause":{"until":` + at + `,"code":"gitlab_unauthorized"}},"index":{"status":"ready","as_of":` + at + `,"documents":1234567}}`,
		"GET /healthz":     `{"status":"ok","version":"v0.0.0-test"}`,
		"GET /v1/changes":  `{"changes":[{"project_id":1,` + target + `,"changed_at":` + at + `,"entity":` + entity + `}],"next":"eyJsIjoiY2hhbmdlcyIs"}`,
		"GET /v1/search":   `{"mode":"hybrid","as_of":` + at + `,"hits":[{"project_id":1,` + target + `,"title":` + title + `,"state":"opened","passages":[{"document":"` + tableDocument + `","author":` + author + `,"created_at":` + at + `,"url":"https://gitlab.example.com/group/project/-/issues/4711","text":` + title + `,"marks":[{"start":8,"end":16}]}]}]}`,
		"GET /v1/erasures": `{"erasures":[{"project_id":1,` + target + `,"erased_at":` + at + `,"settles_at":"2026-11-03T05:00:00Z","recoverable_until":"2026-12-07T05:00:00Z"}]}`,
		"GET /v1/index":    `{"status":"rebuild_requested","engine":"embedded","language":"en","model":"all-MiniLM-L6-v2","as_of":` + at + `,"documents":1234567,"bytes":1234567}`,
		"POST /v1/drains":  `{"project_id":1,"starts_by":` + at + `,"undone_entities":4711}`,
		"GET /api/v4/projects/1/hooks": `[{"id":4711,"url":"https://abc123.execute-api.eu-west-1.amazonaws.com/webhooks/gitlab","issues_events":true,"confidential_issues_events":true,"merge_requests_events":true,
			"note_events":false,"signing_token_present":true,"enable_ssl_verification":true,"alert_status":"disabled"}]`,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := documents[r.Method+" "+r.URL.Path]
		if r.URL.Query().Has("cursor") {
			body = `{}` // the second page is the last
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Total", "1")
		if body == "" {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusConflict)
			body = `{"code":"conflict","status":409,"action":"fix_request","detail":"` + tableReason + `"}`
		}
		_, _ = io.WriteString(w, body)
	}))
	p.t.Cleanup(server.Close)
	p.env["LOREHOOK_API_URL"], p.env["GITLAB_BASE_URL"], p.env["GITLAB_TOKEN"] = server.URL, server.URL, "glpat-not-a-real-token"
}
