// Package room bounds the bytes that the concurrent runs of one process hold.
package room

import (
	"context"
	"sync/atomic"

	"golang.org/x/sync/semaphore"
)

// Room is what the runs of one process share.
type Room struct{ bytes *semaphore.Weighted }

// New returns a room for the given number of bytes.
func New(bytes int64) *Room { return &Room{semaphore.NewWeighted(bytes)} }

// Share is what one run holds of a room. A nil Share is unlimited.
type Share struct {
	room *Room
	// sole reports that no other run shares the room.
	sole  bool
	taken atomic.Int64
}

// Share returns an empty share; it must be left in the end. sole promises that no
// other run takes from the room in the meantime.
func (r *Room) Share(sole bool) *Share { return &Share{room: r, sole: sole} }

// Sole reports whether the run has the whole room for itself.
func (s *Share) Sole() bool { return s != nil && s.sole }

// Take adds n bytes to the share, or returns false if the room is full. It never
// waits: two runs that wait for each other's bytes would wait forever.
func (s *Share) Take(n int64) bool {
	if s == nil {
		return true
	}
	if !s.room.bytes.TryAcquire(n) {
		return false
	}
	s.taken.Add(n)
	return true
}

// Return gives n bytes back, or all that is left if that is less.
func (s *Share) Return(n int64) {
	if s == nil {
		return
	}
	for {
		taken := s.taken.Load()
		n := min(n, taken)
		if s.taken.CompareAndSwap(taken, taken-n) {
			s.room.bytes.Release(n)
			return
		}
	}
}

// Leave gives the whole share back.
func (s *Share) Leave() {
	if s != nil {
		s.room.bytes.Release(s.taken.Swap(0))
	}
}

type key struct{}

// With returns a context that carries the share.
func With(ctx context.Context, s *Share) context.Context { return context.WithValue(ctx, key{}, s) }

// From returns the context's share, or nil.
func From(ctx context.Context) *Share {
	s, _ := ctx.Value(key{}).(*Share)
	return s
}
