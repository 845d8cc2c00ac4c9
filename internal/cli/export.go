package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/parallel"
	"gitlab.com/lorehook/lorehook/internal/plaintext"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

type exportCommand struct {
	Project   string `short:"p" placeholder:"PROJECT" completion-predictor:"project" help:"Export this project (ID, path such as group/project, or URL in GitLab)."`
	All       bool   `help:"Export every project that the API lists."`
	Documents bool   `help:"Add the entities' documents with their text."`
	Output    string `short:"o" placeholder:"FILE" help:"Write to this new file (default: stdout)."`
	Resume    string `placeholder:"FILE" help:"Continue this file after the last entity in it."`
}

// Help implements [kong.HelpProvider].
func (*exportCommand) Help() string {
	return `Writes every copy that is shown as one line of JSON: its reference, attributes, GitLab's own JSON of the entity, discussions and events. Confidential issues and internal notes are left out unless the stack includes them.

Projects are sorted by id, and the entities of each by type and iid as text. An interrupted export is continued by --resume with the same flags. Each line is one snapshot; the lines were not all read at the same moment.

Examples:

    lore export -p group/project > project.ndjson

    lore export --all --documents -o everything.ndjson

    lore export --all --documents --resume everything.ndjson`
}

const (
	// exportsAtOnce is how many entities are read at the same time.
	exportsAtOnce = 8
	// exportReport is the time between two lines of progress where there is no terminal.
	exportReport = 30 * time.Second
)

// Run implements the command.
func (c *exportCommand) Run(ctx context.Context, s *session) error {
	if err := c.check(s); err != nil {
		return err
	}
	client, err := s.client(ctx)
	if err != nil {
		return err
	}
	projects, err := c.projects(ctx, s, client)
	if err != nil {
		return err
	}
	out, err := c.open(s)
	if err != nil {
		return err
	}
	e := &export{session: s, client: client, documents: c.Documents, out: out, total: totalOf(projects)}
	if err = errors.Join(e.run(ctx, projects), out.Close()); err != nil {
		return e.stopped(ctx, err)
	}
	summary := exported{Entities: out.lines, Written: e.written, Skipped: e.skipped, Bytes: out.end, File: out.name}
	s.err.clear()
	if out.name == "" { // stdout holds the entities
		s.err.exported(summary)
		return nil
	}
	s.answer(summary, func(p *printer) { p.exported(summary) })
	return nil
}

func (c *exportCommand) check(s *session) error {
	switch {
	case (c.Project == "") != c.All:
		return invalid("specify either -p or --all")
	case c.Output != "" && c.Resume != "":
		return invalid("--output and --resume cannot be combined: --resume appends to its file")
	case s.robot && c.Output == "" && c.Resume == "":
		return invalid("--robot needs --output or --resume: stdout cannot hold both the entities and the envelope")
	}
	return nil
}

// projects returns the projects to export, in the order of their ids.
func (c *exportCommand) projects(ctx context.Context, s *session, client *apiclient.Client) ([]apiclient.Project, error) {
	if c.Project != "" {
		id, err := s.projectID(ctx, c.Project)
		if err != nil {
			return nil, err
		}
		project, err := client.Project(ctx, id)
		return []apiclient.Project{project.Value}, err
	}
	return client.AllProjects(ctx)
}

// totalOf is how many entities GitLab's lists had of the projects, 0 if some were not
// counted.
func totalOf(projects []apiclient.Project) (total int64) {
	for _, p := range projects {
		if p.Counts == nil {
			return 0
		}
		total += p.Counts.Issues + p.Counts.MergeRequests
	}
	return total
}

// stopped says how an export that ended early is continued.
func (e *export) stopped(ctx context.Context, err error) error {
	stopped := *failureOf(ctx, err)
	stopped.Message = fmt.Sprintf("%s; %s exported", stopped.Message, entities(e.out.lines))
	if file := e.out.name; file != "" {
		stopped.Message += "; continue with the same flags and --resume " + file
	}
	return &stopped
}

// export is one export under way.
type export struct {
	*session
	client    *apiclient.Client
	documents bool
	out       *exportFile
	// total is about how many entities there are, 0 if that is not known.
	total            int64
	written, skipped int64
	gauge            gauge
	reported         time.Time
}

func (e *export) run(ctx context.Context, projects []apiclient.Project) error {
	first, after := 0, surgical.Target{}
	if e.out.last != (surgical.EntityRef{}) {
		first, after = slices.IndexFunc(projects, func(p apiclient.Project) bool { return p.ProjectID == e.out.last.ProjectID }), e.out.last.Target
		if first < 0 {
			return invalid("the last entity in %s is of project %d, which is not part of this export", e.out.name, e.out.last.ProjectID)
		}
	}
	e.reported = e.Clock()
	e.progress()
	for _, p := range projects[first:] {
		if err := e.project(ctx, p.ProjectID, after); err != nil {
			return err
		}
		after = surgical.Target{}
	}
	return nil
}

// project exports a project's entities after the target. After a failure it goes on
// after the last entity that was written.
func (e *export) project(ctx context.Context, projectID int64, after surgical.Target) error {
	return e.patiently(ctx, func() error {
		for refs, err := range e.client.EntitiesAfter(ctx, projectID, after) {
			if err != nil {
				return err
			}
			for some := range slices.Chunk(refs, exportsAtOnce) {
				if err := e.some(ctx, some); err != nil {
					return err
				}
				after = some[len(some)-1].Target
				e.progress()
			}
		}
		return nil
	})
}

// some reads the entities at the same time, and writes them in their order.
func (e *export) some(ctx context.Context, refs []surgical.EntityRef) error {
	lines := make([][]byte, len(refs))
	group, reading := parallel.WithContext(ctx)
	for i, ref := range refs {
		group.Go(func() (err error) {
			lines[i], err = e.line(reading, ref)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, line := range lines {
		if line == nil {
			e.skipped++
			continue
		}
		if err := e.out.write(line); err != nil {
			return err
		}
		e.written++
	}
	return nil
}

// line returns one entity, nil if it is no longer shown.
func (e *export) line(ctx context.Context, ref surgical.EntityRef) ([]byte, error) {
	entity, err := e.client.Entity(ctx, ref)
	documents := apiclient.Answer[apiclient.Documents]{}
	if err == nil && e.documents {
		documents, err = e.client.Documents(ctx, ref)
	}
	switch code := surgical.CodeOf(err); {
	case code == surgical.CodeEntityNotFound || code == surgical.CodeEntityGone:
		return nil, nil
	case err != nil:
		return nil, err
	}
	var fields, withText map[string]json.RawMessage
	if err := json.Unmarshal(entity.Raw, &fields); err != nil {
		return nil, fmt.Errorf("read %s: %w", ref, err)
	}
	if delete(fields, "documents"); e.documents {
		if err := json.Unmarshal(documents.Raw, &withText); err != nil {
			return nil, fmt.Errorf("read the documents of %s: %w", ref, err)
		}
		fields["documents"] = withText["documents"]
	}
	if fields["ref"], err = json.Marshal(shortRef(ref)); err != nil {
		return nil, err
	}
	raw, err := json.Marshal(fields)
	return append(plaintext.JSON(raw), '\n'), err
}

// shortRef returns an entity as commands take it: 1#7 or 1!3.
func shortRef(ref surgical.EntityRef) string {
	return strconv.FormatInt(ref.ProjectID, 10) + ref.Target.Short()
}

// patiently tries again what failed transiently, until it fails several times in a row.
func (e *export) patiently(ctx context.Context, do func() error) error {
	pause := firstPause
	for failed := 1; ; failed++ {
		before := e.written
		err := do()
		if e.written > before { // it got further
			failed, pause = 1, firstPause
		}
		var typed *surgical.Error
		if err == nil || ctx.Err() != nil || failed > patience || !errors.As(err, &typed) || !typed.Retryable && typed.Code != surgical.CodeConflict {
			return err
		}
		if err := e.Pause(ctx, max(pause, typed.RetryAfter)); err != nil {
			return err
		}
		pause = min(pause*2, longPause)
	}
}

// progress shows how far the export is: on a terminal always, elsewhere now and then.
func (e *export) progress() {
	now := e.Clock()
	text := e.gauge.text(e.out.lines, e.total, now)
	if e.StderrTerminal {
		e.err.passing(text)
	} else if now.Sub(e.reported) >= exportReport {
		e.err.line("%s", text)
		e.reported = now
	}
}

// exported is what an export wrote.
type exported struct {
	// Entities are those in the file, Written those that this command added to it.
	Entities int64 `json:"entities"`
	Written  int64 `json:"written"`
	// Skipped were hidden or removed while they were exported.
	Skipped int64  `json:"skipped"`
	Bytes   int64  `json:"bytes"`
	File    string `json:"file"`
}

// exported prints what an export wrote.
func (p *printer) exported(e exported) {
	text := entities(e.Entities) + " exported"
	if e.Written < e.Entities {
		text += fmt.Sprintf(", %d of them now", e.Written)
	}
	if e.Skipped > 0 {
		text += fmt.Sprintf("; %d were hidden or removed in the meantime", e.Skipped)
	}
	if e.File != "" {
		text += fmt.Sprintf(" (%s, %d bytes)", e.File, e.Bytes)
	}
	p.sentence("%s", text)
}

// entities counts entities in words.
func entities(n int64) string { return counted(n, "entity", "entities") }
