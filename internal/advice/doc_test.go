package advice_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/advice"
	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func TestOfError_SaysWhatToDoAboutEveryCode(t *testing.T) {
	codes := append(surgical.Codes(), apiclient.CodeUnavailable, apiclient.CodeForbidden)
	for _, code := range codes {
		for _, step := range advice.OfError(surgical.NewError(code, "what happened")) {
			if last := step.Text[len(step.Text)-1]; last != '.' {
				t.Errorf("%s: %q is not a sentence", code, step.Text)
			}
		}
		if len(advice.OfError(surgical.NewError(code, "what happened"))) == 0 {
			t.Errorf("nothing is said about %s", code)
		}
	}
}

func TestOfError_RetriesTheTargetsThatCanSucceed(t *testing.T) {
	of := func(codes ...surgical.Code) *surgical.Error {
		e := surgical.NewError(surgical.CodePreflightFailed, "no")
		e.RunID, e.Total = "wabc7", 2
		for i, code := range codes {
			f := surgical.NewError(code, "no")
			e.Failures = append(e.Failures, surgical.TargetFailure{Target: issue(int64(7 + i)).Target, Code: code, Action: f.Action, Retryable: f.Retryable})
		}
		return e
	}
	const verify, grant = "Check in GitLab that it exists and that the token's user can see it.", "Give the token's user access to the project."
	for name, c := range map[string]struct {
		failed []surgical.Code
		want   []string
	}{
		"one is missing":     {[]surgical.Code{surgical.CodeGitLabNotFound}, []string{verify, "Retry the other targets, without those that GitLab does not have: " + retryIt}},
		"both are missing":   {[]surgical.Code{surgical.CodeGitLabNotFound, surgical.CodeGitLabNotFound}, []string{verify}},
		"one is forbidden":   {[]surgical.Code{surgical.CodeGitLabForbidden}, []string{grant, "Retry the failed targets: " + retryIt}},
		"one timed out":      {[]surgical.Code{surgical.CodeGitLabTimeout}, []string{"Retry the failed targets: " + retryIt}},
		"no target is named": {nil, []string{"Retry the failed targets: " + retryIt}},
	} {
		var got []string
		for _, step := range advice.OfError(of(c.failed...)) {
			got = append(got, step.String())
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestOfError_SaysHowLongToWait(t *testing.T) {
	e := surgical.NewError(surgical.CodeGitLabRateLimited, "no")
	e.RetryAfter = 30 * time.Second
	if got := advice.OfError(e); len(got) != 1 || got[0].Text != "Try again in 30 s." {
		t.Errorf("%v", got)
	}
}
