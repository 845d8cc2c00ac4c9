package reliability_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/cli"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// lore runs the CLI against the cloud's API; while it waits, the cloud runs.
func lore[T any](t *testing.T, c *cloud.Cloud, args ...string) T {
	t.Helper()
	var out, errs bytes.Buffer
	exit := cli.Run(t.Context(), cli.Env{
		Args: append(args, "--robot"), Stdout: &out, Stderr: &errs, Dir: t.TempDir(), Build: cli.Build{Version: "v0.0.0-test"}, Clock: c.Clock.Now,
		LookupEnv: func(name string) (string, bool) { return "http://127.0.0.1:1", name == "LOREHOOK_API_URL" },
		Pause: func(ctx context.Context, d time.Duration) error {
			c.Clock.Advance(d)
			c.Settle()
			return ctx.Err()
		},
		NewKey: func() string { return "lore" },
		HTTP: roundTripper(func(req *http.Request) (*http.Response, error) {
			if req.Body == nil {
				req.Body = http.NoBody
			}
			recorder := httptest.NewRecorder()
			c.ServeAPI(recorder, req)
			return recorder.Result(), nil
		}),
		AWS: func(context.Context, string, string) (aws.Config, error) {
			return aws.Config{}, errors.New("no AWS in this test")
		},
	})
	if exit != 0 {
		t.Fatalf("lore %s: exit %d\n%s%s", strings.Join(args, " "), exit, out.String(), errs.String())
	}
	var envelope struct {
		Data T `json:"data"`
	}
	if err := json.Unmarshal(out.Bytes(), &envelope); err != nil {
		t.Fatalf("lore %s: %v in %s", strings.Join(args, " "), err, out.String())
	}
	return envelope.Data
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestLoreListsWhatFailedAndRetriesIt(t *testing.T) {
	inCloud(t, func(t *testing.T, c *cloud.Cloud) {
		synced(70)(c)
		small(c, 72)
		c.GitLab.AddDiscussion(issue(70), fakegitlab.Note{Body: "One more."})
		// One run loses access to GitLab, another its worker and its message,
		// and a third one's embedder refuses its texts.
		c.Around = forbidden(issue(72))
		c.Webhook(issue(72))
		c.Settle()
		c.Around, c.Fate = killAt("worker", 1, commits), cloud.Lost
		c.Webhook(issue(70))
		c.Settle()
		c.Around, c.Fate = nil, cloud.Redelivered
		c.Webhook(issue(70))
		c.LeaveToEmbed, c.Refusing = true, 1
		c.Settle()

		failed := lore[apiclient.RunList](t, c, "runs", "list", "-p", "1", "--status", "failed").Runs
		codes := map[surgical.Code]string{}
		for _, run := range failed {
			codes[run.Code] = run.RunID
		}
		for _, code := range []surgical.Code{surgical.CodePreflightFailed, surgical.CodeRunLost, surgical.CodeEmbedFailed} {
			id := codes[code]
			if id == "" {
				t.Fatalf("no run is listed with %s: %+v", code, failed)
			}
			retry := lore[apiclient.Run](t, c, "runs", "retry", id, "--wait")
			if retry.RunID == id || retry.Status != surgical.StatusSucceeded {
				t.Errorf("the retry of %s (%s): %+v", id, code, retry)
			}
			if again := lore[apiclient.Run](t, c, "runs", "retry", id); again.RunID != retry.RunID {
				t.Errorf("requested twice, %s is retried by %s and by %s", id, retry.RunID, again.RunID)
			}
		}
		c.Settle()
		c.Check(issue(70), issue(72))
	})
}

// What the embedder refused is held back, and says so; lore drain resumes it.
func TestLoreDrainResumesWhatIsHeldBack(t *testing.T) {
	inCloud(t, func(t *testing.T, c *cloud.Cloud) {
		leaving(synced(70))(c)
		c.Punctual = true
		c.GitLab.AddDiscussion(issue(70), fakegitlab.Note{Body: "One more."})
		c.Webhook(issue(70))
		c.Refusing = 1
		began := c.Clock.Now()
		c.After(time.Hour, func() {
			behind := lore[apiclient.Entity](t, c, "show", "-p", "1", "--issue", "70").DocumentsBehind
			if behind == nil || behind.State != surgical.BehindHeldBack || behind.Code != surgical.CodeEmbedFailed || behind.Changes != 1 || behind.Since.Sub(began) > time.Minute {
				t.Errorf("behind: %+v", behind)
			}
			if drain := lore[apiclient.Drain](t, c, "drain", "-p", "1"); drain.Undone != 1 || !drain.StartsBy.After(c.Clock.Now()) {
				t.Errorf("the drain: %+v", drain)
			}
		})
		c.Settle()
		if took := c.Clock.Now().Sub(began); took > 2*time.Hour {
			t.Errorf("it took %v", took)
		}
		if behind := lore[apiclient.Entity](t, c, "show", "-p", "1", "--issue", "70").DocumentsBehind; behind != nil {
			t.Errorf("still behind: %+v", behind)
		}
		c.Check(issue(70))
	})
}
