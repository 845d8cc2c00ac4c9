package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/apiclient"
)

// Every lore command in the runbooks and the README is valid: with --help, lore
// rejects unknown commands and flags, and does nothing else.
func TestRunbooks_NameOnlyExistingCommands(t *testing.T) {
	files, err := filepath.Glob("../../docs/runbooks/*.md")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d runbooks, %v", len(files), err)
	}
	files = append(files, "../../README.md")
	command := regexp.MustCompile("(?m)(?:^ *|^\\$ |`|\\(|; do |\\S=\\S+ )lore ([^`|;)\n]+)")
	found := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range command.FindAllStringSubmatch(string(text), -1) {
			found++
			p := newProgram(t)
			p.http = refusing{t}
			if got := p.run(append(strings.Fields(m[1]), "--help")...); got.exit != 0 {
				t.Errorf("%s: lore %s: exit code %d\n%s", file, m[1], got.exit, got.errors)
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d commands were found: the pattern is broken", found)
	}
}

// The fields that jq selects exist: a misspelt name would select nothing, or
// everything.
func TestRunbooks_UseOnlyExistingFields(t *testing.T) {
	answer, err := json.Marshal(map[string]any{"data": apiclient.RunList{Runs: []apiclient.Run{{RunID: "w", CreatedAt: time.Now()}}}})
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../../docs/runbooks/*.md")
	if err != nil {
		t.Fatal(err)
	}
	program, field := regexp.MustCompile(`jq -r [^']*'([^']+)'`), regexp.MustCompile(`\.([a-z_]+)`)
	found := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range program.FindAllStringSubmatch(string(text), -1) {
			for _, f := range field.FindAllStringSubmatch(m[1], -1) {
				found++
				if !strings.Contains(string(answer), `"`+f[1]+`":`) {
					t.Errorf("%s: no field %s in %s", file, f[1], answer)
				}
			}
		}
	}
	if found < 4 {
		t.Errorf("only %d fields were found: the pattern is broken", found)
	}
}
