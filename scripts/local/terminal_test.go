package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCountsAgreeWithTheirNoun(t *testing.T) {
	if diff := cmp.Diff([]string{"0 events", "1 delivery", "2 deliveries"},
		[]string{count(0, "event"), count(1, "delivery"), count(2, "delivery")}); diff != "" {
		t.Error(diff)
	}
}

func TestAFailedCheckIsNamedOnceAndRemembered(t *testing.T) {
	c := &checks{subject: "A push"}
	equal(c, "response", 200, 200)
	equal(c, "status", "queued", "ignored")
	if diff := cmp.Diff([]string{"A push: status: got queued, want ignored"}, c.failures); diff != "" {
		t.Error(diff)
	}
}
