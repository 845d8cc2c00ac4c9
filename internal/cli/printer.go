package cli

import (
	"fmt"
	"io"
	"strings"

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
	fmt.Fprint(p.w, paint(p.faint, "%s", text))
	p.shown = true
}

func (p *printer) clear() {
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.shown = false
	}
}

// cell is one value in a table. colour may be nil.
type cell struct {
	text   string
	colour *color.Color
}

func plain(format string, args ...any) cell { return cell{text: fmt.Sprintf(format, args...)} }

// table prints aligned columns with a heading, or nothing without rows. On a terminal, its
// widest texts are cut so that a row fits into a line.
func (p *printer) table(heading []string, rows [][]cell) {
	if len(rows) == 0 {
		return
	}
	first := make([]cell, len(heading))
	for i, h := range heading {
		first[i] = cell{h, p.faint}
	}
	p.fitting(append([][]cell{first}, rows...))
}

// fitting prints aligned columns that fit into a line of the terminal.
func (p *printer) fitting(rows [][]cell) {
	if p.width > 0 {
		fitAll(rows, p.width)
	}
	p.columns(rows)
}

// pairs prints names with their values, except pairs with an empty value.
func (p *printer) pairs(pairs ...[2]cell) {
	var rows [][]cell
	for _, pair := range pairs {
		if pair[1].text != "" {
			rows = append(rows, []cell{{pair[0].text, p.faint}, pair[1]})
		}
	}
	p.columns(rows)
}

func pair(name string, value cell) [2]cell { return [2]cell{{text: name}, value} }

func (p *printer) columns(rows [][]cell) {
	widths := widthsOf(rows)
	for _, row := range rows {
		last := len(row) - 1
		for last > 0 && row[last].text == "" {
			last-- // no trailing spaces
		}
		var line strings.Builder
		for i, c := range row[:last+1] {
			text := c.text
			if c.colour != nil {
				text = c.colour.Sprint(text)
			}
			line.WriteString(text)
			if i < last {
				line.WriteString(strings.Repeat(" ", widths[i]-wide(c.text)+2))
			}
		}
		p.line("%s", safe(line.String()))
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
	p.line("%s %s %s", paint(p.bad, "lore:"), e.Message, paint(p.faint, "(%s)", what))
	var rows [][]cell
	for _, f := range e.Failures {
		rows = append(rows, []cell{plain("  %s", f.Target), {string(f.Code), p.bad}, plain("%s", f.Message)})
	}
	p.columns(rows)
	p.next(next)
}
