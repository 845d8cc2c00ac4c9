package cli

import (
	"strconv"

	"github.com/mattn/go-runewidth"
)

const (
	// usualWidth is that of a terminal which does not say how wide it is, and of text
	// that is broken for people all the same.
	usualWidth = 80
	// widestText is up to how many columns text is easy to read.
	widestText = 100
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

// terminal says how wide characters are: East Asian ones two columns, combining ones none,
// and ambiguous ones one, whatever the environment says.
func terminal() *runewidth.Condition { return &runewidth.Condition{StrictEmojiNeutral: true} }

// wide returns how many columns the text takes on a terminal.
func wide(text string) int { return terminal().StringWidth(text) }

// cutTo returns the text, or if it is wider than the columns its beginning with an ellipsis.
func cutTo(text string, columns int) string { return terminal().Truncate(text, columns, "…") }
