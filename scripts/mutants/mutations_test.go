package main

import (
	"testing"

	"gitlab.com/lorehook/lorehook/test/devstack"
)

// A mutation whose place is gone shows nothing. Running them all takes too long
// for every change; this does not.
func TestEveryMutationHasItsPlaceInTheTree(t *testing.T) {
	root, err := devstack.Root()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, m := range mutations() {
		if names[m.name] || len(m.suites) == 0 {
			t.Errorf("%s: its name is used twice, or no suite is asked", m.name)
		}
		names[m.name] = true
		if _, err := m.overlay(root, t.TempDir()); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
	}
}
