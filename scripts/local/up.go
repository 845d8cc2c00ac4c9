package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"gitlab.com/lorehook/lorehook/internal/token"
	"gitlab.com/lorehook/lorehook/internal/webhook/delivery"
	"gitlab.com/lorehook/lorehook/test/devstack"
)

// Preferred ports, used if they are free.
const (
	awsPort     = 4566
	gitlabPort  = 8929
	consolePort = 8930
)

// gitlabRate effectively disables the workers' limit of requests a second, for a GitLab
// of this machine, which has none.
const gitlabRate = 1000

// stackSettings come from the environment, because flags are visible in process
// lists.
type stackSettings struct {
	GitLabBaseURL string     `name:"gitlab-base-url" env:"GITLAB_BASE_URL" help:"GitLab to copy from, together with --gitlab-token; the bundled demo GitLab by default."`
	GitLabToken   string     `name:"gitlab-token" env:"GITLAB_TOKEN" help:"Access token with the read_api scope. Set the variable rather than the flag."`
	GitLabCAFile  string     `name:"gitlab-ca-file" env:"LOREHOOK_GITLAB_CA_FILE" type:"existingfile" help:"PEM file with the private authority of GitLab's certificate."`
	SigningTokens token.List `name:"signing-tokens" env:"GITLAB_WEBHOOK_SIGNING_TOKENS" help:"Webhook signing token (whsec_…), or a JSON list of several."`
	SecretTokens  token.List `name:"secret-tokens" env:"GITLAB_WEBHOOK_SECRET_TOKENS" help:"Webhook secret token, or a JSON list of several."`
	Projects      string     `name:"projects" env:"LOREHOOK_PROJECTS" default:"*" help:"Projects to copy: comma-separated ids, or *."`
	NoAuth        bool       `name:"no-auth" help:"Do not enforce IAM on the local AWS."`
}

// tokensFromEnvironment reads the webhook tokens as kong does for make up.
func (s *stackSettings) tokensFromEnvironment() error {
	for name, list := range map[string]*token.List{"GITLAB_WEBHOOK_SIGNING_TOKENS": &s.SigningTokens, "GITLAB_WEBHOOK_SECRET_TOKENS": &s.SecretTokens} {
		if err := list.UnmarshalText([]byte(os.Getenv(name))); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// check rejects tokens that neither GitLab nor an operator can have made, before they
// are stored.
func (s stackSettings) check() error {
	verifier, err := delivery.NewVerifier(s.SigningTokens, s.SecretTokens)
	if err == nil {
		err = verifier.Defects()
	}
	if err != nil {
		return fmt.Errorf("GITLAB_WEBHOOK_SIGNING_TOKENS, GITLAB_WEBHOOK_SECRET_TOKENS: %w", err)
	}
	if s.GitLabToken == "" {
		return nil
	}
	if _, err := token.Access(s.GitLabToken); err != nil {
		return fmt.Errorf("GITLAB_TOKEN: %w", err)
	}
	return nil
}

func (s stackSettings) realGitLab() (bool, error) {
	if (s.GitLabBaseURL == "") != (s.GitLabToken == "") {
		return false, errors.New("set both GITLAB_BASE_URL and GITLAB_TOKEN for a real GitLab, or neither for the demo GitLab")
	}
	return s.GitLabBaseURL != "", nil
}

type upCommand struct {
	stackSettings `embed:""`
}

// Run implements the command.
func (c *upCommand) Run(ctx context.Context, p *place) error {
	p.out.heading("Lorehook on this machine")
	p.out.line("")
	stack, err := p.up(ctx, c.stackSettings)
	if err != nil {
		return err
	}
	p.out.line("")
	p.endpoints(stack.Endpoints)
	p.out.line("")
	p.out.line("  Deliver a sample   .local/bin/local send issue_opened")
	p.out.line("  Try everything     make demo")
	p.out.line("  Stop               make down")
	return nil
}

// up starts the stack, and the demo GitLab unless a real one is configured.
func (p *place) up(ctx context.Context, s stackSettings) (*devstack.Stack, error) {
	progress := &steps{out: p.out}
	stack, err := p.bringUp(ctx, s, progress)
	if err != nil {
		progress.fail()
		return nil, err
	}
	progress.end()
	return stack, nil
}

func (p *place) bringUp(ctx context.Context, s stackSettings, progress *steps) (*devstack.Stack, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	o := devstack.StackOptions{
		Root: p.root, Dir: p.dir, Port: awsPort,
		GitLabBaseURL: s.GitLabBaseURL, GitLabToken: s.GitLabToken, GitLabCABundle: s.GitLabCAFile,
		SigningTokens: s.SigningTokens, SecretTokens: s.SecretTokens,
		Projects: s.Projects, NoAuth: s.NoAuth, Detach: true, Progress: progress.begin, Lost: progress.lost,
	}
	real, err := s.realGitLab()
	if err != nil {
		return nil, err
	}
	if !real {
		progress.begin("starting the demo GitLab")
		o.Name, o.GitLabToken = devstack.DemoGitLabState, devstack.DemoGitLabToken
		o.GitLabRequestsPerSecond = gitlabRate
		if o.GitLabBaseURL, err = devstack.DemoGitLab(ctx, p.root, p.dir, gitlabPort); err != nil {
			return nil, err
		}
	}
	stack, err := devstack.Up(ctx, o)
	if err != nil {
		return nil, err
	}
	progress.begin("starting the operations console")
	return stack, stack.Console(ctx, consolePort)
}

func (p *place) endpoints(e devstack.Endpoints) {
	if e.ConsoleURL != "" {
		p.out.line("  Console    %s", p.out.strong.Sprint(e.ConsoleURL))
	}
	p.out.line("  Webhooks   %s", e.WebhookURL)
	p.out.line("  API        %s", e.APIURL)
	p.out.line("  GitLab     %s", e.GitLabBaseURL)
	p.out.line("  AWS        %s", e.AWSEndpointURL)
	p.out.line("  Search     %s", searched(p.root))
	p.out.line("  %s", p.out.faint.Sprintf("These, and the signing token, are in %s.", p.relative(devstack.EndpointsFile(p.dir))))
}

// searched says how texts are compared.
func searched(root string) string {
	if devstack.HasModel(root) {
		return "by words and by the vectors of all-MiniLM-L6-v2"
	}
	return "by words only, because the embedding model is not installed (scripts/setup minilm)"
}

type downCommand struct{}

// Run implements the command.
func (c *downCommand) Run(p *place) error {
	stopped, err := devstack.Down(p.dir)
	for _, name := range stopped {
		p.out.line("  %s stopped %s", p.out.good.Sprint("✓"), name)
	}
	if err == nil && len(stopped) == 0 {
		p.out.line("  Nothing was running.")
	}
	return err
}

type statusCommand struct{}

// Run implements the command.
func (c *statusCommand) Run(p *place) error {
	running, err := devstack.Running(p.dir)
	if err != nil {
		return err
	}
	for _, name := range []string{"ministack", "demogitlab", "console"} {
		r, ok := running[name]
		if !ok {
			p.out.line("  %s %-11s not running", p.out.faint.Sprint("·"), name)
			continue
		}
		p.out.line("  %s %-11s %s  %s", p.out.good.Sprint("✓"), name, r.URL, p.out.faint.Sprintf("process %d", r.PID))
	}
	if _, ok := running["ministack"]; !ok {
		return nil
	}
	e, err := devstack.ReadEndpoints(p.dir)
	if err != nil {
		return err
	}
	p.out.line("")
	p.endpoints(e)
	return nil
}
