package cloud

import (
	"sync/atomic"
	"time"
)

// Clock is a clock that a test moves. Each reading advances it by a
// microsecond, so no two events have the same time.
type Clock struct {
	micros    atomic.Int64
	following atomic.Pointer[time.Time]
}

// NewClock returns a clock that starts at the given time.
func NewClock(start time.Time) *Clock {
	c := &Clock{}
	c.micros.Store(start.UnixMicro())
	return c
}

// Follow makes the clock advance with the process's clock, for a test in a
// synctest bubble: pauses and deadlines then pass on both.
func (c *Clock) Follow() {
	now := time.Now()
	c.following.Store(&now)
}

// passed is how long the clock has followed.
func (c *Clock) passed() int64 {
	if since := c.following.Load(); since != nil {
		return time.Since(*since).Microseconds()
	}
	return 0
}

// Now returns the time.
func (c *Clock) Now() time.Time { return time.UnixMicro(c.micros.Add(1) + c.passed()).UTC() }

// Advance moves the clock forward.
func (c *Clock) Advance(d time.Duration) { c.micros.Add(d.Microseconds()) }

// AdvanceTo moves the clock to the given time, if that is ahead.
func (c *Clock) AdvanceTo(t time.Time) {
	for {
		now, target := c.micros.Load(), t.UnixMicro()-c.passed()
		if now >= target || c.micros.CompareAndSwap(now, target) {
			return
		}
	}
}
