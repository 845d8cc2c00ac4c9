package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/events"
	"gitlab.com/lorehook/lorehook/internal/advice"
	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// status checks what the status of the stack shows.
func (c *checkup) status(st apiclient.Status) {
	c.stackToken(st.GitLab)
	c.rateLimit(st.GitLab)
	switch p := st.Projects; {
	case p.Total == 0:
		c.add("projects", checkWarning, step("Copy a project.", "lore backfill -p PROJECT"), "none is known")
	case p.Unseen > 0:
		c.add("projects", checkFailure, step(advice.Remedy(surgical.ActionGrantAccess), advice.ProjectsCommand), "GitLab does not show %d of %d to the stack's token", p.Unseen, p.Total)
	case p.Complete < p.Total:
		next := step("Copy what is missing.", "lore backfill --all")
		for _, a := range p.Attention {
			if a.CompleteAsOf.IsZero() {
				next = step("Copy what is missing.", fmt.Sprintf("lore backfill -p %d", a.ProjectID))
				break
			}
		}
		c.add("projects", checkWarning, next, "%d of %d are complete", p.Complete, p.Total)
	default:
		c.add("projects", checkOK, nil, "all %d are complete, with every change before %s", p.Total, moment(p.CompleteAsOf))
	}
	c.deadLetters(st)
	if st.Index.Status == "absent" {
		c.add("index", checkWarning, step("It is built within minutes of the first copy.", advice.IndexCommand), "there is no search index yet")
		return
	}
	c.add("index", checkOK, nil, "%s, with every change before %s", strings.ReplaceAll(st.Index.Status, "_", " "), moment(st.Index.AsOf))
}

// stackToken checks the token that the stack reads from its secret.
func (c *checkup) stackToken(g apiclient.StatusGitLab) {
	const name = "stack's GitLab token"
	if p := g.Pause; p != nil && p.Code != surgical.CodeGitLabRateLimited {
		next := advice.OfPause(p.Code)
		c.add(name, checkFailure, &next, "nothing is sent to GitLab until %s: %s", moment(p.Until), advice.PauseCause(p.Code))
		return
	}
	if g.AnsweredAt.IsZero() {
		c.add(name, checkUnseen, step("The crawler asks GitLab within minutes of the first project; see its log.", "lore logs crawler"), "the crawler has not had an answer of GitLab yet")
		return
	}
	if ago := c.Clock().Sub(g.AnsweredAt); ago > time.Hour {
		c.add(name, checkWarning, step("See what the crawler does.", "lore logs crawler"), "GitLab accepted it last at %s", moment(g.AnsweredAt))
		return
	}
	c.add(name, checkOK, nil, "the secret is readable, and GitLab accepted the token at %s", moment(g.AnsweredAt))
}

func (c *checkup) rateLimit(g apiclient.StatusGitLab) {
	const name = "GitLab's rate limit"
	switch l := g.RateLimit; {
	case g.Pause != nil && g.Pause.Code == surgical.CodeGitLabRateLimited:
		c.add(name, checkWarning, step("Wait; runs go on by themselves. If it happens often, lower gitlabRequestsPerSecond.", ""), "reached; nothing is sent until %s", moment(g.Pause.Until))
	case !g.PassesWaitUntil.IsZero():
		c.add(name, checkWarning, step("Wait; what is left is for webhooks.", ""), "backfills and reconciles wait until %s", moment(g.PassesWaitUntil))
	case l == nil:
		c.add(name, checkUnseen, nil, "GitLab has not said how many requests it allows")
	default:
		c.add(name, checkOK, nil, "%s of %s requests were left at %s", thousands(l.Remaining), thousands(l.Limit), moment(g.AnsweredAt))
	}
}

func (c *checkup) deadLetters(st apiclient.Status) {
	for _, q := range st.Queues {
		failures := q.Waiting + q.Received
		switch {
		case q.Error != "":
			c.add("queue "+q.Name, checkUnseen, nil, "%s", q.Error)
		case q.Name == "dead-letters" && failures > 0:
			c.add("dead letters", checkFailure, step("Their runs say why they were given up.", advice.FailedCommand), "%s given up", counted(failures, "message was", "messages were"))
		case q.Name == "dead-letters":
			c.add("dead letters", checkOK, nil, "none")
		case q.Name == "feed-failures" && failures > 0:
			c.add("change feed", checkFailure, step("See the runbook feed-behind.", ""), "%s did not reach it", counted(failures, "batch of changes", "batches of changes"))
		}
	}
}

// hooksOfProjects checks the webhook of each project, as the crawler found it.
func (c *checkup) hooksOfProjects(ctx context.Context, client *apiclient.Client) {
	all, err := client.AllProjects(ctx)
	if err != nil {
		c.failed("webhooks", err, nil)
		return
	}
	working := 0
	for _, p := range all {
		name := fmt.Sprintf("webhook of %d", p.ProjectID)
		switch {
		case p.Hook == nil:
			c.add(name, checkUnseen, step(firstCheck(p), fmt.Sprintf("lore projects show %d", p.ProjectID)), "not checked yet")
		case p.Hook.State == surgical.HookWorking:
			working++
		case p.Hook.State == surgical.HookUnreadable:
			c.add(name, checkUnseen, step("Check it with a token of your own.", fmt.Sprintf("lore hooks verify -p %d", p.ProjectID)), "the stack's token may not read it")
		default:
			c.add(name, checkFailure, step("Add or repair it.", fmt.Sprintf("lore hooks add -p %d", p.ProjectID)), "%s: %s", p.Hook.State, p.Hook.Reason)
		}
	}
	if working > 0 {
		c.add("webhooks", checkOK, nil, "%d of %d projects have one that works", working, len(all))
	}
}

// firstCheck says when the crawler checks a project's webhook for the first time.
func firstCheck(p apiclient.Project) string {
	if p.Path == "" {
		return "The crawler checks it after the first pass, which finds out the project's path."
	}
	return "The crawler checks it within a minute."
}

// webhookTokens sends a delivery that the webhook verifies and ignores. Without a token it
// sends nothing: refused deliveries raise an alarm.
func (c *checkup) webhookTokens(ctx context.Context) {
	const name = "webhook's tokens"
	hook, err := c.webhook("")
	if err != nil {
		c.failed(name, err, step("Correct the token in your environment.", ""))
		return
	}
	if hook.signingToken+hook.secretToken == "" {
		c.add(name, checkUnseen, step("To try one, set GITLAB_WEBHOOK_SIGNING_TOKENS or GITLAB_WEBHOOK_SECRET_TOKENS.", ""), "no token is known here")
		return
	}
	ignored, err := events.Named("push")
	if err != nil {
		c.failed(name, err, nil)
		return
	}
	answer, err := c.deliver(ctx, hook, ignored.Body, ignored.Event, c.NewKey())
	switch e := surgical.AsError(err); {
	case err == nil:
		c.add(name, checkOK, nil, "the secret is readable, and has the token that is known here (the delivery was %s)", answer.Value.Status)
	case e.Code == surgical.CodeInvalidSignature:
		c.add(name, checkFailure, step("Give GitLab and the stack the same token.", "lore hooks rotate -p PROJECT"), "the stack does not have the token that is known here")
	case e.Code == surgical.CodeInternal:
		c.add(name, checkFailure, step("Store the tokens in the secret WebhookSecretId: see the runbook secrets.", "lore logs webhook"), "%s", e.Message)
	default:
		c.failed(name, err, step("Check the URL of the webhook: the output WebhookUrl of the stack.", ""))
	}
}
