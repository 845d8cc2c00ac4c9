package devstack

import (
	"maps"
	"os"
	"path/filepath"
	"testing"
)

// module writes a module with an infra command that imports one package.
func module(t *testing.T) cdk {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":                        "module example.com/m\n\ngo 1.26\n",
		"infra/main.go":                 "package main\n\nimport _ \"example.com/m/tables\"\n\nfunc main() {}\n",
		"infra/workflow.asl.json":       "{}",
		"tables/tables.go":              "package tables\n",
		"unused/unused.go":              "package unused\n",
		".build/lambda/x/api/bootstrap": "binary",
	} {
		write(t, filepath.Join(root, name), text)
	}
	return cdk{root: root}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestWhatTheTemplateIsMadeFromChangesTheFingerprint(t *testing.T) {
	platform := Platform{OS: "linux", Arch: "x"}
	for name, want := range map[string]bool{
		"infra/main.go":                 true,
		"infra/workflow.asl.json":       true,
		"tables/tables.go":              true,
		"go.mod":                        true,
		".build/lambda/x/api/bootstrap": true,
		"unused/unused.go":              false,
	} {
		t.Run(name, func(t *testing.T) {
			c := module(t)
			before, err := c.fingerprint(t.Context(), nil, platform)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(c.root, name)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			write(t, path, string(text)+"\n")
			after, err := c.fingerprint(t.Context(), nil, platform)
			if err != nil {
				t.Fatal(err)
			}
			if changed := after != before; changed != want {
				t.Errorf("the fingerprint changed: %v, want %v", changed, want)
			}
		})
	}
}

func TestAContextValueChangesTheFingerprint(t *testing.T) {
	c := module(t)
	values := map[string]string{"projects": "*"}
	before, err := c.fingerprint(t.Context(), values, Platform{Arch: "x"})
	if err != nil {
		t.Fatal(err)
	}
	other := maps.Clone(values)
	other["projects"] = "1,2"
	after, err := c.fingerprint(t.Context(), other, Platform{Arch: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if before == after {
		t.Error("the fingerprint is the same")
	}
}

func TestTheCallersOwnAWSSettingsAreLeftOut(t *testing.T) {
	got := withoutAWS([]string{"PATH=/bin", "AWS_PROFILE=production", "CDK_DEFAULT_ACCOUNT=123456789012"})
	if len(got) != 1 || got[0] != "PATH=/bin" {
		t.Errorf("got %v", got)
	}
}
