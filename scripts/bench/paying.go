package main

import (
	"context"

	"gitlab.com/lorehook/lorehook/test/cost"
	"gitlab.com/lorehook/lorehook/test/devstack"
)

// paying computes what it all costs, by the counts that make cost recorded: tests compare
// them with the code.
func paying(ctx context.Context) (figures []figure, err error) {
	root, err := devstack.Root()
	if err != nil {
		return nil, err
	}
	template, err := cost.Synthesize(ctx, root)
	if err != nil {
		return nil, err
	}
	stack, err := cost.Read(template)
	if err != nil {
		return nil, err
	}
	counts, err := cost.Recorded()
	if err != nil {
		return nil, err
	}
	for _, f := range stack.Figures(counts) {
		line := newFigure(f.Name, f.Value, f.Unit, f.Floor, f.Reach)
		if f.Wanted {
			line = line.notYet(line.Value) // it is computed, and a test of package cost holds it
		}
		figures = append(figures, line)
	}
	return figures, nil
}
