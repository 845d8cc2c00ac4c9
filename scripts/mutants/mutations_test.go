package main

import (
	"testing"

	"gitlab.com/lorehook/lorehook/test/devstack"
)

// A mutation whose text is no longer in its file tests nothing. Running all
// mutations on every change takes too long; this check does not.
func TestEveryMutationHasItsPlaceInTheTree(t *testing.T) {
	root, err := devstack.Root()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, m := range mutations() {
		if names[m.name] || len(m.suites) == 0 {
			t.Errorf("%s: duplicate name, or no suite", m.name)
		}
		names[m.name] = true
		if _, err := m.overlay(root, t.TempDir()); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
	}
	t.Logf("%d mutations", len(names))
}
