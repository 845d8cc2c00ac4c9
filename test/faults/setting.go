package faults

import (
	"context"
	"net/http"
	"sync"
	"time"

	"gitlab.com/lorehook/lorehook/test/cloud"
)

// Setting is what some kinds need beside the call.
type Setting struct {
	// Held takes the writes of [LateWrite]. Without it they never land.
	Held *Held
	// Change changes the truth, for [Changed].
	Change func()
	// Replica answers for [OldReplica].
	Replica http.RoundTripper
}

type settingKey struct{}

// With returns a context in which kinds find the setting.
func With(ctx context.Context, s Setting) context.Context {
	return context.WithValue(ctx, settingKey{}, s)
}

func settingOf(ctx context.Context) Setting {
	s, _ := ctx.Value(settingKey{}).(Setting)
	return s
}

// Held are writes on their way. It is safe for concurrent use.
type Held struct {
	mu    sync.Mutex
	calls []cloud.Call
}

func (h *Held) hold(call cloud.Call) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, call)
}

// Release lets everything that is held land, in the order in which it was
// sent, and returns how many calls were applied. A call that its condition
// refuses by now is not: nobody is there to be told.
func (h *Held) Release() int {
	h.mu.Lock()
	calls := h.calls
	h.calls = nil
	h.mu.Unlock()
	applied := 0
	for _, call := range calls {
		if call.Land() == nil {
			applied++
		}
	}
	return applied
}

// Skew returns a clock that differs from another by so much.
func Skew(clock func() time.Time, by time.Duration) func() time.Time {
	return func() time.Time { return clock().Add(by) }
}
