package minilm

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"unicode/utf8"
)

// vocabularySize is the number of tokens that the model knows.
const vocabularySize = 30522

// maxWord is the longest word in characters that is cut into pieces; a longer one
// is unknown.
const maxWord = 100

// continuation marks pieces that continue a word.
const continuation = "##"

// Tokenizer is BERT's, for lower-cased text: words are cut greedily into the
// longest pieces that the vocabulary has.
type Tokenizer struct {
	// pieces are the tokens by their text.
	pieces map[string]int
	// longest is the length of the longest piece in bytes.
	longest             int
	unknown, begin, end int
	special             []string
}

// specials are tokens that a text can spell out, as in the original.
func specials() []string { return []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"} }

func openVocabulary(path string) (*Tokenizer, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var pieces []string
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		pieces = append(pieces, lines.Text())
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	t, err := NewTokenizer(pieces)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// NewTokenizer returns a tokenizer with the model's vocabulary: a token's number is
// its index.
func NewTokenizer(vocabulary []string) (*Tokenizer, error) {
	if len(vocabulary) != vocabularySize {
		return nil, fmt.Errorf("the vocabulary has %d tokens, want %d", len(vocabulary), vocabularySize)
	}
	t := &Tokenizer{pieces: make(map[string]int, len(vocabulary)), special: specials()}
	for i, piece := range vocabulary {
		t.pieces[piece] = i
		t.longest = max(t.longest, len(strings.TrimPrefix(piece, continuation)))
	}
	for _, name := range t.special {
		if _, ok := t.pieces[name]; !ok {
			return nil, fmt.Errorf("the vocabulary has no %s", name)
		}
	}
	t.unknown, t.begin, t.end = t.pieces["[UNK]"], t.pieces["[CLS]"], t.pieces["[SEP]"]
	return t, nil
}

// Encode returns the tokens of a text between the two that mark its beginning and
// its end, limit in all at most.
func (t *Tokenizer) Encode(text string, limit int) []int {
	tokens := append(make([]int, 0, min(limit, 2+len(text)/2)), t.begin)
	for text != "" && len(tokens) < limit-1 {
		var plain string
		var special int
		plain, special, text = t.next(text)
		for word := range words(plain) {
			if tokens = t.appendWord(tokens, word); len(tokens) >= limit-1 {
				break
			}
		}
		if special >= 0 {
			tokens = append(tokens, special)
		}
	}
	return append(tokens[:min(len(tokens), limit-1)], t.end)
}

// next returns the text up to the first special token in it, the token, or -1 if
// there is none, and what follows.
func (t *Tokenizer) next(text string) (plain string, special int, rest string) {
	first, special := len(text), -1
	var length int
	for _, name := range t.special {
		if i := strings.Index(text[:min(len(text), first+len(name))], name); i >= 0 && i < first {
			first, special, length = i, t.pieces[name], len(name)
		}
	}
	return text[:first], special, text[first+length:]
}

// appendWord appends the pieces of a word.
func (t *Tokenizer) appendWord(tokens []int, word string) []int {
	before := len(tokens)
	if utf8.RuneCountInString(word) > maxWord {
		return append(tokens, t.unknown)
	}
	for at := 0; at < len(word); {
		token, end := t.longestPiece(word, at)
		if token < 0 {
			return append(tokens[:before], t.unknown)
		}
		tokens, at = append(tokens, token), end
	}
	return tokens
}

// longestPiece returns the longest piece of the word at an offset, and where it
// ends, or -1.
func (t *Tokenizer) longestPiece(word string, at int) (token, end int) {
	prefix := ""
	if at > 0 {
		prefix = continuation
	}
	for end = min(len(word), at+t.longest); end > at; end-- {
		if end < len(word) && !utf8.RuneStart(word[end]) {
			continue
		}
		if token, ok := t.pieces[prefix+word[at:end]]; ok {
			return token, end
		}
	}
	return -1, 0
}
