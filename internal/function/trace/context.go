package trace

import "context"

type carriedKey struct{}

type carried struct{ parent, runID string }

// With returns a context with the traceparent and the run's id. An invalid
// traceparent or an empty id leaves the previous value in place.
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

// From returns the context's traceparent and run id, each "" if there is none.
func From(ctx context.Context) (parent, runID string) {
	c, _ := ctx.Value(carriedKey{}).(carried)
	return c.parent, c.runID
}
