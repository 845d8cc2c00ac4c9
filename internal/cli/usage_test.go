package cli_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"gitlab.com/lorehook/lorehook/internal/cli"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// refusing is a transport that fails the test if anything is sent.
type refusing struct{ t *testing.T }

func (r refusing) RoundTrip(req *http.Request) (*http.Response, error) {
	r.t.Errorf("sent %s %s", req.Method, req.URL)
	return nil, errors.New("sent")
}

func TestRun_RejectsBadInputByNameBeforeSendingAnything(t *testing.T) {
	many := make([]string, 26)
	for i := range many {
		many[i] = fmt.Sprint(i + 1)
	}
	const web = "http://127.0.0.1:1/webhooks/gitlab"
	for _, test := range []struct {
		args  string
		names string
	}{
		{"sync -p 1 --issue -3", "got -3"},
		{"sync -p 1 --issue=-3", "got -3"},
		{"sync -p 1 --mr 0", "got 0"},
		{"sync -p 1 --issue seven", `"seven"`},
		{"sync -p 1 --issue 99999999999999999999", "99999999999999999999"},
		{"sync -p 1 --issue " + strings.Join(many, ","), "got 26"},
		{"sync -p 1 --issue 7 --issue 7", "issue#7 is named twice"},
		{"sync -p 1", "got 0"},
		{"sync --issue 7", "--project"},
		{"sync -p -5 --issue 7", "got -5"},
		{"sync -p 0 --issue 7", "got 0"},
		{"sync -p group --issue 7", `"group"`},
		{"sync -p /group/project --issue 7", `"/group/project"`},
		{"sync group/project", `"group/project" names a project`},
		{"sync group/project#seven", `"group/project#seven"`},
		{"sync group/project#0", `"group/project#0"`},
		{"sync group#7", `"group"`},
		{"sync 1#7 2#8", `got "1" and "2"`},
		{"sync -p 1 2#8", `got "1" and "2"`},
		{"sync 1#7 1#7", "issue#7 is named twice"},
		{"sync -p 1#7", `pass the entity "1#7" without -p`},
		{"show -p ftp://gitlab.example.com/group/project --issue 7", "begins with https://"},
		{"show https://gitlab.example.com/group", "is not the URL of a project"},
		{"show https://gitlab.example.com/group/project/-/issues/new", "names a project"},
		{"show https://gitlab.example.com/group/project/-/milestones/4", "names a project"},
		{"show", "--project"},
		{"show 1#7 --mr 12", "exactly one entity"},
		{"sync-runs 1#7 --status failed", "cannot be combined with --status"},
		{"sync-runs 1#7 --run-id m1", "cannot be combined with --run-id m1"},
		{"projects list --limit 0", "got 0"},
		{"projects show", "<project>"},
		{"projects show 1#7", `got the entity "1#7"`},
		{"projects hide", "either -p or --all"},
		{"projects hide -p 1 --all", "either -p or --all"},
		{"hooks list -p group/project#7", `got the entity "group/project#7"`},
		{"sync -p 1 --issue 7 --dry-run --preflight-only", "preflight_only and dry_run exclude each other"},
		{"sync -p 1 --issue 7 --no-docs", "no_docs requires no_embed"},
		{"sync -p 1 --issue 7 --timeout 0s", "got 0s"},
		{"sync -p 1 --issue 7 --idempotency-key=", `got ""`},
		{"sync-runs --run-id=", `--run-id: expected a value, got ""`},
		{"sync-runs --status= -p 1", `--status: expected a value, got ""`},
		{"sync -p 1 --issue 7 --idempotency-key=ä", `got "ä"`},
		{"sync -p 1 --issue 7 --idempotency-key " + strings.Repeat("k", 129), "kkk"},
		{"sync -p 1 --issue 7 --bogus", "--bogus"},
		{"sync-runs --status lost", `"lost"`},
		{"sync-runs --limit 0", "got 0"},
		{"sync-runs --limit -1", "got -1"},
		{"sync-runs --limit 101", "got 101"},
		{"sync-runs --issue 7", "need -p"},
		{"sync-runs -p 1 --issue 7 --mr 12", "either --issue or --mr"},
		{"sync-runs --retry-failed", "--retry-failed needs --run-id"},
		{"sync-runs --cancel", "--cancel needs --run-id"},
		{"sync-runs --wait", "--wait needs --run-id"},
		{"sync-runs --run-id m1 --retry-failed --cancel", "--retry-failed and --cancel cannot be combined"},
		{"sync-runs --run-id m1 --status failed", "cannot be combined with --run-id m1"},
		{"sync-runs --run-id ../m1", `"../m1"`},
		{"runs list 1#7 --status failed", "cannot be combined with --status"},
		{"runs --status lost", `"lost"`},
		{"runs list -L 101", "got 101"},
		{"runs list --issue 7", "need -p"},
		{"runs lst", `"lst" is neither a command of lore runs`},
		{"runs view", "<run>"},
		{"runs view ../m1", `"../m1"`},
		{"runs watch m1 --timeout 0s", "got 0s"},
		{"runs retry M1", `"M1"`},
		{"runs cancel m1 --status failed", "--status"},
		{"logs nobody", "the function must be one of webhook"},
		{"logs --level loud", `"loud"`},
		{"logs --since 0s", "got 0s"},
		{"logs --run ../m1", `"../m1"`},
		{"show -p 1", "either --issue or --mr"},
		{"show -p 1 --issue 7 --mr 12", "either --issue or --mr"},
		{"show -p 1 --mr -12", "got -12"},
		{"show -p 1 --issue 7 --api-url http://example.com", `"http://example.com"`},
		{"show -p 1 --issue 7 --api-url nowhere", `"nowhere"`},
		{"why 1", "names a project"},
		{"why", "<entity>"},
		{"export", "either -p or --all"},
		{"export -p 1 --all -o x", "either -p or --all"},
		{"export -p 1 -o x --resume y", "cannot be combined"},
		{"export -p 1#7 -o x", "got the entity"},
		{"replay nothing.json --url " + web, `"nothing.json"`},
		{"replay issue_opened --url http://example.com/webhooks/gitlab", `"http://example.com/webhooks/gitlab"`},
		{"hooks add -p 1 --url " + web, "GITLAB_WEBHOOK_SIGNING_TOKENS"},
		{"hooks add -p 1 --secret-token --url " + web, "GITLAB_WEBHOOK_SECRET_TOKENS"},
		{"hooks", "hooks"},
		{"bogus", "bogus"},
		{"help bogus", "bogus"},
	} {
		t.Run(test.args, func(t *testing.T) {
			p := newProgram(t)
			p.http = refusing{t}
			p.env["LOREHOOK_API_URL"] = "http://127.0.0.1:1"
			e, got := p.robot(strings.Fields(test.args)...)
			if got.exit != 2 || e.code() != surgical.CodeInvalidRequest || e.Error.Action != surgical.ActionFixRequest || !strings.Contains(e.Error.Message, test.names) {
				t.Errorf("exit %d: %s", got.exit, got.out)
			}
			people := p.run(strings.Fields(test.args)...)
			if people.exit != 2 || people.out != "" || !strings.Contains(people.errors, test.names) {
				t.Errorf("for people: exit %d, stdout %q, stderr %q", people.exit, people.out, people.errors)
			}
			if !strings.Contains(people.errors, "--help") && !strings.Contains(people.errors, ": lore ") && !strings.Contains(people.errors, "$(lore ") {
				t.Errorf("neither help nor a command is named: %s", people.errors)
			}
		})
	}
}

func TestRun_NamesTheDoctorIfNoStackIsKnown(t *testing.T) {
	for _, args := range []string{"logs", "show 1#7", "search anything", "status", "runs", "replay issue_opened", "hooks add -p 1"} {
		p := newProgram(t)
		p.http = refusing{t}
		if got := p.run(strings.Fields(args)...); got.exit != 2 || !strings.Contains(got.errors, "lore doctor") {
			t.Errorf("%s: exit %d, %s", args, got.exit, got.errors)
		}
	}
}

func TestRobot_PrintsOneEnvelopeForEveryCommand(t *testing.T) {
	for _, args := range []string{
		"version", "help", "help exit-codes", "help sync", "--help", "sync --help", "completion -c bash", "sync --robot=true", "version --robot=1", "version --robot=YES", "bogus", "sync-runs", "runs", "runs view m1",
		"show -p 1 --issue 7", "hooks list -p 1", "replay issue_opened",
	} {
		p := newProgram(t)
		p.http = refusing{t}
		_, got := p.robot(strings.Fields(args)...)
		if got.errors != "" {
			t.Errorf("%s: stderr %q", args, got.errors)
		}
	}
}

func TestHelp_HasAnExampleForEveryCommand(t *testing.T) {
	commands, _, err := cli.CommandNames()
	if err != nil || len(commands) < 40 {
		t.Fatal(commands, err)
	}
	for _, command := range commands {
		p := newProgram(t)
		got := p.run(append(strings.Fields(command), "--help")...)
		name, _, _ := strings.Cut(command, " ")
		if got.exit != 0 || !strings.Contains(got.out, "Example") || !strings.Contains(got.out, "    lore "+name) && !strings.Contains(got.out, "lore completion") {
			t.Errorf("%s: exit %d\n%s", command, got.exit, got.out)
		}
		if help := p.run(append([]string{"help"}, strings.Fields(command)...)...); help != got {
			t.Errorf("lore help %s and lore %s --help differ:\n%s", command, command, help.out)
		}
	}
}

func TestCompletion_KnowsCommandsAndFlags(t *testing.T) {
	for line, want := range map[string]string{"lore sy": "sync\n", "lore hooks v": "verify\n", "lore runs w": "watch\n", "lore sync --dry": "--dry-run\n"} {
		t.Setenv("COMP_LINE", line)
		p := newProgram(t)
		p.env["COMP_LINE"] = line
		if got := p.run(); got.exit != 0 || !strings.Contains(got.out, want) {
			t.Errorf("%q: exit %d, %q", line, got.exit, got.out)
		}
	}
}

func TestRun_FindsTheLocalStackInAParentDirectory(t *testing.T) {
	inStack(t, func(t *testing.T, s *stack) {
		deep := filepath.Join(s.dir, "a", "b")
		if err := os.MkdirAll(deep, 0o755); err != nil {
			t.Fatal(err)
		}
		s.dir = deep
		if got := s.run("sync-runs"); got.exit != 0 {
			t.Errorf("%+v", got)
		}
	})
}

func TestRun_PrefersTheFlagThenTheEnvironmentThenTheLocalStack(t *testing.T) {
	var hosts []string
	p := newProgram(t)
	p.http = roundTripper(func(r *http.Request) (*http.Response, error) {
		hosts = append(hosts, r.URL.Host)
		return nil, errors.New("refused")
	})
	p.local(map[string]string{"api_url": "http://127.0.0.1:3"})
	args := []string{"sync-runs"}
	p.run(args...)
	p.env["LOREHOOK_API_URL"] = "http://127.0.0.1:2"
	p.run(args...)
	p.run(append(args, "--api-url", "http://127.0.0.1:1/")...)
	if got := strings.Join(hosts, " "); got != "127.0.0.1:3 127.0.0.1:2 127.0.0.1:1" {
		t.Error(got)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestRun_IgnoresRemoteURLsInTheEndpointsFile(t *testing.T) {
	p := newProgram(t)
	p.http = refusing{t}
	p.local(map[string]string{
		"api_url": "https://evil.example.com", "webhook_url": "https://evil.example.com/webhooks/gitlab", "gitlab_base_url": "https://evil.example.com",
	})
	p.env["GITLAB_TOKEN"] = "glpat-not-a-real-token"
	p.env["GITLAB_WEBHOOK_SECRET_TOKENS"] = "secret-not-a-real-one"
	for _, args := range []string{"sync-runs", "sync -p group/project --issue 7", "replay issue_opened", "hooks list -p 1"} {
		if e, _ := p.robot(strings.Fields(args)...); e.code() != surgical.CodeInvalidRequest {
			t.Errorf("%s: %s", args, e.code())
		}
	}
}

func TestRun_UsesColourAndTransientLinesOnlyOnATerminal(t *testing.T) {
	inStack(t, func(t *testing.T, s *stack) {
		args := []string{"sync", "-p", "1", "--issue", "7", "--wait", "--idempotency-key", "colour"}
		s.terminal = true
		got := s.run(args...)
		if !strings.Contains(got.out, "\x1b[32msucceeded") || !strings.Contains(got.errors, "\r\x1b[K") || strings.Contains(got.errors, "\n") {
			t.Errorf("on a terminal: stdout %q, stderr %q", got.out, got.errors)
		}
		s.env["NO_COLOR"] = ""
		if got = s.run(args...); strings.Contains(got.out, "\x1b") {
			t.Errorf("with NO_COLOR: %q", got.out)
		}
		delete(s.env, "NO_COLOR")
		if got = s.run(append(args, "--robot")...); strings.Contains(got.out, "\x1b") {
			t.Errorf("with --robot: %q", got.out)
		}
		s.terminal = false
		got = s.run("sync", "-p", "1", "--issue", "8", "--wait")
		if lines := strings.Split(strings.TrimSpace(got.errors), "\n"); strings.Contains(got.out+got.errors, "\x1b") || len(lines) != 2 ||
			!strings.HasSuffix(lines[0], "  queued") || !strings.HasSuffix(lines[1], "  succeeded") {
			t.Errorf("elsewhere: stdout %q, stderr %q", got.out, got.errors)
		}
	})
}

func TestWait_SaysThatTheRunContinuesWhenInterrupted(t *testing.T) {
	inStack(t, func(t *testing.T, s *stack) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		s.paused = func(context.Context) { cancel() }
		got := s.runContext(ctx, "sync", "-p", "1", "--issue", "7", "--wait", "--robot")
		e := s.envelope(got)
		if got.exit != 130 || e.code() != "interrupted" || e.Error.RunID == "" || !strings.Contains(e.Error.Message, "the run continues") {
			t.Errorf("exit %d: %s", got.exit, got.out)
		}
	})
}

func TestWait_EndsAfterItsTimeout(t *testing.T) {
	inStack(t, func(t *testing.T, s *stack) {
		s.paused = nil // no worker runs
		e, got := s.robot("sync", "-p", "1", "--issue", "7", "--wait", "--timeout", "90s", "--idempotency-key", "slow")
		if got.exit != 52 || e.code() != "wait_timeout" || !e.Error.Retryable || e.Error.RunID == "" || *e.Meta.ElapsedMS != 90_000 {
			t.Errorf("exit %d: %s", got.exit, got.out)
		}
	})
}

func TestRun_SignsRequestsToAWSButNotToThisMachine(t *testing.T) {
	const host = "abc123.execute-api.eu-west-1.amazonaws.com"
	for _, test := range []struct {
		address, region, scope string
		exit                   int
	}{
		{"https://" + host, "us-east-1", "/20261102/eu-west-1/execute-api/aws4_request", 0},
		{"https://lorehook.example.com", "us-east-2", "/20261102/us-east-2/execute-api/aws4_request", 0},
		{"https://lorehook.example.com", "", "", 2},
		{"http://127.0.0.1:1", "us-east-1", "", 0},
	} {
		t.Run(test.address+" "+test.region, func(t *testing.T) {
			var header http.Header
			p := newProgram(t)
			p.aws = func(context.Context) (aws.Config, error) {
				return aws.Config{Region: test.region, Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret-not-a-real-one", "")}, nil
			}
			p.http = roundTripper(func(r *http.Request) (*http.Response, error) {
				header = r.Header
				return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(`{"runs":[]}`))}, nil
			})
			if got := p.run("sync-runs", "--api-url", test.address); got.exit != test.exit {
				t.Fatalf("%+v", got)
			}
			if authorization := header.Get("Authorization"); !strings.Contains(authorization, test.scope) || (test.scope == "") != (authorization == "") {
				t.Errorf("Authorization: %q", authorization)
			}
		})
	}
	p := newProgram(t)
	p.http = refusing{t}
	if _, got := p.robot("sync-runs", "--api-url", "https://"+host); got.exit != 51 {
		t.Errorf("without AWS configuration: %s", got.out)
	}
}
