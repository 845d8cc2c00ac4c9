package main

import (
	"strings"
	"testing"

	"gitlab.com/lorehook/lorehook/test/memory"
)

func TestFigure_IsMetIfItReachesWhatIsPromised(t *testing.T) {
	for name, c := range map[string]struct {
		figure  figure
		met     bool
		promise string
	}{
		"a value within its limit":        {newFigure("a", 5, "requests", 0, 5), true, "at most 5"},
		"a value beyond its limit":        {newFigure("a", 6, "requests", 0, 5), false, "at most 5"},
		"a ratio within its limit":        {newFigure("a", 30, "ms", 20, 0).within(1.5, 1.5), true, "at most 1.5 x the floor"},
		"a ratio beyond its limit":        {newFigure("a", 30, "ms", 20, 0).within(1.5, 1.6), false, "at most 1.5 x the floor"},
		"a part that is large enough":     {newFigure("a", 25, "entities/s", 100, 0).atLeast(0.25), true, "at least 0.25 x the floor"},
		"a part that is not large enough": {newFigure("a", 24, "entities/s", 100, 0).atLeast(0.25), false, "at least 0.25 x the floor"},
	} {
		if c.figure.Met == nil || *c.figure.Met != c.met || c.figure.promise() != c.promise {
			t.Errorf("%s: met %v, promised %q, want %v and %q", name, c.figure.Met, c.figure.promise(), c.met, c.promise)
		}
		if failed := beyond([]figure{c.figure}) != nil; failed == c.met {
			t.Errorf("%s: failed is %v", name, failed)
		}
		known := c.figure.notYet(c.figure.compared())
		if err := beyond([]figure{known}); err != nil {
			t.Errorf("%s, known to be missed: %v", name, err)
		}
		if said := strings.HasSuffix(known.promise(), "(not reached yet)"); said == c.met {
			t.Errorf("%s, known to be missed: promised %q", name, known.promise())
		}
	}
	if err := beyond([]figure{newFigure("a", 7, "ms", 0, 5).notYet(6)}); err == nil {
		t.Error("a figure that is worse than it is known to be passes")
	}
	if f := newFigure("a", 7, "ms", 0, 0).notYet(9); f.Met != nil || f.promise() != "" || beyond([]figure{f}) != nil {
		t.Errorf("a figure without a promise: %+v", f)
	}
}

func TestPeaksOf_ComparesEachPeakWithThreeTimesThePayloadAnd40MB(t *testing.T) {
	kept := []memory.Figure{
		{Task: "docs", Limit: "most bytes", Peak: 340, Payload: 100 << 20},
		{Task: "docs", Limit: "most bytes", Peak: 341, Payload: 100 << 20},
	}
	figures := peaksOf(kept)
	for i, met := range []bool{true, false} {
		if f := figures[i]; *f.Met != met || f.Reach != 340 || f.Floor != 100 || f.Name != "peak memory: docs, most bytes" {
			t.Errorf("%d MB: %+v", kept[i].Peak, f)
		}
	}
	if beyond(figures[:1]) != nil || beyond(figures) == nil {
		t.Error("more than that does not fail, or that much does")
	}
}
