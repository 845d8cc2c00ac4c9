package cli

import (
	"strconv"

	"github.com/mattn/go-runewidth"

	"gitlab.com/lorehook/lorehook/internal/plaintext"
)

const (
	// usualWidth is that of a terminal which does not say how wide it is, and of text
	// that is broken for people all the same.
	usualWidth = 80
	// widestText is up to how many columns text is easy to read.
	widestText = 100
	// narrowest is the width below which no column of a table is cut.
	narrowest = 10
)

// width returns how many columns a terminal has, or 0 for what is not a terminal. COLUMNS
// comes first, as for other programs.
func (s *session) width(isTerminal bool) int {
	if !isTerminal {
		return 0
	}
	if said, err := strconv.Atoi(s.lookup("COLUMNS")); err == nil && said > 0 {
		return said
	}
	if s.Columns > 0 {
		return s.Columns
	}
	return usualWidth
}

// prose is the width that text is broken at.
func (p *printer) prose() int {
	if p.width == 0 {
		return usualWidth
	}
	return min(p.width, widestText)
}

// terminal says how wide characters are: East Asian ones two columns, combining ones none,
// and ambiguous ones one, whatever the environment says.
func terminal() *runewidth.Condition { return &runewidth.Condition{StrictEmojiNeutral: true} }

// wide returns how many columns the text takes on a terminal.
func wide(text string) int { return terminal().StringWidth(text) }

// cutTo returns the text, or if it is wider than the columns its beginning with an ellipsis.
func cutTo(text string, columns int) string { return terminal().Truncate(text, columns, "…") }

// widthsOf returns how wide the columns are, and makes their texts fit for a terminal.
func widthsOf(rows [][]cell) (widths []int) {
	for _, row := range rows {
		for i := range row {
			row[i].text = plaintext.Line(row[i].text)
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], wide(row[i].text))
		}
	}
	return widths
}

// fit cuts the texts in a column to the width, but not below [narrowest].
func fit(rows [][]cell, column, width int) {
	for _, row := range rows {
		if column < len(row) {
			row[column].text = cutTo(plaintext.Line(row[column].text), max(narrowest, width))
		}
	}
}

// fitAll cuts the texts of the widest columns, all to the same width, so that each row takes
// at most so many columns of a terminal.
func fitAll(rows [][]cell, width int) {
	widths := widthsOf(rows)
	left := width - 2*(len(widths)-1)
	at := func(limit int) (sum int) {
		for _, w := range widths {
			sum += min(w, limit)
		}
		return sum
	}
	limit := width
	for limit > narrowest && at(limit) > left {
		limit--
	}
	for column, w := range widths {
		if w > limit {
			fit(rows, column, limit)
		}
	}
}
