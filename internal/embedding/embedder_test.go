package embedding

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/viterin/vek/vek32"

	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/modelfiles"
)

// secretText must not appear in any error.
const secretText = "the customer Example Corp lost its data"

// want is what an error is checked for.
type want struct {
	Retryable  bool
	Action     surgical.Action
	RetryAfter time.Duration
}

// checkFailure checks an error's kind, and that it does not leak the text.
func checkFailure(t *testing.T, err error, w want) {
	t.Helper()
	var e *surgical.Error
	if !errors.As(err, &e) || e.Code != surgical.CodeEmbedFailed {
		t.Fatalf("got %v, want embed_failed", err)
	}
	if diff := cmp.Diff(w, want{e.Retryable, e.Action, e.RetryAfter}); diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if strings.Contains(err.Error(), "Example Corp") || strings.Contains(err.Error(), "fake-key") {
		t.Errorf("the error leaks the text or the key: %v", err)
	}
}

func TestNew_ReturnsTheConfiguredEmbedder(t *testing.T) {
	key := func(context.Context) (string, error) { return "fake-key", nil }
	for _, c := range []struct {
		name   string
		config config.Embedder
		deps   Deps
		model  string
		wrong  []string
	}{
		{"bedrock", config.Embedder{Kind: "bedrock", Concurrency: 2}, Deps{Bedrock: bedrockAt("http://127.0.0.1:1")}, "bedrock/amazon.titan-embed-text-v2:0/1024", nil},
		{"openai", config.Embedder{Kind: "openai", URL: "http://127.0.0.1:1/v1", Model: "m"}, Deps{}, "openai/m", nil},
		{"openai with a secret", config.Embedder{Kind: "openai", URL: "http://127.0.0.1:1/v1", Model: "m", APIKeySecretID: "s"}, Deps{APIKey: key}, "openai/m", nil},
		{"bedrock with an unknown model", config.Embedder{Kind: "bedrock", Model: "other"}, Deps{Bedrock: bedrockAt("http://127.0.0.1:1")}, "", []string{"LOREHOOK_EMBEDDER_MODEL"}},
		{"bedrock without requests", config.Embedder{Kind: "bedrock"}, Deps{Bedrock: bedrockAt("http://127.0.0.1:1")}, "", []string{"LOREHOOK_EMBEDDER_CONCURRENCY", "from 1 to 64", "got 0"}},
		{"bedrock with too many requests", config.Embedder{Kind: "bedrock", Concurrency: 65}, Deps{Bedrock: bedrockAt("http://127.0.0.1:1")}, "", []string{"LOREHOOK_EMBEDDER_CONCURRENCY", "got 65"}},
		{"bedrock without a client", config.Embedder{Kind: "bedrock"}, Deps{}, "", []string{"client"}},
		{"openai with everything wrong", config.Embedder{Kind: "openai", URL: "nowhere", APIKeySecretID: "s"}, Deps{}, "", []string{"LOREHOOK_EMBEDDER_URL", "LOREHOOK_EMBEDDER_MODEL", "LOREHOOK_EMBEDDER_API_KEY_SECRET_ID"}},
		{"minilm without files", config.Embedder{Kind: "minilm"}, Deps{}, "", []string{"LOREHOOK_EMBEDDER_DIR"}},
		{"minilm with other files", config.Embedder{Kind: "minilm", Dir: t.TempDir()}, Deps{}, "", []string{"vocab.txt"}},
		{"an unknown kind", config.Embedder{Kind: "magic"}, Deps{}, "", []string{"LOREHOOK_EMBEDDER", "magic"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, err := New(c.config, c.deps)
			if c.wrong == nil {
				if err != nil || e.Model() != c.model {
					t.Fatalf("got %v, %v, want %s", e, err, c.model)
				}
				return
			}
			if err == nil {
				t.Fatalf("got %s, want an error", e.Model())
			}
			for _, w := range c.wrong {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q does not name %s", err, w)
				}
			}
		})
	}
}

func TestNew_ReturnsNoEmbedderWithoutAModel(t *testing.T) {
	for _, kind := range []string{"", "lexical"} {
		if e, err := New(config.Embedder{Kind: kind}, Deps{}); e != nil || err != nil {
			t.Errorf("%q: got %v, %v", kind, e, err)
		}
	}
}

func TestMiniLM_EmbedsTextsInOrder(t *testing.T) {
	e, err := New(config.Embedder{Kind: "minilm", Dir: modelfiles.Dir(t)}, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	texts := []string{"The server ran out of memory.", "The process was killed because it used too much RAM.", "The invoice lacks the customer's address."}
	vectors, err := e.Embed(t.Context(), texts)
	if err != nil || len(vectors) != len(texts) {
		t.Fatalf("%d vectors, error %v", len(vectors), err)
	}
	for i, text := range texts {
		alone, err := e.Embed(t.Context(), []string{text})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(alone[0], vectors[i]); diff != "" || len(vectors[i]) != e.Dimensions() {
			t.Errorf("%q has another vector by itself, or %d values: %s", text, len(vectors[i]), diff)
		}
	}
	near, far := vek32.Dot(vectors[0], vectors[1]), vek32.Dot(vectors[0], vectors[2])
	if near < far+0.2 {
		t.Errorf("memory and memory are %.2f, memory and an invoice %.2f", near, far)
	}
}

func TestEmbedders_RejectMoreTextsThanABatch(t *testing.T) {
	for _, e := range []Embedder{MiniLM{}, NewBedrock(bedrockAt("http://127.0.0.1:1"), 2, nil), NewOpenAI(OpenAIOptions{URL: "http://127.0.0.1:1"})} {
		_, err := e.Embed(t.Context(), make([]string, e.MaxBatch()+1))
		checkFailure(t, err, want{Action: surgical.ActionContactOperator})
	}
}

func TestEmbedders_AreRetryableWhenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, e := range []Embedder{openMiniLM(t), NewBedrock(bedrockAt("http://127.0.0.1:1"), 2, nil), NewOpenAI(OpenAIOptions{URL: "http://127.0.0.1:1"})} {
		_, err := e.Embed(ctx, []string{secretText})
		checkFailure(t, err, want{Retryable: true, Action: surgical.ActionRetryAfter})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v does not wrap the context's error", e.Model(), err)
		}
	}
}

func openMiniLM(t *testing.T) MiniLM {
	t.Helper()
	m, err := OpenMiniLM(modelfiles.Dir(t))
	if err != nil {
		t.Fatal(err)
	}
	return m
}
