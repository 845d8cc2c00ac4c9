package cli_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every command of lore in a runbook is one that lore takes: with --help it
// refuses what it does not know, and does nothing else.
func TestRunbooksNameCommandsThatThereAre(t *testing.T) {
	files, err := filepath.Glob("../../docs/runbooks/*.md")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d runbooks, %v", len(files), err)
	}
	command := regexp.MustCompile("(?m)(?:^ *|`|\\(|; do |\\S=\\S+ )lore ([^`|;)\n]+)")
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
		t.Errorf("only %d commands were found: the test shows little", found)
	}
}
