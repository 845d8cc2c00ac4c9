package cost

import (
	"fmt"
	"os"
	"strings"
)

// The tables of a document stand between these lines.
const (
	firstLine = "<!-- Written by make cost UPDATE=1. -->\n"
	lastLine  = "<!-- The end of what make cost writes. -->\n"
)

// Rewrite replaces the tables of a document.
func Rewrite(file, tables string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, _, after, err := parts(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return os.WriteFile(file, []byte(before+firstLine+"\n"+tables+"\n"+lastLine+after), 0o644)
}

// Tables returns those of a document's text.
func Tables(text string) (string, error) {
	_, tables, _, err := parts(text)
	return strings.TrimSpace(tables), err
}

func parts(text string) (before, tables, after string, err error) {
	before, rest, ok := strings.Cut(text, firstLine)
	if ok {
		tables, after, ok = strings.Cut(rest, lastLine)
	}
	if !ok {
		return "", "", "", fmt.Errorf("there is no place for the tables")
	}
	return before, tables, after, nil
}
