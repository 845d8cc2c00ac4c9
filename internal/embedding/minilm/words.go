package minilm

import (
	"iter"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// words returns the words of a text as the vocabulary spells them: in lower case,
// without accents. Each punctuation character and each Chinese character is a
// word.
func words(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		var word strings.Builder
		// end yields the word until here, if there is any.
		end := func() bool {
			if word.Len() == 0 {
				return true
			}
			w := word.String()
			word.Reset()
			return yield(w)
		}
		for _, r := range norm.NFD.String(cleaned(text)) {
			switch {
			case isMark(r):
			case unicode.IsSpace(r):
				if !end() {
					return
				}
			case isPunctuation(r), isIdeograph(r):
				if !end() || !yield(string(unicode.ToLower(r))) {
					return
				}
			default:
				word.WriteRune(unicode.ToLower(r))
			}
		}
		end()
	}
}

// cleaned returns the text without control characters and the like, and with a
// space for every kind of white space.
func cleaned(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t', r == '\n', r == '\r':
			return ' '
		case r == 0, r == unicode.ReplacementChar, isOther(r):
			return -1
		case unicode.IsSpace(r):
			return ' '
		}
		return r
	}, text)
}

// isIdeograph reports whether r is in a block of Chinese characters, as the
// original defines them. Japanese and Korean syllables are not.
func isIdeograph(r rune) bool {
	return r >= 0x4E00 && r <= 0x9FFF || r >= 0x3400 && r <= 0x4DBF || r >= 0x20000 && r <= 0x2A6DF ||
		r >= 0x2A700 && r <= 0x2B73F || r >= 0x2B740 && r <= 0x2B81F || r >= 0x2B920 && r <= 0x2CEAF ||
		r >= 0xF900 && r <= 0xFAFF || r >= 0x2F800 && r <= 0x2FA1F
}
