package faults

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"gitlab.com/lorehook/lorehook/internal/embedding"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Bedrock is Titan with a quota of requests per minute that all processes share.
// It implements [embedding.Embedder] by the product's own embedder, of which each
// concurrent call has its own, as each Lambda process has. Time is that of the
// bubble.
type Bedrock struct {
	embedding.Embedder
	// PerMinute is the quota; what is not used within a second is lost. Closed, if it
	// returns true, refuses every request.
	PerMinute int
	Closed    func() bool
	// Latency is how long a request takes.
	Latency time.Duration

	mu     sync.Mutex
	warm   []embedding.Embedder
	second time.Time
	used   int
	// Answered and Refused count the requests.
	Answered, Refused int
}

// NewBedrock returns a Bedrock with the quota.
func NewBedrock(perMinute int) *Bedrock {
	b := &Bedrock{PerMinute: perMinute, Latency: 100 * time.Millisecond}
	b.Embedder = b.process()
	return b
}

func (b *Bedrock) process() embedding.Embedder {
	return embedding.NewBedrock(b, surgical.DefaultEmbedderConcurrency, rand.N[time.Duration])
}

// Embed implements [embedding.Embedder].
func (b *Bedrock) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	b.mu.Lock()
	process := b.process()
	if n := len(b.warm); n > 0 {
		process, b.warm = b.warm[n-1], b.warm[:n-1]
	}
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		b.warm = append(b.warm, process)
		b.mu.Unlock()
	}()
	return process.Embed(ctx, texts)
}

// InvokeModel implements [embedding.Invoker].
func (b *Bedrock) InvokeModel(ctx context.Context, _ *bedrockruntime.InvokeModelInput, _ ...func(*bedrockruntime.Options)) (*bedrockruntime.InvokeModelOutput, error) {
	allowed := b.take()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(b.Latency):
	}
	if !allowed {
		return nil, &smithyhttp.ResponseError{
			Response: &smithyhttp.Response{Response: &http.Response{StatusCode: http.StatusTooManyRequests, Header: http.Header{}}},
			Err:      &types.ThrottlingException{},
		}
	}
	vector := make([]float32, b.Dimensions())
	vector[0] = 1
	body, err := json.Marshal(map[string]any{"embedding": vector})
	return &bedrockruntime.InvokeModelOutput{Body: body}, err
}

func (b *Bedrock) take() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now := time.Now(); now.Sub(b.second) >= time.Second {
		b.second, b.used = now, 0
	}
	if b.Closed != nil && b.Closed() || b.used >= b.PerMinute/60 {
		b.Refused++
		return false
	}
	b.used++
	b.Answered++
	return true
}
