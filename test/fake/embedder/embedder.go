// Package embedder is an embedder for tests: texts that share words have similar
// vectors, and a text always has the same one. It knows nothing else of a text, so
// nothing about the quality of search can be learned from it.
package embedder

import (
	"context"
	"encoding/json"
	"hash/fnv"
	"math"
	"net/http"
	"strings"
	"unicode"
)

const (
	// Name is the model's name in requests to [Handler].
	Name = "words"
	// maxBatch is that of the product's client.
	maxBatch   = 16
	dimensions = 64
)

// Words embeds a text as the set of its words. The zero value is ready to use.
type Words struct{}

// Model returns the name under which the product stores the vectors of [Handler].
func (Words) Model() string { return "openai/" + Name }

// Dimensions is the length of the vectors.
func (Words) Dimensions() int { return dimensions }

// MaxBatch is how many texts a call takes.
func (Words) MaxBatch() int { return maxBatch }

// Embed returns a vector of length 1 for each text. It fails only if ctx is done.
func (Words) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	vectors := make([][]float32, len(texts))
	for i, text := range texts {
		vectors[i] = vector(text)
	}
	return vectors, nil
}

func vector(text string) []float32 {
	sums := make([]float64, dimensions)
	sums[0] = 1 // so that a text without words has a direction, too
	for word := range strings.FieldsFuncSeq(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		h := fnv.New64a()
		h.Write([]byte(word))
		hash := h.Sum64()
		sign := 1 - 2*float64(hash>>63)
		sums[hash%dimensions] += sign
	}
	var squares float64
	for _, x := range sums {
		squares += x * x
	}
	unit := make([]float32, dimensions)
	if squares == 0 { // the words cancelled each other out
		unit[0] = 1
		return unit
	}
	for i, x := range sums {
		unit[i] = float32(x / math.Sqrt(squares))
	}
	return unit
}

// Handler serves POST /v1/embeddings as OpenAI does, with the vectors of [Words].
func Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/embeddings", func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Model string   `json:"model"`
			Input []string `json:"input"`
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Model != Name || len(in.Input) == 0 {
			http.Error(w, "want a model and texts", http.StatusBadRequest)
			return
		}
		type embedding struct {
			Index     int       `json:"index"`
			Embedding []float32 `json:"embedding"`
		}
		var out struct {
			Data []embedding `json:"data"`
		}
		for i, text := range in.Input {
			out.Data = append(out.Data, embedding{i, vector(text)})
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(out) // the client is gone
	})
	return mux
}
