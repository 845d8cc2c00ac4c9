// Package secret reads secrets on first use and keeps them up to date while they are
// in use: a new value is found, and a removed one forgotten, within a minute. The
// rate is limited, so that a stranger's invalid signatures do not cause a request to
// Secrets Manager each.
package secret

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// ErrUnusable marks a reading that succeeded and found no usable value: the secret is
// gone or malformed. The previous value is dropped at once. Any other failure means
// that the secret is out of reach.
var ErrUnusable = errors.New("the secret holds no usable value")

// Source is one parsed secret. It is safe for concurrent use.
//
// Lambda freezes a process between invocations, so nothing here relies on a timer or
// on a goroutine that makes progress. Every use checks the age of the value, which
// counts from the start of the reading that returned it, by the wall clock: a
// monotonic clock may stand still while the process is frozen.
type Source[T any] struct {
	load   func(context.Context) (T, error)
	clock  func() time.Time
	report func(context.Context, error)

	// reading is held by the one caller that reads while others wait for the result.
	reading chan struct{}

	mu     sync.Mutex
	value  T
	loaded bool
	err    error     // of the last reading, nil if it succeeded
	readAt time.Time // start of the reading that decided value and loaded
	// triedAt is the start of the last reading that a caller waited for, refreshedAt
	// of the last one in the background, failedAt of the last one that failed.
	triedAt, refreshedAt, failedAt time.Time
}

// NewSource returns a source that calls load on first use.
func NewSource[T any](load func(context.Context) (T, error), clock func() time.Time) *Source[T] {
	return &Source[T]{
		load: load, clock: func() time.Time { return clock().Round(0) }, report: func(context.Context, error) {},
		reading: make(chan struct{}, 1),
	}
}

// OnFailure sets what is called after each failed reading, and returns s.
func (s *Source[T]) OnFailure(report func(context.Context, error)) *Source[T] {
	s.report = report
	return s
}

// Get returns the value. From [surgical.SecretRefreshAge] on it is read again in the
// background, and from [surgical.SecretMaxAge] on before it is returned. While the
// secret is out of reach, the last value is returned until it is
// [surgical.SecretOutage] old.
func (s *Source[T]) Get(ctx context.Context) (T, error) {
	s.mu.Lock()
	now := s.clock()
	if s.loaded && within(s.readAt, now, surgical.SecretMaxAge) {
		defer s.mu.Unlock()
		recently := within(s.triedAt, now, surgical.SecretInterval) || within(s.refreshedAt, now, surgical.SecretInterval)
		if !within(s.readAt, now, surgical.SecretRefreshAge) && !recently {
			s.refreshedAt = now
			go func() { _ = s.read(ctx) }() // the error is in s.err
		}
		return s.value, nil
	}
	s.mu.Unlock()
	return s.readFirst(ctx)
}

// Refresh reads the value again, unless the last attempt that a caller waited for
// was within [surgical.SecretInterval]; read reports whether it did. A reading in the
// background does not count: it may not have ended yet.
func (s *Source[T]) Refresh(ctx context.Context) (value T, read bool, err error) {
	s.mu.Lock()
	now := s.clock()
	if within(s.triedAt, now, surgical.SecretInterval) {
		defer s.mu.Unlock()
		value, err = s.current(now)
		return value, false, err
	}
	s.triedAt = now
	s.mu.Unlock()
	if err := s.read(ctx); err != nil {
		return value, false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	value, err = s.current(s.clock())
	return value, err == nil, err
}

// readFirst returns the value after a reading of its own, or of another caller that
// was faster. It does not wait for a reading in the background, which may have been
// frozen half-way. After a failure it returns what is left for a while.
func (s *Source[T]) readFirst(ctx context.Context) (T, error) {
	select {
	case s.reading <- struct{}{}:
		defer func() { <-s.reading }()
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock()
	pause := surgical.SecretRetryInterval // nothing works without a value
	if s.loaded && within(s.readAt, now, surgical.SecretOutage) {
		pause = surgical.SecretInterval
	}
	if fresh := s.loaded && within(s.readAt, now, surgical.SecretMaxAge); !fresh && !within(s.failedAt, now, pause) {
		s.triedAt = now
		s.mu.Unlock()
		_ = s.read(ctx) // the error is in s.err
		s.mu.Lock()
	}
	return s.current(s.clock())
}

// current returns what may be used now. s.mu is held.
func (s *Source[T]) current(now time.Time) (T, error) {
	var none T
	switch {
	case !s.loaded:
		return none, s.err
	case now.Sub(s.readAt) >= surgical.SecretOutage:
		return none, fmt.Errorf("the secret was last read %s ago: %w", now.Sub(s.readAt).Round(time.Second), s.err)
	default:
		return s.value, nil
	}
}

// read loads the value and keeps it, unless a reading that began later was faster. It
// goes on if the caller gives up: the result serves the next one.
func (s *Source[T]) read(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), surgical.SecretReadTimeout)
	defer cancel()
	began := s.clock()
	value, err := s.guarded(ctx)
	s.keep(began, value, err)
	// A process that was frozen during the reading finds its connection broken, which
	// says nothing about the secret.
	if frozen := s.clock().Sub(began) > 2*surgical.SecretReadTimeout; err != nil && !frozen {
		s.report(ctx, err)
	}
	return err
}

func (s *Source[T]) keep(began time.Time, value T, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.failedAt = began
	}
	if began.Before(s.readAt) && s.clock().After(s.readAt) { // not if the clock was set back
		return
	}
	s.err = err
	switch {
	case err == nil:
		s.value, s.loaded, s.readAt, s.failedAt = value, true, began, time.Time{}
	case errors.Is(err, ErrUnusable):
		s.value, s.loaded, s.readAt = value, false, began
	}
}

// guarded turns a panic of the client into an error: in the background nothing else
// would recover it.
func (s *Source[T]) guarded(ctx context.Context) (value T, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("reading the secret panicked") // what with may be secret
		}
	}()
	return s.load(ctx)
}

// within reports whether now is less than d after t. A time that lies ahead is not:
// the clock was set back, and the age is unknown.
func within(t, now time.Time, d time.Duration) bool {
	age := now.Sub(t)
	return !t.IsZero() && age >= 0 && age < d
}
