// Package parallel runs tasks concurrently: an errgroup in which a panic is a
// failure of its task, not the end of the process.
package parallel

import (
	"context"

	"golang.org/x/sync/errgroup"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Group runs tasks that belong together. See [errgroup.Group].
type Group struct{ tasks *errgroup.Group }

// WithContext returns a group and a context that is cancelled as soon as a task
// fails, or Wait returns.
func WithContext(ctx context.Context) (*Group, context.Context) {
	tasks, ctx := errgroup.WithContext(ctx)
	return &Group{tasks}, ctx
}

// SetLimit limits how many tasks run at a time.
func (g *Group) SetLimit(n int) { g.tasks.SetLimit(n) }

// Go runs the task in a goroutine. A panic counts as a permanent failure, as
// [surgical.Recover] makes it.
func (g *Group) Go(task func() error) {
	g.tasks.Go(func() (err error) {
		defer surgical.Recover(&err)
		return task()
	})
}

// Wait waits for all tasks and returns the first failure.
func (g *Group) Wait() error { return g.tasks.Wait() }
