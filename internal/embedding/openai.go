package embedding

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"gitlab.com/lorehook/lorehook/internal/embedding/vectorspace"
	"gitlab.com/lorehook/lorehook/internal/function/secret"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

const (
	// A model on a CPU may take a second per text. One call has to finish within the
	// time that a job keeps in reserve for handing over.
	openAIBatch   = 16
	openAITimeout = 15 * time.Second
	// openAIAnswer limits a response body: 16 vectors of 4,096 numbers with all
	// their digits are about 1.5 MB.
	openAIAnswer = 32 << 20
)

// OpenAIOptions configure [NewOpenAI].
type OpenAIOptions struct {
	// URL is the base URL, including /v1.
	URL string
	// Model is the endpoint's name for the model.
	Model string
	// APIKey returns the bearer token; nil sends none. It is called before every
	// request, so that a rotated key takes effect.
	APIKey func(ctx context.Context) (string, error)
	// HTTP sends the requests; nil means a client with a timeout of 15 s.
	// Redirects are never followed.
	HTTP *http.Client
	// Jitter returns a random duration in [0, d); nil returns 0.
	Jitter func(d time.Duration) time.Duration
}

// OpenAI is an [Embedder] for any endpoint with OpenAI's POST /v1/embeddings,
// such as Ollama or vLLM.
type OpenAI struct {
	endpoint string
	model    string
	apiKey   func(ctx context.Context) (string, error)
	http     *http.Client
	// dimensions is 0 until the first response.
	dimensions atomic.Int64
	pace       pace
}

var _ Embedder = (*OpenAI)(nil)

// NewOpenAI returns an embedder for the endpoint. It sends nothing.
func NewOpenAI(o OpenAIOptions) *OpenAI {
	client := http.Client{Timeout: openAITimeout}
	if o.HTTP != nil {
		client = *o.HTTP
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &OpenAI{endpoint: strings.TrimRight(o.URL, "/") + "/embeddings", model: o.Model, apiKey: o.APIKey, http: &client, pace: pace{jitter: o.Jitter}}
}

// Model implements [Embedder]: "openai/" and the model's name.
func (o *OpenAI) Model() string { return vectorspace.OfOpenAI(o.model) }

// Dimensions implements [Embedder]: the length of the first vector received. A
// vector of any other length is a permanent error.
func (o *OpenAI) Dimensions() int { return int(o.dimensions.Load()) }

// MaxBatch implements [Embedder].
func (o *OpenAI) MaxBatch() int { return openAIBatch }

// Embed implements [Embedder] with one request for all texts, so that it returns
// all vectors or none. 408, 429, 5xx, timeouts and broken
// connections are retryable; other statuses and invalid responses are not.
func (o *OpenAI) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	if len(texts) == 0 {
		return nil, nil
	}
	if err := checkBatch(o, texts); err != nil {
		return nil, err
	}
	var answer []byte
	err := o.pace.do(ctx, func() (err error) {
		answer, err = o.post(ctx, texts)
		return err
	})
	if err != nil {
		return nil, err
	}
	vectors, err := o.decode(answer, len(texts))
	if err != nil {
		return nil, permanent(err, surgical.ActionContactOperator, "the embeddings endpoint returned a response that does not match the request")
	}
	return vectors, nil
}

func (o *OpenAI) post(ctx context.Context, texts []string) ([]byte, error) {
	const unreachable = "the embeddings endpoint could not be reached"
	body, err := json.Marshal(struct {
		Model string   `json:"model"`
		Input []string `json:"input"`
	}{o.model, texts})
	if err != nil {
		return nil, permanent(err, surgical.ActionContactOperator, "the embeddings request could not be encoded")
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, o.endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, permanent(withoutURL(err), surgical.ActionContactOperator, "the URL of the embeddings endpoint is invalid")
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	if o.apiKey != nil {
		key, err := o.apiKey(ctx)
		switch {
		case errors.Is(err, secret.ErrUnusable):
			return nil, permanent(err, surgical.ActionCheckToken, "the secret with the API key of the embeddings endpoint holds no usable key")
		case err != nil:
			return nil, transient(err, 0, "the API key of the embeddings endpoint could not be read")
		}
		request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(key))
	}
	response, err := o.http.Do(request)
	if err != nil {
		return nil, transient(withoutURL(err), 0, unreachable)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		// The body is not read, because error bodies may repeat the input.
		return nil, refusal("the embeddings endpoint", response.StatusCode, response.Header, nil)
	}
	answer, err := io.ReadAll(io.LimitReader(response.Body, openAIAnswer+1))
	if err != nil {
		return nil, transient(err, 0, unreachable)
	}
	if len(answer) > openAIAnswer {
		return nil, permanent(nil, surgical.ActionContactOperator, fmt.Sprintf("the response of the embeddings endpoint is larger than %d bytes", openAIAnswer))
	}
	return answer, nil
}

// decode returns the n vectors of a response, ordered by index.
func (o *OpenAI) decode(answer []byte, n int) ([][]float32, error) {
	var in struct {
		Data []struct {
			Index     *int      `json:"index"`
			Embedding []float32 `json:"embedding"`
		} `json:"data"`
	}
	if err := json.Unmarshal(answer, &in); err != nil {
		return nil, errors.New("it is not an embeddings response")
	}
	if len(in.Data) != n {
		return nil, fmt.Errorf("it has %d embeddings for %d texts", len(in.Data), n)
	}
	vectors := make([][]float32, n)
	for _, d := range in.Data {
		if d.Index == nil || *d.Index < 0 || *d.Index >= n || vectors[*d.Index] != nil {
			return nil, errors.New("its indexes do not match the texts")
		}
		if err := o.checkLength(len(d.Embedding)); err != nil {
			return nil, err
		}
		vectors[*d.Index] = d.Embedding
	}
	return vectors, nil
}

func (o *OpenAI) checkLength(length int) error {
	if length == 0 {
		return errors.New("it has an empty embedding")
	}
	if o.dimensions.CompareAndSwap(0, int64(length)) {
		return nil
	}
	if want := o.Dimensions(); length != want {
		return fmt.Errorf("it has an embedding with %d dimensions, where others have %d", length, want)
	}
	return nil
}

// withoutURL removes the URL from an error of net/http, because the URL may
// contain credentials.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
