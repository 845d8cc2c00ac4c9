package model

import "time"

// fault is what happens to a call.
type fault string

const (
	none fault = ""
	// failsBefore: an error, and nothing was applied.
	failsBefore fault = "fails before"
	// failsAfter: an error, although the call was applied.
	failsAfter fault = "fails after"
	throttled  fault = "throttled"
	conflicts  fault = "conflicts"
	// diesBefore and diesAfter end the process.
	diesBefore fault = "dies before"
	diesAfter  fault = "dies after"
	// flies ends the process, and the write may land later.
	flies fault = "dies while it flies"
	// died is the fault of every call of a dead process.
	died fault = "died"

	// Faults of GitLab only.
	unavailable fault = "503"
	limited     fault = "429"
	cutOff      fault = "truncated"
	expired     fault = "401"
)

// longestFlight is how long after its caller's death a write can land. The
// sweeper's delay ([surgical.SweepDelay]) is meant to exceed it.
const longestFlight = 10 * time.Minute
