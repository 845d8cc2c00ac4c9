package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/events"
	"gitlab.com/lorehook/lorehook/internal/webhook/delivery"
)

func TestDated_MovesTheDateOfTheEntityAndNothingElse(t *testing.T) {
	now := time.Date(2026, 11, 2, 6, 0, 0, 123e6, time.UTC)
	for _, name := range []string{"issue_opened", "merge_request_updated", "issue_reopened", "note_issue", "note_merge_request"} {
		sample, err := events.Named(name)
		if err != nil {
			t.Fatal(err)
		}
		body, err := dated(sample.Body, now)
		if err != nil {
			t.Fatal(err)
		}
		want, err := delivery.Classify(nil, sample.Body)
		if err != nil {
			t.Fatal(err)
		}
		want.Evidence.UpdatedAt = now.Truncate(time.Second) // as precise as GitLab's webhooks
		got, err := delivery.Classify(nil, body)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: error %v (-want +got):\n%s", name, err, diff)
		}
	}
}
