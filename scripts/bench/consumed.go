package main

import (
	"sync"

	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/cost"
)

// consumed adds up the capacity units that DynamoDB reports, of all tables and indexes.
type consumed struct {
	mu            sync.Mutex
	reads, writes float64
}

func (c *consumed) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reads, c.writes = 0, 0
}

// watch sends the call, and adds what it consumed.
func (c *consumed) watch(call cloud.Call, send func() error) error {
	writes, reads, err := cost.Consumed(call, send)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reads, c.writes = c.reads+reads, c.writes+writes
	return err
}
