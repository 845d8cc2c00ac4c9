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

// waiting are the flags of commands that can await a run.
type waiting struct {
	Wait    bool          `help:"Wait for the run's end; if it fails, exit with the code of its failure."`
	Timeout time.Duration `default:"10m" help:"How long to wait at most (the run goes on)."`
}

type syncCommand struct {
	Project       string  `short:"p" required:"" placeholder:"PROJECT" help:"Number, or path such as group/project (asks GitLab; needs GITLAB_TOKEN)."`
	Issue         []int64 `placeholder:"IID" help:"An issue; several by repeating or with commas."`
	MR            []int64 `name:"mr" placeholder:"IID" help:"A merge request; several by repeating or with commas."`
	PreflightOnly bool    `help:"Fetch and report; write no content."`
	DryRun        bool    `help:"Answer with the plan; fetch and write nothing."`
	NoDocs        bool    `help:"Leave documents and embeddings to a later drain (with --no-embed)."`
	NoEmbed       bool    `help:"Leave embeddings to a later drain."`
	waiting
	IdempotencyKey *string `placeholder:"KEY" help:"The same key is the same run, however often it is sent; a new one by default."`
}

// Help implements [kong.HelpProvider].
func (*syncCommand) Help() string {
	return `Names up to 25 entities of one project, which are fetched and stored together or not at all.

Examples:

    lore sync -p 1 --issue 7 --mr 12 --wait

    lore sync -p group/project --issue 7,8,9 --dry-run`
}

// Run implements the command.
func (c *syncCommand) Run(ctx context.Context, s *session) error {
	if err := c.check(s.Clock()); err != nil {
		return err
	}
	project, err := s.projectID(ctx, c.Project)
	if err != nil {
		return err
	}
	client, err := s.client(ctx)
	if err != nil {
		return err
	}
	req := apiclient.RunRequest{ProjectID: project, Issues: c.Issue, MergeRequests: c.MR, Options: c.options()}
	if c.DryRun {
		plan, err := client.Plan(ctx, req, deref(c.IdempotencyKey))
		if err != nil {
			return err
		}
		s.answer(plan.Raw, func(p *printer) { p.plan(plan.Value) })
		return nil
	}
	key := deref(c.IdempotencyKey)
	if key == "" {
		key = s.NewKey()
	}
	started, err := client.StartRun(ctx, req, key)
	if err != nil {
		return unsure(err, key)
	}
	if c.Wait {
		return s.await(ctx, client, started.Value.RunID, c.waiting, false)
	}
	s.answer(started.Raw, func(p *printer) {
		p.run(started.Value)
		p.followIt(started.Value.RunID)
	})
	return nil
}

func deref(key *string) string {
	if key == nil {
		return ""
	}
	return *key
}

// followIt says how to go on.
func (p *printer) followIt(runID string) {
	p.line("%s", p.faint.Sprintf("follow it: lore sync-runs --run-id %s --wait", runID))
}

func (c *syncCommand) options() surgical.Options {
	return surgical.Options{PreflightOnly: c.PreflightOnly, DryRun: c.DryRun, NoDocs: c.NoDocs, NoEmbed: c.NoEmbed}
}

// check refuses what the API would refuse, before anything is sent. A project
// that is a path has its number later.
func (c *syncCommand) check(now time.Time) error {
	req := surgical.Request{RunID: "unsent", ProjectID: 1, Origin: surgical.OriginManual, EventAt: now, Options: c.options()}
	for _, iid := range c.Issue {
		req.Targets = append(req.Targets, surgical.Target{Type: surgical.Issue, IID: iid})
	}
	for _, iid := range c.MR {
		req.Targets = append(req.Targets, surgical.Target{Type: surgical.MergeRequest, IID: iid})
	}
	for _, err := range []error{req.Validate(), checkKey(c.IdempotencyKey), checkTimeout(c.waiting)} {
		if err != nil {
			return err
		}
	}
	return nil
}

// checkKey refuses what the API would. An empty key that was given is one that
// a script failed to make.
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

// unsure says how to ask again when nobody knows whether a request arrived.
func unsure(err error, key string) error {
	var e *surgical.Error
	if errors.Is(err, context.Canceled) {
		err = &surgical.Error{Code: CodeInterrupted, Message: "interrupted", Action: surgical.ActionRetryAfter, Retryable: true}
	}
	if errors.As(err, &e) && (e.Retryable || e.Code == surgical.CodeInternal) {
		e.Message += fmt.Sprintf("; --idempotency-key %s asks again for the same run, if there is one by now", key)
	}
	return err
}

// plan prints what a run would do.
func (p *printer) plan(plan apiclient.Plan) {
	p.pairs(pair("project", number(plan.ProjectID)), pair("stages", plain("%s", joined(plan.Stages))))
	var rows [][]cell
	for _, t := range plan.Targets {
		row := []cell{plain("%s", t.Type), plain("%d", t.IID), plain("none")}
		if l := t.Local; l != nil {
			row = append(row[:2], plain("revision %d", l.Revision), plain("%s", moment(l.UpdatedAt)), plain("%s", moment(l.FetchedAt)))
		}
		rows = append(rows, row)
	}
	p.line("")
	p.table([]string{"TYPE", "IID", "STORED", "UPDATED", "FETCHED"}, rows)
	rows = nil
	for _, c := range plan.Conflicts {
		rows = append(rows, []cell{{c.Reason, p.warn}, plain("%s", c.RunID), p.status(string(c.Status)), plain("%s", targets(c.Targets, 3))})
	}
	if len(rows) > 0 {
		p.line("")
	}
	p.table([]string{"CONFLICT", "RUN", "STATUS", "TARGETS"}, rows)
	p.line("%s", p.faint.Sprint("nothing was fetched, sent or written"))
}
