package render

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode/utf8"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// MaxChunk is the most characters (runes) that a chunk's text has.
const MaxChunk = 2000

const (
	// maxContext is how much of a title stands before each chunk.
	maxContext = 200
	// maxBody and minBody enclose the length of a chunk without its context;
	// only the last chunk may be shorter.
	maxBody = MaxChunk - maxContext - len("\n\n")
	minBody = maxBody / 4
)

// Chunk is a part of a document's text that is embedded as one.
type Chunk struct {
	// Index counts the document's chunks from 0.
	Index int
	// Text is the document's title, an empty line and the part of its text.
	Text string
	// Hash is the hex SHA-256 of Text.
	Hash string
}

// Chunks splits a document's text at its natural borders into chunks of at
// most [MaxChunk] characters. Together they hold all of it, save for white
// space at the borders; a text of white space alone has no chunks.
//
// Each border is chosen by the words around it, not by its offset: an edit
// changes the chunks around it, and soon the borders are the old ones again,
// so that the rest needs no new embeddings.
func Chunks(d surgical.Document) []Chunk {
	text := strings.ToValidUTF8(d.Text, "\uFFFD")
	context := contextOf(d)
	var chunks []Chunk
	for start, borders := 0, lineBorders(text); start < len(text); {
		end := nextCut(text, start, &borders)
		body := strings.TrimRight(strings.TrimLeft(text[start:end], "\r\n"), " \t\r\n")
		start = end
		if strings.TrimSpace(body) == "" {
			continue
		}
		c := Chunk{Index: len(chunks), Text: context + body}
		sum := sha256.Sum256([]byte(c.Text))
		c.Hash = hex.EncodeToString(sum[:])
		chunks = append(chunks, c)
	}
	return chunks
}

// contextOf returns what stands before each chunk of the document.
func contextOf(d surgical.Document) string {
	title := oneLine(d.Title)
	if title == "" {
		return ""
	}
	return title[:advance(title, 0, maxContext)] + "\n\n"
}

// nextCut returns where the chunk that begins at start ends: at the strongest
// border within its window; among equals at the one whose surroundings have
// the highest hash, and of the same surroundings at the last. borders loses
// those that lie before the window.
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

// choice is the best border so far.
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

// advance returns the offset n runes behind start, or the text's end.
func advance(text string, start, n int) int {
	for ; n > 0 && start < len(text); n-- {
		_, size := utf8.DecodeRuneInString(text[start:])
		start += size
	}
	return start
}
