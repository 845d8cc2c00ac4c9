// Package vectorspace names the models whose vectors are stored. It embeds nothing, so
// that functions that only compare names stay small.
package vectorspace

import "fmt"

// Kinds of embedders, as LOREHOOK_EMBEDDER has them.
const (
	// Lexical stands for no model: nothing is embedded, and search matches words.
	Lexical = "lexical"
	MiniLM  = "minilm"
	Bedrock = "bedrock"
	OpenAI  = "openai"
)

// The model of Bedrock, and the length of its vectors.
const (
	TitanModel      = "amazon.titan-embed-text-v2:0"
	TitanDimensions = 1024
)

// Of returns the name of the vectors that an embedder of this kind makes with the
// model, as it is stored with each of them; "" if there is no model.
func Of(kind, model string) (string, error) {
	switch kind {
	case Lexical, "":
		return "", nil
	case MiniLM:
		return OfMiniLM(), nil
	case Bedrock:
		return OfTitan(), nil
	case OpenAI:
		return OfOpenAI(model), nil
	default:
		return "", fmt.Errorf("LOREHOOK_EMBEDDER must be %s, %s, %s or %s, got %q", Bedrock, OpenAI, MiniLM, Lexical, kind)
	}
}

// Resembling returns the cosine from which on two texts resemble each other, for vectors
// of this name; 0 if it was not measured. make eval chooses it, and docs/search-quality.md
// says how well it separates.
func Resembling(name string) float64 {
	if name == OfMiniLM() {
		return 0.62
	}
	return 0
}

// OfMiniLM also says how many tokens of a text count, because that decides the vectors
// of longer texts.
func OfMiniLM() string { return "minilm/all-MiniLM-L6-v2/256" }

// OfTitan also says how long the vectors are, because the model makes several lengths.
func OfTitan() string { return fmt.Sprintf("bedrock/%s/%d", TitanModel, TitanDimensions) }

// OfOpenAI is that of an OpenAI-compatible endpoint.
func OfOpenAI(model string) string { return "openai/" + model }
