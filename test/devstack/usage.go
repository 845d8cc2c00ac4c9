package devstack

import "time"

// Usage is the resource usage of one process of the local stack.
type Usage struct {
	// Function is the real name of the function it runs; "" for the local AWS
	// itself.
	Function string
	PID      int
	// Resident is its resident memory in bytes, CPU its CPU time.
	Resident int64
	CPU      time.Duration
}
