package cli

import (
	"context"
	"fmt"
	"strconv"

	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

type projectsCommands struct {
	List projectsListCommand `cmd:"" default:"withargs" help:"List projects, and how complete their copies are."`
	Show projectsShowCommand `cmd:"" help:"Show what is known of a project."`
	Hide projectsHideCommand `cmd:"" help:"Hide all copies of a project, or of all projects, until they are fetched again."`
}

type projectsListCommand struct {
	Limit  int    `default:"100" help:"Maximum number of projects (1 to 100)."`
	Cursor string `placeholder:"CURSOR" help:"Cursor of the next page, from the previous one."`
}

// Help implements [kong.HelpProvider].
func (*projectsListCommand) Help() string {
	return `Lists the projects of the allow list; if it allows all projects, those that it has seen.

Example:

    lore projects`
}

// Run implements the command.
func (c *projectsListCommand) Run(ctx context.Context, s *session) error {
	if c.Limit < 1 || c.Limit > 100 {
		return invalid("--limit must be between 1 and 100, got %d", c.Limit)
	}
	client, err := s.client(ctx)
	if err != nil {
		return err
	}
	list, err := client.Projects(ctx, c.Limit, c.Cursor)
	if err != nil {
		return err
	}
	s.answer(list.Raw, func(p *printer) { p.projects(list.Value, s.times()) })
	return nil
}

type projectsShowCommand struct {
	Project string `arg:"" completion-predictor:"project" help:"Project ID, path such as group/project, or URL in GitLab."`
}

// Help implements [kong.HelpProvider].
func (*projectsShowCommand) Help() string {
	return `Examples:

    lore projects show group/project

    lore projects show https://gitlab.example.com/group/project`
}

// Run implements the command.
func (c *projectsShowCommand) Run(ctx context.Context, s *session) error {
	id, err := s.projectID(ctx, c.Project)
	if err != nil {
		return err
	}
	client, err := s.client(ctx)
	if err != nil {
		return err
	}
	project, err := client.Project(ctx, id)
	if err != nil {
		return err
	}
	s.answer(project.Raw, func(p *printer) { p.project(project.Value) })
	return nil
}

type projectsHideCommand struct {
	Project string `short:"p" placeholder:"PROJECT" completion-predictor:"project" help:"Project ID, path such as group/project, or URL in GitLab."`
	All     bool   `help:"Hide all projects, including those outside the allow list."`
}

// Help implements [kong.HelpProvider].
func (*projectsHideCommand) Help() string {
	return `Every copy whose fetch began before now disappears from all readers. This is not undone: a copy reappears when its entity has been fetched again. Use it after the tables were restored from a backup, or entities that were deleted since would be visible again.

Examples:

    lore projects hide -p group/project

    lore projects hide --all`
}

// Run implements the command.
func (c *projectsHideCommand) Run(ctx context.Context, s *session) error {
	if (c.Project == "") != c.All {
		return invalid("specify either -p or --all")
	}
	req := apiclient.HideRequest{All: c.All}
	if !c.All {
		id, err := s.projectID(ctx, c.Project)
		if err != nil {
			return err
		}
		req.Project = strconv.FormatInt(id, 10)
	}
	client, err := s.client(ctx)
	if err != nil {
		return err
	}
	hidden, err := client.HideProjects(ctx, req)
	if err != nil {
		return err
	}
	s.answer(hidden.Raw, func(p *printer) { p.hidden(hidden.Value) })
	return nil
}

// outOfSight says since when a project is not shown by GitLab, or hidden, or that its
// lists could not be read completely.
func (p *printer) outOfSight(project apiclient.Project) cell {
	switch {
	case !project.UnseenSince.IsZero():
		return cell{"not shown by GitLab since " + moment(project.UnseenSince), p.bad}
	case !project.HiddenAt.IsZero():
		return cell{"hidden at " + moment(project.HiddenAt), p.warn}
	case project.Unreadable != nil:
		return cell{unreadable(project.Unreadable.Records), p.bad}
	}
	return cell{}
}

// unreadable says how many records of a project's lists name no entity.
func unreadable(records int64) string {
	return thousands(records) + " records of GitLab's lists not readable"
}

// projects prints a list of projects.
func (p *printer) projects(list apiclient.ProjectList, at times) {
	if len(list.Projects) == 0 && list.NextCursor == "" {
		p.line("no projects")
	}
	var rows [][]cell
	for _, project := range list.Projects {
		var issues, mergeRequests, reconciled, missed cell
		if c := project.Counts; c != nil {
			issues, mergeRequests = plain("%d", c.Issues), plain("%d", c.MergeRequests)
		}
		if r := project.LastReconcile; r != nil {
			reconciled, missed = plain("%s", at.short(r.EndedAt)), plain("%d", r.Missed)
		}
		rows = append(rows, []cell{
			plain("%d", project.ProjectID), plain("%s", project.Path), plain("%s", at.short(project.CompleteAsOf)),
			issues, mergeRequests, p.hook(project), reconciled, missed, p.outOfSight(project),
		})
	}
	complete := "COMPLETE AS OF"
	if at.relative {
		complete = "COMPLETE" // as long ago as it says
	}
	p.table([]string{"PROJECT", "PATH", complete, "ISSUES", "MRS", "HOOK", "RECONCILED", "MISSED", "NOTE"}, rows)
	if list.NextCursor != "" {
		p.hint("next page", "--cursor "+list.NextCursor)
	}
}

// hook returns the state of a project's webhook in its colour.
func (p *printer) hook(project apiclient.Project) cell {
	switch h := project.Hook; {
	case h == nil:
		return cell{"not checked", p.faint}
	case h.State == surgical.HookWorking:
		return cell{string(h.State), p.good}
	case h.State == surgical.HookUnreadable:
		return cell{string(h.State), p.warn}
	default:
		return cell{string(h.State), p.bad}
	}
}

// project prints what is known of a project.
func (p *printer) project(project apiclient.Project) {
	pairs := [][2]cell{
		pair("project", number(project.ProjectID)),
		pair("path", cell{project.Path, p.strong}),
		pair("complete as of", plain("%s", moment(project.CompleteAsOf))),
		pair("except for", cell{surgical.ShortTargets(project.CompleteExcept), p.bad}),
		pair("not readable", p.unreadableOf(project)),
		pair("not shown since", cell{moment(project.UnseenSince), p.bad}),
		pair("hidden at", cell{moment(project.HiddenAt), p.warn}),
	}
	if c := project.Counts; c != nil {
		pairs = append(pairs, pair("in GitLab", plain("%d issues, %d merge requests at %s", c.Issues, c.MergeRequests, moment(c.CountedAt))))
	}
	pairs = append(pairs, pair("hook", p.hook(project)))
	if h := project.Hook; h != nil {
		pairs = append(pairs, pair("hook id", number(h.HookID)),
			pair("reason", plain("%s", h.Reason)), pair("checked", plain("%s", moment(h.CheckedAt))))
	}
	if r := project.LastReconcile; r != nil {
		pairs = append(pairs, pair("reconciled", plain("%s", moment(r.EndedAt))),
			pair("found", plain("%d listed, %d different, %d missed events, %d requests", r.Listed, r.Different, r.Missed, r.Requests)))
	}
	if c := project.LastCensus; c != nil {
		pairs = append(pairs, pair("census", plain("%s", moment(c.EndedAt))),
			pair("looked at", plain("%d listed, %d fetched, %d failed, %d requests", c.Listed, c.Fetched, c.Failed, c.Requests)),
			pair("unannounced", plain("%s", surgical.DescribeFindings(c.Found))))
	}
	if c := project.Checkpoints; c != nil {
		pairs = append(pairs, pair("checkpoints", plain("issues %s, merge requests %s", moment(c.Issues), moment(c.MergeRequests))))
	}
	p.pairs(pairs...)
}

// unreadableOf says how many records of the project's lists name no entity, if any.
func (p *printer) unreadableOf(project apiclient.Project) cell {
	u := project.Unreadable
	if u == nil {
		return cell{}
	}
	return cell{fmt.Sprintf("%s records of GitLab's lists, last at %s", thousands(u.Records), moment(u.ListedAt)), p.bad}
}

// hidden prints what was hidden.
func (p *printer) hidden(h apiclient.Hidden) {
	what := "all projects"
	if h.ProjectID != 0 {
		what = "project " + strconv.FormatInt(h.ProjectID, 10)
	}
	p.sentence("%s: every copy that was fetched before %s is hidden", what, moment(h.HiddenAt))
	p.wrapped(p.faint, "a copy reappears when its entity has been fetched again")
}
