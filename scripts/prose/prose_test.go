package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRulesFindTheGlossarysWords(t *testing.T) {
	for _, text := range []string{
		"The key stands in one file.", "The worker is told the run.", "GitLab was asked twice.", "It hears of every event.",
		"Whoever calls it waits.", "Meanwhile another run began.", "The signature alone counts.", "This is no handler.",
		"All is as it should be.", "The run came out as failed.", "Say what came of each.", "It is stored for good.",
		"Most children in the mean.", "An alarm that tells nobody.", "A log line, one a decision.", "It is judged by its signature.",
		"The key stands\nin one file.",
	} {
		if !finds(text) {
			t.Errorf("nothing found in %q", text)
		}
	}
}

func TestRulesAcceptIdiomaticEnglish(t *testing.T) {
	for _, text := range []string{
		"ULID stands for an identifier.", "A fake stands in for GitLab.", "The user is asked to confirm.", "The run is no longer open.",
		"There is no handler.", "there\nare no jobs", "It takes no more than a second.", "Leave the file alone.", "A stand-alone program.",
		"The delay is no longer than 2 s.", "There is good reason for it; for good reason.", "Once a minute.", "Standing instructions.",
	} {
		if finds(text) {
			t.Errorf("a finding in %q", text)
		}
	}
}

func finds(text string) bool {
	for _, r := range rules {
		if len(r.find(text)) > 0 {
			return true
		}
	}
	return false
}

func TestCheckNamesFileLineWordsAndSuggestion(t *testing.T) {
	const q = "`"
	for name, c := range map[string]struct{ file, source, want string }{
		"Go comment over two lines": {"a.go", "package a\n\n// A key\n// stands\n// in it.\nvar x int\n", `:4: "stands in" -> is in, is stored in`},
		"Go string":                 {"a.go", "package a\n\nvar x = \"a\\nb meanwhile\"\n", `:3: "meanwhile" -> in the meantime`},
		"Go raw string":             {"a.go", "package a\n\nvar x = " + q + "one\ntwo meanwhile" + q + "\n", `:4: "meanwhile" -> in the meantime`},
		"Markdown":                  {"a.md", "# A\n\n" + q + q + q + "\nmeanwhile\n" + q + q + q + "\n\n" + q + "meanwhile" + q + " [a](meanwhile.md)\nMeanwhile\n", `:8: "Meanwhile" -> in the meantime`},
		"template":                  {"a.html", "<p title=meanwhile>\n{{meanwhile}} Meanwhile</p>\n", `:2: "Meanwhile" -> in the meantime`},
		"script":                    {"setup", "#!/bin/sh\n# Meanwhile\n", `:2: "Meanwhile" -> in the meantime`},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), c.file)
			put(t, path, c.source)
			var out bytes.Buffer
			n, err := check(&out, []string{path})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(path+c.want+"\n1 findings\n", out.String()); n != 1 || diff != "" {
				t.Errorf("%d findings (-want +got):\n%s", n, diff)
			}
		})
	}
}

func TestCheckSkipsStringsOfTestsAndWhatIsInstalled(t *testing.T) {
	root := t.TempDir()
	put(t, filepath.Join(root, "a_test.go"), "package a\n\nvar x = \"a meanwhile\"\n")
	put(t, filepath.Join(root, ".local", "a.md"), "Meanwhile\n")
	put(t, filepath.Join(root, "node_modules", "a.md"), "Meanwhile\n")
	put(t, filepath.Join(root, "testdata", "a.md"), "Meanwhile\n")
	put(t, filepath.Join(root, "LICENSE"), "Meanwhile\n")
	put(t, filepath.Join(root, ".ci", "run"), "# Meanwhile\n")
	var out bytes.Buffer
	n, err := check(&out, []string{root})
	if err != nil {
		t.Fatal(err)
	}
	if n != 1 || !strings.Contains(out.String(), filepath.Join(".ci", "run")+":1:") {
		t.Errorf("want the finding in .ci/run only, got\n%s", &out)
	}
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
