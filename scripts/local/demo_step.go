package main

import (
	"context"
	"fmt"
	"sync"
)

// step is one step of the demo: what it does, and what that showed. Steps take place at
// the same time, unless one comes after others, and are shown in their order.
type step struct {
	*demo
	*checks
	// out keeps what the step prints until it is shown.
	out        *terminal
	title, how string
	// heading is printed before the step, with a hint; empty for none.
	heading, hint string

	do    func(*step, context.Context) error
	after []*step
	ended chan struct{}
	err   error
}

func (d *demo) step(title, how string, do func(*step, context.Context) error, after ...*step) *step {
	out := d.out.kept()
	return &step{demo: d, checks: &checks{out: out, subject: title}, out: out, title: title, how: how, do: do, after: after, ended: make(chan struct{})}
}

// take takes the steps, and calls show before each is shown. The first that fails ends
// those that still take place.
func take(ctx context.Context, steps []*step, show func(*step)) error {
	var all sync.WaitGroup
	defer all.Wait()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for _, s := range steps {
		all.Go(func() {
			defer close(s.ended)
			if s.err = s.take(ctx); s.err != nil {
				cancel(s.err)
			}
		})
	}
	for _, s := range steps {
		show(s)
		s.out.show()
		if <-s.ended; s.err != nil {
			return context.Cause(ctx) // of the step that failed first
		}
		s.settle()
	}
	return nil
}

func (s *step) take(ctx context.Context) error {
	for _, earlier := range s.after {
		s.out.passing("     waiting for: %s", earlier.title)
		select {
		case <-earlier.ended:
			if earlier.err != nil {
				return earlier.err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if err := s.do(s, ctx); err != nil {
		return fmt.Errorf("%s: %w", s.title, err)
	}
	return nil
}
