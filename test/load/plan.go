package load

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Shape describes the contents of a load.
type Shape struct {
	// Events is the number of deliveries, including duplicates and what is lost.
	Events   int
	Entities int
	Seed     uint64
	// Duplicates is the share of the events that repeat an earlier one, under
	// its Idempotency-Key.
	Duplicates float64
	// Disorder is the share of the other events that are delivered after a
	// later event of their entity.
	Disorder float64
	// Lost is the share of the changes whose events are never delivered; a reconcile
	// then has to find what no event announced.
	Lost float64
	// Faults is the share of GitLab's responses that fail.
	Faults float64
}

// Validate returns an error that names everything wrong with the shape.
func (s Shape) Validate() error {
	var errs []error
	if s.Entities < 1 || s.Events < 1 {
		errs = append(errs, fmt.Errorf("a load needs events and entities, got %d and %d", s.Events, s.Entities))
	}
	for name, share := range map[string]float64{"duplicates": s.Duplicates, "disorder": s.Disorder, "lost": s.Lost, "faults": s.Faults} {
		if !(share >= 0 && share < 1) {
			errs = append(errs, fmt.Errorf("%s is a share from 0 to below 1, got %v", name, share))
		}
	}
	if len(errs) == 0 && s.changes() < s.Entities {
		errs = append(errs, fmt.Errorf("every entity needs an event: %d events, without duplicates, are too few for %d entities", s.changes(), s.Entities))
	}
	if len(errs) == 0 && s.lost() == s.changes() && s.changes() < s.Events {
		errs = append(errs, fmt.Errorf("all of %d changes are lost: no event is left to repeat", s.changes()))
	}
	return errors.Join(errs...)
}

// changes is the number of events that are not duplicates: each reports one
// change.
func (s Shape) changes() int { return s.Events - int(math.Round(float64(s.Events)*s.Duplicates)) }

// lost is the number of changes whose events are never delivered.
func (s Shape) lost() int { return int(math.Round(float64(s.changes()) * s.Lost)) }

// firstIID is higher than the demo project's own iids.
const firstIID = 1001

// Entity returns the ith entity of a load: two issues for each merge request,
// in two projects.
func Entity(i int) surgical.EntityRef {
	ref := surgical.EntityRef{ProjectID: 1 + int64(i/3%2), Target: surgical.Target{Type: surgical.Issue, IID: firstIID + int64(i)}}
	if i%3 == 2 {
		ref.Type = surgical.MergeRequest
	}
	return ref
}

// step is one step of the plan: a change of the entity, or the delivery of an
// earlier change's event.
type step struct {
	entity int
	// change numbers the change, and its event.
	change int
	// deliver distinguishes the two kinds of step; again marks a duplicate.
	deliver, again bool
}

// plan returns the steps in order. Those of one entity must be executed in this
// order; those of different entities may interleave.
func plan(s Shape) []step {
	random := rand.New(rand.NewPCG(s.Seed, 1))
	of := entitiesOfChanges(s, random)
	behind := disorder(s, random, of)
	steps := make([]step, 0, len(of)+s.Events)
	var deliver func(change int)
	deliver = func(change int) {
		steps = append(steps, step{entity: of[change], change: change, deliver: true})
		if held, ok := behind[change]; ok {
			deliver(held)
		}
	}
	lost := map[int]bool{}
	for _, change := range random.Perm(len(of))[:s.lost()] {
		lost[change] = true
	}
	heldBack := map[int]bool{}
	for _, held := range behind {
		heldBack[held] = true
	}
	for change, entity := range of {
		steps = append(steps, step{entity: entity, change: change})
		if !heldBack[change] {
			deliver(change)
		}
	}
	steps = slices.DeleteFunc(steps, func(s step) bool { return s.deliver && lost[s.change] })
	return duplicate(s, random, steps)
}

// entitiesOfChanges assigns each change an entity: every entity gets one, and
// some get many more than others, as in real life.
func entitiesOfChanges(s Shape, random *rand.Rand) []int {
	of := random.Perm(s.Entities)
	for len(of) < s.changes() {
		skewed := random.Float64() * random.Float64()
		of = append(of, int(skewed*float64(s.Entities)))
	}
	return of
}

// disorder chooses the events that are delivered after the next one of their
// entity; behind[b] = a means that a comes after b.
func disorder(s Shape, random *rand.Rand, of []int) (behind map[int]int) {
	last := map[int]int{} // the newest change of each entity so far
	next := make([][2]int, 0, len(of))
	for change, entity := range of {
		if earlier, ok := last[entity]; ok {
			next = append(next, [2]int{earlier, change})
		}
		last[entity] = change
	}
	random.Shuffle(len(next), func(i, j int) { next[i], next[j] = next[j], next[i] })
	behind = map[int]int{}
	for _, pair := range next[:min(len(next), int(math.Round(float64(len(of))*s.Disorder)))] {
		behind[pair[1]] = pair[0]
	}
	return behind
}

// duplicate repeats deliveries: half of the duplicates follow immediately, the
// others up to a tenth of the load later.
func duplicate(s Shape, random *rand.Rand, steps []step) []step {
	var deliveries []int
	for i, step := range steps {
		if step.deliver {
			deliveries = append(deliveries, i)
		}
	}
	random.Shuffle(len(deliveries), func(i, j int) { deliveries[i], deliveries[j] = deliveries[j], deliveries[i] })
	after := map[int][]step{}
	for n := range s.Events - s.changes() {
		i := deliveries[n%len(deliveries)]
		again := steps[i]
		again.again = true
		at := i
		if n%2 == 1 {
			at = min(len(steps)-1, i+random.IntN(max(1, len(steps)/10)))
		}
		after[at] = append(after[at], again)
	}
	all := make([]step, 0, len(steps)+len(after))
	for i, step := range steps {
		all = append(append(all, step), after[i]...)
	}
	return slices.Clip(all)
}
