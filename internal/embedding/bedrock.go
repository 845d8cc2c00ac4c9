package embedding

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"gitlab.com/lorehook/lorehook/internal/embedding/vectorspace"
	"gitlab.com/lorehook/lorehook/internal/parallel"
	"gitlab.com/lorehook/lorehook/internal/retryafter"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

const (
	// titanInput is the maximum number of bytes of a text that are sent. Titan
	// rejects more than 8,192 tokens or 50,000 characters. A token has at least one
	// byte, so this is safe for any text, and it is longer than any chunk of
	// render.MaxChunk characters.
	titanInput = 8190

	bedrockBatch = 64
)

// Invoker is the part of *bedrockruntime.Client that [Bedrock] uses.
type Invoker interface {
	InvokeModel(ctx context.Context, in *bedrockruntime.InvokeModelInput, options ...func(*bedrockruntime.Options)) (*bedrockruntime.InvokeModelOutput, error)
}

// Bedrock is an [Embedder] that uses Amazon Titan Text Embeddings V2, with 1,024
// dimensions and vectors of length 1. Texts are truncated to 8,190 bytes.
type Bedrock struct {
	client      Invoker
	concurrency int
	pace        pace
}

var _ Embedder = (*Bedrock)(nil)

// NewBedrock returns an embedder that has up to concurrency requests in flight.
// The client must not repeat requests itself. jitter returns a random duration in
// [0, d); nil returns 0.
func NewBedrock(client Invoker, concurrency int, jitter func(d time.Duration) time.Duration) *Bedrock {
	return &Bedrock{client: client, concurrency: concurrency, pace: pace{jitter: jitter}}
}

// Model implements [Embedder].
func (*Bedrock) Model() string { return vectorspace.OfTitan() }

// Dimensions implements [Embedder].
func (*Bedrock) Dimensions() int { return vectorspace.TitanDimensions }

// MaxBatch implements [Embedder].
func (*Bedrock) MaxBatch() int { return bedrockBatch }

// Embed implements [Embedder] with one request per text. Errors are retryable if
// the SDK considers them so, and if the model timed out, failed, is not ready or is
// out of quota.
func (b *Bedrock) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	if err := checkBatch(b, texts); err != nil {
		return nil, err
	}
	vectors := make([][]float32, len(texts))
	// A failure keeps further requests from being sent, but those in flight are
	// answered: their vectors count.
	group, open := parallel.WithContext(ctx)
	group.SetLimit(b.concurrency)
	for i, text := range texts {
		group.Go(func() error {
			if i > 0 && !timeLeft(ctx, 0) {
				return transient(errNoTime, 0, "too little time is left for all texts")
			}
			return b.pace.do(open, func() (err error) {
				vectors[i], err = b.embed(ctx, text)
				return err
			})
		})
	}
	return vectors, group.Wait()
}

func (b *Bedrock) embed(ctx context.Context, text string) ([]float32, error) {
	if err := ctx.Err(); err != nil {
		return nil, transient(err, 0, "the request to Bedrock was cancelled")
	}
	body, err := json.Marshal(struct {
		InputText  string `json:"inputText"`
		Dimensions int    `json:"dimensions"`
		Normalize  bool   `json:"normalize"`
	}{cut(text, titanInput), vectorspace.TitanDimensions, true})
	if err != nil {
		return nil, permanent(err, surgical.ActionContactOperator, "the request to Bedrock could not be encoded")
	}
	out, err := b.client.InvokeModel(ctx, &bedrockruntime.InvokeModelInput{
		ModelId: aws.String(vectorspace.TitanModel), ContentType: aws.String("application/json"), Accept: aws.String("application/json"), Body: body,
	})
	if err != nil {
		return nil, bedrockFailure(err)
	}
	var answer struct {
		Embedding []float32 `json:"embedding"`
	}
	if json.Unmarshal(out.Body, &answer) != nil || len(answer.Embedding) != vectorspace.TitanDimensions {
		return nil, permanent(nil, surgical.ActionContactOperator, fmt.Sprintf("Bedrock returned no embedding with %d dimensions", vectorspace.TitanDimensions))
	}
	return answer.Embedding, nil
}

// cut returns the longest valid UTF-8 prefix of text with at most n bytes.
func cut(text string, n int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= n {
		return text
	}
	for !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

// bedrockFailure keeps only the error code of the SDK's error, because its message
// may repeat the input.
func bedrockFailure(err error) error {
	var response *smithyhttp.ResponseError
	if !errors.As(err, &response) {
		// Without a response, the error cannot repeat the input.
		return transient(err, 0, "Bedrock could not be reached")
	}
	kind := "an unknown error"
	var api smithy.APIError
	if errors.As(err, &api) {
		kind = api.ErrorCode()
	}
	cause := errors.New(kind)
	status, header := response.HTTPStatusCode(), http.Header{}
	if status < http.StatusMultipleChoices {
		return transient(cause, 0, "the connection to Bedrock broke during the response")
	}
	if r := response.HTTPResponse(); r != nil && r.Response != nil {
		header = r.Header
	}
	if isRetryable(err) {
		return transient(cause, retryafter.Of(header), fmt.Sprintf("Bedrock returned status %d", status))
	}
	return refusal("Bedrock", status, header, cause)
}

func isRetryable(err error) bool {
	var (
		timeout  *types.ModelTimeoutException
		notReady *types.ModelNotReadyException
		model    *types.ModelErrorException
		quota    *types.ServiceQuotaExceededException
	)
	return errors.As(err, &timeout) || errors.As(err, &notReady) || errors.As(err, &model) || errors.As(err, &quota) ||
		retry.IsErrorRetryables(retry.DefaultRetryables).IsErrorRetryable(err) == aws.TrueTernary
}
