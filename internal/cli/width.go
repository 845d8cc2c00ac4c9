package cli

import "github.com/mattn/go-runewidth"

// terminal says how wide characters are: East Asian ones two columns, combining ones none,
// and ambiguous ones one, whatever the environment says.
func terminal() *runewidth.Condition { return &runewidth.Condition{StrictEmojiNeutral: true} }

// wide returns how many columns the text takes on a terminal.
func wide(text string) int { return terminal().StringWidth(text) }

// cutTo returns the text, or if it is wider than the columns its beginning with an ellipsis.
func cutTo(text string, columns int) string { return terminal().Truncate(text, columns, "…") }
