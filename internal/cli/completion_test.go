package cli_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// completed returns what the line is completed with.
func (p *program) completed(line string) []string {
	p.t.Helper()
	p.t.Setenv("COMP_LINE", line)
	p.env["COMP_LINE"] = line
	got := p.run()
	if got.exit != 0 || got.errors != "" {
		p.t.Errorf("%q: %+v", line, got)
	}
	return strings.Fields(got.out)
}

func TestCompletion_KnowsValues(t *testing.T) {
	p := newProgram(t)
	runsOf(t, p, map[string]surgical.RunStatus{"wabcdefghijklmnopqrstuvwxya": surgical.StatusFailed, "mzzzzzzzzzzzzzzzzzzzzzzzzzz": surgical.StatusRunning})
	for line, want := range map[string][]string{
		"lore runs list --status f":      {"failed"},
		"lore runs list --status=f":      {"failed"},
		"lore list --state m":            {"merged"},
		"lore list --order updated_d":    {"updated_desc"},
		"lore logs in":                   {"indexer"},
		"lore logs worker --level w":     {"warn"},
		"lore runs view w":               {"wabcdefg"},
		"lore logs --run mz":             {"mzzzzzzz"},
		"lore runs retry --timeout 3m w": {"wabcdefg"},
	} {
		if diff := cmp.Diff(want, p.completed(line)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", line, diff)
		}
	}
}

func TestCompletion_KnowsProjects(t *testing.T) {
	inStack(t, func(t *testing.T, s *stack) {
		if err := s.Ledger.NameProject(t.Context(), 1, "demo/lorehook-demo", s.Clock.Now()); err != nil {
			t.Fatal(err)
		}
		for line, want := range map[string][]string{
			"lore list -p d": {"demo/lorehook-demo"}, "lore projects show d": {"demo/lorehook-demo"}, "lore sync --project 2": {"2"},
		} {
			if diff := cmp.Diff(want, s.completed(line)); diff != "" {
				t.Errorf("%q (-want +got):\n%s", line, diff)
			}
		}
	})
}

// A key press must not print an error, or wait.
func TestCompletion_IsEmptyWithoutTheAPI(t *testing.T) {
	p := newProgram(t)
	p.http = roundTripper(func(*http.Request) (*http.Response, error) { return nil, errors.New("no server") })
	p.env["LOREHOOK_API_URL"] = "http://127.0.0.1:1"
	if got := p.completed("lore runs view "); len(got) > 0 {
		t.Errorf("%q", got)
	}
	delete(p.env, "LOREHOOK_API_URL")
	if got := p.completed("lore list -p "); len(got) > 0 {
		t.Errorf("%q", got)
	}
}

func TestCompletion_HasACommandForEachShell(t *testing.T) {
	for shell, want := range map[string]string{"bash": "complete ", "zsh": "complete ", "fish": "COMP_LINE"} {
		if got := newProgram(t).run("completion", "-c", shell); got.exit != 0 || !strings.Contains(got.out, want) || !strings.Contains(got.out, "lore") {
			t.Errorf("%s: %+v", shell, got)
		}
	}
}
