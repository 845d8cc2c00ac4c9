// Package linked says which packages become part of a binary, for tests that keep some of
// them out: each adds to the cold start of a function.
package linked

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// future is what Go 1.27 has in its standard library, and counts as part of it.
const future = "github.com/go-json-experiment/json/"

// Packages returns the import paths of all that the packages with the pattern consist of, they
// themselves included, but for the standard library.
func Packages(t testing.TB, pattern string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", pattern).Output()
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(strings.Fields(string(out)), func(path string) bool { return strings.HasPrefix(path, future) })
}
