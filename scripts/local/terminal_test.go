package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDurationsReadAsPeopleSayThem(t *testing.T) {
	for d, want := range map[time.Duration]string{
		35 * time.Millisecond:   "35 ms",
		2440 * time.Millisecond: "2.4 s",
		72 * time.Second:        "1 min 12 s",
	} {
		if got := seconds(d); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
}

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
