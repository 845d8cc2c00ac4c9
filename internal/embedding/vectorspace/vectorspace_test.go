package vectorspace_test

import (
	"testing"

	"gitlab.com/lorehook/lorehook/internal/embedding"
	"gitlab.com/lorehook/lorehook/internal/embedding/vectorspace"
)

// Functions that only compare names have to know those that embedders store.
func TestOf_NamesWhatEmbeddersStore(t *testing.T) {
	for kind, want := range map[string]string{
		vectorspace.Bedrock: (&embedding.Bedrock{}).Model(),
		vectorspace.OpenAI:  embedding.NewOpenAI(embedding.OpenAIOptions{Model: "m"}).Model(),
		vectorspace.MiniLM:  embedding.MiniLM{}.Model(),
		vectorspace.Lexical: "",
		"":                  "",
	} {
		if got, err := vectorspace.Of(kind, "m"); err != nil || got != want {
			t.Errorf("%q: got %q, %v, want %q", kind, got, err, want)
		}
	}
	if got, err := vectorspace.Of("word2vec", "m"); err == nil {
		t.Errorf("an unknown kind is %q", got)
	}
}

// Stored vectors keep these names: another one would embed everything again.
func TestOf_KeepsItsNames(t *testing.T) {
	for got, want := range map[string]string{
		vectorspace.OfTitan():            "bedrock/amazon.titan-embed-text-v2:0/1024",
		vectorspace.OfOpenAI("nomic:v1"): "openai/nomic:v1",
		vectorspace.OfMiniLM():           "minilm/all-MiniLM-L6-v2/256",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
