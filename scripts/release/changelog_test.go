package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/api"
)

func TestSections_AreTheVersionsTheNewestFirst(t *testing.T) {
	got := sections(changelog)
	want := []section{
		{"Unreleased", "", ""},
		{"1.2.0", "2026-11-29", "The second.\n\n### Added\n- Something."},
		{"1.1.0", "2026-10-01", "The first."},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(section{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A release takes its notes from the changelog, so lore, the API and the changelog have one
// version.
func TestChangelog_HasTheVersionOfTheAPI(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "CHANGELOG.md"))
	if err != nil {
		t.Fatal(err)
	}
	all := sections(string(text))
	if len(all) < 2 || all[0].version != "Unreleased" {
		t.Fatalf("the changelog does not begin with [Unreleased] and a version: %d sections", len(all))
	}
	newest := all[1]
	if newest.version != api.Version {
		t.Errorf("the newest version in CHANGELOG.md is %s, and the API's is %s", newest.version, api.Version)
	}
	if !semver.MatchString("v"+newest.version) || newest.date == "" {
		t.Errorf("%q of %q is not a version with a date", newest.version, newest.date)
	}
}
