package main

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"runtime/debug"
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
