package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

type backfillCommand struct {
	Project        string        `short:"p" placeholder:"PROJECT" completion-predictor:"project" help:"Copy this project (ID, path such as group/project, or URL in GitLab)."`
	Group          string        `short:"g" placeholder:"GROUP" help:"Copy the projects of this group and its subgroups (ID or path)."`
	All            bool          `help:"Copy every project on the allow list that the stack's GitLab token is a member of."`
	ID             string        `name:"id" placeholder:"ID" help:"Watch, cancel or resume this backfill."`
	Cancel         bool          `help:"Cancel the backfill; what was copied stays."`
	RetryFailed    bool          `help:"Resume the backfill where it stopped, and retry the entities that failed."`
	List           bool          `help:"List backfills."`
	Detach         bool          `help:"Do not wait for the end."`
	Timeout        time.Duration `default:"24h" help:"Maximum time to wait; the backfill itself continues."`
	IdempotencyKey *string       `placeholder:"KEY" help:"Idempotency key: repeating the command with the same key returns the same backfill (default: a new key)."`
}

// Help implements [kong.HelpProvider].
func (*backfillCommand) Help() string {
	return `Starts a backfill and watches it. The backfill runs by itself: interrupting the command, or losing the connection, does not stop it.

Examples:

    lore backfill -p group/project

    lore backfill --all --detach

    lore backfill --id 1-6c5yq4wsxhqm3f2a

    lore backfill -p group/project --cancel

    lore backfill -p group/project --retry-failed`
}

// Run implements the command.
func (c *backfillCommand) Run(ctx context.Context, s *session) error {
	if err := c.check(); err != nil {
		return err
	}
	client, err := s.client(ctx)
	if err != nil {
		return err
	}
	if c.List {
		list, err := client.Backfills(ctx)
		if err != nil {
			return err
		}
		s.answer(list.Raw, func(p *printer) { p.backfills(list.Value, s.times()) })
		return nil
	}
	b, err := c.begin(ctx, s, client)
	if err != nil {
		return err
	}
	if c.Detach {
		s.answer(b.Raw, func(p *printer) {
			p.backfill(b.Value)
			p.hint("watch it", "lore backfill --id "+b.Value.ID)
		})
		return nil
	}
	if !b.Value.Status.Terminal() {
		if b, err = c.watch(ctx, s, client, b.Value.ID); err != nil {
			return err
		}
	}
	s.answer(b.Raw, func(p *printer) { p.backfill(b.Value) })
	if c.Cancel && b.Value.Status == surgical.StatusCancelled {
		return nil // the requested outcome
	}
	return outcomeOfBackfill(b.Value)
}

func (c *backfillCommand) check() error {
	named := 0
	for _, given := range []bool{c.Project != "", c.Group != "", c.All, c.ID != "", c.List} {
		if given {
			named++
		}
	}
	switch {
	case named != 1:
		return invalid("specify one of -p, -g, --all, --id and --list")
	case c.Cancel && c.RetryFailed:
		return invalid("--cancel and --retry-failed exclude each other")
	case c.List && (c.Cancel || c.RetryFailed):
		return invalid("--cancel and --retry-failed need a backfill: -p, -g, --all or --id")
	case c.Timeout <= 0:
		return invalid("--timeout must be positive, got %s", c.Timeout)
	}
	return checkKey(c.IdempotencyKey)
}

// begin starts, finds, cancels or resumes the backfill.
func (c *backfillCommand) begin(ctx context.Context, s *session, client *apiclient.Client) (b apiclient.Answer[apiclient.Backfill], err error) {
	id := c.ID
	if id == "" && (c.Cancel || c.RetryFailed) {
		if id, err = c.find(ctx, s, client); err != nil {
			return b, err
		}
	}
	switch {
	case c.Cancel:
		return client.CancelBackfill(ctx, id)
	case c.RetryFailed:
		return client.RetryBackfill(ctx, id)
	case id != "":
		return client.Backfill(ctx, id)
	}
	req := apiclient.BackfillRequest{Group: strings.Trim(c.Group, "/"), All: c.All}
	if c.Project != "" {
		path, id, err := s.project(c.Project)
		if err != nil {
			return b, err
		}
		if req.Project = path; id != 0 {
			req.Project = strconv.FormatInt(id, 10)
		}
	}
	key := deref(c.IdempotencyKey)
	if key == "" {
		key = s.NewKey()
	}
	b, err = client.StartBackfill(ctx, req, key)
	return b, unsure(err, "backfill", key)
}

// find returns the backfill of what the command names that is running, or else the
// newest one. A path may have been unknown when a backfill was requested by it, so both
// the path and the id name the project.
func (c *backfillCommand) find(ctx context.Context, s *session, client *apiclient.Client) (string, error) {
	var projectID int64
	var path string
	var unknown error
	if c.Project != "" {
		var err error
		if path, projectID, err = s.project(c.Project); err != nil {
			return "", err
		}
		if projectID == 0 {
			projectID, unknown = s.projectID(ctx, c.Project)
		}
	}
	list, err := client.Backfills(ctx)
	if err != nil {
		return "", err
	}
	matches := slices.DeleteFunc(list.Value.Backfills, func(b apiclient.Backfill) bool {
		switch {
		case c.Project != "":
			return (projectID == 0 || b.ProjectID != projectID) && (path == "" || !strings.EqualFold(b.Project, path))
		case c.Group != "":
			return b.Group != strings.Trim(c.Group, "/")
		}
		return !b.All
	})
	switch {
	case len(matches) > 0:
		return chosen(matches).ID, nil
	case unknown != nil:
		return "", unknown
	}
	return "", surgical.NewError(surgical.CodeBackfillNotFound, "there is no such backfill; lore backfill --list shows all")
}

// chosen returns the backfill that is running, or else the newest, of a list with the
// newest first. If a request by the project's path started it, it is that request.
func chosen(matches []apiclient.Backfill) apiclient.Backfill {
	b := matches[0]
	if i := slices.IndexFunc(matches, func(b apiclient.Backfill) bool { return !b.Status.Terminal() }); i >= 0 {
		b = matches[i]
	}
	for _, request := range matches {
		if b.ID == surgical.NewPassID(b.ProjectID, surgical.PassBackfill, request.ID) {
			return request
		}
	}
	return b
}

// outcomeOfBackfill returns nil for a backfill that succeeded, or else its error.
func outcomeOfBackfill(b apiclient.Backfill) error {
	switch {
	case b.Status == surgical.StatusSucceeded:
		return nil
	case b.Error != nil:
		return b.Error.Err()
	case b.Status == surgical.StatusCancelled:
		return surgical.NewError(surgical.CodeRunCancelled, "the backfill was cancelled")
	}
	return surgical.NewError(surgical.CodeInternal, fmt.Sprintf("the backfill is %s, but has no error", b.Status))
}

const (
	// watchPause is the time between two looks at a backfill, and reportPause that
	// between two lines where there is no terminal.
	watchPause  = 2 * time.Second
	reportPause = 30 * time.Second
	// ratePatience is how long a backfill is watched before its rate is shown: what has
	// ended is counted in one step whenever the crawler looks, and it does not look for
	// the rest of its interval once its time is up.
	ratePatience = surgical.CrawlInterval
)

// watch follows the backfill until it ends. Losing the connection for a while does not
// end the watching.
func (c *backfillCommand) watch(ctx context.Context, s *session, client *apiclient.Client, id string) (apiclient.Answer[apiclient.Backfill], error) {
	began, failed := s.Clock(), 0
	progress := gauge{patience: ratePatience}
	var reported time.Time
	var last string
	for {
		b, err := client.Backfill(ctx, id)
		now := s.Clock()
		text := ""
		switch {
		case err == nil:
			failed = 0
			text = progress.lineOf(b.Value, now)
		default:
			if failed++; ctx.Err() != nil || failed > patience || !surgical.AsError(err).Retryable {
				return b, backfillContinues(ctx, err, id)
			}
			text = string(surgical.CodeOf(err)) + ", retrying"
		}
		ended := err == nil && b.Value.Status.Terminal()
		if s.StderrTerminal {
			s.err.passing(text)
		} else if state := string(b.Value.Status); ended || state != last || now.Sub(reported) >= reportPause {
			s.err.line("%s", text)
			reported, last = now, state
		}
		if ended {
			s.err.clear()
			return b, nil
		}
		if now.Sub(began) >= c.Timeout {
			return b, &surgical.Error{
				Code: CodeWaitTimeout, Action: surgical.ActionRetryAfter, Retryable: true,
				Message: fmt.Sprintf("the backfill did not end within %s; it continues: lore backfill --id %s", c.Timeout, id),
			}
		}
		if err := s.Pause(ctx, watchPause); err != nil {
			return b, backfillContinues(ctx, err, id)
		}
	}
}

// backfillContinues returns an error that says that the backfill continues, if the user
// interrupted the program, and err otherwise.
func backfillContinues(ctx context.Context, err error, id string) error {
	if ctx.Err() == nil {
		return err
	}
	return &surgical.Error{
		Code: CodeInterrupted, Action: surgical.ActionRetryAfter, Retryable: true,
		Message: "interrupted; the backfill continues: lore backfill --id " + id,
	}
}

// lineOf describes the progress of a backfill on one line.
func (g *gauge) lineOf(b apiclient.Backfill, now time.Time) string {
	var total int64
	if b.Progress.Total != nil {
		total = *b.Progress.Total
	}
	parts := []string{g.text(settled(b), total, now), thousands(b.Progress.Requests) + " requests"}
	if b.Progress.Failed > 0 {
		parts = append(parts, thousands(b.Progress.Failed)+" failed")
	}
	if b.Progress.Unreadable > 0 {
		parts = append(parts, thousands(b.Progress.Unreadable)+" not readable")
	}
	if b.Error != nil && !b.Status.Terminal() {
		parts = append(parts, "waiting: "+string(b.Error.Code))
	}
	return strings.Join(parts, "  ")
}

// settled is how many entities need nothing more: all that were listed, but for those
// whose runs have not ended.
func settled(b apiclient.Backfill) int64 { return max(b.Progress.Listed-b.Progress.Outstanding, 0) }

// subject names what a backfill copies.
func subject(b apiclient.Backfill) string {
	switch {
	case b.ProjectID != 0 && b.Path != "":
		return fmt.Sprintf("project %s (%d)", b.Path, b.ProjectID)
	case b.ProjectID != 0:
		return "project " + strconv.FormatInt(b.ProjectID, 10)
	case b.Project != "":
		return "project " + b.Project
	case b.Group != "":
		return "group " + b.Group
	}
	return "all projects"
}

// backfill prints one backfill.
func (p *printer) backfill(b apiclient.Backfill) {
	total := cell{}
	if b.Progress.Total != nil {
		total = plain("%s", thousands(*b.Progress.Total))
	}
	pairs := [][2]cell{
		pair("backfill", plain("%s", b.ID)), pair("of", plain("%s", subject(b))), pair("status", p.status(string(b.Status))),
		pair("requested", plain("%s", moment(b.CreatedAt))), pair("ended", plain("%s", moment(b.FinishedAt))), pair("entities", total),
		pair("different", plain("%s", thousands(b.Progress.Different))), pair("done", plain("%s", thousands(b.Progress.Done))),
	}
	if b.Progress.Failed > 0 {
		pairs = append(pairs, pair("failed", cell{thousands(b.Progress.Failed), p.bad}))
	}
	if b.Progress.Unreadable > 0 {
		pairs = append(pairs, pair("not readable", cell{thousands(b.Progress.Unreadable) + " records of GitLab's lists", p.bad}))
	}
	if b.Progress.Outstanding > 0 {
		pairs = append(pairs, pair("outstanding", plain("%s", thousands(b.Progress.Outstanding))))
	}
	pairs = append(pairs, pair("requests", plain("%s", thousands(b.Progress.Requests))))
	if of := b.Projects; of != nil {
		pairs = append(pairs, pair("projects", plain("%d listed, %d not allowed, %d joined; %d running, %d succeeded, %d failed",
			of.Listed, of.NotAllowed, of.Joined, of.Running, of.Succeeded, of.Failed)))
		if of.Unreadable > 0 {
			pairs = append(pairs, pair("", cell{thousands(of.Unreadable) + " records of the list of projects name no project", p.bad}))
		}
	}
	if b.Error != nil {
		pairs = append(pairs, pair("error", cell{string(b.Error.Code) + ": " + b.Error.Message, p.bad}))
	}
	if !b.WaitsUntil.IsZero() {
		pairs = append(pairs, pair("goes on", plain("%s", moment(b.WaitsUntil))))
	}
	p.pairs(pairs...)
	var rows [][]cell
	short := shortened(b.Failures, func(f apiclient.BackfillFailure) string { return f.RunID })
	for i, f := range b.Failures {
		failed := f.Target.String()
		if b.Projects != nil {
			failed = fmt.Sprintf("%d#%s", f.ProjectID, f.Target)
		}
		rows = append(rows, []cell{plain("%s", failed), {string(f.Code), p.bad}, plain("%s", short[i]), plain("%s", f.Message)})
	}
	if len(rows) > 0 {
		p.line("")
		p.table([]string{"FAILED", "CODE", "RUN", "MESSAGE"}, rows)
		p.hint("retry them", "lore backfill --id "+b.ID+" --retry-failed")
	}
}

// backfills prints a list of backfills.
func (p *printer) backfills(list apiclient.BackfillList, at times) {
	if len(list.Backfills) == 0 {
		p.line("no backfills")
	}
	var rows [][]cell
	for _, b := range list.Backfills {
		rows = append(rows, []cell{
			plain("%s", b.ID), plain("%s", subject(b)), p.status(string(b.Status)), plain("%s", at.short(b.CreatedAt)),
			plain("%s", thousands(b.Progress.Done)), plain("%s", thousands(b.Progress.Failed)), plain("%s", thousands(b.Progress.Requests)),
		})
	}
	p.table([]string{"BACKFILL", "OF", "STATUS", "REQUESTED", "DONE", "FAILED", "REQUESTS"}, rows)
}
