package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// figure is one line of the table.
type figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	// Floor is what the value is compared with, and Ratio the value as a multiple of it; 0
	// means none.
	Floor float64 `json:"floor,omitempty"`
	Ratio float64 `json:"ratio,omitempty"`
	// Reach is the most that the value is to be, or the ratio if Relative is set. If
	// Minimum is set, it is the least. Met says whether that holds; 0 means that nothing
	// is promised.
	Reach    float64 `json:"reach,omitempty"`
	Relative bool    `json:"relative,omitempty"`
	Minimum  bool    `json:"minimum,omitempty"`
	Met      *bool   `json:"met,omitempty"`
	// Bound is how far the figure may miss Reach until it is reached, if it is known to; 0 means not
	// at all.
	Bound float64 `json:"bound,omitempty"`
	// disturbed says why a figure may miss Reach: other processes, and not this code.
	disturbed bool
}

// newFigure returns a line with what follows from the others.
func newFigure(name string, value float64, unit string, floor, reach float64) figure {
	f := figure{Name: name, Value: value, Unit: unit, Floor: floor, Reach: reach}
	if floor > 0 {
		f.Ratio = value / floor
	}
	return f.checked()
}

// within promises that the value is at most this many times the floor. ratio is given
// because the median of ratios is not the ratio of medians.
func (f figure) within(times, ratio float64) figure {
	f.Ratio, f.Reach, f.Relative = ratio, times, true
	return f.checked()
}

// atLeast promises that the value is at least this part of the floor.
func (f figure) atLeast(part float64) figure {
	f.Reach, f.Relative, f.Minimum = part, true, true
	return f.checked()
}

// notYet says that the figure is known to miss its reach, though not by more than the
// bound. docs/performance.md says why.
func (f figure) notYet(bound float64) figure {
	f.Bound = bound
	return f
}

// orDisturbed says that the figure misses its reach, though not by more than the bound, where
// other processes disturb the measurement.
func (f figure) orDisturbed(bound float64) figure {
	f.Bound, f.disturbed = bound, true
	return f
}

// checked sets whether the figure reaches what it is to reach.
func (f figure) checked() figure {
	if f.Reach > 0 {
		met := f.keeps(f.Reach)
		f.Met = &met
	}
	return f
}

// keeps reports whether the figure is within the limit.
func (f figure) keeps(limit float64) bool {
	if f.Minimum {
		return f.compared() >= limit
	}
	return f.compared() <= limit
}

// compared is the number that Reach is about.
func (f figure) compared() float64 {
	if f.Relative {
		return f.Ratio
	}
	return f.Value
}

// promise is Reach in words, empty if there is none.
func (f figure) promise() string {
	if f.Reach == 0 {
		return ""
	}
	bound, times := "at most", ""
	if f.Minimum {
		bound = "at least"
	}
	if f.Relative {
		times = " x the floor"
	}
	switch {
	case f.Bound == 0 || *f.Met:
	case f.disturbed:
		times += " (missed beside other processes)"
	default:
		times += " (not reached yet)"
	}
	return fmt.Sprintf("%s %g%s", bound, f.Reach, times)
}

func print(figures []figure) {
	fmt.Printf("\n%-74s %10s  %-18s %10s %8s  %s\n", "", "measured", "unit", "floor", "ratio", "promised")
	for _, f := range figures {
		floor, ratio, reach := "", "", f.promise()
		if f.Floor > 0 {
			floor, ratio = fmt.Sprintf("%.4g", f.Floor), fmt.Sprintf("%.3g", f.Ratio)
		}
		fmt.Printf("%-74s %10.5g  %-18s %10s %8s  %s\n", f.Name, f.Value, f.Unit, floor, ratio, reach)
	}
}

func write(path string, figures []figure) error {
	out, err := json.MarshalIndent(map[string]any{"figures": figures}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, append(out, '\n'), 0o644)
}

// beyond fails for the figures that miss what is promised.
func beyond(figures []figure) error {
	var errs []error
	for _, f := range figures {
		if f.Met != nil && !*f.Met && (f.Bound == 0 || !f.keeps(f.Bound)) {
			errs = append(errs, fmt.Errorf("%s: %.4g %s, %.3g x the floor, promised %s", f.Name, f.Value, f.Unit, f.Ratio, f.promise()))
		}
	}
	return errors.Join(errs...)
}
