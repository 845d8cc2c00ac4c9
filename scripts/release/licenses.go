package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

// text is a licence or a notice of a module.
type text struct {
	// path is below the module, with slashes.
	path    string
	content string
}

// accepted are the licences under which a linked module may come. Another one needs a
// decision: what it asks for must be met by the release.
func accepted() []string {
	return []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "MPL-2.0"}
}

// explained are files named like a licence that are none, with what they are.
func explained() map[string]string {
	return map[string]string{
		"github.com/aws/aws-lambda-go/LICENSE-SUMMARY": "says which of the two other files is for the code",
	}
}

var (
	licenseFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|unlicense)\b`)
	noticeFile  = regexp.MustCompile(`(?i)^(notice|patents|copyright)\b`)
)

// coverage is how much of a licence's file must be the text of accepted licences, in
// percent. What remains is a heading or a name.
const coverage = 95

// newScanner returns what recognizes the [accepted] licences.
func newScanner() (*licensecheck.Scanner, error) {
	known := slices.DeleteFunc(licensecheck.BuiltinLicenses(), func(l licensecheck.License) bool { return !slices.Contains(accepted(), l.ID) })
	return licensecheck.NewScanner(known)
}

// readLicenses reads the licences and notices of the module: those of its root, of every
// linked package, and of the directories between. It fails if there is none, or if one is
// not among the [accepted].
func (m *module) readLicenses(scanner *licensecheck.Scanner) error {
	directories := map[string]bool{".": true}
	for within := range m.packages {
		for ; within != "."; within = filepath.Dir(within) {
			directories[within] = true
		}
	}
	found := map[string]bool{}
	for _, within := range slices.Sorted(maps.Keys(directories)) {
		entries, err := os.ReadDir(filepath.Join(m.dir, within))
		if err != nil {
			return err
		}
		for _, e := range entries {
			license := licenseFile.MatchString(e.Name())
			if e.IsDir() || strings.HasSuffix(e.Name(), ".go") || !license && !noticeFile.MatchString(e.Name()) {
				continue
			}
			content, err := os.ReadFile(filepath.Join(m.dir, within, e.Name()))
			if err != nil {
				return err
			}
			t := text{path: filepath.ToSlash(filepath.Join(within, e.Name())), content: string(content)}
			m.texts = append(m.texts, t)
			if !license || explained()[m.path+"/"+t.path] != "" {
				continue
			}
			names, err := recognize(scanner, t)
			if err != nil {
				return fmt.Errorf("%s %s: %w", m.path, m.version, err)
			}
			for _, name := range names {
				found[name] = true
			}
		}
	}
	if len(found) == 0 {
		return fmt.Errorf("%s %s has no licence", m.path, m.version)
	}
	// All of them hold: for different parts of the module, as far as it says.
	m.license = strings.Join(slices.Sorted(maps.Keys(found)), " AND ")
	return nil
}

// recognize returns the SPDX identifiers of the licences in a text.
func recognize(scanner *licensecheck.Scanner, t text) ([]string, error) {
	scanned := scanner.Scan([]byte(t.content))
	if scanned.Percent < coverage {
		return nil, fmt.Errorf("%s is not one of the accepted licences (%s): %.0f%% of it is their text", t.path, strings.Join(accepted(), ", "), scanned.Percent)
	}
	var names []string
	for _, match := range scanned.Match {
		names = append(names, match.ID)
	}
	return names, nil
}
