package cli

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// waiting are the flags of commands that can wait for a run.
type waiting struct {
	Wait    bool          `help:"Wait until the run ends; if it fails, exit with the exit code of its failure."`
	Timeout time.Duration `default:"10m" help:"Maximum time to wait; the run itself continues."`
}

type syncCommand struct {
	Entity        []string `arg:"" optional:"" help:"Entities of one project: 1#7, group/project#7, group/project!3, or their URLs in GitLab. Or use -p."`
	Project       string   `short:"p" placeholder:"PROJECT" completion-predictor:"project" help:"Project ID, path such as group/project, or URL in GitLab."`
	Issue         []int64  `placeholder:"IID" help:"Issue; repeat the flag or separate several with commas."`
	MR            []int64  `name:"mr" placeholder:"IID" help:"Merge request; repeat the flag or separate several with commas."`
	PreflightOnly bool     `help:"Fetch and report, but write no content."`
	DryRun        bool     `help:"Show the plan; fetch and write nothing."`
	NoDocs        bool     `help:"Leave documents and embeddings to a later drain; requires --no-embed."`
	NoEmbed       bool     `help:"Leave embeddings to a later drain."`
	waiting
	IdempotencyKey *string `placeholder:"KEY" help:"Idempotency key: repeating the command with the same key returns the same run (default: a new key)."`
}

// Help implements [kong.HelpProvider].
func (*syncCommand) Help() string {
	return `Takes up to 25 issues and merge requests of one project, which are stored either all together or not at all.

Examples:

    lore sync -p 1 --issue 7 --mr 12 --wait

    lore sync -p group/project --issue 7,8,9 --dry-run

    lore sync https://gitlab.example.com/group/project/-/issues/7 --wait`
}

// Run implements the command.
func (c *syncCommand) Run(ctx context.Context, s *session) error {
	selected, err := s.selected(c.Project, c.Issue, c.MR, c.Entity)
	if err != nil {
		return err
	}
	if err := c.check(selected.targets, s.Clock()); err != nil {
		return err
	}
	project, err := s.projectID(ctx, selected.project)
	if err != nil {
		return err
	}
	client, err := s.client(ctx)
	if err != nil {
		return err
	}
	req := apiclient.RunRequest{ProjectID: project, Options: c.options()}
	for _, t := range selected.targets {
		if t.Type == surgical.Issue {
			req.Issues = append(req.Issues, t.IID)
		} else {
			req.MergeRequests = append(req.MergeRequests, t.IID)
		}
	}
	if c.DryRun {
		plan, err := client.Plan(ctx, req, deref(c.IdempotencyKey))
		if err != nil {
			return err
		}
		s.answer(plan.Raw, func(p *printer) { p.plan(plan.Value, s.times()) })
		return nil
	}
	key := deref(c.IdempotencyKey)
	if key == "" {
		key = s.NewKey()
	}
	started, err := client.StartRun(ctx, req, key)
	if err != nil {
		return unsure(err, "run", key)
	}
	if c.Wait {
		return s.await(ctx, client, started.Value.RunID, c.waiting, false)
	}
	s.answer(started.Raw, func(p *printer) { p.runAndNext(started.Value) })
	return nil
}

func deref(key *string) string {
	if key == nil {
		return ""
	}
	return *key
}

func (c *syncCommand) options() surgical.Options {
	return surgical.Options{PreflightOnly: c.PreflightOnly, DryRun: c.DryRun, NoDocs: c.NoDocs, NoEmbed: c.NoEmbed}
}

// check rejects what the API would reject, before anything is sent. It uses a
// placeholder for the project, whose path may not have been looked up yet.
func (c *syncCommand) check(targets []surgical.Target, now time.Time) error {
	req := surgical.Request{RunID: "unsent", ProjectID: 1, Targets: targets, Origin: surgical.OriginManual, EventAt: now, Options: c.options()}
	for _, err := range []error{req.Validate(), checkKey(c.IdempotencyKey), checkTimeout(c.waiting)} {
		if err != nil {
			return err
		}
	}
	return nil
}

// checkKey rejects keys that the API would reject, including an explicit empty key,
// which a script passes if it fails to create one.
func checkKey(key *string) error {
	if key != nil && !regexp.MustCompile(`^[!-~]{1,128}$`).MatchString(*key) {
		return invalid("an idempotency key has 1 to 128 printable ASCII characters without spaces, got %q", *key)
	}
	return nil
}

func checkTimeout(w waiting) error {
	if w.Timeout <= 0 {
		return invalid("--timeout must be positive, got %s", w.Timeout)
	}
	return nil
}

// unsure adds how to repeat the request for something if it is unknown whether it arrived.
func unsure(err error, what, key string) error {
	var e *surgical.Error
	sent := !apiclient.NotSent(err)
	if errors.Is(err, context.Canceled) {
		err = &surgical.Error{Code: CodeInterrupted, Message: "interrupted", Action: surgical.ActionRetryAfter, Retryable: true}
	}
	if errors.As(err, &e) && (e.Retryable || e.Code == surgical.CodeInternal) && sent {
		e.Message += fmt.Sprintf("; the %s may exist: to repeat the request safely, pass --idempotency-key %s", what, key)
	}
	return err
}

// plan prints what a run would do.
func (p *printer) plan(plan apiclient.Plan, at times) {
	p.pairs(pair("project", number(plan.ProjectID)), pair("stages", plain("%s", joined(plan.Stages))))
	var rows [][]cell
	for _, t := range plan.Targets {
		row := []cell{plain("%s", t.Type), plain("%d", t.IID), plain("none")}
		if l := t.Local; l != nil {
			row = append(row[:2], plain("revision %d", l.Revision), plain("%s", at.short(l.UpdatedAt)), plain("%s", at.short(l.FetchedAt)))
		}
		rows = append(rows, row)
	}
	p.line("")
	p.table([]string{"TYPE", "IID", "STORED", "UPDATED", "FETCHED"}, rows)
	rows = nil
	short := shortened(plan.Conflicts, func(c apiclient.Conflict) string { return c.RunID })
	for i, c := range plan.Conflicts {
		rows = append(rows, []cell{{c.Reason, p.warn}, plain("%s", short[i]), p.status(string(c.Status)), plain("%s", targets(c.Targets, 3))})
	}
	if len(rows) > 0 {
		p.line("")
	}
	p.table([]string{"CONFLICT", "RUN", "STATUS", "TARGETS"}, rows)
	p.line("%s", paint(p.faint, "nothing was fetched, sent or written"))
}
