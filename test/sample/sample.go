// Package sample says how much of an enumeration a test tries: everything in CI, a
// sample elsewhere, so that make test stays short.
package sample

import "os"

// All reports whether everything is to be tried: LOREHOOK_THOROUGH is 1, as .ci/run sets
// it.
func All() bool { return os.Getenv("LOREHOOK_THOROUGH") == "1" }

// Of returns all if everything is to be tried, and few otherwise.
func Of(all, few int) int {
	if All() {
		return all
	}
	return few
}
