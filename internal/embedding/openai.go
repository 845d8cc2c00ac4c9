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

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

const (
	// A model on a CPU may take a second a text: one call ends within the time that
	// a stage keeps for handing on.
	openAIBatch   = 16
	openAITimeout = 15 * time.Second
	// openAIAnswer bounds an answer: 16 vectors of 4,096 numbers, written with
	// every digit, are some 1.5 MB.
	openAIAnswer = 32 << 20
)

// OpenAIOptions address an OpenAI-compatible endpoint.
type OpenAIOptions struct {
	// URL is the base URL, up to /v1.
	URL string
	// Model is the model's name as the endpoint knows it.
	Model string
	// APIKey returns the bearer token; nil sends none. It is asked before each
	// request, so that a rotated key is taken up.
	APIKey func(ctx context.Context) (string, error)
	// HTTP sends the requests; nil is a client with a timeout of a minute.
	// Redirects are never followed.
	HTTP *http.Client
}

// OpenAI is an embedder on any endpoint that speaks OpenAI's POST
// /v1/embeddings, such as Ollama or vLLM.
type OpenAI struct {
	endpoint string
	model    string
	apiKey   func(ctx context.Context) (string, error)
	http     *http.Client
	// dimensions is 0 until the first answer.
	dimensions atomic.Int64
}

var _ Embedder = (*OpenAI)(nil)

// NewOpenAI returns an embedder on the endpoint. It sends nothing.
func NewOpenAI(o OpenAIOptions) *OpenAI {
	client := http.Client{Timeout: openAITimeout}
	if o.HTTP != nil {
		client = *o.HTTP
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &OpenAI{endpoint: strings.TrimRight(o.URL, "/") + "/embeddings", model: o.Model, apiKey: o.APIKey, http: &client}
}

// Model implements [Embedder]: "openai/" and the model's name.
func (o *OpenAI) Model() string { return "openai/" + o.model }

// Dimensions implements [Embedder]: the length of the first vector that came.
// An answer with another length is a permanent error.
func (o *OpenAI) Dimensions() int { return int(o.dimensions.Load()) }

// MaxBatch implements [Embedder].
func (o *OpenAI) MaxBatch() int { return openAIBatch }

// Embed implements [Embedder] with one request. 429, 408, 5xx, timeouts and
// broken connections are retryable, other statuses and wrong answers are not.
func (o *OpenAI) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	if len(texts) == 0 {
		return nil, nil
	}
	if err := checkBatch(o, texts); err != nil {
		return nil, err
	}
	answer, err := o.post(ctx, texts)
	if err != nil {
		return nil, err
	}
	vectors, err := o.decode(answer, len(texts))
	if err != nil {
		return nil, permanent(err, surgical.ActionContactOperator, "the embeddings endpoint gave an answer that does not fit the request")
	}
	return vectors, nil
}

func (o *OpenAI) post(ctx context.Context, texts []string) ([]byte, error) {
	const unreachable = "the embeddings endpoint cannot be reached"
	body, err := json.Marshal(struct {
		Model string   `json:"model"`
		Input []string `json:"input"`
	}{o.model, texts})
	if err != nil {
		return nil, permanent(err, surgical.ActionContactOperator, "the embeddings request cannot be written")
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, o.endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, permanent(withoutURL(err), surgical.ActionContactOperator, "the URL of the embeddings endpoint is no URL")
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	if o.apiKey != nil {
		key, err := o.apiKey(ctx)
		if err != nil {
			return nil, transient(err, 0, "the API key of the embeddings endpoint cannot be read")
		}
		request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(key))
	}
	response, err := o.http.Do(request)
	if err != nil {
		return nil, transient(withoutURL(err), 0, unreachable)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		// Error bodies may repeat the input: none is read.
		return nil, refusal("the embeddings endpoint", response.StatusCode, response.Header, nil)
	}
	answer, err := io.ReadAll(io.LimitReader(response.Body, openAIAnswer+1))
	if err != nil {
		return nil, transient(err, 0, unreachable)
	}
	if len(answer) > openAIAnswer {
		return nil, permanent(nil, surgical.ActionContactOperator, fmt.Sprintf("the embeddings endpoint answered with more than %d bytes", openAIAnswer))
	}
	return answer, nil
}

// decode returns the n vectors of an answer in the order of their index.
func (o *OpenAI) decode(answer []byte, n int) ([][]float32, error) {
	var in struct {
		Data []struct {
			Index     *int      `json:"index"`
			Embedding []float32 `json:"embedding"`
		} `json:"data"`
	}
	if err := json.Unmarshal(answer, &in); err != nil {
		return nil, errors.New("it is no JSON of embeddings")
	}
	if len(in.Data) != n {
		return nil, fmt.Errorf("it has %d embeddings for %d texts", len(in.Data), n)
	}
	vectors := make([][]float32, n)
	for _, d := range in.Data {
		if d.Index == nil || *d.Index < 0 || *d.Index >= n || vectors[*d.Index] != nil {
			return nil, errors.New("its indexes are not those of the texts")
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
		return fmt.Errorf("it has an embedding of %d dimensions, others have %d", length, want)
	}
	return nil
}

// withoutURL drops the URL that net/http puts around its errors: it may hold
// credentials.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
