package cli_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// terminally returns what a person reads on a terminal, without colours, three minutes
// after the last fetch. No line may be longer than 80 columns, except where words are.
func (s *stack) terminally(args ...string) string {
	s.t.Helper()
	s.terminal, s.clock, s.env["NO_COLOR"] = true, s.World.Clock.Now().Add(3*time.Minute), "1"
	defer func() { s.terminal = false }()
	got := s.run(args...)
	if got.exit != 0 || got.errors != "" {
		s.t.Errorf("%v: exit %d, %s", args, got.exit, got.errors)
	}
	for line := range strings.Lines(got.out) {
		if line = strings.TrimRight(line, "\n"); utf8.RuneCountInString(line) > 80 && strings.Contains(strings.TrimSpace(line), " ") {
			s.t.Errorf("%v: %d columns: %s", args, utf8.RuneCountInString(line), line)
		}
	}
	return "$ lore " + strings.Join(args, " ") + "\n" + got.out
}

func TestShow_PrintsAThreadAsAPersonExpectsIt(t *testing.T) {
	inStack(t, func(t *testing.T, s *stack) {
		s.GitLab.AddDiscussion(fakegitlab.IssueRef(7), fakegitlab.Note{Author: fakegitlab.Mira(), Body: "A long line: " + strings.Repeat("word ", 40) + "\n\n```\n" + "code " + strings.Repeat("x", 60) + "\n```\n\x1b[31mnot red\x1b[0m"})
		s.Webhook(fakegitlab.IssueRef(7))
		s.Webhook(fakegitlab.MergeRequestRef(12))
		text := s.terminally("show", "1#7")
		golden(t, "thread.txt", text)
		if strings.Contains(text, "\x1b") || !strings.Contains(text, "3 min ago") {
			t.Error("it controls the terminal, or has no relative time")
		}
		golden(t, "thread_mr.txt", s.terminally("show", "1!12"))
		if got := s.run("show", "1#7"); strings.Contains(got.out, " ago") {
			t.Errorf("relative times without a terminal:\n%s", got.out)
		}
		s.goldens("show_json", 0, "show", "1#7", "--json", "title,state,labels")
		s.goldens("show_json_unknown", 2, "show", "1#7", "--json", "name")
		s.goldens("show_verbose", 0, "show", "1!12", "--verbose")
	})
}

func TestList_PrintsATableOf80Columns(t *testing.T) {
	inStack(t, func(t *testing.T, s *stack) {
		for iid := int64(101); iid <= 105; iid++ {
			issue := fakegitlab.NewIssue(iid, strings.Repeat("A title that is long ", int(iid-100)), "", fakegitlab.Time{Time: s.World.Clock.Now().Add(-time.Duration(iid-100) * 26 * time.Hour)})
			issue.Labels, issue.Author = []string{"bug", "needs::triage", "performance"}[:(iid-100)%4], fakegitlab.Mira()
			if iid == 105 {
				issue.State, issue.Confidential = "closed", true
			}
			s.GitLab.SetIssue(issue)
			s.Webhook(fakegitlab.IssueRef(iid))
		}
		s.Webhook(fakegitlab.MergeRequestRef(12))
		golden(t, "list_issues.txt", s.terminally("list", "-p", "1"))
		golden(t, "list_all.txt", s.terminally("list", "-p", "1", "--state", "all", "--label", "bug"))
		golden(t, "list_mrs.txt", s.terminally("list", "-p", "1", "--mrs"))
		s.goldens("list_piped", 0, "list", "-p", "1", "--order", "created_asc", "--limit", "2")
		s.goldens("list_json", 0, "list", "-p", "1", "--state", "all", "--json", "iid,title")
		between := s.World.Clock.Now().Add(-91 * time.Hour).Format(time.RFC3339) // of 103 and 104
		for flag, want := range map[string][]int64{
			"--created-before": {104, 105}, "--created-after": {101, 102, 103}, "--updated-before": {104, 105}, "--updated-after": {101, 102, 103}, "--since": {101, 102, 103},
		} {
			e, _ := s.robot("list", "-p", "1", "--state", "all", "--json", "iid", flag, between)
			var rows []struct{ IID int64 }
			if err := json.Unmarshal(e.Data, &rows); err != nil {
				t.Fatal(err)
			}
			var got []int64
			for _, row := range rows {
				got = append(got, row.IID)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", flag, diff)
			}
		}
		s.goldens("list_none", 0, "list", "-p", "1", "--author", "nobody")
		s.goldens("list_bad_state", 2, "list", "-p", "1", "--state", "merged")
		s.goldens("list_bad_since", 2, "list", "-p", "1", "--since", "yesterday")
		s.goldens("list_entity", 2, "list", "-p", "1#7")
	})
}

func TestOpen_OpensOnlyPagesOfTheWeb(t *testing.T) {
	var page string
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("fields") != "web_url" {
			t.Errorf("it asks for %s", r.URL)
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"project_id": 1, "type": "issue", "iid": 7, "web_url": page})
	}))
	defer api.Close()
	p := newProgram(t)
	p.local(map[string]string{"api_url": api.URL})
	for _, c := range []struct {
		page     string
		terminal bool
		args     []string
		opened   bool
		exit     int
	}{
		{"https://gitlab.example.com/a/b/-/issues/7", true, nil, true, 0},
		{"https://gitlab.example.com/a/b/-/issues/7", true, []string{"--print"}, false, 0},
		{"https://gitlab.example.com/a/b/-/issues/7", false, nil, false, 0},
		{"https://gitlab.example.com/a/b/-/issues/7", true, []string{"--robot"}, false, 0},
		{"file:///etc/passwd", true, nil, false, 1},
		{"-version", true, nil, false, 1},
		{"", true, nil, false, 1},
	} {
		page, p.terminal, p.browsed = c.page, c.terminal, nil
		got := p.run(slices.Concat([]string{"open", "1#7"}, c.args)...)
		want := []string(nil)
		if c.opened {
			want = []string{c.page}
		}
		if diff := cmp.Diff(want, p.browsed); diff != "" || (got.exit == 0) != (c.exit == 0) {
			t.Errorf("%s %v: exit %d, opened (-want +got):\n%s", c.page, c.args, got.exit, diff)
		}
		if shown := strings.Contains(got.out, c.page) && c.page != ""; c.exit == 0 && shown == c.opened {
			t.Errorf("%s %v prints %q", c.page, c.args, got.out)
		}
	}
}
