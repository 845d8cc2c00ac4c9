package load

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func shapes() *rapid.Generator[Shape] {
	return rapid.Custom(func(t *rapid.T) Shape {
		entities := rapid.IntRange(1, 40).Draw(t, "entities")
		return Shape{
			Events: rapid.IntRange(2*entities, 400).Draw(t, "events"), Entities: entities, Seed: rapid.Uint64().Draw(t, "seed"),
			Duplicates: rapid.SampledFrom([]float64{0, 0.05, 0.5}).Draw(t, "duplicates"), Disorder: rapid.SampledFrom([]float64{0, 0.1, 0.9}).Draw(t, "disorder"),
			Lost: rapid.SampledFrom([]float64{0, 0.3, 0.9}).Draw(t, "lost"),
		}
	}).Filter(func(s Shape) bool { return s.Validate() == nil })
}

func TestAPlanDeliversEveryChangeOnceAfterItWasMadeAndSoManyTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := shapes().Draw(t, "shape")
		made, delivered, again, touched := map[int]bool{}, map[int]bool{}, 0, map[int]bool{}
		for _, step := range plan(s) {
			switch {
			case !step.deliver:
				if made[step.change] {
					t.Fatalf("change %d is made twice", step.change)
				}
				made[step.change], touched[step.entity] = true, true
			case !made[step.change]:
				t.Fatalf("the event of change %d comes before it", step.change)
			case step.again != delivered[step.change]:
				t.Fatalf("change %d: again is %v, delivered %v", step.change, step.again, delivered[step.change])
			default:
				if delivered[step.change] = true; step.again {
					again++
				}
			}
		}
		if len(made) != s.changes() || len(delivered) != s.changes()-s.lost() || len(delivered)+again != s.Events-s.lost() || len(touched) != s.Entities {
			t.Fatalf("%d made, %d delivered, %d again, %d entities of %+v", len(made), len(delivered), again, len(touched), s)
		}
	})
}

func TestAPlanFollowsFromItsSeed(t *testing.T) {
	s := Shape{Events: 500, Entities: 40, Seed: 1, Duplicates: 0.05, Disorder: 0.1}
	if !slices.Equal(plan(s), plan(s)) {
		t.Error("the same shape gives different plans")
	}
	other := s
	other.Seed = 2
	if slices.Equal(plan(s), plan(other)) {
		t.Error("another seed gives the same plan")
	}
}

func TestAsManyEventsComeBehindALaterOneAsAskedFor(t *testing.T) {
	s := Shape{Events: 20_000, Entities: 2000, Seed: 1, Duplicates: 0.05, Disorder: 0.1}
	newest, late := map[int]int{}, 0
	for _, step := range plan(s) {
		if !step.deliver || step.again {
			continue
		}
		if before, ok := newest[step.entity]; ok && before > step.change {
			late++
		}
		newest[step.entity] = max(newest[step.entity], step.change)
	}
	if late < 1800 || late > 1900 {
		t.Errorf("%d of %d events come late, want a tenth", late, s.changes())
	}
}

func TestAShapeThatCannotBeIsRefusedWithAllReasons(t *testing.T) {
	for want, s := range map[string]Shape{
		"got 0 and 1":                    {Events: 0, Entities: 1},
		"duplicates is a share":          {Events: 10, Entities: 1, Duplicates: 1},
		"faults is a share":              {Events: 10, Entities: 1, Faults: -0.1},
		"9 events, without duplicates":   {Events: 10, Entities: 10, Duplicates: 0.1},
		"all of 1 changes are lost":      {Events: 2, Entities: 1, Duplicates: 0.5, Lost: 0.9},
		"disorder is a share from 0 to ": {Events: 0, Entities: 0, Disorder: 2},
	} {
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", s, err, want)
		}
	}
}
