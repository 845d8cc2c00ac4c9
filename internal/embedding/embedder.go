// Package embedding turns the chunks of documents into vectors.
//
// There are three implementations of [Embedder]: Amazon Bedrock, any
// OpenAI-compatible endpoint, and a small model that runs in this process. None of
// them logs, and their errors never contain a text to be embedded or a response
// body.
package embedding

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gitlab.com/lorehook/lorehook/internal/baseurl"
	"gitlab.com/lorehook/lorehook/internal/embedding/vectorspace"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Embedder turns texts into vectors. It is safe for concurrent use.
type Embedder interface {
	// Model identifies the vector space: vectors with the same model and the same
	// length are comparable. It is stored with each vector.
	Model() string
	// Dimensions is the length of the vectors, or 0 while it is unknown.
	Dimensions() int
	// MaxBatch is the maximum number of texts per call of Embed.
	MaxBatch() int
	// Embed returns one vector per text, in the order of the texts. If any of them
	// fails, the error is not nil, and the vectors of the other texts may be
	// returned with it: a text without an answer has a nil vector. Errors have
	// [surgical.CodeEmbedFailed]; their Retryable and RetryAfter say whether and
	// when to try again.
	//
	// Transient failures are repeated, for the unanswered texts only, as long as the
	// deadline of ctx leaves [surgical.HandOnReserve]; without a deadline they are
	// not repeated.
	Embed(ctx context.Context, texts []string) ([][]float32, error)
}

// Deps are the dependencies of embedders. Only those of the configured embedder
// have to be set.
type Deps struct {
	// Bedrock is a client for the Amazon Bedrock runtime.
	Bedrock Invoker
	// APIKey reads the key from the secret that the configuration names.
	APIKey func(ctx context.Context) (string, error)
	// Jitter returns a random duration in [0, d).
	Jitter func(d time.Duration) time.Duration
}

// New returns the configured embedder, or an error that lists everything wrong
// with the configuration. It sends nothing. With [vectorspace.Lexical] it returns nil:
// there is no model.
func New(c config.Embedder, deps Deps) (Embedder, error) {
	switch c.Kind {
	case vectorspace.Lexical, "":
		return nil, nil
	case vectorspace.MiniLM:
		if c.Dir == "" {
			return nil, errors.New("LOREHOOK_EMBEDDER_DIR must be set with minilm")
		}
		return OpenMiniLM(c.Dir)
	case vectorspace.Bedrock:
		if c.Model != "" && c.Model != vectorspace.TitanModel {
			return nil, fmt.Errorf("LOREHOOK_EMBEDDER_MODEL must be %s or empty with bedrock, got %q", vectorspace.TitanModel, c.Model)
		}
		if deps.Bedrock == nil {
			return nil, errors.New("the bedrock embedder needs a client")
		}
		if c.Concurrency < 1 || c.Concurrency > surgical.MaxEmbedderConcurrency {
			return nil, fmt.Errorf("LOREHOOK_EMBEDDER_CONCURRENCY must be from 1 to %d, got %d", surgical.MaxEmbedderConcurrency, c.Concurrency)
		}
		return NewBedrock(deps.Bedrock, c.Concurrency, deps.Jitter), nil
	case vectorspace.OpenAI:
		return newOpenAI(c, deps)
	default:
		_, err := vectorspace.Of(c.Kind, c.Model)
		return nil, err
	}
}

func newOpenAI(c config.Embedder, deps Deps) (Embedder, error) {
	var errs []error
	if _, err := baseurl.Parse(c.URL); err != nil {
		errs = append(errs, fmt.Errorf("with openai, LOREHOOK_EMBEDDER_URL %w", err))
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
		errs = append(errs, errors.New("the openai embedder needs a way to read the secret LOREHOOK_EMBEDDER_API_KEY_SECRET_ID"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return NewOpenAI(OpenAIOptions{URL: c.URL, Model: c.Model, APIKey: key, Jitter: deps.Jitter}), nil
}

// transient returns a retryable error. wait is the earliest time to retry, or 0 if
// the endpoint did not say.
func transient(cause error, wait time.Duration, message string) error {
	e := surgical.WrapError(surgical.CodeEmbedFailed, cause, message)
	e.Action, e.Retryable, e.RetryAfter = surgical.ActionRetryAfter, true, wait
	return e
}

// permanent returns an error that a retry cannot fix.
func permanent(cause error, action surgical.Action, message string) error {
	e := surgical.WrapError(surgical.CodeEmbedFailed, cause, message)
	e.Action, e.Retryable = action, false
	return e
}

// checkBatch rejects more texts than the embedder accepts.
func checkBatch(e Embedder, texts []string) error {
	if n := len(texts); n > e.MaxBatch() {
		return permanent(nil, surgical.ActionContactOperator, fmt.Sprintf("%d texts given, but %s accepts at most %d", n, e.Model(), e.MaxBatch()))
	}
	return nil
}

// Query returns a function that embeds the text of a query, in one try.
func Query(e Embedder) func(ctx context.Context, text string) ([]float32, error) {
	return func(ctx context.Context, text string) ([]float32, error) {
		vectors, err := e.Embed(ctx, []string{text})
		if err != nil {
			return nil, err
		}
		return vectors[0], nil
	}
}
