package problem_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gitlab.com/lorehook/lorehook/internal/problem"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/linked"
)

var ignoreCause = cmpopts.IgnoreUnexported(problem.Problem{})

func TestOfGivesEveryFailureTheStatusOfItsCode(t *testing.T) {
	want := map[surgical.Code]int{
		surgical.CodeInvalidRequest: 422, surgical.CodeInvalidSignature: 401, surgical.CodeProjectNotAllowed: 403,
		surgical.CodeProjectUnknown: 404, surgical.CodeRunNotFound: 404, surgical.CodeBackfillNotFound: 404, surgical.CodeEntityNotFound: 404, surgical.CodeEntityGone: 410, surgical.CodeFeedRestarted: 410, surgical.CodeIndexNotReady: 409, surgical.CodeConflict: 409,
		surgical.CodePayloadTooLarge: 413, surgical.CodeInternal: 500, surgical.CodeQueueUnavailable: 503, surgical.CodeDependencyUnavailable: 503,
	}
	for _, code := range surgical.Codes() {
		status, answered := want[code]
		if !answered {
			status = 500
		}
		e := surgical.NewError(code, "what\nhappened")
		p := problem.Of(fmt.Errorf("start run: %w", e))
		expected := &problem.Problem{
			Type: "urn:lorehook:error:" + string(code), Title: http.StatusText(status), Status: status, Detail: "what; happened",
			Code: code, Action: e.Action, Retryable: e.Retryable,
		}
		if status == 503 {
			expected.After = 10
		}
		if diff := cmp.Diff(expected, p, ignoreCause); diff != "" {
			t.Errorf("%s (-want +got):\n%s", code, diff)
		}
		if problem.Answered(code) != answered || problem.Status(code) != p.GetStatus() {
			t.Errorf("%s: answered %v, status %d", code, problem.Answered(code), problem.Status(code))
		}
	}
}

func TestOfKeepsTheCauseForTheLog(t *testing.T) {
	cause := errors.New("dial tcp: refused, token glpat-secret")
	p := problem.Of(cause)
	raw, err := json.Marshal(p)
	if err != nil || strings.Contains(string(raw), "glpat") || p.Code != surgical.CodeInternal || p.Status != 500 {
		t.Errorf("%s, %v", raw, err)
	}
	if !errors.Is(p, cause) || !strings.Contains(p.Error(), "glpat") {
		t.Errorf("the log would say %q", p.Error())
	}
	if again := problem.Of(fmt.Errorf("wrapped: %w", p)); again != p {
		t.Errorf("a problem became another: %+v", again)
	}
	if read := (&problem.Problem{Code: "conflict", Detail: "it is there"}).Error(); read != "conflict: it is there" {
		t.Errorf("one that was read says %q", read)
	}
}

func TestOfSaysWhenToTryAgain(t *testing.T) {
	for name, c := range map[string]struct {
		p    *problem.Problem
		want int64
	}{
		"the failure's own word": {problem.Of(&surgical.Error{Code: surgical.CodeQueueUnavailable, RetryAfter: 1500 * time.Millisecond}), 2},
		"a 503 without one":      {problem.Unavailable(errors.New("away")), 10},
		"a 400":                  {problem.Malformed(surgical.NewError(surgical.CodeInvalidRequest, "no JSON")), 0},
	} {
		if c.p.After != c.want {
			t.Errorf("%s: %d s, want %d", name, c.p.After, c.want)
		}
	}
	if p := problem.Malformed(surgical.NewError(surgical.CodeInvalidRequest, "no JSON")); p.Status != 400 || p.Title != "Bad Request" || p.Code != surgical.CodeInvalidRequest {
		t.Errorf("%+v", p)
	}
}

// What one side writes, the other one reads.
func TestWriteIsReadByErr(t *testing.T) {
	sent := &surgical.Error{
		Code: surgical.CodeQueueUnavailable, Message: "the queue <is> out of reach", Action: surgical.ActionRetryAfter, Retryable: true,
		RetryAfter: 7 * time.Second, RunID: "w1", Total: 2,
		Failures: []surgical.TargetFailure{{
			Target: surgical.Target{Type: surgical.Issue, IID: 7}, Code: surgical.CodeGitLabNotFound, Message: "gone", Action: surgical.ActionVerifyIID,
		}},
	}
	p := problem.Of(sent)
	p.Header = http.Header{"Allow": {"GET, POST"}}
	w := httptest.NewRecorder()
	problem.Write(w, p)
	want := http.Header{"Content-Type": {"application/problem+json"}, "Retry-After": {"7"}, "Allow": {"GET, POST"}}
	if diff := cmp.Diff(want, w.Header()); diff != "" || w.Code != 503 || p.ContentType("application/json") != problem.ContentType {
		t.Errorf("status %d (-want +got):\n%s", w.Code, diff)
	}
	var read problem.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &read); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sent, read.Err(), cmpopts.IgnoreUnexported(surgical.Error{})); diff != "" {
		t.Errorf("(-sent +read):\n%s", diff)
	}
	ofRun := problem.Problem{Code: surgical.CodeEmbedFailed, Message: "no answer"} // the error of a run
	if got := ofRun.Err().Message; got != "no answer" {
		t.Errorf("message %q", got)
	}
}

func TestInvalidValueSaysWhereAndWhat(t *testing.T) {
	for want, v := range map[string]problem.InvalidValue{
		"path.iid: expected number >= 1, got -1": {Location: "path.iid", Message: "expected number >= 1", Value: "-1"},
		"body: missing":                          {Location: "body", Message: "missing"},
		"missing":                                {Message: "missing"},
	} {
		if got := v.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// The webhook's cold start pays for every package.
func TestThePackageNeedsTheStandardLibraryAndTheDomainOnly(t *testing.T) {
	const module = "gitlab.com/lorehook/lorehook/internal/"
	if diff := cmp.Diff([]string{module + "duration", module + "record", module + "surgical", module + "problem"}, linked.Packages(t, ".")); diff != "" {
		t.Errorf("it needs (-want +got):\n%s", diff)
	}
}
