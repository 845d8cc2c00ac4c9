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
	// Reach is the most that the value is to be, and Met whether it is no more; 0 means
	// that nothing is promised.
	Reach float64 `json:"reach,omitempty"`
	Met   *bool   `json:"met,omitempty"`
	// wanted is set if the value is known to be more than Reach.
	wanted bool
}

// newFigure returns a line with what follows from the others.
func newFigure(name string, value float64, unit string, floor, reach float64) figure {
	f := figure{Name: name, Value: value, Unit: unit, Floor: floor, Reach: reach}
	if floor > 0 {
		f.Ratio = value / floor
	}
	if reach > 0 {
		met := value <= reach
		f.Met = &met
	}
	return f
}

func print(figures []figure) {
	fmt.Printf("\n%-62s %10s  %-18s %10s %8s  %s\n", "", "measured", "unit", "floor", "ratio", "promised")
	for _, f := range figures {
		floor, ratio, reach := "", "", ""
		if f.Floor > 0 {
			floor, ratio = fmt.Sprintf("%.4g", f.Floor), fmt.Sprintf("%.3g", f.Ratio)
		}
		if f.Reach > 0 {
			reach = fmt.Sprintf("at most %g", f.Reach)
		}
		if f.wanted && !*f.Met {
			reach += " (not reached yet)"
		}
		fmt.Printf("%-62s %10.5g  %-18s %10s %8s  %s\n", f.Name, f.Value, f.Unit, floor, ratio, reach)
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

// beyond fails for the figures that exceed what is promised.
func beyond(figures []figure) error {
	var errs []error
	for _, f := range figures {
		if f.Met != nil && !*f.Met && !f.wanted {
			errs = append(errs, fmt.Errorf("%s: %g %s, promised at most %g", f.Name, f.Value, f.Unit, f.Reach))
		}
	}
	return errors.Join(errs...)
}
