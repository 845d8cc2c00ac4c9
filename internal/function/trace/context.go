package trace

import "context"

type carriedKey struct{}

type carried struct{ parent, runID string }

// With returns a context that carries the traceparent, if it is one, and the
// run's id, if there is one. What is missing stays as it was.
func With(ctx context.Context, parent, runID string) context.Context {
	c, _ := ctx.Value(carriedKey{}).(carried)
	if parent = Parse(parent); parent != "" {
		c.parent = parent
	}
	if runID != "" {
		c.runID = runID
	}
	return context.WithValue(ctx, carriedKey{}, c)
}

// From returns what the context carries: a traceparent and a run's id, each ""
// if there is none.
func From(ctx context.Context) (parent, runID string) {
	c, _ := ctx.Value(carriedKey{}).(carried)
	return c.parent, c.runID
}
