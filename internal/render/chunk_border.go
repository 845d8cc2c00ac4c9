package render

import (
	"hash/fnv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// strength ranks borders; higher is better.
type strength int

const (
	betweenRunes strength = iota + 1
	betweenWords
	betweenSentences
	betweenLines
	betweenItems
	betweenParagraphs
	beforeQuotedHeading
	beforeHeading
)

// border is a place where a text may be cut, before the byte at the offset at.
type border struct {
	at       int
	strength strength
}

// lineBorders returns the borders at line starts, in order. Each depends only on
// the lines next to it. Fences are deliberately ignored: an added fence would
// otherwise change every border after it.
func lineBorders(text string) []border {
	var borders []border
	at, afterBlank, afterHeading := 0, false, false
	for line := range strings.Lines(text) {
		content, quoted := unquoted(line)
		if content == "" {
			afterBlank = true
			at += len(line)
			continue
		}
		heading := isHeading(content)
		if at > 0 {
			borders = append(borders, border{at, judge(content, heading, quoted, afterBlank, afterHeading)})
		}
		at += len(line)
		afterBlank, afterHeading = false, heading
	}
	return borders
}

func judge(content string, heading, quoted, afterBlank, afterHeading bool) strength {
	switch {
	case heading && !quoted:
		return beforeHeading
	case heading:
		return beforeQuotedHeading
	case afterHeading:
		// A heading should stay with the text that follows it.
		return betweenLines
	case afterBlank:
		return betweenParagraphs
	case isItem(content):
		return betweenItems
	default:
		return betweenLines
	}
}

// unquoted returns a line without surrounding white space and block quote marks.
func unquoted(line string) (content string, quoted bool) {
	content = strings.TrimSpace(line)
	for strings.HasPrefix(content, ">") {
		content, quoted = strings.TrimSpace(content[1:]), true
	}
	return content, quoted
}

func isHeading(content string) bool {
	marks := len(content) - len(strings.TrimLeft(content, "#"))
	return 1 <= marks && marks <= 6 && strings.HasPrefix(content[marks:], " ")
}

func isItem(content string) bool {
	if strings.HasPrefix(content, "- ") || strings.HasPrefix(content, "* ") || strings.HasPrefix(content, "+ ") {
		return true
	}
	rest := strings.TrimLeft(content, "0123456789")
	return len(rest) < len(content) && (strings.HasPrefix(rest, ". ") || strings.HasPrefix(rest, ") "))
}

// offerWithinLines offers every border between low and high, other than line
// starts.
func offerWithinLines(text string, low, high int, best *choice) {
	previous, _ := utf8.DecodeLastRuneInString(text[:low])
	beforePrevious, _ := utf8.DecodeLastRuneInString(strings.TrimSuffix(text[:low], string(previous)))
	for i, r := range text[low:high] {
		b := border{at: low + i, strength: betweenRunes}
		if unicode.IsSpace(previous) && !unicode.IsSpace(r) {
			b.strength = betweenWords
			if strings.ContainsRune(".!?…:;", beforePrevious) {
				b.strength = betweenSentences
			}
		} else if strings.ContainsRune("。！？", previous) {
			b.strength = betweenSentences
		}
		best.offer(b)
		beforePrevious, previous = previous, r
	}
}

// surroundings hashes the text around a border.
func surroundings(text string, at int) uint64 {
	const reach = 32
	h := fnv.New64a()
	h.Write([]byte(text[max(0, at-reach):min(len(text), at+reach)]))
	return h.Sum64()
}
