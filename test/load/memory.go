package load

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"gitlab.com/lorehook/lorehook/test/devstack"
)

// Sample is the resident memory of a function's processes at one time.
type Sample struct {
	At        time.Time
	Bytes     int64
	Processes int
}

// Memory is the development of one function's resident memory, in MB: medians
// of the first, the middle and the last tenth of the sampled time.
type Memory struct {
	Function string  `json:"function"`
	Start    float64 `json:"start_mb"`
	Middle   float64 `json:"middle_mb"`
	End      float64 `json:"end_mb"`
	Peak     float64 `json:"peak_mb"`
	Samples  int     `json:"samples"`
	// Processes is the total number of processes: more than one means that one
	// ended, or that several invocations ran at once.
	Processes int `json:"processes"`
}

const (
	sampleInterval = time.Second
	// minSamples is the minimum for assessing growth: a tenth of it gives a
	// usable median.
	minSamples = 60
	// Growth counts only beyond the fluctuation caused by garbage collection.
	growthMB    = 6
	growthShare = 0.15
)

// memoryOf sums up a series of samples.
func memoryOf(function string, samples []Sample) Memory {
	m := Memory{Function: function, Samples: len(samples)}
	if len(samples) == 0 {
		return m
	}
	tenth := max(1, len(samples)/10)
	middle := (len(samples) - tenth) / 2
	m.Start, m.Middle, m.End = median(samples[:tenth]), median(samples[middle:middle+tenth]), median(samples[len(samples)-tenth:])
	for _, s := range samples {
		m.Peak = max(m.Peak, megabytes(s.Bytes))
	}
	return m
}

// Grew describes how memory grew between the middle and the end; "" if it did
// not, or if there are too few samples to tell. The first half is ignored,
// because caches fill and the heap finds its size.
func (m Memory) Grew() string {
	if m.Samples < minSamples || m.End-m.Middle <= max(growthMB, m.Middle*growthShare) {
		return ""
	}
	return fmt.Sprintf("%s grew from %.1f MB in the middle to %.1f MB at the end", m.Function, m.Middle, m.End)
}

// Enough reports whether there are enough samples to assess growth.
func (m Memory) Enough() bool { return m.Samples >= minSamples }

func median(samples []Sample) float64 {
	sorted := slices.SortedFunc(slices.Values(samples), func(a, b Sample) int { return cmp.Compare(a.Bytes, b.Bytes) })
	return megabytes(sorted[len(sorted)/2].Bytes)
}

func megabytes(bytes int64) float64 { return float64(bytes) / (1 << 20) }

// sampler samples the resource usage of the stack's processes.
type sampler struct {
	usage func() (localAWS devstack.Usage, functions []devstack.Usage, err error)

	mu      sync.Mutex
	samples map[string][]Sample
	seen    map[string]map[int]bool
	busy    Busy
	err     error
}

// Busy is the resource usage of the local AWS itself; Cores is the share of one
// core.
type Busy struct {
	Cores float64 `json:"cores"`
	// Resident is its resident memory in MB at the end.
	Resident float64 `json:"resident_mb"`

	began time.Time
	cpu   time.Duration
}

func newSampler(stack *devstack.Stack) *sampler {
	return &sampler{usage: stack.Usage, samples: map[string][]Sample{}, seen: map[string]map[int]bool{}}
}

// run samples until the context ends.
func (s *sampler) run(ctx context.Context) {
	tick := time.NewTicker(sampleInterval)
	defer tick.Stop()
	for {
		localAWS, functions, err := s.usage()
		s.take(time.Now(), localAWS, functions, err)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// take keeps, for each function, its largest process: a leak is in one process.
func (s *sampler) take(at time.Time, localAWS devstack.Usage, functions []devstack.Usage, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.err = err
		return
	}
	if s.busy.began.IsZero() {
		s.busy.began, s.busy.cpu = at, localAWS.CPU
	}
	if elapsed := at.Sub(s.busy.began); elapsed > 0 {
		s.busy.Cores = (localAWS.CPU - s.busy.cpu).Seconds() / elapsed.Seconds()
	}
	s.busy.Resident = megabytes(localAWS.Resident)
	now := map[string]Sample{}
	for _, f := range functions {
		sample := now[f.Function]
		now[f.Function] = Sample{At: at, Bytes: max(sample.Bytes, f.Resident), Processes: sample.Processes + 1}
		if s.seen[f.Function] == nil {
			s.seen[f.Function] = map[int]bool{}
		}
		s.seen[f.Function][f.PID] = true
	}
	for function, sample := range now {
		s.samples[function] = append(s.samples[function], sample)
	}
}

// now returns the newest sample of a function.
func (s *sampler) now(function string) Sample {
	s.mu.Lock()
	defer s.mu.Unlock()
	samples := s.samples[function]
	if len(samples) == 0 {
		return Sample{}
	}
	return samples[len(samples)-1]
}

// sum summarises the samples of every function, by name, and of the local AWS.
func (s *sampler) sum() ([]Memory, Busy, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Memory
	for _, function := range slices.Sorted(maps.Keys(s.samples)) {
		m := memoryOf(function, s.samples[function])
		m.Processes = len(s.seen[function])
		all = append(all, m)
	}
	return all, s.busy, s.err
}
