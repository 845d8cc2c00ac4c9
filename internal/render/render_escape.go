package render

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"gitlab.com/lorehook/lorehook/internal/plaintext"
)

// inline returns Markdown that displays exactly oneLine(s) as plain text, anywhere
// but at the start of a line. It escapes only what would be markup there, because
// search runs on the raw Markdown.
func inline(s string) string {
	s = oneLine(s)
	var b strings.Builder
	b.Grow(len(s) + len(s)/8)
	previous := ' '
	for i, r := range s {
		rest := s[i+utf8.RuneLen(r):]
		if isMarkup(previous, r, rest) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
		previous = r
	}
	return b.String()
}

func isMarkup(previous, r rune, rest string) bool {
	next, _ := utf8.DecodeRuneInString(rest)
	switch r {
	case '\\', '`', '*', '[', '~':
		return true
	case '_':
		// An underscore inside a word is not markup, so snake_case stays readable.
		return !isWord(previous) || !isWord(next)
	case '<':
		return unicode.IsLetter(next) || strings.ContainsRune("/!?", next)
	case '&':
		return strings.Contains(rest, ";")
	case '#':
		// Markdown strips trailing number signs from a heading.
		return rest == ""
	default:
		return false
	}
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// oneLine returns s as valid UTF-8 on one line: runs of white space and control
// characters become one space, and what hides text ([plaintext.Hides]) is removed.
func oneLine(s string) string {
	if isPlain(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	space := false
	for _, r := range strings.ToValidUTF8(s, "\uFFFD") {
		switch {
		case unicode.IsSpace(r), unicode.IsControl(r), unicode.In(r, unicode.Zl, unicode.Zp):
			space = true
		case plaintext.Hides(r):
		default:
			if space && b.Len() > 0 {
				b.WriteByte(' ')
			}
			space = false
			b.WriteRune(r)
		}
	}
	return b.String()
}

// isPlain reports whether s is printable ASCII with single spaces inside, the
// common case that needs no work.
func isPlain(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c < ' ' || c > '~' {
			return false
		}
		if c == ' ' && (i == 0 || i == len(s)-1 || s[i-1] == ' ') {
			return false
		}
	}
	return true
}

// quote returns body as a block quote with a mark on every line, so that anything
// it opens (a fence, a comment, a list) ends with it, and its headings are never
// the document's own.
func quote(body string) string {
	body = strings.TrimRight(plaintext.Text(body), " \t\n")
	if body == "" {
		return ""
	}
	var b strings.Builder
	b.Grow(len(body) + len(body)/16)
	for line := range strings.Lines(body) {
		if line == "\n" {
			b.WriteString(">\n")
		} else {
			b.WriteString("> " + line)
		}
	}
	b.WriteByte('\n')
	return b.String()
}
