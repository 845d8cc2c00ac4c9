package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/plaintext"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

type changesCommand struct {
	Project string `short:"p" placeholder:"PROJECT" completion-predictor:"project" help:"Only changes of this project (ID or path)."`
	Since   string `placeholder:"PLACE" help:"The place after the last change that you have seen, from an earlier call. Without it, changes from now on."`
	Limit   int    `default:"50" help:"Maximum number of changes of one call (1 to 100)."`
	Follow  bool   `short:"f" help:"Continue to print changes until interrupted."`
	JSON    string `name:"json" placeholder:"FIELDS" help:"Print these fields of the changes, such as gone,entity, as one JSON document; with --follow, as one for each change."`
}

// Help implements [kong.HelpProvider].
func (*changesCommand) Help() string {
	return `Lists which issues and merge requests changed, in the order of the changes, as they are now. Nothing is left out: keep the place that it prints, and go on from there within 30 days. If it says feed_restarted, read everything once (lore export), and begin without --since.

With --follow, it waits for up to 30 minutes if the API fails temporarily. With --json as well, each line is a change, and its field next is the place to go on from after it.

Examples:

    lore changes --follow

    lore changes -p group/project --since eyJsIjoiY2hhbmdlcyIs

    lore changes --follow --json changed_at,gone,entity`
}

// Run implements the command.
func (c *changesCommand) Run(ctx context.Context, s *session) error {
	if err := c.check(s.robot); err != nil {
		return err
	}
	project, err := s.anyProjectID(ctx, c.Project)
	if err != nil {
		return err
	}
	client, err := s.client(ctx)
	if err != nil {
		return err
	}
	read := func(since string) (changesPage, error) { return client.Changes(ctx, since, project, c.Limit) }
	page, err := read(c.Since)
	switch {
	case err != nil:
		return err
	case c.Follow:
		return c.follow(ctx, s, page, read)
	case c.JSON != "":
		changes, err := c.selected(page, c.Since)
		if err != nil {
			return err
		}
		return s.json(map[string]any{"changes": changes, "next": page.Value.Next, "more": page.Value.More})
	}
	s.answer(page.Raw, func(p *printer) {
		p.changes(page.Value.Changes, s.times())
		p.hint("go on with", "--since "+page.Value.Next)
	})
	return nil
}

func (c *changesCommand) check(robot bool) error {
	switch {
	case c.Limit < 1 || c.Limit > 100:
		return invalid("--limit must be between 1 and 100, got %d", c.Limit)
	case c.Follow && robot:
		return invalid("--follow and --robot exclude each other: one envelope has no end; --json prints lines")
	}
	for _, field := range c.fields() {
		if !slices.Contains(changeFields(), field) {
			return invalid("--json: %s is not a field; the fields are %s", field, strings.Join(changeFields(), ", "))
		}
	}
	return nil
}

// changesPage is a page of the change feed.
type changesPage = apiclient.Answer[apiclient.ChangeList]

// changeFields are the fields of a change. The first three, which name the entity, and
// the last are always shown.
func changeFields() []string {
	return []string{"project_id", "type", "iid", "changed_at", "gone", "entity", "next"}
}

func (c *changesCommand) fields() []string {
	if c.JSON == "" {
		return nil
	}
	return strings.Split(c.JSON, ",")
}

// selected returns the changes of a page with their selected fields. After the last one,
// the place to go on from is the page's next; after the others it is where the page
// began, so that nothing is left out.
func (c *changesCommand) selected(page changesPage, since string) ([]map[string]any, error) {
	var raw struct {
		Changes []map[string]any `json:"changes"`
	}
	if err := json.Unmarshal(page.Raw, &raw); err != nil {
		return nil, fmt.Errorf("read the changes: %w", err)
	}
	shown := append(c.fields(), "project_id", "type", "iid", "next")
	changes := []map[string]any{}
	for i, change := range raw.Changes {
		change["next"] = since
		if i == len(raw.Changes)-1 {
			change["next"] = page.Value.Next
		}
		for name := range change {
			if !slices.Contains(shown, name) {
				delete(change, name)
			}
		}
		changes = append(changes, change)
	}
	return changes, nil
}

// follow prints the page and what changes afterwards, until the user interrupts it.
func (c *changesCommand) follow(ctx context.Context, s *session, page changesPage, read func(since string) (changesPage, error)) error {
	since := c.Since
	for {
		if err := c.print(s, page, since); err != nil {
			return err
		}
		if !page.Value.More {
			if err := s.Pause(ctx, followInterval); err != nil {
				return err
			}
		}
		since = page.Value.Next
		var err error
		if page, err = patiently(ctx, s, func() (changesPage, error) { return read(since) }); err != nil {
			return err
		}
	}
}

// print prints a page: for people, or one JSON document for each change.
func (c *changesCommand) print(s *session, page changesPage, since string) error {
	if c.JSON == "" {
		// Lines stay on the screen, where how long ago something was would soon be wrong.
		s.out.changes(page.Value.Changes, times{now: s.Clock()})
		return s.written()
	}
	changes, err := c.selected(page, since)
	if err != nil {
		return err
	}
	for _, change := range changes {
		line, err := json.Marshal(change)
		if err != nil {
			return fmt.Errorf("encode: %w", err)
		}
		fmt.Fprintf(s.Stdout, "%s\n", plaintext.JSON(line))
	}
	return s.written()
}

const (
	// followInterval is the time between two looks at the change feed.
	followInterval = 5 * time.Second
	// longestWait is the longest time between two tries of a reading that fails, and
	// followPatience how long it may fail.
	longestWait, followPatience = time.Minute, 30 * time.Minute
)

// patiently repeats a reading that fails for a reason that passes: the API failed, or was
// not reached. It says so once.
func patiently[T any](ctx context.Context, s *session, read func() (T, error)) (T, error) {
	result, err := read()
	if err == nil {
		return result, nil
	}
	begun, told := s.Clock(), false
	for pause := followInterval; err != nil; pause = min(2*pause, longestWait) {
		failure := surgical.AsError(err)
		passes := failure.Retryable || failure.Code == surgical.CodeInternal
		if ctx.Err() != nil || !passes || s.Clock().Sub(begun) >= followPatience {
			return result, err
		}
		if !told {
			s.err.line("%s", paint(s.err.warn, "%s (%s); trying again for up to %d minutes", failure.Message, failure.Code, int(followPatience.Minutes())))
			told = true
		}
		if err := s.Pause(ctx, min(max(pause, failure.RetryAfter), longestWait)); err != nil {
			return result, err
		}
		result, err = read()
	}
	s.err.line("the API answers again")
	return result, nil
}

// changes prints one line per change.
func (p *printer) changes(changes []apiclient.Change, at times) {
	var rows [][]cell
	for _, c := range changes {
		what := cell{c.Entity.State, nil}
		if c.Gone {
			what = cell{"gone", p.warn}
		}
		ref := surgical.EntityRef{ProjectID: c.ProjectID, Target: c.Target}
		rows = append(rows, []cell{plain("%s", at.text(c.ChangedAt)), plain("%s", ref), what, plain("%s", c.Entity.Title)})
	}
	p.print(table{names: []string{"CHANGED", "ENTITY", "STATE", "TITLE"}, rows: rows, headless: true})
}
