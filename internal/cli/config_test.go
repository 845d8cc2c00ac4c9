package cli_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func (p *program) configFile() string { return filepath.Join(p.config, "lorehook", "config.json") }

// ok runs a command that must succeed, and returns what it prints.
func (p *program) ok(args ...string) string {
	p.t.Helper()
	got := p.run(args...)
	if got.exit != 0 {
		p.t.Fatalf("lore %s: exit %d\n%s", strings.Join(args, " "), got.exit, got.errors)
	}
	return strings.TrimSpace(got.out)
}

// applies returns the settings of lore config list, as VALUE from FROM by key.
func (p *program) applies(args ...string) map[string]string {
	p.t.Helper()
	e, got := p.robot(append([]string{"config", "list"}, args...)...)
	var data struct {
		Settings []struct{ Key, Value, From string }
	}
	if got.exit != 0 || json.Unmarshal(e.Data, &data) != nil {
		p.t.Fatalf("exit %d: %s", got.exit, got.out)
	}
	found := map[string]string{}
	for _, s := range data.Settings {
		if s.From != "" {
			found[s.Key] = s.Value + " from " + s.From
		}
	}
	return found
}

func TestConfig_KeepsProfilesInAFileOfTheUsers(t *testing.T) {
	p := newProgram(t)
	p.ok("config", "set", "api-url", "https://abc123.execute-api.eu-west-1.amazonaws.com")
	p.ok("config", "set", "aws-profile", "team", "--profile", "staging")
	info, err := os.Stat(p.configFile())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info, err)
	}
	if got := p.ok("config", "get", "api-url"); got != "https://abc123.execute-api.eu-west-1.amazonaws.com" {
		t.Errorf("get printed %q", got)
	}
	if got := p.run("config", "get", "api-url", "--profile", "staging"); got.exit != 2 || !strings.Contains(got.errors, "staging has no api-url") {
		t.Errorf("what is not set: %+v", got)
	}
	p.ok("config", "use", "staging")
	if got := p.ok("config", "get", "aws-profile"); got != "team" {
		t.Errorf("the profile in use has %q", got)
	}
	p.ok("config", "unset", "aws-profile")
	raw, err := os.ReadFile(p.configFile())
	if err != nil {
		t.Fatal(err)
	}
	const want = `{
  "profiles": {
    "default": {
      "api-url": "https://abc123.execute-api.eu-west-1.amazonaws.com"
    }
  }
}
`
	if diff := cmp.Diff(want, string(raw)); diff != "" {
		t.Errorf("a profile without keys is not gone (-want +got):\n%s", diff)
	}
	if left, _ := filepath.Glob(filepath.Join(p.config, "lorehook", ".*")); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}

// One row a rung: each is taken only without those above it.
func TestSetting_IsTakenFromTheFirstThatHasIt(t *testing.T) {
	p := newProgram(t)
	p.ok("config", "set", "api-url", "https://used.example.com")
	p.ok("config", "set", "gitlab-base-url", "https://gitlab.used.example.com")
	p.ok("config", "set", "api-url", "https://named.example.com", "--profile", "named")
	local := `{"api_url":"http://127.0.0.1:1","gitlab_base_url":"http://127.0.0.1:2"}`
	for _, step := range []struct {
		change func()
		args   []string
		want   map[string]string
	}{
		{func() {}, nil, map[string]string{"api-url": "https://used.example.com from profile default", "gitlab-base-url": "https://gitlab.used.example.com from profile default"}},
		{func() { p.write(".local/endpoints.json", local) }, nil, map[string]string{"api-url": "http://127.0.0.1:1 from the local stack", "gitlab-base-url": "http://127.0.0.1:2 from the local stack"}},
		{func() { p.env["LOREHOOK_PROFILE"] = "named" }, nil, map[string]string{"api-url": "https://named.example.com from profile named"}},
		{func() {}, []string{"--profile", "default"}, map[string]string{"api-url": "https://used.example.com from profile default", "gitlab-base-url": "https://gitlab.used.example.com from profile default"}},
		{func() {
			p.env["LOREHOOK_API_URL"], p.env["GITLAB_BASE_URL"], p.env["AWS_PROFILE"], p.env["AWS_DEFAULT_REGION"] = "https://env.example.com", "https://gitlab.env.example.com", "team", "eu-west-1"
		}, nil, map[string]string{
			"api-url": "https://env.example.com from LOREHOOK_API_URL", "gitlab-base-url": "https://gitlab.env.example.com from GITLAB_BASE_URL",
			"aws-profile": "team from AWS_PROFILE", "aws-region": "eu-west-1 from AWS_DEFAULT_REGION",
		}},
		{func() { clear(p.env); p.env["AWS_ACCESS_KEY_ID"] = "sample" }, []string{"--api-url", "https://flag.example.com"}, map[string]string{
			"api-url": "https://flag.example.com from --api-url", "gitlab-base-url": "http://127.0.0.1:2 from the local stack", "aws-profile": " from AWS_ACCESS_KEY_ID",
		}},
	} {
		step.change()
		if diff := cmp.Diff(step.want, p.applies(step.args...)); diff != "" {
			t.Errorf("%v, %v (-want +got):\n%s", p.env, step.args, diff)
		}
	}
}

func (p *program) write(name, content string) {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func TestProfile_ChoosesTheAWSProfileUnlessTheEnvironmentHasCredentials(t *testing.T) {
	p := newProgram(t)
	p.ok("config", "set", "api-url", "https://abc123.example.com")
	p.ok("config", "set", "aws-profile", "team")
	p.ok("config", "set", "aws-region", "eu-central-1")
	p.aws = func(context.Context) (aws.Config, error) { return aws.Config{}, os.ErrInvalid }
	if got := p.run("projects", "list"); got.exit != 51 || p.awsProfile != "team" || p.awsRegion != "eu-central-1" {
		t.Errorf("asked for %q in %q: %+v", p.awsProfile, p.awsRegion, got)
	}
	p.env["AWS_WEB_IDENTITY_TOKEN_FILE"], p.env["AWS_REGION"] = "token", "eu-west-1"
	if p.run("projects", "list"); p.awsProfile != "" || p.awsRegion != "eu-west-1" {
		t.Errorf("with credentials in the environment, asked for %q in %q", p.awsProfile, p.awsRegion)
	}
}

func TestDoctor_SaysThatTheAddressIsOfAProfile(t *testing.T) {
	p := newProgram(t)
	p.ok("config", "set", "api-url", "http://127.0.0.1:1", "--profile", "staging")
	checks, _ := p.doctor("--profile", "staging")
	if got := checks["address"]; got.State != "ok" || !strings.Contains(got.Message, "http://127.0.0.1:1, from profile staging") {
		t.Errorf("%+v", got)
	}
}

func TestConfig_RejectsWhatNoProfileMayHave(t *testing.T) {
	for args, names := range map[string]string{
		"config set token whsec_c2FtcGxl":                     `"token" is not a key of a profile: the keys are api-url, aws-profile, aws-region, gitlab-base-url`,
		"config get token":                                    `"token" is not a key`,
		"config unset token":                                  `"token" is not a key`,
		"config set api-url http://example.com":               "api-url must be an https URL",
		"config set api-url https://user:sample@example.com":  "api-url must be an https URL",
		"config set gitlab-base-url ftp://gitlab.example.com": "gitlab-base-url must be an http or https URL",
		"config set aws-region Frankfurt":                     "aws-region must be an AWS region such as eu-central-1",
		"config set aws-region eu-central-1 --profile a/b":    `got "a/b"`,
		"config use staging":                                  `no profile "staging"`,
		"config list --profile staging":                       `no profile "staging", nor any other`,
		"projects list --profile staging":                     `no profile "staging"`,
	} {
		p := newProgram(t)
		p.http = refusing{t}
		e, got := p.robot(strings.Fields(args)...)
		if got.exit != 2 || e.code() != surgical.CodeInvalidRequest || !strings.Contains(e.Error.Message, names) || strings.Contains(got.out, "sample") {
			t.Errorf("%s: exit %d: %s", args, got.exit, got.out)
		}
		if _, err := os.Stat(p.configFile()); err == nil {
			t.Errorf("%s wrote a file", args)
		}
	}
}

func TestConfig_NamesTheFileThatItCannotUse(t *testing.T) {
	for content, names := range map[string]string{
		`{`: "is not a file of profiles",
		`{"profiles":{"default":{"api_url":"https://example.com"}}}`: `"api_url" is not a key`,
		`{"profiles":{"default":{"api-url":"nowhere"}}}`:             "api-url must be",
		`{"profile":{}}`: "is not a file of profiles",
	} {
		p := newProgram(t)
		p.http = refusing{t}
		if err := os.MkdirAll(filepath.Dir(p.configFile()), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p.configFile(), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, args := range []string{"config list", "config set aws-region eu-west-1", "projects list", "list -p 1"} {
			if got := p.run(strings.Fields(args)...); got.exit != 2 || !strings.Contains(got.errors, p.configFile()) || !strings.Contains(got.errors, names) {
				t.Errorf("%s with %s: %+v", args, content, got)
			}
		}
	}
}

func TestTokenGenerate_PrintsOneTokenThatTheWebhookAccepts(t *testing.T) {
	p := newProgram(t)
	p.http = refusing{t}
	signing, secret := p.ok("token", "generate"), p.ok("token", "generate", "--secret-token")
	if !strings.HasPrefix(signing, "whsec_") || strings.ContainsAny(signing+secret, " \n") || strings.HasPrefix(secret, "whsec_") {
		t.Errorf("printed %q and %q", signing, secret)
	}
	asked := false
	p.http = asking(func() { asked = true })
	p.env["GITLAB_WEBHOOK_SIGNING_TOKENS"], p.env["GITLAB_WEBHOOK_SECRET_TOKENS"] = signing, secret
	p.run("replay", "issue_opened", "--url", "http://127.0.0.1:1/webhooks/gitlab")
	if !asked {
		t.Error("lore refuses its own token")
	}
	if left, _ := os.ReadDir(p.config); len(left) != 0 {
		t.Errorf("stored %v", left)
	}
}

// asking is a transport that reports requests and answers none.
type asking func()

func (a asking) RoundTrip(*http.Request) (*http.Response, error) {
	a()
	return nil, os.ErrClosed
}
