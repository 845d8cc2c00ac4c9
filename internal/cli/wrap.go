package cli

import (
	"fmt"
	"math"
	"strings"

	"github.com/fatih/color"

	"gitlab.com/lorehook/lorehook/internal/advice"
	"gitlab.com/lorehook/lorehook/internal/plaintext"
)

// prose is the width that text is broken at.
func (p *printer) prose() int {
	if p.width == 0 {
		return usualWidth
	}
	return min(p.width, widestText)
}

// helpWidth is how wide the help may be.
func (p *printer) helpWidth() int {
	if p.width == 0 {
		return widestText
	}
	return p.prose()
}

// sentence prints text on as many lines as a terminal needs for it.
func (p *printer) sentence(format string, args ...any) { p.wrapped(nil, format, args...) }

// wrapped is [printer.sentence] in a colour, which may be nil.
func (p *printer) wrapped(colour *color.Color, format string, args ...any) {
	for _, line := range p.folded(fmt.Sprintf(format, args...)) {
		p.line("%s", safe(cell{colour: colour}.painted(line)))
	}
}

// framed is [printer.sentence] for text with a beginning and an end that have colours.
func (p *printer) framed(begin cell, text string, end cell) {
	begin.text, end.text = plaintext.Line(begin.text), plaintext.Line(end.text)
	lines := p.folded(begin.text + text + end.text)
	for i, line := range lines {
		var first, last string
		if rest, ok := strings.CutPrefix(line, begin.text); i == 0 && ok {
			first, line = begin.painted(begin.text), rest
		}
		if rest, ok := strings.CutSuffix(line, end.text); i == len(lines)-1 && ok {
			last, line = end.painted(end.text), rest
		}
		p.line("%s", safe(first+line+last))
	}
}

// folded returns text in lines for the terminal.
func (p *printer) folded(text string) []string {
	return folded(plaintext.Line(text), p.onTerminal(p.prose()))
}

// onTerminal returns the width, or without a terminal one that nothing exceeds.
func (p *printer) onTerminal(width int) int {
	if p.width == 0 {
		return math.MaxInt
	}
	return max(1, width)
}

// hint prints a suggested action after a result, faintly.
func (p *printer) hint(text, command string) {
	for _, line := range stepLines(advice.Step{Text: text, Command: command}, p.onTerminal(p.prose())) {
		p.line("%s", paint(p.faint, "%s", line))
	}
}

// stepLines returns a suggested action on one line, or on as many as fit into the width.
// The command then has a line of its own, and stays in one piece.
func stepLines(step advice.Step, width int) []string {
	text := plaintext.Line(step.String())
	if wide(text) <= width {
		return []string{text}
	}
	if step.Command == "" {
		return folded(text, width)
	}
	return append(folded(strings.TrimSuffix(text, " "+step.Command), width), gap+step.Command)
}

// wrapped breaks the lines of a text at spaces so that none is longer than the width,
// except where there is no space. Lines that begin with a space, and those in fences,
// stay as they are.
func wrapped(text string, width int) []string {
	var lines []string
	fenced := false
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(line, "```") || strings.HasPrefix(line, "~~~") {
			fenced = !fenced
		}
		if fenced || strings.HasPrefix(line, " ") {
			lines = append(lines, line)
		} else {
			lines = append(lines, folded(line, width)...)
		}
	}
	return lines
}

// folded breaks one line as [wrapped] does. What it returns is the line without the spaces
// between its parts.
func folded(line string, width int) (parts []string) {
	for wide(line) > width {
		end := breakAt(line, width)
		if end < 0 {
			break
		}
		parts, line = append(parts, line[:end]), line[end+1:]
	}
	return append(parts, line)
}

// breakAt returns the place of the space to break a line at, or -1.
func breakAt(line string, width int) int {
	last, characters := -1, 0
	for at, r := range line {
		if r == ' ' && at > 0 {
			if characters > width && last >= 0 {
				return last
			}
			last = at
			if characters >= width {
				return last
			}
		}
		characters += terminal().RuneWidth(r)
	}
	return last
}
