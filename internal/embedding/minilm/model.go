// Package minilm runs the sentence embedding model all-MiniLM-L6-v2, from its
// published weights and vocabulary, without a network and without C.
//
// Tokens equal those of the model's own tokenizer (Hugging Face tokenizers), and
// vectors those of sentence-transformers up to rounding: texts are cut at 256
// tokens, token vectors are averaged, and the result is scaled to length 1. The
// model knows English; of other languages it mostly knows the letters.
package minilm

import (
	"context"
	"fmt"
	"math"
	"path/filepath"

	"github.com/viterin/vek/vek32"
)

const (
	// Name identifies the model, and with it the vectors.
	Name = "sentence-transformers/all-MiniLM-L6-v2"
	// Dimensions is the length of the vectors.
	Dimensions = 384
	// MaxTokens is how many tokens of a text count, including the two that mark its
	// beginning and end. The model was published with this limit.
	MaxTokens = 256
)

const (
	weightsFile    = "model.safetensors"
	vocabularyFile = "vocab.txt"
)

// Model is an opened model. It is safe for concurrent use.
type Model struct {
	tokens  *Tokenizer
	encoder *encoder
	// weights keeps the mapped file that the encoder's matrices refer to.
	weights *tensors
}

// Open opens the model in a directory with model.safetensors and vocab.txt. The
// weights are mapped into memory, so processes share them, where the system can.
func Open(dir string) (*Model, error) {
	tokens, err := openVocabulary(filepath.Join(dir, vocabularyFile))
	if err != nil {
		return nil, err
	}
	weights, err := openTensors(filepath.Join(dir, weightsFile))
	if err != nil {
		return nil, err
	}
	encoder, err := newEncoder(weights)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, weightsFile), err)
	}
	return &Model{tokens: tokens, encoder: encoder, weights: weights}, nil
}

// Tokens returns how many tokens of a text count, at most [MaxTokens].
func (m *Model) Tokens(text string) int { return len(m.tokens.Encode(text, MaxTokens)) }

// Embed returns the vector of a text, of length 1. It fails only if ctx is done.
func (m *Model) Embed(ctx context.Context, text string) ([]float32, error) {
	hidden, err := m.encoder.encode(ctx, m.tokens.Encode(text, MaxTokens))
	if err != nil {
		return nil, err
	}
	mean := make([]float32, Dimensions)
	for row := 0; row < len(hidden); row += Dimensions {
		vek32.Add_Inplace(mean, hidden[row:row+Dimensions])
	}
	// Scaling to length 1 makes the division by the number of tokens unnecessary.
	vek32.MulNumber_Inplace(mean, float32(1/math.Sqrt(float64(vek32.Dot(mean, mean)))))
	return mean, nil
}
