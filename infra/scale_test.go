package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/test/cost"
	"gitlab.com/lorehook/lorehook/test/scale"
	"gitlab.com/lorehook/lorehook/test/written"
)

func TestTheTablesOfScaleAreCalculated(t *testing.T) {
	deployed, err := scale.Read(onAWS(t).Text)
	if err != nil {
		t.Fatal(err)
	}
	counts, err := cost.Recorded()
	if err != nil {
		t.Fatal(err)
	}
	simulated, err := scale.Recorded("..")
	if err != nil {
		t.Fatal(err)
	}
	got, err := written.Part{Target: "scale"}.Of(read(t, "../docs/scale.md"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.TrimSpace(deployed.Markdown(counts, simulated)), got); diff != "" {
		t.Errorf("docs/scale.md is not what make scale UPDATE=1 writes (-want +got):\n%s", diff)
	}
}
