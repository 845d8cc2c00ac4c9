package embedding

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/function/secret"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

func openAIAt(url string) *OpenAI {
	return NewOpenAI(OpenAIOptions{URL: url + "/v1/", Model: "nomic-embed-text"})
}

func TestOpenAI_SendsTheDocumentedRequest(t *testing.T) {
	type request struct {
		Method, Path, Authorization, ContentType string
		Body                                     map[string]any
	}
	var got request
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = request{Method: r.Method, Path: r.URL.Path, Authorization: r.Header.Get("Authorization"), ContentType: r.Header.Get("Content-Type")}
		if err := json.NewDecoder(r.Body).Decode(&got.Body); err != nil {
			t.Error(err)
		}
		fmt.Fprint(w, `{"object":"list","data":[{"object":"embedding","index":1,"embedding":[0.5,1]},{"index":0,"embedding":[-1,2]}],"model":"nomic-embed-text"}`)
	})
	e := openAIAt(url)
	e.apiKey = func(context.Context) (string, error) { return "fake-key\n", nil }
	vectors, err := e.Embed(t.Context(), []string{"first", "second"})
	if err != nil {
		t.Fatal(err)
	}
	want := request{"POST", "/v1/embeddings", "Bearer fake-key", "application/json", map[string]any{"model": "nomic-embed-text", "input": []any{"first", "second"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([][]float32{{-1, 2}, {0.5, 1}}, vectors); diff != "" {
		t.Errorf("vectors are not in the order of the texts (-want +got):\n%s", diff)
	}
	if e.Dimensions() != 2 {
		t.Errorf("%d dimensions", e.Dimensions())
	}
}

func TestOpenAI_SendsNoKeyWithoutOneAndNothingWithoutTexts(t *testing.T) {
	requests := 0
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		requests++
		if _, ok := r.Header["Authorization"]; ok {
			t.Error("a key was sent")
		}
		fmt.Fprint(w, `{"data":[{"index":0,"embedding":[1]}]}`)
	})
	e := openAIAt(url)
	for _, texts := range [][]string{{"a"}, nil} {
		if _, err := e.Embed(t.Context(), texts); err != nil {
			t.Fatal(err)
		}
	}
	if requests != 1 {
		t.Errorf("%d requests", requests)
	}
}

func TestOpenAI_ReturnsTypedErrors(t *testing.T) {
	retry := func(wait time.Duration) want { return want{true, surgical.ActionRetryAfter, wait} }
	for status, w := range map[int]want{
		http.StatusTooManyRequests: retry(7 * time.Second), http.StatusRequestTimeout: retry(7 * time.Second),
		http.StatusInternalServerError: retry(7 * time.Second), http.StatusServiceUnavailable: retry(7 * time.Second),
		http.StatusUnauthorized: {Action: surgical.ActionCheckToken}, http.StatusForbidden: {Action: surgical.ActionGrantAccess},
		http.StatusBadRequest: {Action: surgical.ActionContactOperator}, http.StatusNotFound: {Action: surgical.ActionContactOperator},
		http.StatusTemporaryRedirect: {Action: surgical.ActionContactOperator},
	} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			url := serve(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Retry-After", "7")
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(status)
				fmt.Fprintf(w, `{"error":{"message":"bad input: %s"}}`, secretText)
			})
			_, err := openAIAt(url).Embed(t.Context(), []string{secretText})
			checkFailure(t, err, w)
		})
	}
}

func TestOpenAI_RejectsInvalidResponses(t *testing.T) {
	for name, answer := range map[string]string{
		"not JSON":             "<html>" + secretText,
		"too few":              `{"data":[{"index":0,"embedding":[1,2]}]}`,
		"an index twice":       `{"data":[{"index":0,"embedding":[1,2]},{"index":0,"embedding":[1,2]}]}`,
		"an index too high":    `{"data":[{"index":0,"embedding":[1,2]},{"index":2,"embedding":[1,2]}]}`,
		"a negative index":     `{"data":[{"index":0,"embedding":[1,2]},{"index":-1,"embedding":[1,2]}]}`,
		"no index":             `{"data":[{"index":0,"embedding":[1,2]},{"embedding":[1,2]}]}`,
		"different dimensions": `{"data":[{"index":0,"embedding":[1,2]},{"index":1,"embedding":[1]}]}`,
		"an empty embedding":   `{"data":[{"index":0,"embedding":[1,2]},{"index":1,"embedding":[]}]}`,
		"text for numbers":     `{"data":[{"index":0,"embedding":"AAAA"},{"index":1,"embedding":[1,2]}]}`,
		"too large":            `{"data":[{"index":0,"embedding":[1,2]},{"index":1,"embedding":[1,2]}]}` + strings.Repeat(" ", openAIAnswer),
	} {
		t.Run(name, func(t *testing.T) {
			url := serve(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, answer) })
			_, err := openAIAt(url).Embed(t.Context(), []string{secretText, "b"})
			checkFailure(t, err, want{Action: surgical.ActionContactOperator})
		})
	}
}

func TestOpenAI_RejectsAChangeOfDimensions(t *testing.T) {
	answers := []string{`[1,2]`, `[1,2,3]`}
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"data":[{"index":0,"embedding":%s}]}`, answers[0])
		answers = answers[1:]
	})
	e := openAIAt(url)
	if _, err := e.Embed(t.Context(), []string{"a"}); err != nil {
		t.Fatal(err)
	}
	_, err := e.Embed(t.Context(), []string{"a"})
	checkFailure(t, err, want{Action: surgical.ActionContactOperator})
}

func TestOpenAI_IsRetryableWhenUnreachable(t *testing.T) {
	retry := want{Retryable: true, Action: surgical.ActionRetryAfter}
	t.Run("refused", func(t *testing.T) {
		server := httptest.NewServer(http.NotFoundHandler())
		server.Close()
		_, err := openAIAt(strings.Replace(server.URL, "http://", "http://fake-key@", 1)).Embed(t.Context(), []string{secretText})
		checkFailure(t, err, retry)
	})
	t.Run("cut off", func(t *testing.T) {
		url := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, `{"data":`)
		})
		_, err := openAIAt(url).Embed(t.Context(), []string{secretText})
		checkFailure(t, err, retry)
	})
	t.Run("too slow", func(t *testing.T) {
		release := make(chan struct{})
		url := serve(t, func(http.ResponseWriter, *http.Request) { <-release })
		t.Cleanup(func() { close(release) })
		e := NewOpenAI(OpenAIOptions{URL: url, Model: "m", HTTP: &http.Client{Timeout: 20 * time.Millisecond}})
		_, err := e.Embed(t.Context(), []string{secretText})
		checkFailure(t, err, retry)
	})
	t.Run("no key", func(t *testing.T) {
		e := openAIAt("http://127.0.0.1:1")
		e.apiKey = func(context.Context) (string, error) { return "", errors.New("no secrets today") }
		_, err := e.Embed(t.Context(), []string{secretText})
		checkFailure(t, err, retry)
	})
}

func TestOpenAI_IsNotRetryableUntilItsSecretHoldsAKey(t *testing.T) {
	e := openAIAt("http://127.0.0.1:1")
	e.apiKey = func(context.Context) (string, error) { return "", fmt.Errorf("secret s: %w", secret.ErrUnusable) }
	_, err := e.Embed(t.Context(), []string{secretText})
	checkFailure(t, err, want{Action: surgical.ActionCheckToken})
}
