package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/events"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/webhook/delivery"
)

func TestHappened_MovesTheEntityAndItsDateAndNothingElse(t *testing.T) {
	now := time.Date(2026, 11, 2, 6, 0, 0, 123e6, time.UTC)
	for name, ref := range map[string]surgical.EntityRef{
		"issue_opened":          {ProjectID: 101, Target: surgical.Target{Type: surgical.Issue, IID: 43}},
		"issue_reopened":        issue8,
		"merge_request_updated": mr12,
		"note_issue":            issue7,
		"note_merge_request":    mr12,
	} {
		sample, err := events.Named(name)
		if err != nil {
			t.Fatal(err)
		}
		body, err := happened(sample.Body, ref, now)
		if err != nil {
			t.Fatal(err)
		}
		want, err := delivery.Classify(nil, sample.Body)
		if err != nil {
			t.Fatal(err)
		}
		want.Evidence.UpdatedAt = now.Truncate(time.Second) // as precise as GitLab's webhooks
		want.ProjectID, want.Target = ref.ProjectID, ref.Target
		got, err := delivery.Classify(nil, body)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: error %v (-want +got):\n%s", name, err, diff)
		}
	}
}
