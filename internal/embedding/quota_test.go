package embedding

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// quota is an [Invoker] with a quota of requests. Time is that of the bubble.
type quota struct {
	// perMinute are the requests allowed; window is how they are counted: per that
	// part of a minute.
	perMinute  int
	window     time.Duration
	latency    time.Duration
	retryAfter string

	mu      sync.Mutex
	began   time.Time
	used    int
	sent    map[string]int
	times   []time.Time
	refused int
}

func (q *quota) InvokeModel(ctx context.Context, in *bedrockruntime.InvokeModelInput, _ ...func(*bedrockruntime.Options)) (*bedrockruntime.InvokeModelOutput, error) {
	var request titanRequest
	if err := json.Unmarshal(in.Body, &request); err != nil {
		return nil, err
	}
	allowed := q.take(request.InputText)
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(q.latency):
	}
	if !allowed {
		return nil, throttled(q.retryAfter)
	}
	return &bedrockruntime.InvokeModelOutput{Body: []byte(titanAnswer(len(request.InputText)))}, nil
}

func (q *quota) take(text string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	if q.sent == nil {
		q.sent, q.began = map[string]int{}, now
	}
	q.sent[text]++
	q.times = append(q.times, now)
	if now.Sub(q.began) >= q.window {
		q.began, q.used = now, 0
	}
	if q.used >= int(float64(q.perMinute)*q.window.Minutes()) {
		q.refused++
		return false
	}
	q.used++
	return true
}

// throttled is what the SDK makes of Bedrock's response to too many requests.
func throttled(retryAfter string) error {
	header := http.Header{}
	if retryAfter != "" {
		header.Set("Retry-After", retryAfter)
	}
	return &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: http.StatusTooManyRequests, Header: header}},
		Err:      &types.ThrottlingException{},
	}
}

// Three stages at a time share the quota without knowing of each other.
func TestBedrock_ThreeStagesShareAQuotaOf600Requests(t *testing.T) {
	for _, window := range []time.Duration{time.Second, 10 * time.Second, time.Minute} {
		t.Run(window.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := &quota{perMinute: 600, window: window, latency: 100 * time.Millisecond}
				const stages, batches = 3, 20
				began := time.Now()
				var all sync.WaitGroup
				for stage := range stages {
					random := rand.New(rand.NewPCG(uint64(stage), 7))
					var mu sync.Mutex
					b := NewBedrock(q, surgical.DefaultEmbedderConcurrency, func(d time.Duration) time.Duration {
						mu.Lock()
						defer mu.Unlock()
						return time.Duration(random.Int64N(int64(d)))
					})
					all.Go(func() {
						for batch := range batches {
							var left []string
							for i := range bedrockBatch {
								left = append(left, fmt.Sprintf("stage %d, batch %d, text %d", stage, batch, i))
							}
							for len(left) > 0 {
								left = embedOnce(t, b, left)
							}
						}
					})
				}
				all.Wait()
				texts := stages * batches * bedrockBatch
				if len(q.sent) != texts {
					t.Errorf("%d of %d texts were sent", len(q.sent), texts)
				}
				t.Logf("%d texts in %v, %d requests repeated: %.1f%%", texts, time.Since(began).Round(time.Second), q.refused, 100*float64(q.refused)/float64(texts))
				if q.refused > texts*5/100 {
					t.Errorf("%d requests were repeated for %d texts", q.refused, texts)
				}
				// The quota allows this many in 6.4 minutes.
				if took := time.Since(began); took > 14*time.Minute {
					t.Errorf("it took %v", took)
				}
				if total := len(q.times); total != texts+q.refused {
					t.Errorf("%d requests for %d texts and %d failures: an answered text was sent again", total, texts, q.refused)
				}
			})
		})
	}
}

// embedOnce embeds in one invocation of a stage and returns the unanswered texts.
func embedOnce(t *testing.T, e Embedder, texts []string) (left []string) {
	ctx, cancel := context.WithTimeout(t.Context(), surgical.StageTimeout)
	defer cancel()
	vectors, err := e.Embed(ctx, texts)
	if ctx.Err() != nil {
		t.Error("the deadline passed")
	}
	for i, v := range vectors {
		if v == nil {
			left = append(left, texts[i])
		}
	}
	if (err == nil) != (len(left) == 0) || len(vectors) != len(texts) {
		t.Errorf("%d of %d texts have no vector, error %v", len(left), len(texts), err)
	}
	return left
}

func TestBedrock_StopsRepeatingInTimeToHandOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// 10 requests are allowed, and no more for an hour.
		q := &quota{perMinute: 10, window: time.Minute, latency: time.Second}
		b := NewBedrock(q, 2, nil)
		var texts []string
		for i := range 12 {
			texts = append(texts, fmt.Sprint("text ", i))
		}
		began := time.Now()
		left := embedOnce(t, b, texts)
		if took := time.Since(began); took > surgical.StageTimeout-surgical.HandOnReserve+q.latency || took < 10*time.Second {
			t.Errorf("it took %v", took)
		}
		if !slices.Equal(left, texts[10:]) {
			t.Errorf("no vectors of %q", left)
		}
		for text, n := range q.sent {
			if n > 1 && !slices.Contains(left, text) {
				t.Errorf("%q was answered and sent %d times", text, n)
			}
		}
	})
}

// A slow Bedrock must not use up the time for handing on.
func TestBedrock_SendsNothingMoreWhenTimeIsShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &quota{perMinute: 6000, window: time.Minute, latency: 5 * time.Second}
		texts := strings.Fields(strings.Repeat("text ", bedrockBatch))
		left := embedOnce(t, NewBedrock(q, 2, nil), texts)
		if len(left) != bedrockBatch-12 {
			t.Errorf("%d texts are left, want all but 2 each 5 s for 30 s", len(left))
		}
	})
}

func TestBedrock_HonorsRetryAfter(t *testing.T) {
	for _, c := range []struct {
		retryAfter string
		want       time.Duration
	}{{"", 1500 * time.Millisecond}, {"0", 1500 * time.Millisecond}, {"9", 9 * time.Second}} {
		t.Run(c.retryAfter, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := &quota{perMinute: 60, window: time.Second, latency: time.Millisecond, retryAfter: c.retryAfter}
				if left := embedOnce(t, NewBedrock(q, 1, nil), []string{"a", "b"}); len(left) > 0 {
					t.Fatalf("%q are left", left)
				}
				if wait := q.times[2].Sub(q.times[1]) - q.latency; len(q.times) < 3 || wait != c.want {
					t.Errorf("the second try came after %v, want %v", wait, c.want)
				}
			})
		})
	}
	t.Run("longer than there is time", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			q := &quota{window: time.Minute, retryAfter: strconv.Itoa(40)}
			ctx, cancel := context.WithTimeout(t.Context(), surgical.StageTimeout)
			defer cancel()
			_, err := NewBedrock(q, 2, nil).Embed(ctx, []string{"a", "b", "c"})
			checkFailure(t, err, want{Retryable: true, Action: surgical.ActionRetryAfter, RetryAfter: 40 * time.Second})
			if len(q.times) > 2 {
				t.Errorf("%d requests", len(q.times))
			}
		})
	})
}

// roundTrip is an [http.RoundTripper].
type roundTrip func(*http.Request) *http.Response

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r), nil }

func TestOpenAI_RepeatsTransientFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var times []time.Time
		e := NewOpenAI(OpenAIOptions{URL: "http://embeddings.example.com/v1", Model: "m", HTTP: &http.Client{Transport: roundTrip(func(r *http.Request) *http.Response {
			times = append(times, time.Now())
			recorder := &http.Response{StatusCode: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"7"}}, Body: http.NoBody, Request: r}
			if len(times) > 1 {
				recorder.StatusCode, recorder.Body = http.StatusOK, io.NopCloser(strings.NewReader(`{"data":[{"index":0,"embedding":[1]}]}`))
			}
			return recorder
		})}})
		if left := embedOnce(t, e, []string{"a"}); len(left) > 0 || len(times) != 2 || times[1].Sub(times[0]) != 7*time.Second {
			t.Errorf("requests at %v", times)
		}
	})
}
