package gitlab

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"strconv"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Disturbance makes a share of all responses fail. Which ones depends only on
// the seed, the entity, the endpoint, and the number of earlier requests for
// that endpoint. So the same requests fail in the same way, however they
// interleave with those for other entities.
type Disturbance struct {
	Seed uint64
	// Share is the share of requests that fail, from 0 to 1.
	Share float64
	// Faults are used in equal parts. Their Ref, Endpoint and Requests are
	// ignored.
	Faults []Fault
}

// Disturb makes responses fail from now on; the zero Disturbance ends it.
// Injected faults take precedence.
func (s *Server) Disturb(d Disturbance) {
	s.faultsMu.Lock()
	defer s.faultsMu.Unlock()
	s.disturbance = d
}

// Disturbed returns how many responses a [Disturbance] made fail, by fault.
func (s *Server) Disturbed() map[string]int {
	s.faultsMu.Lock()
	defer s.faultsMu.Unlock()
	return maps.Clone(s.disturbed)
}

// disturb returns the fault for the nth request to the endpoint; for most, the
// zero Fault.
func (s *Server) disturb(ref surgical.EntityRef, endpoint string, n int) Fault {
	d := s.disturbance
	if d.Share <= 0 || len(d.Faults) == 0 {
		return Fault{}
	}
	h := fnv.New64a()
	fmt.Fprintf(h, "%s %s %d", ref.Key(), endpoint, n) // never fails
	random := rand.New(rand.NewPCG(d.Seed, h.Sum64()))
	if random.Float64() >= d.Share {
		return Fault{}
	}
	f := d.Faults[random.IntN(len(d.Faults))]
	s.disturbed[f.String()]++
	return f
}

// String describes the fault: "429", "404 foreign", "truncated", "2s late".
func (f Fault) String() string {
	var status, truncated, late string
	if f.Status != 0 {
		status = strconv.Itoa(f.Status)
	}
	if f.Foreign {
		status += " foreign"
	}
	if f.Truncate {
		truncated = "truncated"
	}
	if f.Latency > 0 {
		late = f.Latency.String() + " late"
	}
	return cmp.Or(status, truncated, late, "none")
}
