// Package plaintext makes text that somebody wrote in GitLab safe to display: in
// documents, on a terminal and in the console. Control characters become visible,
// and characters that change the direction of text or hide text are removed.
package plaintext

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// lineEnds turns every line ending of Unicode into a newline.
var lineEnds = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\v", "\n", "\f", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n")

// Text returns s as valid UTF-8 in which newlines and tabs are the only control
// characters. Every line ending becomes a newline.
func Text(s string) string {
	if isPlain(s, true) {
		return s
	}
	return strings.Map(shown, lineEnds.Replace(strings.ToValidUTF8(s, "\uFFFD")))
}

// Line returns s like [Text], on one line: newlines and tabs become spaces.
func Line(s string) string {
	if isPlain(s, false) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		return r
	}, Text(s))
}

// JSON returns JSON with the same values, in which the characters that [Text]
// would change are escaped.
func JSON(raw []byte) []byte {
	if isPlain(string(raw), true) {
		return raw
	}
	out := make([]byte, 0, len(raw)+len(raw)/8)
	for i := 0; i < len(raw); {
		r, size := utf8.DecodeRune(raw[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			out = append(out, "\uFFFD"...)
		case r == '\n' || r == '\t' || r == '\r' || r != '\u2028' && r != '\u2029' && shown(r) == r:
			out = append(out, raw[i:i+size]...)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		i += size
	}
	return out
}

// shown returns what a character is shown as, or -1 for nothing.
func shown(r rune) rune {
	switch {
	case r == '\n', r == '\t':
		return r
	case r < ' ':
		return '\u2400' + r // its symbol
	case r == 0x7f:
		return '\u2421'
	case unicode.IsControl(r):
		return unicode.ReplacementChar
	case Hides(r):
		return -1
	}
	return r
}

// Hides reports whether the character has no shape of its own and can make text
// look different from what it says: a bidirectional control; a space without width,
// a soft hyphen or an invisible operator, which split a word that looks whole; or a
// tag, with which text can be written that no one sees. The joiners U+200C and U+200D
// are not among them: emoji and the scripts of India and Persia are written with
// them.
func Hides(r rune) bool {
	switch {
	case unicode.Is(unicode.Bidi_Control, r), r >= 0xe0000 && r <= 0xe007f:
		return true
	case r == 0x00ad, r == 0x180e, r == 0x200b, r >= 0x2060 && r <= 0x206f, r == 0xfeff, r >= 0xfff9 && r <= 0xfffb:
		return true
	default:
		return false
	}
}

// isPlain reports whether s is ASCII without control characters, the common case
// that needs no work.
func isPlain(s string, multiline bool) bool {
	for i := range len(s) {
		c := s[i]
		if (c < ' ' || c > '~') && !(multiline && (c == '\n' || c == '\t')) {
			return false
		}
	}
	return true
}
