package render

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode/utf8"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// MaxChunk is the maximum length of a chunk's text in characters (runes).
const MaxChunk = 2000

const (
	// maxTitle and maxAuthor limit the parts of a chunk's first line that people
	// choose, and maxContext the whole line with its empty line.
	maxTitle, maxAuthor = 160, 64
	maxContext          = 320
	// maxEscapes is how many lines of a body can imitate a chunk's first line: each
	// takes at least 20 characters, and gets one more.
	maxEscapes = maxBody / 20
	// maxBody and minBody limit the length of a chunk without its first line. Only
	// the last chunk may be shorter.
	maxBody = 1600
	minBody = maxBody / 4
)

// The limits add up, or this does not compile.
const _ = uint(MaxChunk - maxContext - maxEscapes - maxBody)

// Chunk is a part of a document that is embedded as a unit.
type Chunk struct {
	// Index is the chunk's position in the document, starting at 0.
	Index int
	// Text is a line that names the chunk's origin, an empty line and a part of the
	// document's text. The line names the entity, the author of what follows, and
	// the title: "note on issue #7 in project 1, by @ada: Title". Only the first line
	// of a chunk has this form: a line of the text that imitates it begins with a
	// backslash.
	Text string
	// Hash is the hex SHA-256 of Text.
	Hash string
}

// Chunks splits a document's text at natural borders into chunks of at most
// [MaxChunk] characters. Together they contain the whole text except for white
// space at the borders. A text of only white space has no chunks.
//
// Borders are chosen by the text around them, not by offset. After an edit, the
// borders soon fall in the same places again, so that only the chunks near the
// edit need new embeddings.
func Chunks(d surgical.Document) []Chunk {
	d.Text = strings.ToValidUTF8(d.Text, "\uFFFD")
	text, origin := d.Text, originOf(d)
	var chunks []Chunk
	for start, borders := 0, lineBorders(text); start < len(text); {
		from, end := start, nextCut(text, start, &borders)
		body := strings.TrimRight(strings.TrimLeft(text[start:end], "\r\n"), " \t\r\n")
		start = end
		if strings.TrimSpace(body) == "" {
			continue
		}
		c := Chunk{Index: len(chunks), Text: origin.context(from) + withoutImitations(body)}
		sum := sha256.Sum256([]byte(c.Text))
		c.Hash = hex.EncodeToString(sum[:])
		chunks = append(chunks, c)
	}
	return chunks
}

// nextCut returns the end of the chunk that begins at start: the strongest border
// in its window. Ties go to the border whose surroundings have the highest hash,
// and then to the last one. Borders up to start are removed from borders.
func nextCut(text string, start int, borders *[]border) int {
	low := advance(text, start, minBody)
	high := advance(text, low, maxBody-minBody)
	if high == len(text) {
		return high
	}
	best := choice{text: text}
	for len(*borders) > 0 && (*borders)[0].at <= start {
		*borders = (*borders)[1:]
	}
	for _, b := range *borders {
		if b.at > high {
			break
		}
		if b.at >= low {
			best.offer(b)
		}
	}
	if best.strength == 0 {
		offerWithinLines(text, low, high, &best)
	}
	return best.at
}

// choice is the best border found so far.
type choice struct {
	border
	text string
	hash uint64
}

func (c *choice) offer(b border) {
	if b.strength < c.strength {
		return
	}
	hash := surroundings(c.text, b.at)
	if b.strength > c.strength || hash >= c.hash {
		c.border, c.hash = b, hash
	}
}

// advance returns the offset n runes after start, or the end of the text.
func advance(text string, start, n int) int {
	for ; n > 0 && start < len(text); n-- {
		_, size := utf8.DecodeRuneInString(text[start:])
		start += size
	}
	return start
}
