package cli

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/plaintext"
	"gitlab.com/lorehook/lorehook/internal/render"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

type searchCommand struct {
	Query     []string `arg:"" optional:"" help:"What to look for, in words."`
	SimilarTo string   `placeholder:"ENTITY" help:"Find entities similar to this one instead: 1#7, group/project!3, or its URL in GitLab."`
	Project   string   `short:"p" placeholder:"PROJECT" completion-predictor:"project" help:"Only this project (ID, path such as group/project, or URL in GitLab)."`
	Type      string   `enum:"issue,merge_request," default:"" placeholder:"TYPE" help:"Only issue or merge_request."`
	State     string   `enum:"opened,closed,merged,locked," default:"" placeholder:"STATE" help:"Only opened, closed, merged or locked."`
	Label     []string `placeholder:"LABEL" help:"Only with this label; repeat it for several."`
	Author    string   `placeholder:"USER" help:"Only created by this user."`

	dates

	Limit  int    `default:"10" help:"Maximum number of hits, 1 to 50."`
	Cursor string `placeholder:"CURSOR" help:"Cursor of the next page, from the previous one of the same search."`
}

// Help implements [kong.HelpProvider].
func (*searchCommand) Help() string {
	return `Filters may also be part of the query: project:, type:, state:, label:, author:, created: and updated:. Quote words that only look like a filter.

Examples:

    lore search "login page crashes after an update"

    lore search timeout state:opened label:"needs info" 'updated:>=2026-11-01'

    lore search --similar-to 'group/project#7' --type issue`
}

// Run implements the command.
func (c *searchCommand) Run(ctx context.Context, s *session) error {
	query, err := c.query(ctx, s)
	if err != nil {
		return err
	}
	client, err := s.client(ctx)
	if err != nil {
		return err
	}
	page, err := client.Search(ctx, query)
	if err != nil {
		return err
	}
	s.answer(page.Raw, func(p *printer) { p.hits(page.Value, s.times()) })
	return nil
}

func (c *searchCommand) query(ctx context.Context, s *session) (url.Values, error) {
	words := strings.TrimSpace(strings.Join(c.Query, " "))
	switch {
	case (words == "") == (c.SimilarTo == ""):
		return nil, invalid("specify either what to look for or --similar-to")
	case c.Limit < 1 || c.Limit > 50:
		return nil, invalid("--limit must be from 1 to 50, got %d", c.Limit)
	}
	q := url.Values{"limit": {strconv.Itoa(c.Limit)}}
	if err := c.dates.add(q); err != nil {
		return nil, err
	}
	for name, value := range map[string]string{
		"q": words, "type": c.Type, "state": c.State, "label": strings.Join(c.Label, ","), "author": c.Author, "cursor": c.Cursor,
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if c.Project != "" {
		id, err := s.projectID(ctx, c.Project)
		if err != nil {
			return nil, err
		}
		q.Set("project", strconv.FormatInt(id, 10))
	}
	if c.SimilarTo != "" {
		selected, err := s.selected("", nil, nil, []string{c.SimilarTo})
		if err != nil {
			return nil, err
		}
		target, err := selected.one()
		if err != nil {
			return nil, err
		}
		project, err := s.projectID(ctx, selected.project)
		if err != nil {
			return nil, err
		}
		q.Set("similar_to", surgical.EntityRef{ProjectID: project, Target: target}.Key())
	}
	return q, nil
}

// hits prints what a search found: a header, the passage that matches best, and the link
// of each hit.
func (p *printer) hits(page apiclient.SearchPage, at times) {
	if len(page.Hits) == 0 {
		p.line("nothing found")
	}
	for _, hit := range page.Hits {
		p.hit(hit, at)
		p.line("")
	}
	p.sentence("%s search, with every change before %s", page.Mode, at.text(page.AsOf))
	if page.Reason != "" {
		p.wrapped(p.warn, "%s", page.Reason)
	}
	if page.NextCursor != "" {
		p.hint("next page", "--cursor "+page.NextCursor)
	}
}

func (p *printer) hit(hit apiclient.SearchHit, at times) {
	title, rest := plaintext.Line(hit.Title), fmt.Sprintf("  %s  %s", surgical.EntityRef{ProjectID: hit.ProjectID, Target: hit.Target}, plaintext.Line(hit.State))
	if p.width > 0 {
		title = cutTo(title, max(10, p.width-wide(rest)))
	}
	p.line("%s%s", paint(p.strong, "%s", title), rest)
	if len(hit.Passages) == 0 {
		return
	}
	best := hit.Passages[0]
	width := p.onTerminal(p.prose() - len(indent))
	for _, line := range p.marked(best, width) {
		p.line("%s%s", indent, line)
	}
	if thread := threadOf(best, at); thread != "" {
		for _, line := range folded(plaintext.Line(thread), width) {
			p.line("%s%s", safe(indent), paint(p.faint, "%s", line))
		}
	}
	p.line("%s%s", indent, best.URL)
}

// threadOf says which thread a passage is part of; "" if it is of none, or if GitLab does
// not say who began it.
func threadOf(passage apiclient.SearchPassage, at times) string {
	if passage.Document == render.EntityID || passage.Author == "" {
		return ""
	}
	return fmt.Sprintf("in a thread begun by %s %s", passage.Author, at.text(passage.CreatedAt))
}

// marked returns a passage in lines of the width, with the words of the query in bold.
func (p *printer) marked(passage apiclient.SearchPassage, width int) []safe {
	text, marks := shownPassage(passage)
	if text == "" {
		return nil
	}
	var lines []safe
	at := 0
	for _, part := range folded(text, width) {
		end := at + len(part)
		var line strings.Builder
		for _, mark := range marks {
			// A mark may begin on the line before, or end on the next one.
			if from, until := max(mark[0], at), min(mark[1], end); from < until {
				line.WriteString(text[at:from] + string(paint(p.strong, "%s", text[from:until])))
				at = until
			}
		}
		lines = append(lines, safe(line.String()+text[at:end]))
		at = end + len(" ")
	}
	return lines
}

// shownPassage returns a passage on one line, as it is shown, and where the words of the
// query are in it, in bytes.
func shownPassage(passage apiclient.SearchPassage) (shown string, marks [][2]int) {
	text, at := []rune(passage.Text), 0
	for _, mark := range passage.Marks {
		if mark.Start < at || mark.End < mark.Start || mark.End > len(text) {
			continue
		}
		shown += plaintext.Line(string(text[at:mark.Start]))
		begin := len(shown)
		shown += plaintext.Line(string(text[mark.Start:mark.End]))
		marks, at = append(marks, [2]int{begin, len(shown)}), mark.End
	}
	return shown + plaintext.Line(string(text[at:])), marks
}
