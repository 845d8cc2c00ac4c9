package cli

import (
	"context"
	"fmt"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/plaintext"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

type showCommand struct {
	Entity    string `arg:"" optional:"" help:"The entity: 1#7, group/project#7, group/project!3, or its URL in GitLab. Or use -p."`
	Project   string `short:"p" placeholder:"PROJECT" completion-predictor:"project" help:"Project ID, path such as group/project, or URL in GitLab."`
	Issue     *int64 `placeholder:"IID" help:"Show this issue."`
	MR        *int64 `name:"mr" placeholder:"IID" help:"Show this merge request."`
	Documents bool   `help:"Print the text of its documents instead."`
	Verbose   bool   `short:"v" help:"Print what is stored instead: revision, run, and a table of its documents."`
	JSON      string `name:"json" placeholder:"FIELDS" help:"Print these fields as one JSON document, such as title,state,discussions."`
}

// Help implements [kong.HelpProvider].
func (*showCommand) Help() string {
	return `Shows the description, then comments and events in the order of time, and when the copy was fetched. With --robot, the output includes all discussions and events as GitLab's JSON.

Examples:

    lore show 1#7

    lore show 'group/project!12' --documents

    lore show https://gitlab.example.com/group/project/-/issues/7 --json title,state,labels`
}

// Run implements the command.
func (c *showCommand) Run(ctx context.Context, s *session) error {
	if c.JSON != "" && (c.Documents || c.Verbose) {
		return invalid("--json cannot be combined with --documents or --verbose")
	}
	ref, err := s.entity(ctx, c.Project, c.Issue, c.MR, c.Entity)
	if err != nil {
		return err
	}
	client, err := s.client(ctx)
	if err != nil {
		return err
	}
	if c.Documents {
		documents, err := client.Documents(ctx, ref)
		if err != nil {
			return err
		}
		s.answer(documents.Raw, func(p *printer) { p.documents(documents.Value) })
		return nil
	}
	if c.JSON != "" {
		entity, err := client.EntityFields(ctx, ref, c.JSON)
		if err != nil {
			return err
		}
		return s.json(entity.Raw)
	}
	entity, err := client.Entity(ctx, ref)
	if err != nil {
		return err
	}
	s.answer(entity.Raw, func(p *printer) {
		if c.Verbose {
			p.entity(entity.Value, s.times())
		} else {
			p.thread(entity.Value, s.times())
		}
	})
	return nil
}

// given returns the value of an optional flag as a list.
func given[T any](value *T) []T {
	if value == nil {
		return nil
	}
	return []T{*value}
}

// nonEmpty returns nil for an argument that is absent.
func nonEmpty(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// entity prints a copy's head and its documents.
func (p *printer) entity(e apiclient.Entity, at times) {
	events := 0
	for _, list := range e.Events {
		events += len(list)
	}
	confidential := cell{}
	if e.Confidential {
		confidential = cell{"yes", p.warn}
	}
	p.pairs(
		pair("title", cell{e.Title, p.strong}),
		pair("entity", plain("%s", surgical.EntityRef{ProjectID: e.ProjectID, Target: e.Target})),
		pair("state", plain("%s", e.State)),
		pair("confidential", confidential),
		pair("labels", plain("%s", strings.Join(e.Labels, ", "))),
		pair("link", plain("%s", e.WebURL)),
		pair("updated", plain("%s", moment(e.UpdatedAt))),
		pair("fetched", plain("%s", moment(e.FetchedAt))),
		pair("revision", plain("%d by run %s", e.Revision, e.RunID)),
		pair("discussions", plain("%d", len(e.Discussions))),
		pair("events", plain("%d", events)),
	)
	if b := e.DocumentsBehind; b != nil {
		p.line("")
		p.wrapped(p.warn, "%s", documentsBehind(*b))
	}
	var rows [][]cell
	for _, d := range e.Documents {
		embedded := cell{"none", p.warn}
		if d.Embedded {
			embedded = plain("%d", d.Chunks)
		}
		rows = append(rows, []cell{plain("%s", d.ID), plain("%d", d.Revision), embedded, plain("%s", d.Author), plain("%s", at.text(d.CreatedAt)), plain("%s", d.Begins)})
	}
	if len(rows) > 0 {
		p.line("")
	}
	p.table([]string{"DOCUMENT", "REVISION", "EMBEDDINGS", "AUTHOR", "CREATED", "BEGINS"}, rows)
}

// documentsBehind says since when documents are behind, by how much and why, and what happens
// next.
func documentsBehind(b apiclient.DocumentsBehind) string {
	text := fmt.Sprintf("documents behind since %s, %s: %s (run %s", moment(b.Since), surgical.Behind{All: b.All, Changes: b.Changes}.By(), b.Reason, b.RunID)
	if b.Code != "" {
		text += ", " + string(b.Code)
	}
	text += ")"
	switch {
	case b.State == surgical.BehindHeldBack:
		text += "; held back until the embedder works again, or until you run lore drain"
	case !b.NextTryAt.IsZero():
		text += "; next try at " + moment(b.NextTryAt)
	}
	return text
}

// documents prints the documents' text.
func (p *printer) documents(all apiclient.Documents) {
	if len(all.Documents) == 0 {
		p.line("no documents")
	}
	for i, d := range all.Documents {
		if i > 0 {
			p.line("")
		}
		p.line("%s", paint(p.faint, "#  %s  revision %d", d.ID, d.Revision))
		p.line("%s", safe(strings.TrimRight(plaintext.Text(d.Text), "\n")))
	}
}
