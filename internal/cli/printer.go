package cli

import (
	"fmt"
	"io"

	"github.com/fatih/color"

	"gitlab.com/lorehook/lorehook/internal/advice"
	"gitlab.com/lorehook/lorehook/internal/plaintext"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// printer prints text for people.
type printer struct {
	w io.Writer
	// width is the terminal's, in columns; 0 if w is not one.
	width int
	// shown means that the terminal shows a transient line, to be replaced by the
	// next one.
	shown bool

	good, bad, warn, faint, strong *color.Color
}

func newPrinter(w io.Writer, colourful bool, width int) *printer {
	p := &printer{
		w: w, width: width, good: color.New(color.FgGreen), bad: color.New(color.FgRed), warn: color.New(color.FgYellow),
		faint: color.New(color.Faint), strong: color.New(color.Bold),
	}
	for _, c := range []*color.Color{p.good, p.bad, p.warn, p.faint, p.strong} {
		if colourful {
			c.EnableColor()
		} else {
			c.DisableColor()
		}
	}
	return p
}

// safe is text that is printed as it is: it controls the terminal only by the
// colours that paint gave it.
type safe string

// paint returns the text on one line, in the colour.
func paint(c *color.Color, format string, args ...any) safe {
	return safe(c.Sprint(plaintext.Line(fmt.Sprintf(format, args...))))
}

// line prints a permanent line. Arguments that are not [safe] are made so: anyone
// who can write in GitLab chooses some of them.
func (p *printer) line(format string, args ...any) {
	p.clear()
	for i, arg := range args {
		if _, ok := arg.(safe); !ok {
			args[i] = plaintext.Line(fmt.Sprint(arg))
		}
	}
	fmt.Fprintf(p.w, format+"\n", args...)
}

// passing shows a transient line, which the next line replaces.
func (p *printer) passing(text string) {
	p.clear()
	// A line that the terminal broke could not be replaced.
	fmt.Fprint(p.w, paint(p.faint, "%s", cutTo(plaintext.Line(text), p.onTerminal(p.width-1))))
	p.shown = true
}

func (p *printer) clear() {
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.shown = false
	}
}

// status returns a status in its colour.
func (p *printer) status(status string) cell {
	colours := map[string]*color.Color{
		string(surgical.StatusSucceeded): p.good, string(surgical.EntityOK): p.good,
		string(surgical.StatusFailed): p.bad, string(surgical.StatusCancelled): p.warn,
		string(surgical.EntitySkippedStale): p.warn, string(surgical.EntitySkippedErased): p.warn, string(surgical.StatusRunning): p.strong,
	}
	return cell{status, colours[status]}
}

// failure prints an error and what to do about it.
func (p *printer) failure(e *surgical.Error, next []advice.Step) {
	what := string(e.Code)
	if e.RunID != "" {
		what += ", run " + e.RunID
	}
	p.framed(cell{"lore:", p.bad}, " "+e.Message+" ", cell{"(" + what + ")", p.faint})
	var rows [][]cell
	for _, f := range e.Failures {
		rows = append(rows, []cell{plain("  %s", f.Target), {string(f.Code), p.bad}, plain("%s", f.Message)})
	}
	p.print(table{names: []string{"TARGET", "CODE", "MESSAGE"}, rows: rows, headless: true})
	p.next(next)
}
