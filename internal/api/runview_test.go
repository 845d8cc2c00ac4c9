package api_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/api"
	"gitlab.com/lorehook/lorehook/internal/function/metrics"
)

// The description promises no origin that nothing produces, and omits none.
func TestRunSummaryNamesTheOriginsThatAreProduced(t *testing.T) {
	description, err := api.Description()
	if err != nil {
		t.Fatal(err)
	}
	for _, schema := range []string{"RunSummary", "SyncResult"} {
		var got []string
		known, _ := description.Components.Schemas.Map()[schema].Properties["origin"].Extensions[api.KnownValues].([]any)
		for _, origin := range known {
			got = append(got, origin.(string))
		}
		if diff := cmp.Diff(metrics.Origin.Values(), got); diff != "" {
			t.Errorf("%s.origin (-produced +described):\n%s", schema, diff)
		}
	}
}
