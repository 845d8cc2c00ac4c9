package main

import (
	"cmp"
	"regexp"
	"runtime/debug"
	"time"

	"gitlab.com/lorehook/lorehook/internal/cli"
)

// Set by the linker (scripts/version, for make lore): -ldflags "-X main.version=v1.2.3 -X
// main.commit=… -X main.date=2026-05-28T07:00:00Z".
var version, commit, date string

// pseudoVersion is what Go calls a commit without a tag: its time and the
// beginning of its id are the last two parts.
var pseudoVersion = regexp.MustCompile(`[-.](\d{14})-([0-9a-f]{12})(\+[a-z]+)?$`)

// build is the linker's word, or else that of Go's build information: go build
// in a checkout records the commit, go install of a version the version.
func build(linked cli.Build, info *debug.BuildInfo) cli.Build {
	if info == nil {
		info = &debug.BuildInfo{}
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	b := cli.Build{
		Version: cmp.Or(linked.Version, info.Main.Version, "(devel)"),
		Commit:  cmp.Or(linked.Commit, settings["vcs.revision"]),
		Date:    cmp.Or(linked.Date, settings["vcs.time"]),
	}
	if linked.Commit == "" && settings["vcs.modified"] == "true" {
		b.Commit += "-dirty"
	}
	if parts := pseudoVersion.FindStringSubmatch(b.Version); parts != nil {
		b.Commit = cmp.Or(b.Commit, parts[2])
		if at, err := time.Parse("20060102150405", parts[1]); err == nil {
			b.Date = cmp.Or(b.Date, at.Format(time.RFC3339))
		}
	}
	return b
}
