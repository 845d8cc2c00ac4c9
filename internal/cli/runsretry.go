package cli

import (
	"context"
	"iter"
	"time"

	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

type runsRetryCommand struct {
	ID          string        `arg:"" optional:"" name:"run" placeholder:"RUN" completion-predictor:"run" help:"The run's id, or its beginning."`
	FailedSince time.Duration `placeholder:"DURATION" help:"Instead of one run, all that failed and were created within this time, such as 24h."`
	Project     string        `short:"p" placeholder:"PROJECT" completion-predictor:"project" help:"With --failed-since, only runs of this project."`
	waiting
}

// Help implements [kong.HelpProvider].
func (*runsRetryCommand) Help() string {
	return `Starts a new run with those targets of a failed or cancelled run that can succeed. Repeating the command returns the same new run. With --failed-since, it retries up to 1,000 runs that are not retried yet, the newest first, and says which cannot succeed and how many are left for another call.

Examples:

    lore runs retry m5d2x7aa --wait

    lore runs retry --failed-since 24h`
}

// Run implements the command.
func (c *runsRetryCommand) Run(ctx context.Context, s *session) error {
	switch {
	case (c.ID == "") == (c.FailedSince == 0):
		return invalid("name a run, or use --failed-since")
	case c.FailedSince < 0:
		return invalid("--failed-since must be positive, got %s", c.FailedSince)
	case c.FailedSince > 0 && c.Wait:
		return invalid("--failed-since cannot be combined with --wait: follow the runs with lore runs list")
	case c.FailedSince == 0 && c.Project != "":
		return invalid("-p needs --failed-since")
	case c.FailedSince == 0:
		return oneRun{c.ID}.change(ctx, s, c.waiting, (*apiclient.Client).RetryFailed)
	}
	return c.all(ctx, s)
}

// maxRetried is how many runs one command retries. Runs that cannot succeed, or are
// retried already, do not count.
const maxRetried = 1000

// retried is the result for one run: its new run, or why there is none.
type retried struct {
	RunID string `json:"run_id"`
	// RetryRunID is the new run.
	RetryRunID string          `json:"retry_run_id,omitempty"`
	Error      *surgical.Error `json:"error,omitempty"`
}

// retries is the result for all runs in question.
type retries struct {
	Runs []retried `json:"runs"`
	// Left counts the runs that another call of the command would retry.
	Left int `json:"left"`
	// counted is how many runs were retried, or could have been.
	counted int
}

// all retries every run in question. What fails does not stop the others.
func (c *runsRetryCommand) all(ctx context.Context, s *session) error {
	filter := apiclient.Filter{Status: surgical.StatusFailed}
	var err error
	if c.Project != "" {
		if filter.ProjectID, err = s.projectID(ctx, c.Project); err != nil {
			return err
		}
	}
	client, err := s.client(ctx)
	if err != nil {
		return err
	}
	results := retries{Runs: []retried{}}
	var failure error
	for run, err := range failedSince(ctx, client, filter, s.Clock().Add(-c.FailedSince)) {
		if err != nil {
			return err
		}
		if err := results.add(ctx, client, run); err != nil && failure == nil {
			failure = err
		}
	}
	s.answer(results, func(p *printer) { p.retried(results) })
	return failure
}

// failedSince lists the runs that match the filter, the newest first, and were created
// since then.
func failedSince(ctx context.Context, client *apiclient.Client, filter apiclient.Filter, since time.Time) iter.Seq2[apiclient.Run, error] {
	return func(yield func(apiclient.Run, error) bool) {
		for {
			filter.Limit = maxRetried
			list, err := client.Runs(ctx, filter)
			if err != nil {
				yield(apiclient.Run{}, err)
				return
			}
			for _, run := range list.Value.Runs {
				if run.CreatedAt.Before(since) || !yield(run, nil) {
					return
				}
			}
			if filter.Cursor = list.Value.NextCursor; filter.Cursor == "" {
				return
			}
		}
	}
}

// add retries the run, unless that happened before or enough are retried. The error is
// why that failed, if it may succeed later.
func (r *retries) add(ctx context.Context, client *apiclient.Client, run apiclient.Run) error {
	switch {
	case run.RetriedBy != "":
		r.Runs = append(r.Runs, retried{RunID: run.RunID, RetryRunID: run.RetriedBy})
		return nil
	case r.counted == maxRetried:
		r.Left++
		return nil
	}
	one := retried{RunID: run.RunID}
	next, err := client.RetryFailed(ctx, run.RunID)
	if one.RetryRunID = next.Value.RunID; err != nil {
		one.Error = surgical.AsError(err)
	}
	r.Runs = append(r.Runs, one)
	if one.Error != nil && one.Error.Code == surgical.CodeConflict {
		return nil
	}
	r.counted++
	return err
}

func (p *printer) retried(results retries) {
	if len(results.Runs) == 0 {
		p.line("no run failed in this time")
	}
	var rows [][]cell
	for _, r := range results.Runs {
		row := []cell{plain("%s", r.RunID), plain("%s", r.RetryRunID), plain("")}
		if r.Error != nil {
			row[2] = cell{r.Error.Message, p.bad}
		}
		rows = append(rows, row)
	}
	p.table([]string{"RUN", "RETRIED AS", "WHY NOT"}, rows)
	if results.Left > 0 {
		p.sentence("%s failed in this time: run the command again", counted(results.Left, "more run", "more runs"))
	}
}
