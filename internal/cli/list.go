package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/plaintext"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

type listCommand struct {
	Project   string   `short:"p" required:"" placeholder:"PROJECT" completion-predictor:"project" help:"Project ID, path such as group/project, or URL in GitLab."`
	MRs       bool     `name:"mrs" help:"List merge requests instead of issues."`
	State     string   `default:"opened" completion-predictor:"state" help:"Only in this state: opened, closed, merged, locked, or all."`
	Label     []string `placeholder:"LABEL" help:"Only with all of these labels (repeat, or comma-separated)."`
	Author    string   `placeholder:"USER" help:"Only by this user."`
	Assignee  string   `placeholder:"USER" help:"Only assigned to this user."`
	Milestone string   `placeholder:"TITLE" help:"Only of this milestone."`

	dates

	Order string `default:"updated_desc" enum:"updated_desc,updated_asc,created_desc,created_asc" help:"updated_desc, updated_asc, created_desc or created_asc."`
	Limit int    `short:"L" default:"30" help:"Maximum number (1 to 1000)."`
	JSON  string `name:"json" placeholder:"FIELDS" help:"Print these fields as one JSON list, such as iid,title,labels."`
}

// Help implements [kong.HelpProvider].
func (*listCommand) Help() string {
	return `Lists what is stored, the most recently updated first. On a terminal, titles and labels are cut to its width.

Examples:

    lore list -p group/project

    lore list -p group/project --label bug --author mira --created-after 2026-05-01

    lore list -p 1 --mrs --state merged --json iid,title,web_url`
}

// Run implements the command.
func (c *listCommand) Run(ctx context.Context, s *session) error {
	query, err := c.query()
	if err != nil {
		return err
	}
	sel, err := s.reference(c.Project)
	if err != nil {
		return err
	}
	if sel.target != nil {
		return invalid("-p takes a project, got the entity %q", c.Project)
	}
	project, err := s.projectID(ctx, sel.project)
	if err != nil {
		return err
	}
	client, err := s.client(ctx)
	if err != nil {
		return err
	}
	of := surgical.Issue
	if c.MRs {
		of = surgical.MergeRequest
	}
	rows := []json.RawMessage{}
	for row, err := range client.Entities(ctx, project, of, query) {
		if err != nil {
			return err
		}
		if rows = append(rows, row); len(rows) == c.Limit {
			break
		}
	}
	return s.listed(rows, of, c)
}

// query returns the parameters of the list.
func (c *listCommand) query() (url.Values, error) {
	if c.Limit < 1 || c.Limit > 1000 {
		return nil, invalid("--limit must be between 1 and 1000, got %d", c.Limit)
	}
	if allowed := c.states(); !slices.Contains(allowed, c.State) {
		message := notOneOf("--state", allowed, c.State)
		if slices.Contains(search.States(), c.State) {
			message += "; only merge requests (--mrs) can be " + c.State
		}
		return nil, invalid("%s", message)
	}
	q := url.Values{"limit": {strconv.Itoa(min(c.Limit, 100))}, "order": {c.Order}}
	if c.State != allStates {
		q.Set("state", c.State)
	}
	if err := c.dates.add(q); err != nil {
		return nil, err
	}
	for name, value := range map[string]string{
		"label": strings.Join(c.Label, ","), "author": c.Author, "assignee": c.Assignee, "milestone": c.Milestone, "fields": c.JSON,
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q, nil
}

// allStates is the state that selects all.
const allStates = "all"

// states are those that issues can have, or merge requests.
func (c *listCommand) states() []string {
	if c.MRs {
		return append(search.States(), allStates)
	}
	return []string{"opened", "closed", allStates}
}

// listed shows the rows.
func (s *session) listed(rows []json.RawMessage, of surgical.EntityType, c *listCommand) error {
	if c.JSON != "" {
		return s.json(rows)
	}
	entities := make([]apiclient.ListedEntity, len(rows))
	for i, row := range rows {
		if err := json.Unmarshal(row, &entities[i]); err != nil {
			return surgical.WrapError(surgical.CodeInternal, err, "the list has an entity that this version of the program cannot read")
		}
	}
	s.answer(map[string]any{"entities": rows}, func(p *printer) {
		if len(entities) == 0 {
			p.line("nothing stored matches")
			return
		}
		p.listed(entities, of, c.State == allStates, s.times())
		if len(rows) == c.Limit {
			p.line("%s", paint(p.faint, "the first %d; --limit shows more", c.Limit))
		}
	})
	return nil
}

// json prints one JSON document, or makes it the data of the envelope.
func (s *session) json(data any) error {
	raw, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	s.answer(json.RawMessage(raw), func(p *printer) { fmt.Fprintf(p.w, "%s\n", plaintext.JSON(raw)) })
	return nil
}

// listed prints a table of entities.
func (p *printer) listed(entities []apiclient.ListedEntity, of surgical.EntityType, states bool, at times) {
	heading := []string{"NUMBER", "TITLE", "LABELS", "UPDATED"}
	if states {
		heading = []string{"NUMBER", "STATE", "TITLE", "LABELS", "UPDATED"}
	}
	var rows [][]cell
	for _, e := range entities {
		number := fmt.Sprintf("#%d", e.IID)
		if of == surgical.MergeRequest {
			number = fmt.Sprintf("!%d", e.IID)
		}
		title := cell{e.Title, nil}
		if e.Confidential {
			title = cell{"[confidential] " + e.Title, p.warn}
		}
		row := []cell{{number, p.good}, title, {strings.Join(e.Labels, ", "), p.faint}, plain("%s", at.text(e.UpdatedAt))}
		if states {
			row = append(row[:1:1], append([]cell{plain("%s", e.State)}, row[1:]...)...)
		}
		rows = append(rows, row)
	}
	if p.width > 0 {
		const labels = 20 // the rest is for titles
		limit(rows, len(heading)-2, labels*max(1, p.width/usualWidth))
	}
	p.table(heading, rows)
}
