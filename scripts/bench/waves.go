package main

import (
	"net/http"
	"slices"
	"sync"
	"time"
)

// waves counts round trips: the longest chain of requests in which each began
// after the previous one had ended.
type waves struct {
	// latency is that of the network, if round trips are to be counted: the server
	// in this process responds so quickly that requests made at the same time would
	// not always overlap.
	latency time.Duration

	mu    sync.Mutex
	spans []span
}

type span struct{ began, ended time.Time }

// watch wraps a transport.
func (w *waves) watch(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		began := time.Now()
		time.Sleep(w.latency)
		resp, err := next.RoundTrip(req)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.spans = append(w.spans, span{began, time.Now()})
		return resp, err
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func (w *waves) reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.spans = nil
}

func (w *waves) roundTrips() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	spans := slices.Clone(w.spans)
	slices.SortFunc(spans, func(a, b span) int { return a.ended.Compare(b.ended) })
	count := 0
	var last time.Time
	for _, s := range spans {
		if count == 0 || s.began.After(last) {
			count, last = count+1, s.ended
		}
	}
	return count
}
