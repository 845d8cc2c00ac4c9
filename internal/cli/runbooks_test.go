package cli_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every lore command in the README, the documents and the runbooks is valid: with --help,
// lore rejects unknown commands and flags, and does nothing else.
func TestDocuments_NameOnlyExistingCommands(t *testing.T) {
	files := []string{"../../README.md"}
	for _, of := range []string{"../../docs/*.md", "../../docs/runbooks/*.md"} {
		found, err := filepath.Glob(of)
		if err != nil || len(found) < 10 {
			t.Fatalf("%d documents %s, %v", len(found), of, err)
		}
		files = append(files, found...)
	}
	command := regexp.MustCompile("(?m)(?:^ *|^\\$ |`|\\(|; do |&& |\\S=\\S+ )lore ([^`|;)&>\n]+)")
	substituted, comment := regexp.MustCompile(`\$\([^()]*\)`), regexp.MustCompile(`(?m) +# .*$`)
	found := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range command.FindAllStringSubmatch(comment.ReplaceAllString(substituted.ReplaceAllString(string(text), "VALUE"), ""), -1) {
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

// Nobody has to install jq before an alarm can be handled.
func TestRunbooks_NeedNoOtherProgramToReadAnswers(t *testing.T) {
	files, err := filepath.Glob("../../docs/runbooks/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if regexp.MustCompile(`\bjq\b`).Match(text) {
			t.Errorf("%s needs jq", file)
		}
	}
}
