package faults

import (
	"context"
	"net/http"
	"sync"

	"gitlab.com/lorehook/lorehook/test/cloud"
)

// Setting holds what some kinds need in addition to the call.
type Setting struct {
	// Held receives the writes of [LateWrite]. Without it they never land.
	Held *Held
	// Change changes the truth, for [Changed].
	Change func()
	// Replica responds for [OldReplica].
	Replica http.RoundTripper
}

type settingKey struct{}

// With returns a context that carries the setting.
func With(ctx context.Context, s Setting) context.Context {
	return context.WithValue(ctx, settingKey{}, s)
}

func settingOf(ctx context.Context) Setting {
	s, _ := ctx.Value(settingKey{}).(Setting)
	return s
}

// Held holds writes in flight. It is safe for concurrent use.
type Held struct {
	mu    sync.Mutex
	calls []cloud.Call
}

func (h *Held) hold(call cloud.Call) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, call)
}

// Release applies all held writes in the order in which they were sent, and
// returns how many succeeded. A write whose condition fails by then is dropped,
// because its caller is gone.
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
