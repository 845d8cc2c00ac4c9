package advice_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/advice"
	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func TestOfStatus_NamesEachTroubleOnce(t *testing.T) {
	at := time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC)
	well := apiclient.Status{
		Projects: apiclient.StatusProjects{Total: 1, Complete: 1, CompleteAsOf: at, Attention: []apiclient.ProjectAttention{}},
		Queues:   []apiclient.QueueState{{Name: "requests", Waiting: 9}, {Name: "dead-letters"}}, Index: apiclient.Index{Status: "ready"},
	}
	if got := advice.OfStatus(well); len(got) > 0 {
		t.Errorf("a stack that is well: %v", got)
	}
	ill := well
	ill.Index.Status = "absent"
	ill.Runs.Failed.Count = 3
	ill.Queues = []apiclient.QueueState{{Name: "dead-letters", Waiting: 1}, {Name: "feed-failures", Received: 1}}
	ill.Projects.Attention = []apiclient.ProjectAttention{
		{ProjectID: 4, UnseenSince: at, Hook: surgical.HookUnreadable}, {ProjectID: 5, Hook: surgical.HookMissing}, {ProjectID: 6, CompleteAsOf: at, Hook: surgical.HookSilent},
		{ProjectID: 7, CompleteAsOf: at, Except: []surgical.Target{{Type: surgical.MergeRequest, IID: 12}, {Type: surgical.MergeRequest, IID: 13}}},
	}
	var got []string
	for _, step := range advice.OfStatus(ill) {
		got = append(got, step.String())
	}
	want := []string{
		"Messages were given up; their runs say why: lore runs list --status failed",
		"Changes did not reach the change feed: see the runbook feed-behind.",
		"Give the token's user access to project 4.",
		"Check its webhook, which does not work: lore hooks verify -p 5",
		"Copy everything that it has: lore backfill -p 5",
		"See what keeps a change from being fetched: lore why 7!12",
		"Build the search index: lore index rebuild",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
