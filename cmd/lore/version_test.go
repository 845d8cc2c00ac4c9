package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/cli"
)

func TestBuildIsTheLinkersElseThatOfTheBuildInformation(t *testing.T) {
	info := func(version string, settings ...debug.BuildSetting) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Version: version}, Settings: settings}
	}
	checkout := []debug.BuildSetting{{Key: "vcs.revision", Value: "0123abcd"}, {Key: "vcs.time", Value: "2026-05-28T07:00:00Z"}}
	dirty := append(checkout[:2:2], debug.BuildSetting{Key: "vcs.modified", Value: "true"})
	for name, c := range map[string]struct {
		linked cli.Build
		info   *debug.BuildInfo
		want   cli.Build
	}{
		"nothing is known":     {cli.Build{}, nil, cli.Build{Version: "(devel)"}},
		"a release":            {cli.Build{Version: "v1.2.3", Commit: "ffff", Date: "2026-06-01T00:00:00Z"}, info("(devel)", dirty...), cli.Build{Version: "v1.2.3", Commit: "ffff", Date: "2026-06-01T00:00:00Z"}},
		"go build":             {cli.Build{}, info("(devel)", checkout...), cli.Build{Version: "(devel)", Commit: "0123abcd", Date: "2026-05-28T07:00:00Z"}},
		"go build, changed":    {cli.Build{}, info("(devel)", dirty...), cli.Build{Version: "(devel)", Commit: "0123abcd-dirty", Date: "2026-05-28T07:00:00Z"}},
		"go install of a tag":  {cli.Build{}, info("v1.2.3"), cli.Build{Version: "v1.2.3"}},
		"go install of a head": {cli.Build{}, info("v1.2.4-0.20260528070000-0123456789ab"), cli.Build{Version: "v1.2.4-0.20260528070000-0123456789ab", Commit: "0123456789ab", Date: "2026-05-28T07:00:00Z"}},
	} {
		if diff := cmp.Diff(c.want, build(c.linked, c.info)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// The names that the linker sets are those of the variables.
func TestVersionIsSetByTheLinker(t *testing.T) {
	program := filepath.Join(t.TempDir(), "lore")
	flags := "-X main.version=v1.2.3 -X main.commit=0123abcd -X main.date=2026-05-28T07:00:00Z"
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-ldflags", flags, "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, args := range [][]string{{"version", "--robot"}, {"--version", "--robot"}, {"--robot", "--version"}} {
		out, err := exec.CommandContext(t.Context(), program, args...).Output()
		var envelope struct{ Data cli.Build }
		if err == nil {
			err = json.Unmarshal(out, &envelope)
		}
		if diff := cmp.Diff(cli.Build{Version: "v1.2.3", Commit: "0123abcd", Date: "2026-05-28T07:00:00Z"}, envelope.Data); diff != "" || err != nil {
			t.Errorf("%q: error %v, %s (-want +got):\n%s", args, err, out, diff)
		}
	}
	out, err := exec.CommandContext(t.Context(), program, "--version").Output()
	if want := "lore v1.2.3 (commit 0123abcd, 2026-05-28T07:00:00Z)\n"; string(out) != want || err != nil {
		t.Errorf("%q, %v, want %q", out, err, want)
	}
}

// scripts/version is copied into each checkout, as make finds it.
func TestVersionOfMakeIsThatOfTheProjectsOwnRepository(t *testing.T) {
	script, err := os.ReadFile(filepath.Join("..", "..", "scripts", "version"))
	if err != nil {
		t.Fatal(err)
	}
	environment := append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_CEILING_DIRECTORIES=",
		"GIT_AUTHOR_NAME=Mira", "GIT_AUTHOR_EMAIL=mira@example.com", "GIT_COMMITTER_NAME=Mira", "GIT_COMMITTER_EMAIL=mira@example.com",
		"GIT_AUTHOR_DATE=2026-05-28T09:00:00+02:00", "GIT_COMMITTER_DATE=2026-05-28T09:00:00+02:00")
	run := func(dir, name string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir, cmd.Env = dir, environment
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s %q: %v", name, args, err)
		}
		return strings.TrimSpace(string(out))
	}
	checkout := func(parent string) string {
		root := filepath.Join(parent, "lorehook")
		if err := os.MkdirAll(filepath.Join(root, "scripts"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, "scripts", "version"), script, 0o755); err != nil {
			t.Fatal(err)
		}
		return root
	}
	version := func(root string) string { return run(root, filepath.Join(root, "scripts", "version")) }
	same := func(what, got, want string) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	commitAll := func(dir string) string {
		run(dir, "git", "init", "--quiet")
		run(dir, "git", "add", ".")
		run(dir, "git", "commit", "--quiet", "-m", "Start")
		return run(dir, "git", "rev-parse", "HEAD")
	}

	outer := t.TempDir()
	archive := checkout(outer)
	same("no repository", version(archive), "")
	commitAll(outer)
	same("an archive within another repository", version(archive), "")

	root := checkout(t.TempDir())
	run(root, "git", "init", "--quiet")
	same("no commit", version(root), "")
	commit := commitAll(root)
	const date = " -X main.date=2026-05-28T07:00:00Z"
	same("no tag", version(root), "-X main.commit="+commit+date)
	run(root, "git", "tag", "v1.2.3")
	same("a tag", version(root), "-X main.version=v1.2.3 -X main.commit="+commit+date)
	if err := os.WriteFile(filepath.Join(root, "scripts", "version"), append(script, '\n'), 0o755); err != nil {
		t.Fatal(err)
	}
	same("a changed file", version(root), "-X main.version=v1.2.3-dirty -X main.commit="+commit+"-dirty"+date)
}
