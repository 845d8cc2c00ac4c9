package cli_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/mattn/go-runewidth"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

func (s *stack) index() {
	s.t.Helper()
	if err := s.search.Index(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

// found serves this page of hits, as a program on a terminal sees it. Colours are left out
// if plain is set.
func found(t *testing.T, page map[string]any, plain bool, args ...string) printed {
	t.Helper()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got, want := r.URL.Query().Get("cursor"), "abc"; (got == want) != slices.Contains(args, want) {
			t.Errorf("the cursor is %q", got)
		}
		_ = json.NewEncoder(w).Encode(page)
	}))
	defer api.Close()
	p := newProgram(t)
	p.env["LOREHOOK_API_URL"], p.terminal = api.URL, true
	if plain {
		p.env["NO_COLOR"] = "1"
	}
	got := p.run(append([]string{"search", "carousel stops"}, args...)...)
	if got.exit != 0 || got.errors != "" {
		t.Fatalf("%+v", got)
	}
	return got
}

func TestSearch_FitsATerminalAndMarksWordsAcrossItsLines(t *testing.T) {
	text := "\x1b" + strings.Repeat("語 ", 30) + "the " + strings.Repeat("word ", 9) + "carousel stops " + strings.Repeat("word ", 30) + "carousel stops"
	var marks []map[string]int
	for _, begin := range []int{strings.Index(text, "carousel"), strings.LastIndex(text, "carousel")} {
		begin = utf8.RuneCountInString(text[:begin])
		marks = append(marks, map[string]int{"start": begin, "end": begin + len("carousel stops")})
	}
	page := map[string]any{
		"mode": "lexical", "as_of": "2026-11-02T05:57:00Z", "next_cursor": "abc", "reason": "no model embeds the texts, so only words are compared, and not what they mean",
		"hits": []any{map[string]any{
			"project_id": 1, "type": "issue", "iid": 7, "title": strings.Repeat("タイトル ", 20), "state": "opened",
			"passages": []any{map[string]any{"document": "discussion#d", "author": "mira", "created_at": "2026-11-01T06:00:00Z", "url": "https://gitlab.example.com/" + strings.Repeat("x", 80), "text": text, "marks": marks}},
		}},
	}
	plain, coloured := found(t, page, true, "--cursor", "abc"), found(t, page, false)
	for line := range strings.Lines(plain.out) {
		if line = strings.TrimRight(line, "\n"); runewidth.StringWidth(line) > 80 && !strings.Contains(line, "https://") {
			t.Errorf("%d columns: %s", runewidth.StringWidth(line), line)
		}
	}
	for _, want := range []string{"3 min ago", "in a thread begun by mira 24 h ago", "next page: --cursor abc", "…  project 1 issue#7  opened"} {
		if !strings.Contains(plain.out, want) {
			t.Errorf("no %q in:\n%s", want, plain.out)
		}
	}
	escape := regexp.MustCompile("\x1b\\[[0-9;]*m")
	if diff := cmp.Diff(plain.out, escape.ReplaceAllString(coloured.out, "")); diff != "" {
		t.Errorf("colours change more than colours (-plain +coloured):\n%s", diff)
	}
	if !strings.Contains(plain.out, "carousel\n    stops") {
		t.Errorf("no line ends within a mark:\n%s", plain.out)
	}
	bold := ""
	for _, m := range regexp.MustCompile("\x1b\\[1m(.*?)\x1b").FindAllStringSubmatch(coloured.out, -1)[1:] { // the title is the first
		bold += m[1] + " "
	}
	if bold != "carousel stops carousel stops " {
		t.Errorf("marked are %q", bold)
	}
}

func TestSearch_ShowsPassagesLinksAndHowCurrentTheyAre(t *testing.T) {
	inStack(t, func(t *testing.T, s *stack) {
		if e, got := s.robot("search", "carousel"); e.code() != surgical.CodeIndexNotReady || got.exit != 48 {
			t.Errorf("without an index: exit %d, %s", got.exit, got.out)
		}
		s.GitLab.SetIssue(fakegitlab.NewIssue(8, "Slow start page", "How do I turn off the carousel?\n\n\x1b[31mred", fakegitlab.Time{Time: s.GitLab.UpdatedAt(fakegitlab.IssueRef(7))}))
		s.GitLab.AddDiscussion(fakegitlab.IssueRef(7), fakegitlab.Note{Author: fakegitlab.Mira(), CreatedAt: fakegitlab.Time{Time: s.World.Clock.Now()}, Body: "A carousel is easy to disable."})
		for _, ref := range []string{"1#7", "1#8"} {
			if got := s.run("sync", ref, "--wait"); got.exit != 0 {
				t.Fatalf("%s: %s", ref, got.errors)
			}
		}
		s.Drive()
		s.index()
		got := s.run("search", "disable", "carousel", "state:opened")
		golden(t, "search.txt", got.out)
		if strings.Contains(got.out, "\x1b") {
			t.Error("an escape sequence of GitLab's text reaches the terminal")
		}
		if got := s.run("search", "--similar-to", "1#8", "--limit", "1"); got.exit != 0 || strings.Contains(got.out, "Slow start page") {
			t.Errorf("similar: %s%s", got.out, got.errors)
		}
		if got := s.run("search", "nosuchword"); !strings.Contains(got.out, "nothing found") {
			t.Errorf("%s%s", got.out, got.errors)
		}
		for _, args := range [][]string{{"search"}, {"search", "x", "--similar-to", "1#8"}, {"search", "x", "--limit", "0"}, {"search", "x", "--created-after", "soon"}, {"search", "state:opened"}} {
			if e, got := s.robot(args...); e.code() != surgical.CodeInvalidRequest {
				t.Errorf("%v: %s", args, got.out)
			}
		}
		got = s.run("index", "status")
		if !strings.Contains(got.out, "ready") || !strings.Contains(got.out, "entities") {
			t.Errorf("%s%s", got.out, got.errors)
		}
		if got = s.run("index", "rebuild"); !strings.Contains(got.out, "rebuild_requested") {
			t.Errorf("%s%s", got.out, got.errors)
		}
	})
}
