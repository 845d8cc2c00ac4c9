package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"gitlab.com/lorehook/lorehook/test/devstack"
	"gitlab.com/lorehook/lorehook/test/memory"
)

// A function is to need at most this many times the payload, and this many MB beside it.
const payloadTimes, besidePayload = 3, 40

// peaks compares the memory that functions need at the limits of what is fetched with the
// payload. It takes minutes to measure, so these are the figures that make memory kept.
func peaks(context.Context) ([]figure, error) {
	root, err := devstack.Root()
	if err != nil {
		return nil, err
	}
	kept, err := memory.Figures(filepath.Join(root, ".local", "memory.jsonl"))
	if errors.Is(err, os.ErrNotExist) {
		fmt.Fprintln(os.Stderr, "Peaks of memory are not compared: make memory measures them")
		return nil, nil
	}
	return peaksOf(kept), err
}

func peaksOf(kept []memory.Figure) (figures []figure) {
	for _, m := range kept {
		payload := float64(m.Payload) / (1 << 20)
		figures = append(figures, newFigure("peak memory: "+m.Task+", "+m.Limit, float64(m.Peak), "MB", payload, math.Round(payloadTimes*payload+besidePayload)))
	}
	return figures
}
