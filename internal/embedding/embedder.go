// Package embedding turns the chunks of documents into vectors.
//
// Three embedders stand behind one small interface: Amazon Bedrock, any
// OpenAI-compatible endpoint, and a lexical vectorizer that needs neither
// network nor model. None of them logs, and no error of theirs holds a text
// that was to be embedded, or an answer's body.
package embedding

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Embedder turns texts into vectors. It is safe for concurrent use.
type Embedder interface {
	// Model names what the vectors can be compared with: vectors of one name
	// and one length lie in one space. It is stored beside each vector.
	Model() string
	// Dimensions is the length of the vectors, 0 as long as it is not known.
	Dimensions() int
	// MaxBatch is the most texts that one call of Embed takes.
	MaxBatch() int
	// Embed returns one vector a text, in the order of the texts. All fail
	// together. Its errors are [surgical.CodeEmbedFailed]; Retryable and
	// RetryAfter say whether and when another try makes sense.
	Embed(ctx context.Context, texts []string) ([][]float32, error)
}

// Kinds of embedder, the values of LOREHOOK_EMBEDDER.
const (
	KindLexical = "lexical"
	KindBedrock = "bedrock"
	KindOpenAI  = "openai"
)

// Deps is what embedders need of the world. Only what the chosen one needs has
// to be set.
type Deps struct {
	// Bedrock is a client of Amazon Bedrock's runtime.
	Bedrock Invoker
	// HTTP sends the requests to an OpenAI-compatible endpoint; nil is a
	// client with a timeout of a minute.
	HTTP *http.Client
	// APIKey returns the key whose secret the configuration names.
	APIKey func(ctx context.Context) (string, error)
}

// New returns the embedder that the configuration asks for. It sends nothing.
// Its error names everything that is wrong with the configuration.
func New(c config.Embedder, deps Deps) (Embedder, error) {
	switch c.Kind {
	case KindLexical, "":
		return Lexical{}, nil
	case KindBedrock:
		if c.Model != "" && c.Model != titanModel {
			return nil, fmt.Errorf("LOREHOOK_EMBEDDER_MODEL must be %s or empty with bedrock, got %q", titanModel, c.Model)
		}
		if deps.Bedrock == nil {
			return nil, errors.New("the bedrock embedder needs a client")
		}
		return NewBedrock(deps.Bedrock), nil
	case KindOpenAI:
		return newOpenAI(c, deps)
	default:
		return nil, fmt.Errorf("LOREHOOK_EMBEDDER must be %s, %s or %s, got %q", KindLexical, KindBedrock, KindOpenAI, c.Kind)
	}
}

func newOpenAI(c config.Embedder, deps Deps) (Embedder, error) {
	var errs []error
	if u, err := url.Parse(c.URL); err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		errs = append(errs, errors.New("LOREHOOK_EMBEDDER_URL must be an http or https URL with openai"))
	}
	if c.Model == "" {
		errs = append(errs, errors.New("LOREHOOK_EMBEDDER_MODEL must be set with openai"))
	}
	key := deps.APIKey
	switch {
	case c.APIKey != "":
		key = func(context.Context) (string, error) { return c.APIKey, nil }
	case c.APIKeySecretID == "":
		key = nil
	case key == nil:
		errs = append(errs, errors.New("the openai embedder needs a reader of secrets for LOREHOOK_EMBEDDER_API_KEY_SECRET_ID"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return NewOpenAI(OpenAIOptions{URL: c.URL, Model: c.Model, APIKey: key, HTTP: deps.HTTP}), nil
}

// transient is a failure that may be gone at the next try, in wait at the
// earliest (0: nobody said).
func transient(cause error, wait time.Duration, message string) error {
	e := surgical.WrapError(surgical.CodeEmbedFailed, cause, message)
	e.Action, e.Retryable, e.RetryAfter = surgical.ActionRetryAfter, true, wait
	return e
}

// permanent is a failure that somebody has to do something about.
func permanent(cause error, action surgical.Action, message string) error {
	e := surgical.WrapError(surgical.CodeEmbedFailed, cause, message)
	e.Action, e.Retryable = action, false
	return e
}

// checkBatch refuses more texts than the embedder takes.
func checkBatch(e Embedder, texts []string) error {
	if n := len(texts); n > e.MaxBatch() {
		return permanent(nil, surgical.ActionContactOperator, fmt.Sprintf("%d texts were given, %s takes at most %d", n, e.Model(), e.MaxBatch()))
	}
	return nil
}
