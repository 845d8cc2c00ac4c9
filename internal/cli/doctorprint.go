package cli

import (
	"strings"

	"github.com/fatih/color"

	"gitlab.com/lorehook/lorehook/internal/advice"
	"gitlab.com/lorehook/lorehook/internal/plaintext"
)

// narrowestCheck is the width below which what a check says is not beside its name.
const narrowestCheck = 30

// checks prints checks, and what to do about those that are not ok.
func (p *printer) checks(all []check) {
	names := 0
	for _, c := range all {
		names = max(names, wide(c.Name))
	}
	at := len(checkUnseen) + len(gap) + names + len(gap)
	below := p.width > 0 && p.prose()-at < narrowestCheck
	if below {
		at = len(indent)
	}
	begins, width := strings.Repeat(" ", at), max(narrowestCheck, p.prose()-at)
	for _, c := range all {
		state := cell{string(c.State) + strings.Repeat(" ", len(checkUnseen)-len(c.State)), p.colourOf(c.State)}
		head := state.painted(state.text) + gap + c.Name
		lines := folded(plaintext.Line(c.Message), width)
		if !below {
			head += strings.Repeat(" ", names-wide(c.Name)) + gap + lines[0]
			lines = lines[1:]
		}
		p.line("%s", safe(head))
		for _, line := range lines {
			p.line("%s", safe(begins+line))
		}
		if c.Next != nil {
			for _, line := range p.stepOf(*c.Next, width) {
				p.line("%s%s", safe(begins), paint(p.faint, "%s", line))
			}
		}
	}
}

// stepOf returns a suggested action in lines. Without a terminal, one with a command is one
// line.
func (p *printer) stepOf(step advice.Step, width int) []string {
	if step.Command != "" {
		width = p.onTerminal(width)
	}
	return stepLines(step, width)
}

func (p *printer) colourOf(state checkState) *color.Color {
	switch state {
	case checkOK:
		return p.good
	case checkWarning:
		return p.warn
	case checkFailure:
		return p.bad
	default:
		return p.faint
	}
}
