// Package secret reads secrets on first use and again when they may have changed,
// at a limited rate: a stranger's invalid signatures must not cause a request to
// Secrets Manager each.
package secret

import (
	"context"
	"sync"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Source is one parsed secret. It is safe for concurrent use; callers wait for a
// read that is in progress.
type Source[T any] struct {
	load  func(context.Context) (T, error)
	clock func() time.Time

	mu     sync.Mutex
	value  T
	err    error
	loaded bool
	readAt time.Time // of the last attempt; zero before the first
}

// NewSource returns a source that calls load on first use.
func NewSource[T any](load func(context.Context) (T, error), clock func() time.Time) *Source[T] {
	return &Source[T]{load: load, clock: clock}
}

// Get returns the value, and reads it first if no read has succeeded yet. After a
// failed read, it returns that error for a second before it tries again.
func (s *Source[T]) Get(ctx context.Context) (T, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loaded || s.within(surgical.SecretRetryInterval) {
		return s.value, s.err
	}
	_ = s.read(ctx) // the error is in s.err
	return s.value, s.err
}

// Refresh reads the value again, unless the last attempt was within
// [surgical.SecretInterval]; read reports whether it did. If the read fails, Get keeps
// returning the previous value.
func (s *Source[T]) Refresh(ctx context.Context) (value T, read bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.within(surgical.SecretInterval) {
		return s.value, false, s.err
	}
	if err := s.read(ctx); err != nil {
		return s.value, false, err
	}
	return s.value, true, nil
}

func (s *Source[T]) within(d time.Duration) bool {
	// A clock that was set back must not block reads.
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
