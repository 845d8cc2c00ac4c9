package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

// heading is that of a version in the changelog.
var heading = regexp.MustCompile(`(?m)^## \[([^\]]+)\](?: - (\d{4}-\d{2}-\d{2}))?$`)

// section is what a changelog says of one version.
type section struct {
	// version is without v, or "Unreleased".
	version, date, text string
}

// sections splits a changelog, the newest version first.
func sections(changelog string) []section {
	var all []section
	found := heading.FindAllStringSubmatchIndex(changelog, -1)
	for i, at := range found {
		end := len(changelog)
		if i+1 < len(found) {
			end = found[i+1][0]
		}
		s := section{version: changelog[at[2]:at[3]], text: strings.TrimSpace(changelog[at[1]:end])}
		if at[4] >= 0 {
			s.date = changelog[at[4]:at[5]]
		}
		all = append(all, s)
	}
	return all
}

// releaseNotes returns what the changelog says of the version. It must be the newest, have
// a date, and leave nothing unreleased.
func releaseNotes(file, version string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	all := sections(string(text))
	if len(all) < 2 || all[0].version != "Unreleased" {
		return "", fmt.Errorf("%s does not begin with [Unreleased] and a version", file)
	}
	switch newest := all[1]; {
	case newest.version != version:
		return "", fmt.Errorf("the newest version in CHANGELOG.md is %s, not %s", newest.version, version)
	case newest.date == "":
		return "", fmt.Errorf("CHANGELOG.md has no date for %s", version)
	case all[0].text != "":
		return "", fmt.Errorf("CHANGELOG.md has entries under [Unreleased]: move them to %s", version)
	default:
		return newest.text + "\n", nil
	}
}
