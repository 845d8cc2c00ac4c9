// Package secret reads secrets when they are first needed and again when they
// seem to have changed, but never more often than is good for the bill: a
// stranger's wrong signatures must not drive requests to Secrets Manager.
package secret

import (
	"context"
	"sync"
	"time"
)

const (
	// RefreshInterval is the least time between two readings.
	RefreshInterval = 10 * time.Second
	// retryInterval is the least time between two attempts to read for the
	// first time. It is short: nothing works until then.
	retryInterval = time.Second
)

// Source is one secret, parsed. It is safe for concurrent use; who asks while
// it is being read waits for that reading.
type Source[T any] struct {
	load  func(context.Context) (T, error)
	clock func() time.Time

	mu     sync.Mutex
	value  T
	err    error
	loaded bool
	readAt time.Time // of the last attempt; zero before the first
}

// NewSource returns a source that reads by load, at first use.
func NewSource[T any](load func(context.Context) (T, error), clock func() time.Time) *Source[T] {
	return &Source[T]{load: load, clock: clock}
}

// Get returns the value, reading it if that never succeeded. A failure is
// repeated for a second before the next attempt.
func (s *Source[T]) Get(ctx context.Context) (T, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loaded || s.within(retryInterval) {
		return s.value, s.err
	}
	_ = s.read(ctx) // stands in s.err
	return s.value, s.err
}

// Refresh reads the value again, unless that was last tried within
// [RefreshInterval]; read says whether it did. After a failure, Get goes on
// with the value of before.
func (s *Source[T]) Refresh(ctx context.Context) (value T, read bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.within(RefreshInterval) {
		return s.value, false, s.err
	}
	if err := s.read(ctx); err != nil {
		return s.value, false, err
	}
	return s.value, true, nil
}

func (s *Source[T]) within(d time.Duration) bool {
	// A clock that was set back must not stop readings for good.
	age := s.clock().Sub(s.readAt)
	return !s.readAt.IsZero() && age >= 0 && age < d
}

func (s *Source[T]) read(ctx context.Context) error {
	s.readAt = s.clock()
	value, err := s.load(ctx)
	if err != nil {
		if !s.loaded {
			s.err = err
		}
		return err
	}
	s.value, s.err, s.loaded = value, nil, true
	return nil
}
