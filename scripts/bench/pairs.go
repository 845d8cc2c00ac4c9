package main

import (
	"runtime"
	"slices"
	"time"
)

// paired compares work with its floor, both by the processor time of this process, the
// garbage collector's included: other processes hardly count. They are measured in
// turns, so that whatever slows the machine slows both.
type paired struct {
	// value and floor are the median time of one repetition.
	value, floor time.Duration
	// ratio is the median of the ratios of each pair.
	ratio float64
	// allocated is the mean of bytes that one repetition of the work allocates.
	allocated float64
}

// pairs is the number of pairs, an odd one.
const pairs = 41

// pairTime is about how long one half of a pair takes.
const pairTime = 15 * time.Millisecond

func pair(work, floor func()) paired { return pairOf(pairs, work, floor) }

// pairOf is [pair] with so many pairs, an odd number.
func pairOf(pairs int, work, floor func()) (p paired) {
	worksOnce, floorsOnce := repetitions(work), repetitions(floor)
	var values, floors []time.Duration
	var ratios []float64
	for range pairs {
		f := each(floor, floorsOnce)
		v := each(work, worksOnce)
		values, floors, ratios = append(values, v), append(floors, f), append(ratios, float64(v)/float64(f))
	}
	return paired{median(values), median(floors), median(ratios), allocatedBy(work, worksOnce)}
}

// repetitions is how often the function runs in pairTime.
func repetitions(f func()) int {
	f()
	for n := 1; ; n *= 2 {
		if took := each(f, n) * time.Duration(n); took > pairTime/2 {
			return max(1, int(pairTime*time.Duration(n)/took))
		}
	}
}

// each returns the time of one of n repetitions.
func each(f func(), n int) time.Duration {
	began := processor()
	for range n {
		f()
	}
	return (processor() - began) / time.Duration(n)
}

func allocatedBy(f func(), n int) float64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range n {
		f()
	}
	runtime.ReadMemStats(&after)
	return float64(after.TotalAlloc-before.TotalAlloc) / float64(n)
}

// median returns the middle of an odd number of values.
func median[T float64 | time.Duration](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
