package cli_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

const (
	remoteAPI = "https://abc123.execute-api.eu-west-1.amazonaws.com"
	deadAPI   = "http://127.0.0.1:1"
)

// Each failure names the next command, and not one that is for the stack's token, for the
// console, or to look at help that does not help.
func TestRun_SaysWhatToDoAboutAFailure(t *testing.T) {
	refusing := httptest.NewServer(refusal(http.StatusUnauthorized))
	defer refusing.Close()
	forbidding := httptest.NewServer(refusal(http.StatusForbidden))
	defer forbidding.Close()
	page := httptest.NewServer(http.NotFoundHandler())
	defer page.Close()
	const ownToken = "Set GITLAB_TOKEN to a token of yours with the api scope: read -rs GITLAB_TOKEN && export GITLAB_TOKEN"
	for name, c := range map[string]struct {
		args string
		env  map[string]string
		// aws is the transport to AWS; nil means that there are no credentials.
		aws        http.RoundTripper
		said, next string
	}{
		"no token": {"hooks list -p group/project", map[string]string{"GITLAB_BASE_URL": "https://gitlab.example.com"}, nil, "GITLAB_TOKEN is not set", ownToken},
		"what cannot be a token": {"hooks list -p 1", map[string]string{"GITLAB_BASE_URL": "https://gitlab.example.com", "GITLAB_TOKEN": "a token"}, nil,
			"GITLAB_TOKEN cannot be", ownToken},
		"a token that GitLab refuses":       {"hooks list -p 1", map[string]string{"GITLAB_BASE_URL": refusing.URL, "GITLAB_TOKEN": gitlabToken}, nil, "refused GITLAB_TOKEN", ownToken},
		"a token without rights":            {"hooks verify -p 1 --url " + deadAPI, map[string]string{"GITLAB_BASE_URL": forbidding.URL, "GITLAB_TOKEN": gitlabToken}, nil, "Maintainer role", ownToken},
		"what is no GitLab":                 {"hooks list -p 1", map[string]string{"GITLAB_BASE_URL": page.URL, "GITLAB_TOKEN": gitlabToken}, nil, "it was not GitLab that answered", "lore config list"},
		"no GitLab":                         {"hooks list -p 1", nil, nil, "no GitLab URL", "for example https://gitlab.com: lore config set gitlab-base-url URL"},
		"a wrong URL of GitLab":             {"hooks list -p 1", map[string]string{"GITLAB_BASE_URL": "gitlab"}, nil, "GITLAB_BASE_URL", "lore config list"},
		"no token for a hook":               {"hooks add -p 1 --url " + deadAPI, nil, nil, "no token for the hook", `export GITLAB_WEBHOOK_SIGNING_TOKENS="$(lore token generate)"`},
		"no secret token for a hook":        {"hooks add -p 1 --secret-token --url " + deadAPI, nil, nil, "--secret-token needs", `export GITLAB_WEBHOOK_SECRET_TOKENS="$(lore token generate --secret-token)"`},
		"no token for a delivery":           {"replay issue_opened --url " + deadAPI, nil, nil, "no token for the delivery", "Set GITLAB_WEBHOOK_SIGNING_TOKENS to a token of the stack's secret."},
		"no credentials":                    {"status", map[string]string{"LOREHOOK_API_URL": remoteAPI}, nil, "could not be loaded", "name a profile (lore config set aws-profile NAME), and repeat the command once this one says who you are: aws sts get-caller-identity"},
		"credentials without rights":        {"status", map[string]string{"LOREHOOK_API_URL": remoteAPI}, answering(http.StatusForbidden), "AWS denied the request", "output ReaderPolicyArn or OperatorPolicyArn"},
		"a wrong variable":                  {"status", map[string]string{"LOREHOOK_API_URL": "foo"}, nil, `LOREHOOK_API_URL: the URL must be an http or https URL`, "lore config list"},
		"a wrong flag":                      {"status --api-url http://example.com", nil, nil, "--api-url: the URL must be https", "lore config list"},
		"the logs of a stack elsewhere":     {"logs --api-url " + deadAPI, nil, nil, "the logs of 127.0.0.1:1 cannot be found", "Run it in the checkout that started the stack."},
		"nothing listens":                   {"sync 1#7", map[string]string{"LOREHOOK_API_URL": deadAPI}, nil, "connection refused (api_unavailable)", "lore doctor"},
		"nothing listens for a backfill":    {"backfill -p 1", map[string]string{"LOREHOOK_API_URL": deadAPI}, nil, "connection refused (api_unavailable)", "lore doctor"},
		"a state that issues do not have":   {"list -p 1 --state merged", map[string]string{"LOREHOOK_API_URL": deadAPI}, nil, `--state must be one of opened, closed, all, got "merged"; only merge requests (--mrs) can be merged`, "lore list --help"},
		"a state that does not exist":       {"list -p 1 --mrs --state bogus", map[string]string{"LOREHOOK_API_URL": deadAPI}, nil, `--state must be one of opened, closed, merged, locked, all, got "bogus"`, "lore list --help"},
		"what is no date":                   {"list -p 1 --updated-after tomorrow", map[string]string{"LOREHOOK_API_URL": deadAPI}, nil, `--updated-after: expected a date such as 2026-11-02`, "lore list --help"},
		"what is no date of a search":       {"search x --created-before tomorrow", map[string]string{"LOREHOOK_API_URL": deadAPI}, nil, `--created-before: expected a date such as 2026-11-02`, "lore search --help"},
		"an empty value is not an option":   {"search x --state bogus", nil, nil, `--state must be one of opened, closed, merged, locked, got "bogus"`, "lore search --help"},
		"what resembles no command":         {"nope", nil, nil, "unexpected argument nope (see", "lore --help"},
		"what resembles a command":          {"stauts", nil, nil, `unexpected argument stauts, did you mean "status"?`, "lore --help"},
		"letters that changed their places": {"sycn", nil, nil, `unexpected argument sycn, did you mean "sync"?`, "lore --help"},
		"what resembles a flag":             {"sync --waitt", nil, nil, `unknown flag --waitt, did you mean "--wait"?`, "lore sync --help"},
	} {
		p := newProgram(t)
		for variable, value := range c.env {
			p.env[variable] = value
		}
		if c.aws != nil {
			p.http = c.aws
			p.aws = func(context.Context) (aws.Config, error) {
				return aws.Config{Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret-not-a-real-one", "")}, nil
			}
		}
		got := p.run(strings.Fields(c.args)...)
		if got.exit == 0 || !strings.Contains(got.errors, c.said) || !strings.Contains(got.errors, c.next) || strings.Contains(got.errors, "may exist") {
			t.Errorf("%s: lore %s: exit %d, want %q and %q:\n%s", name, c.args, got.exit, c.said, c.next, got.errors)
		}
	}
}

// refusal is a GitLab that answers every request with the status.
func refusal(status int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `{"message":"%d %s"}`, status, http.StatusText(status))
	})
}

// answering is a transport whose every answer has the status.
type answering int

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: int(a), Status: http.StatusText(int(a)), Header: http.Header{}, Body: io.NopCloser(strings.NewReader("")), Request: r}, nil
}

func TestRun_NamesTheFileThatItCannotRead(t *testing.T) {
	for content, said := range map[string]string{`{"profiles":`: "its end is missing", "": "it is empty", `{"profiles":{"default":{"api-url":"foo"}}}`: "profile default: api-url must be", `{"use":1}`: "cannot unmarshal"} {
		p := newProgram(t)
		file := filepath.Join(p.config, "lorehook", "config.json")
		err := os.MkdirAll(filepath.Dir(file), 0o700)
		if err == nil {
			err = os.WriteFile(file, []byte(content), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := p.run("status"); got.exit != 2 || !strings.Contains(got.errors, file) || !strings.Contains(got.errors, said) || !strings.Contains(got.errors, "Correct the file, or delete it") {
			t.Errorf("%s: exit %d, %s", content, got.exit, got.errors)
		}
	}
	p := newProgram(t)
	p.local(nil)
	file := filepath.Join(p.dir, ".local", "endpoints.json")
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := p.run("status"); got.exit != 2 || !strings.Contains(got.errors, file) || !strings.Contains(got.errors, ": make up") {
		t.Errorf("exit %d, %s", got.exit, got.errors)
	}
}

func TestDoctor_SaysWhatToDoWithoutAStack(t *testing.T) {
	for args, want := range map[string]string{
		"":                      "Start the local stack in a checkout of Lorehook (make up), or name yours by its output ApiUrl: lore config set api-url URL",
		"--profile production":  "lore config set api-url URL --profile production",
		"--api-url foo":         "lore config list",
		"--api-url " + deadAPI:  "Start the local stack in its checkout: make up",
		"--api-url https://a.b": "aws sts get-caller-identity",
	} {
		p := newProgram(t)
		if args == "--profile production" {
			p.run("config", "set", "aws-region", "eu-west-1", "--profile", "production")
		}
		if got := p.run(append([]string{"doctor"}, strings.Fields(args)...)...); got.exit != 56 || !strings.Contains(got.out, want) || strings.Contains(got.out, "lore doctor") {
			t.Errorf("lore doctor %s: exit %d, want %q:\n%s%s", args, got.exit, want, got.out, got.errors)
		}
	}
}

// A request that was sent may have been carried out, whatever happened to its answer.
func TestRun_SaysHowToRepeatARequestThatMayHaveArrived(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if connection, _, err := w.(http.Hijacker).Hijack(); err == nil {
			_ = connection.Close()
		}
	}))
	defer api.Close()
	for args, want := range map[string]string{
		"sync 1#7":      "the run may exist: to repeat the request safely, pass --idempotency-key key-1",
		"backfill -p 1": "the backfill may exist: to repeat the request safely, pass --idempotency-key key-1",
	} {
		p := newProgram(t)
		p.env["LOREHOOK_API_URL"] = api.URL
		if got := p.run(strings.Fields(args)...); got.exit != 50 || !strings.Contains(got.errors, want) {
			t.Errorf("%s: exit %d, %s", args, got.exit, got.errors)
		}
	}
}

func TestDoctor_CountsInPlainEnglish(t *testing.T) {
	p := newProgram(t)
	p.answersOfTables()
	checks, _ := p.doctor()
	if got := checks["dead letters"].Message; got != "1 message was given up" {
		t.Error(got)
	}
}
