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
		figures = append(figures, newFigure(f.Name, f.Value, f.Unit, f.Floor, f.Reach))
	}
	return figures, nil
}
