package cli_test

import (
	"strings"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

func (s *stack) index() {
	s.t.Helper()
	if err := s.search.Index(s.t.Context()); err != nil {
		s.t.Fatal(err)
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
