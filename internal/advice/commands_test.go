package advice_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"gitlab.com/lorehook/lorehook/internal/advice"
	"gitlab.com/lorehook/lorehook/internal/cli"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// recorded is a transport that records requests and fails them.
type recorded []string

func (a *recorded) RoundTrip(r *http.Request) (*http.Response, error) {
	*a = append(*a, r.Method+" "+r.URL.Path)
	return nil, errors.New("no server")
}

func TestCommands_AreUnderstoodByLore(t *testing.T) {
	seven := surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.Issue, IID: 7}}
	mr := surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.MergeRequest, IID: 12}}
	id := surgical.RunID(surgical.OriginManual, "key")
	for command, want := range map[string]string{
		advice.Show(seven):                     "GET /v1/projects/1/issues/7",
		advice.Show(mr):                        "GET /v1/projects/1/merge_requests/12",
		advice.Why(mr):                         "GET /v1/projects/1/merge_requests/12/why",
		advice.Sync(mr):                        "POST /v1/sync-runs",
		advice.Try(1, seven.Target, mr.Target): "POST /v1/sync-runs",
		advice.Drain(1):                        "POST /v1/drains",
		advice.Watch(id):                       "GET /v1/sync-runs/" + id,
		advice.Retry(id):                       "POST /v1/sync-runs/" + id + "/retry-failed",
		advice.Cancel(id):                      "POST /v1/sync-runs/" + id + "/cancel",
		advice.RunsCommand:                     "GET /v1/sync-runs",
		advice.ProjectsCommand:                 "GET /v1/projects",
		advice.BackfillsCommand:                "GET /v1/backfills",
		advice.FailedCommand:                   "GET /v1/sync-runs",
		advice.DoctorCommand:                   "GET /healthz",
		advice.IndexCommand:                    "GET /v1/index",
	} {
		var sent recorded
		var errs strings.Builder
		cli.Run(t.Context(), cli.Env{
			Args: strings.Fields(strings.ReplaceAll(command, "'", ""))[1:], Stdout: io.Discard, Stderr: &errs, Dir: t.TempDir(),
			LookupEnv: func(name string) (string, bool) {
				value, ok := map[string]string{"LOREHOOK_API_URL": "http://127.0.0.1:1"}[name]
				return value, ok
			},
			Clock: time.Now, Pause: func(context.Context, time.Duration) error { return context.Canceled },
			NewKey: func() string { return "key" }, HTTP: &sent,
			AWS: func(context.Context, string, string) (aws.Config, error) { return aws.Config{}, errors.New("none") },
		})
		if len(sent) == 0 || sent[0] != want {
			t.Errorf("%s: lore requests %v, want %s\n%s", command, sent, want, errs.String())
		}
	}
}
