// Package written replaces the part of a document that a target of the Makefile writes.
package written

import (
	"fmt"
	"os"
	"strings"
)

// Part is the part of documents that `make target UPDATE=1` writes. It is between two
// comments.
type Part struct{ Target string }

func (p Part) first() string { return fmt.Sprintf("<!-- Written by make %s UPDATE=1. -->\n", p.Target) }
func (p Part) last() string {
	return fmt.Sprintf("<!-- The end of what make %s writes. -->\n", p.Target)
}

// Replace writes the text in place of the part of the file.
func (p Part) Replace(file, text string) error {
	old, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, _, after, err := p.cut(string(old))
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return os.WriteFile(file, []byte(before+p.first()+"\n"+text+"\n"+p.last()+after), 0o644)
}

// Of returns the part of a document, without space around it.
func (p Part) Of(document string) (string, error) {
	_, part, _, err := p.cut(document)
	return strings.TrimSpace(part), err
}

func (p Part) cut(document string) (before, part, after string, err error) {
	before, rest, ok := strings.Cut(document, p.first())
	if ok {
		part, after, ok = strings.Cut(rest, p.last())
	}
	if !ok {
		return "", "", "", fmt.Errorf("there is no place for what make %s writes", p.Target)
	}
	return before, part, after, nil
}
