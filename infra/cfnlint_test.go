package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// byCDK is what the CDK itself writes: each function depends on its role, to which
// it refers anyway.
const byCDK = "W3005"

// Only make lint installs cfn-lint and runs this. The state machine is a text in
// the template, and cfn-lint checks it by its schema.
func TestTemplates_PassCfnLintUnlessBroken(t *testing.T) {
	if os.Getenv("LOREHOOK_LINT") == "" {
		t.Skip("make lint runs this")
	}
	found := cfnLint(t, map[string][]byte{
		"aws": onAWS(t).Text, "local": onLocal(t).Text, "openai": onOpenAI(t).Text, "private": inPrivate(t).Text,
		"broken": broken(t, onAWS(t).Text, map[string]string{
			`"Timeout": 120`:       `"Timeout": 1200`,
			`\"TimeoutSeconds\": `: `\"TimeoutSecs\": `,
		}),
	})
	for _, rule := range []string{"E3717", "E3601"} {
		if !strings.Contains(strings.Join(found["broken"], "\n"), rule) {
			t.Errorf("no %s among the findings in a broken template: %q", rule, found["broken"])
		}
	}
	delete(found, "broken")
	for name, findings := range found {
		t.Errorf("%s:\n%s", name, strings.Join(findings, "\n"))
	}
}

// broken returns the template with these mistakes, one each.
func broken(t *testing.T, template []byte, mistakes map[string]string) []byte {
	t.Helper()
	for right, wrong := range mistakes {
		if !bytes.Contains(template, []byte(right)) {
			t.Fatalf("nothing to break: %s", right)
		}
		template = bytes.Replace(template, []byte(right), []byte(wrong), 1)
	}
	return template
}

// cfnLint returns what cfn-lint finds, by template.
func cfnLint(t *testing.T, templates map[string][]byte) map[string][]string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range templates {
		if err := os.WriteFile(filepath.Join(dir, name+".json"), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	program, err := filepath.Abs("../.local/cfnlint/bin/cfn-lint")
	if err != nil {
		t.Fatal(err)
	}
	lint := exec.CommandContext(t.Context(), program, "--ignore-checks", byCDK, "--format", "parseable", "--", "*.json")
	lint.Dir = dir
	output, err := lint.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for line := range strings.Lines(string(output)) {
		name, _, ok := strings.Cut(line, ".json:")
		if !ok {
			t.Fatalf("cfn-lint: %v\n%s", err, output)
		}
		found[name] = append(found[name], strings.TrimSpace(line))
	}
	return found
}
