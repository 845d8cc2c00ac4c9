package embedding

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/embedding/vectorspace"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// bedrockAt returns the real client, pointed at a test server.
func bedrockAt(url string) *bedrockruntime.Client {
	return bedrockruntime.New(bedrockruntime.Options{
		Region: "us-east-1", BaseEndpoint: &url, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("AKIAFAKEFAKEFAKEFAKE", "fake-key", ""),
	})
}

type titanRequest struct {
	InputText  string `json:"inputText"`
	Dimensions int    `json:"dimensions"`
	Normalize  bool   `json:"normalize"`
}

// titanAnswer returns a response with a vector whose first number is n.
func titanAnswer(n int) string {
	embedding := make([]float32, vectorspace.TitanDimensions)
	embedding[0] = float32(n)
	raw, _ := json.Marshal(map[string]any{"embedding": embedding, "inputTextTokenCount": 3})
	return string(raw)
}

func TestBedrock_SendsTheRequestThatTitanDocuments(t *testing.T) {
	type request struct {
		Method, Path, ContentType, Accept string
		Signed                            bool
		Body                              titanRequest
	}
	var got request
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = request{
			Method: r.Method, Path: r.URL.EscapedPath(), ContentType: r.Header.Get("Content-Type"), Accept: r.Header.Get("Accept"),
			Signed: strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 "),
		}
		if err := json.NewDecoder(r.Body).Decode(&got.Body); err != nil {
			t.Error(err)
		}
		fmt.Fprint(w, titanAnswer(5))
	})
	vectors, err := NewBedrock(bedrockAt(url), 2, nil).Embed(t.Context(), []string{"a <text>"})
	if err != nil {
		t.Fatal(err)
	}
	want := request{"POST", "/model/amazon.titan-embed-text-v2%3A0/invoke", "application/json", "application/json", true, titanRequest{"a <text>", 1024, true}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	if len(vectors) != 1 || len(vectors[0]) != 1024 || vectors[0][0] != 5 {
		t.Errorf("got %d vectors", len(vectors))
	}
}

// gate is an [Invoker] whose calls block until open is closed.
type gate struct {
	running atomic.Int64
	open    chan struct{}
}

func (g *gate) InvokeModel(_ context.Context, in *bedrockruntime.InvokeModelInput, _ ...func(*bedrockruntime.Options)) (*bedrockruntime.InvokeModelOutput, error) {
	g.running.Add(1)
	<-g.open
	var request titanRequest
	if err := json.Unmarshal(in.Body, &request); err != nil {
		return nil, err
	}
	return &bedrockruntime.InvokeModelOutput{Body: []byte(titanAnswer(len(request.InputText)))}, nil
}

func TestBedrock_LimitsItsConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{open: make(chan struct{})}
		texts := make([]string, bedrockBatch)
		for i := range texts {
			texts[i] = strings.Repeat("x", i+1)
		}
		done := make(chan [][]float32)
		go func() {
			vectors, err := NewBedrock(g, 3, nil).Embed(t.Context(), texts)
			if err != nil {
				t.Error(err)
			}
			done <- vectors
		}()
		synctest.Wait()
		if n := g.running.Load(); n != 3 {
			t.Errorf("%d requests at once, want 3", n)
		}
		close(g.open)
		for i, v := range <-done {
			if v[0] != float32(i+1) {
				t.Errorf("text %d has the vector of text %v", i, v[0]-1)
			}
		}
	})
}

func TestCut_ShortensLongTextsButNoChunk(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       int
	}{
		{"long", strings.Repeat("a", 60_000), titanInput},
		{"long, in wide letters", "a" + strings.Repeat("語", 20_000), titanInput},
		{"the longest chunk", strings.Repeat("😀", 2000), 8000},
		{"invalid UTF-8", "a\xffb", 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := cut(c.text, titanInput)
			if len(got) > c.want || len(got) < c.want-3 || !utf8.ValidString(got) {
				t.Errorf("%d bytes left, valid %v, want %d", len(got), utf8.ValidString(got), c.want)
			}
		})
	}
}

func TestBedrock_ReturnsTypedErrors(t *testing.T) {
	retry := want{Retryable: true, Action: surgical.ActionRetryAfter, RetryAfter: 9 * time.Second}
	operator := want{Action: surgical.ActionContactOperator}
	for _, c := range []struct {
		kind   string
		status int
		want   want
	}{
		{"ThrottlingException", 429, retry},
		{"ServiceQuotaExceededException", 400, retry},
		{"ServiceUnavailableException", 503, retry},
		{"InternalServerException", 500, retry},
		{"ModelTimeoutException", 408, retry},
		{"ModelNotReadyException", 429, retry},
		{"ModelErrorException", 424, retry},
		{"SomethingNewException", 502, retry},
		{"AccessDeniedException", 403, want{Action: surgical.ActionGrantAccess}},
		{"ValidationException", 400, operator},
		{"ResourceNotFoundException", 404, operator},
	} {
		t.Run(c.kind, func(t *testing.T) {
			url := serve(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Amzn-ErrorType", c.kind)
				w.Header().Set("Retry-After", "9")
				w.WriteHeader(c.status)
				fmt.Fprintf(w, `{"message":"malformed: %s"}`, secretText)
			})
			_, err := NewBedrock(bedrockAt(url), 2, nil).Embed(t.Context(), []string{secretText})
			checkFailure(t, err, c.want)
			if !strings.Contains(err.Error(), c.kind) {
				t.Errorf("%v does not name the error code", err)
			}
		})
	}
}

func TestBedrock_ReturnsWhatWasAnsweredWithTheError(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var in titanRequest
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			return
		}
		if in.InputText == "bad" {
			w.Header().Set("X-Amzn-ErrorType", "ValidationException")
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		fmt.Fprint(w, titanAnswer(len(in.InputText)))
	})
	vectors, err := NewBedrock(bedrockAt(url), 1, nil).Embed(t.Context(), []string{"one", "three", "bad", "never sent"})
	checkFailure(t, err, want{Action: surgical.ActionContactOperator})
	if len(vectors) != 4 || vectors[0][0] != 3 || vectors[1][0] != 5 || vectors[2] != nil || vectors[3] != nil {
		t.Errorf("%d vectors, want those of the first two texts", len(vectors))
	}
}

func TestBedrock_RejectsInvalidResponses(t *testing.T) {
	for name, answer := range map[string]string{"not JSON": "<html>" + secretText, "too short": `{"embedding":[1,2]}`, "none": `{}`} {
		t.Run(name, func(t *testing.T) {
			url := serve(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, answer) })
			_, err := NewBedrock(bedrockAt(url), 2, nil).Embed(t.Context(), []string{secretText})
			checkFailure(t, err, want{Action: surgical.ActionContactOperator})
		})
	}
}

func TestBedrock_IsRetryableWhenUnreachable(t *testing.T) {
	retry := want{Retryable: true, Action: surgical.ActionRetryAfter}
	t.Run("refused", func(t *testing.T) {
		server := httptest.NewServer(http.NotFoundHandler())
		server.Close()
		_, err := NewBedrock(bedrockAt(server.URL), 2, nil).Embed(t.Context(), []string{secretText})
		checkFailure(t, err, retry)
	})
	t.Run("cut off", func(t *testing.T) {
		url := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "9000")
			fmt.Fprint(w, `{"embedding":[`)
		})
		_, err := NewBedrock(bedrockAt(url), 2, nil).Embed(t.Context(), []string{secretText})
		checkFailure(t, err, retry)
	})
}
