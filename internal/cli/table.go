package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fatih/color"

	"gitlab.com/lorehook/lorehook/internal/plaintext"
)

const (
	// narrowest is the width below which no column is cut.
	narrowest = 10
	// narrowestText is the width below which text is not wrapped beside other columns.
	narrowestText = 20
	// gap separates columns.
	gap = "  "
	// indent is what begins a line that continues the one above it.
	indent = "    "
)

// cuttable reports whether the beginning of a column's texts says enough. All others are
// ids, counts, times and states, which nobody can use in part.
func cuttable(name string) bool {
	return slices.Contains([]string{"TITLE", "LABELS", "PATH", "BEGINS"}, name)
}

// cell is one value in a table. colour may be nil.
type cell struct {
	text   string
	colour *color.Color
}

func plain(format string, args ...any) cell { return cell{text: fmt.Sprintf(format, args...)} }

// painted returns a part of the cell's text in its colour.
func (c cell) painted(part string) string {
	if c.colour == nil {
		return part
	}
	return c.colour.Sprint(part)
}

// table is rows of cells. Where it is not printed on a terminal, each row is one line. On a
// terminal, no line is wider than that, except where a word is: the last column is wrapped,
// under itself or on lines of its own, and [cuttable] columns are cut. Rows for which that
// is not enough are printed with one line for each value.
type table struct {
	// names are those of the columns; nil if nothing is [cuttable].
	names []string
	rows  [][]cell
	// headless tables do not begin with the names.
	headless bool
}

// table prints aligned columns with a heading, or nothing without rows.
func (p *printer) table(names []string, rows [][]cell) { p.print(table{names: names, rows: rows}) }

func pair(name string, value cell) [2]cell { return [2]cell{{text: name}, value} }

// pairs prints names with their values, except pairs with an empty value.
func (p *printer) pairs(pairs ...[2]cell) {
	var rows [][]cell
	for _, pair := range pairs {
		if pair[1].text != "" {
			rows = append(rows, []cell{{pair[0].text, p.faint}, pair[1]})
		}
	}
	p.print(table{rows: rows, headless: true})
}

func (p *printer) print(t table) {
	if len(t.rows) == 0 {
		return
	}
	rows := t.rows
	if !t.headless {
		heading := make([]cell, len(t.names))
		for i, name := range t.names {
			heading[i] = cell{name, p.faint}
		}
		rows = append([][]cell{heading}, rows...)
	}
	columns := columnsOf(t.names, rows)
	if p.width > 0 && !columns.fit(p.width) && len(t.names) > 0 {
		p.blocks(t)
		return
	}
	for _, row := range rows {
		p.row(row, columns)
	}
}

// columns is how wide the columns of a table are.
type columns struct {
	// widths are those of the texts at first, and of what is shown of them after
	// [columns.fit].
	widths []int
	// cuttable columns have names for which [cuttable] is true.
	cuttable []bool
	// text is how wide the lines of the last column are, 0 if it is not wrapped. below
	// means that they are below the row.
	text  int
	below bool
}

// columnsOf measures the texts, which it makes fit for a terminal.
func columnsOf(names []string, rows [][]cell) *columns {
	c := &columns{}
	for _, row := range rows {
		for i := range row {
			row[i].text = plaintext.Line(row[i].text)
			if i == len(c.widths) {
				c.widths, c.cuttable = append(c.widths, 0), append(c.cuttable, i < len(names) && cuttable(names[i]))
			}
			c.widths[i] = max(c.widths[i], wide(row[i].text))
		}
	}
	return c
}

// fit makes the columns fit into the width, and reports whether that is possible.
func (c *columns) fit(width int) bool {
	last := len(c.widths) - 1
	over := total(c.widths) - width
	if over <= 0 {
		return true
	}
	if wraps := c.widths[last] - narrowestText; !c.cuttable[last] && wraps > 0 {
		c.text = c.widths[last] - min(over, wraps)
		c.widths[last], over = c.text, over-min(over, wraps)
	}
	if over <= 0 || c.cut(c.widths, width) {
		return true
	}
	if c.below, c.text = true, max(1, width-len(indent)); c.text < narrowestText {
		return false
	}
	return c.cut(c.widths[:last], width)
}

// cut narrows the widest of the cuttable columns, all to the same width, so that the columns
// fit into a line. It reports whether they do.
func (c *columns) cut(widths []int, width int) bool {
	narrowed := slices.Clone(widths)
	for limit := slices.Max(append(slices.Clone(widths), narrowest)); total(narrowed) > width && limit >= narrowest; limit-- {
		for i, w := range widths {
			if c.cuttable[i] {
				narrowed[i] = min(w, limit)
			}
		}
	}
	if total(narrowed) > width {
		return false
	}
	copy(widths, narrowed)
	return true
}

// limit cuts the texts of a column to the width.
func limit(rows [][]cell, column, width int) {
	for _, row := range rows {
		row[column].text = cutTo(plaintext.Line(row[column].text), width)
	}
}

// total is how wide a line with the columns is.
func total(widths []int) int {
	sum := len(gap) * (len(widths) - 1)
	for _, width := range widths {
		sum += width
	}
	return sum
}

// row prints a row.
func (p *printer) row(row []cell, c *columns) {
	last := len(row) - 1
	for last > 0 && row[last].text == "" {
		last-- // no trailing spaces
	}
	var line strings.Builder
	at := 0
	for i, value := range row[:last+1] {
		if c.text > 0 && i == len(c.widths)-1 {
			p.lastOf(line.String(), at, value, c)
			return
		}
		text := value.text
		if c.cuttable[i] && wide(text) > c.widths[i] {
			text = cutTo(text, c.widths[i])
		}
		line.WriteString(value.painted(text))
		if i < last {
			line.WriteString(strings.Repeat(" ", c.widths[i]-wide(text)) + gap)
			at += c.widths[i] + len(gap)
		}
	}
	p.line("%s", safe(line.String()))
}

// lastOf prints a line up to the last column, which begins at a place, and then the last
// column's text on as many lines as it needs.
func (p *printer) lastOf(line string, at int, value cell, c *columns) {
	width, begins := c.text, strings.Repeat(" ", at)
	if c.below || widestWord(value.text) > width {
		p.line("%s", safe(strings.TrimRight(line, " ")))
		width, line, begins = max(1, p.width-len(indent)), indent, indent
	}
	for i, part := range folded(value.text, width) {
		if i > 0 {
			line = begins
		}
		p.line("%s", safe(line+value.painted(part)))
	}
}

// widestWord is the width of the text's widest part without a space.
func widestWord(text string) (widest int) {
	for word := range strings.FieldsSeq(text) {
		widest = max(widest, wide(word))
	}
	return widest
}

// blocks prints the values of each row below each other, with the names of their columns.
func (p *printer) blocks(t table) {
	for i, row := range t.rows {
		if i > 0 {
			p.line("")
		}
		var pairs [][2]cell
		for column, value := range row {
			name := ""
			if column < len(t.names) {
				name = t.names[column]
			}
			pairs = append(pairs, pair(name, value))
		}
		p.pairs(pairs...)
	}
}
