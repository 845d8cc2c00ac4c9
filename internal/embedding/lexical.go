package embedding

import (
	"context"
	"hash/fnv"
	"math"
	"strings"
	"unicode"
)

const (
	lexicalDimensions = 512
	// lexicalModel must change whenever the vector of any text changes.
	lexicalModel = "lexical/fnv-512/v1"
	lexicalBatch = 256
)

// Lexical is a feature-hashing vectorizer: each word and each pair of adjacent
// words is added to, or subtracted from, one of 512 dimensions selected by its
// hash. Texts that share words are close to each other. It has no notion of
// meaning: a synonym, another inflection, another language or another Unicode
// form is a different word, and unrelated words may collide.
//
// It is for trying Lorehook without a model, and for tests. Vectors have length
// 1; a text without a letter or digit has the zero vector, which is close to
// nothing. The zero value is ready to use.
type Lexical struct{}

var _ Embedder = Lexical{}

// Model implements [Embedder].
func (Lexical) Model() string { return lexicalModel }

// Dimensions implements [Embedder].
func (Lexical) Dimensions() int { return lexicalDimensions }

// MaxBatch implements [Embedder].
func (Lexical) MaxBatch() int { return lexicalBatch }

// Embed implements [Embedder]. It fails only if ctx is done or there are too many
// texts.
func (l Lexical) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	if err := checkBatch(l, texts); err != nil {
		return nil, err
	}
	vectors := make([][]float32, len(texts))
	for i, text := range texts {
		if err := ctx.Err(); err != nil {
			return nil, transient(err, 0, "the lexical embedder was cancelled")
		}
		vectors[i] = vectorize(text)
	}
	return vectors, nil
}

func vectorize(text string) []float32 {
	var sums [lexicalDimensions]float64
	features, counts := count(words(text))
	for _, feature := range features {
		h := fnv.New64a()
		h.Write([]byte(feature))
		hash := h.Sum64()
		// Ten repetitions of a word do not carry ten times the weight.
		weight := 1 + math.Log(float64(counts[feature]))
		if hash>>63 == 1 {
			weight = -weight
		}
		sums[hash%lexicalDimensions] += weight
	}
	return normalized(sums[:])
}

// count returns the words and pairs of words with their counts. features are in
// order of first appearance, so that sums are always computed in the same order.
func count(words []string) (features []string, counts map[string]int) {
	counts = make(map[string]int, 2*len(words))
	add := func(feature string) {
		if counts[feature]++; counts[feature] == 1 {
			features = append(features, feature)
		}
	}
	for i, w := range words {
		add(w)
		if i > 0 {
			add(words[i-1] + "\x00" + w)
		}
	}
	return features, counts
}

// words returns the text's words in lower case: runs of letters, digits and
// combining marks. In scripts without spaces between words, every character is a
// word.
func words(text string) []string {
	var found []string
	var word strings.Builder
	end := func() {
		if word.Len() > 0 {
			found = append(found, word.String())
			word.Reset()
		}
	}
	for _, r := range strings.ToLower(text) {
		switch {
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer):
			end()
			found = append(found, string(r))
		case unicode.IsLetter(r), unicode.IsDigit(r), unicode.IsMark(r) && word.Len() > 0:
			word.WriteRune(r)
		default:
			end()
		}
	}
	end()
	return found
}

// normalized returns v scaled to length 1, or all zeros if it is all zeros.
func normalized(v []float64) []float32 {
	var squares float64
	for _, x := range v {
		// The conversion prevents a fused multiply-add, which some architectures
		// would use and round differently.
		squares += float64(x * x)
	}
	unit := make([]float32, len(v))
	if squares == 0 {
		return unit
	}
	length := math.Sqrt(squares)
	for i, x := range v {
		unit[i] = float32(x / length)
	}
	return unit
}
