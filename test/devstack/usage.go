package devstack

import "time"

// Usage is what a process of the local stack uses.
type Usage struct {
	// Function is the real name of the function that it runs; "" for the local
	// AWS itself.
	Function string
	PID      int
	// Resident is its resident memory in bytes, CPU the time that it computed.
	Resident int64
	CPU      time.Duration
}
