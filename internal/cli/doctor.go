package cli

import (
	"context"
	"fmt"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/advice"
	"gitlab.com/lorehook/lorehook/internal/baseurl"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

type doctorCommand struct{}

// Help implements [kong.HelpProvider].
func (*doctorCommand) Help() string {
	return `Checks, from this machine: the API's address, your AWS credentials, what answers there, the stack's secrets, GitLab's rate limit, projects and their webhooks, queues, the search index, your own GitLab token, and quotas. Each check is ok, a warning, a failure or not seen from here; the exit code is not zero if one failed. If a webhook token is known here (GITLAB_WEBHOOK_SIGNING_TOKENS or GITLAB_WEBHOOK_SECRET_TOKENS; the local stack has one), it sends a delivery that the webhook ignores. Nothing is changed.

Examples:

    lore doctor

    lore doctor --robot`
}

// checkState is the result of a check.
type checkState string

const (
	checkOK      checkState = "ok"
	checkWarning checkState = "warning"
	checkFailure checkState = "failure"
	// checkUnseen: it cannot be seen from here, or with these rights.
	checkUnseen checkState = "not seen"
)

// check is one check with what to do about its result.
type check struct {
	Name    string       `json:"name"`
	State   checkState   `json:"state"`
	Message string       `json:"message"`
	Next    *advice.Step `json:"next,omitempty"`
}

// checkup collects checks.
type checkup struct {
	*session
	checks []check
}

func (c *checkup) add(name string, state checkState, next *advice.Step, format string, args ...any) {
	c.checks = append(c.checks, check{name, state, fmt.Sprintf(format, args...), next})
}

// failed adds a failure from an error, with the usual advice about it. The given one
// replaces advice to run the doctor, or to look at its help.
func (c *checkup) failed(name string, err error, next *advice.Step) {
	e := surgical.AsError(err)
	if steps := c.next(e); len(steps) > 0 {
		usual := steps[0]
		circular := strings.HasPrefix(usual.Command, advice.DoctorCommand)
		if circular {
			usual.Command = ""
		}
		if next == nil || !circular {
			next = &usual
		}
	}
	c.add(name, checkFailure, next, "%s (%s)", e.Message, e.Code)
}

func step(text, command string) *advice.Step { return &advice.Step{Text: text, Command: command} }

// nameAStack says what to do without a stack.
func (c *checkup) nameAStack() *advice.Step {
	command := "lore config set api-url URL"
	if named := c.namedProfile(); named != "" {
		command += " --profile " + named
	}
	return step("Start the local stack in a checkout of Lorehook (make up), or name yours by its output ApiUrl.", command)
}

// failedChecks is the error if a check failed.
type failedChecks struct {
	checks []check
	typed  *surgical.Error
}

func (f *failedChecks) Error() string { return f.typed.Error() }

// Unwrap returns the typed error.
func (f *failedChecks) Unwrap() error { return f.typed }

// Run implements the command.
func (*doctorCommand) Run(ctx context.Context, s *session) error {
	c := &checkup{session: s}
	c.stack(ctx)
	c.gitlabToken(ctx)
	if err := ctx.Err(); err != nil {
		return err
	}
	s.answer(map[string]any{"checks": c.checks}, func(p *printer) { p.checks(c.checks) })
	failures := 0
	for _, one := range c.checks {
		if one.State == checkFailure {
			failures++
		}
	}
	if failures == 0 {
		return nil
	}
	return &failedChecks{c.checks, &surgical.Error{
		Code: CodeCheckFailed, Action: surgical.ActionFixRequest, Message: fmt.Sprintf("%d of %d checks failed", failures, len(c.checks)),
	}}
}

// stack checks the API, and through it the stack. What depends on a failed check is left
// out.
func (c *checkup) stack(ctx context.Context) {
	base, address, err := c.apiBase()
	if err != nil {
		c.failed("address", err, c.nameAStack())
		return
	}
	c.add("address", checkOK, nil, "%s, from %s", address.value, address.from)
	right := step("Check the URL, which is the output ApiUrl of the stack.", settingsCommand)
	if baseurl.Loopback(base) {
		right = step("Start the local stack in its checkout.", "make up")
	}
	if !c.credentials(ctx, base) {
		return
	}
	client, err := c.client(ctx)
	if err != nil {
		c.failed("endpoint", err, right)
		return
	}
	version, err := client.Health(ctx)
	if err != nil {
		c.failed("endpoint", err, right)
		return
	}
	c.add("endpoint", checkOK, nil, "Lorehook answers, API %s; this is lore %s", version, c.Version)
	status, err := client.Status(ctx)
	switch {
	case surgical.CodeOf(err) == surgical.CodeInvalidRequest:
		c.add("access", checkUnseen, step("Deploy a version of Lorehook that has it.", ""), "this API has no /v1/status")
	case err != nil:
		c.failed("access", err, right)
		return
	default:
		c.add("access", checkOK, nil, "the API accepts your requests")
		c.status(status.Value)
	}
	c.hooksOfProjects(ctx, client)
	c.webhookTokens(ctx)
	c.quotas(ctx, base)
}
