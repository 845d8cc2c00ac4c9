package invoke_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"gitlab.com/lorehook/lorehook/internal/awsapi"
	"gitlab.com/lorehook/lorehook/internal/function/invoke"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func TestAnswer_TellsAFunctionThatRanOutOfTimeFromOneThatFailed(t *testing.T) {
	for name, c := range map[string]struct {
		payload string
		failed  bool
		code    surgical.Code
		says    string
	}{
		"an answer":       {payload: `{"n":7}`},
		"out of time":     {`{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: 1 Error: Task timed out after 25.00 seconds"}`, true, surgical.CodeDependencyUnavailable, "Sandbox.Timedout"},
		"without a type":  {`{"errorMessage":"2026-05-20T09:12:00Z 1 Task timed out after 25.00 seconds"}`, true, surgical.CodeDependencyUnavailable, "failed"},
		"a process died":  {`{"errorType":"Runtime.ExitError","errorMessage":"RequestId: 1 Error: Runtime exited"}`, true, surgical.CodeInternal, "Runtime.ExitError"},
		"a panic":         {`{"errorType":"string","errorMessage":"the words of a query"}`, true, surgical.CodeInternal, "string"},
		"no description":  {`x`, true, surgical.CodeInternal, "failed"},
		"another version": {`"text"`, false, surgical.CodeInternal, "decode"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked, err := io.ReadAll(r.Body)
				if err != nil || string(asked) != `{"q":"words"}` || !strings.Contains(r.URL.Path, "/search/") {
					t.Errorf("asked %s at %s, %v", asked, r.URL, err)
				}
				if c.failed {
					w.Header().Set("X-Amz-Function-Error", "Unhandled")
				}
				_, _ = io.WriteString(w, c.payload)
			}))
			defer server.Close()
			client := awsapi.NewLambda(aws.Config{Region: "eu-central-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("sample", "sample", "")})
			var out struct{ N int }
			err := invoke.Answer(t.Context(), client, "search", map[string]string{"q": "words"}, &out)
			if c.code == "" {
				if err != nil || out.N != 7 {
					t.Errorf("got %+v, %v", out, err)
				}
				return
			}
			if err == nil || surgical.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "words of a query") {
				t.Errorf("got %v", err)
			}
		})
	}
}
