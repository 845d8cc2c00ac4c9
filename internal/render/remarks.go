package render

import "strings"

// Remarks returns what people wrote in a discussion's text, or in a chunk of it: without the
// headings that name authors and times, the metadata, and the marks of quotation. Texts of
// users are always quoted, so nothing of them is taken for a heading; only the first line
// of a chunk may be the rest of a quoted one.
func Remarks(text string) string {
	var b strings.Builder
	first := true
	for line := range strings.Lines(Body(text)) {
		said, quoted := strings.CutPrefix(line, ">")
		rest := first && !strings.HasPrefix(line, "## ") && !strings.HasPrefix(line, "- ")
		switch {
		case quoted:
			b.WriteString(strings.TrimPrefix(said, " "))
		case rest:
			b.WriteString(line)
		case strings.TrimSpace(line) == "" && !strings.HasSuffix(b.String(), "\n\n"):
			b.WriteString("\n")
		}
		first = false
	}
	return strings.TrimSpace(b.String())
}
