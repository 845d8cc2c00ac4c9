package workflow_test

import (
	"encoding/json"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/workflow"
)

// An execution outlives a deployment: its definition passes the input on, and
// reads results by these names.
func TestInputAndResult_KeepTheFormOfEarlierVersions(t *testing.T) {
	for want, value := range map[string]any{
		`{"run_id":"w1","generation":2}`:                                                         workflow.Input{RunID: "w1", Generation: 2},
		`{"run_id":"w1","generation":1,"traceparent":"00-a-b-01"}`:                               workflow.Input{RunID: "w1", Generation: 1, TraceParent: "00-a-b-01"},
		`{"run_id":"w1","generation":1,"stage":"docs","error":"Transient"}`:                      workflow.AbortInput{Input: workflow.Input{RunID: "w1", Generation: 1}, Stage: "docs", Error: "Transient"},
		`{"outcome":"done","documents_regenerated":3,"no_embed":true,"chunks_embedded":5}`:       workflow.Result{Outcome: workflow.Done, DocumentsRegenerated: 3, NoEmbed: true, ChunksEmbedded: 5},
		`{"outcome":"handed_on","documents_regenerated":0,"no_embed":false,"chunks_embedded":0}`: workflow.Result{Outcome: workflow.HandedOn},
		`{"outcome":"yielded","documents_regenerated":0,"no_embed":false,"chunks_embedded":0}`:   workflow.Result{Outcome: workflow.Yielded},
	} {
		if got, err := json.Marshal(value); err != nil || string(got) != want {
			t.Errorf("%s, want %s; %v", got, want, err)
		}
	}
}
