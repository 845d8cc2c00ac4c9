package console

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/parallel"
	"gitlab.com/lorehook/lorehook/internal/plaintext"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// listedView is a page of the issues or merge requests of a project.
type listedView struct {
	Project  link
	Complete moment
	Tabs     []link
	// Action is the path that the filters are sent to.
	Action                             string
	States, Orders                     []choice
	Label, Author, Assignee, Milestone string
	Dates                              datesView
	Clear                              *link
	Rows                               []listedRow
	First, Next                        *link
	Command                            string
}

type listedRow struct {
	Number       link
	Title        link
	State        mark
	Confidential bool
	Labels       []string
	Author       string
	Updated      moment
}

const (
	listedLimit = 50
	// maxListedPages is how many pages of the API one page of the list reads: those of
	// rare matches may be short, even empty, and not be the last.
	maxListedPages = 5
)

// listFilters are the parameters that select entities, besides the state.
func listFilters() []string {
	return append([]string{"label", "author", "assignee", "milestone"}, dateParameters()...)
}

func (s *site) listed(ctx context.Context, v visit, t surgical.EntityType) (sheet, error) {
	project, err := v.projectID()
	if err != nil {
		return sheet{}, err
	}
	given := url.Values{"state": {cmp.Or(v.text("state"), "opened")}, "order": {v.text("order")}, "cursor": {v.text("cursor")}}
	for _, name := range listFilters() {
		given.Set(name, v.text(name))
	}
	var known apiclient.Answer[apiclient.Project]
	var rows []apiclient.ListedEntity
	var next string
	group, ctx := parallel.WithContext(ctx)
	group.Go(func() (err error) {
		known, err = s.API.Project(ctx, project)
		return err
	})
	group.Go(func() (err error) {
		rows, next, err = s.entities(ctx, project, t, given)
		return err
	})
	if err := group.Wait(); err != nil {
		return sheet{}, err
	}
	view := v.listedView(known.Value, t, given)
	for _, row := range rows {
		view.Rows = append(view.Rows, v.listedRow(row, t))
	}
	if given.Get("cursor") != "" {
		view.First = &link{Text: "First page", Href: path(view.Action, without(given, "cursor"))}
	}
	if next != "" {
		following := without(given)
		following.Set("cursor", next)
		view.Next = &link{Text: "More", Href: path(view.Action, following)}
	}
	return sheet{Title: plural(strings.ToUpper(string(t[:1])) + strings.ReplaceAll(string(t[1:]), "_", " ")), Listed: view}, nil
}

// entities reads one page of the list.
func (s *site) entities(ctx context.Context, project int64, t surgical.EntityType, given url.Values) (rows []apiclient.ListedEntity, next string, err error) {
	query := url.Values{"limit": {fmt.Sprint(listedLimit)}}
	for name := range given {
		if value := given.Get(name); value != "" && (name != "state" || value != "all") {
			query.Set(name, value)
		}
	}
	for range maxListedPages {
		page, err := s.API.EntitiesPage(ctx, project, t, query)
		if err != nil {
			return nil, "", err
		}
		for _, raw := range page.Value.Entities {
			var row apiclient.ListedEntity
			if err := json.Unmarshal(raw, &row); err != nil {
				return nil, "", surgical.WrapError(surgical.CodeInternal, err, "the list has an entity that this version of the program cannot read")
			}
			rows = append(rows, row)
		}
		if next = page.Value.NextCursor; next == "" || len(rows) > 0 {
			break
		}
		query.Set("cursor", next)
	}
	return rows, next, nil
}

func (v visit) listedView(p apiclient.Project, t surgical.EntityType, given url.Values) *listedView {
	state := given.Get("state")
	view := &listedView{
		Project:  link{Text: cmp.Or(plaintext.Line(p.Path), fmt.Sprintf("Project %d", p.ProjectID)), Href: fmt.Sprintf("/projects/%d", p.ProjectID)},
		Complete: v.moment(p.CompleteAsOf), Action: listPath(p.ProjectID, t),
		Label: given.Get("label"), Author: given.Get("author"), Assignee: given.Get("assignee"), Milestone: given.Get("milestone"), Dates: v.dates(),
		States:  choices(state, "", [2]string{"opened", "open"}, [2]string{"closed", "closed"}, [2]string{"merged", "merged"}, [2]string{"locked", "locked"}, [2]string{"all", "any state"})[1:],
		Orders:  choices(given.Get("order"), "last updated first", [2]string{"updated_asc", "first updated first"}, [2]string{"created_desc", "newest first"}, [2]string{"created_asc", "oldest first"}),
		Command: fmt.Sprintf("lore list -p %d", p.ProjectID),
	}
	for _, of := range []surgical.EntityType{surgical.Issue, surgical.MergeRequest} {
		text := "Issues"
		if of == surgical.MergeRequest {
			text = "Merge requests"
		}
		view.Tabs = append(view.Tabs, link{Text: text, Href: listPath(p.ProjectID, of)}.current(of == t))
	}
	if t == surgical.MergeRequest {
		view.Command += " --mrs"
	}
	if state != "opened" {
		view.Command += " --state " + shellWord(state)
	}
	for _, name := range listFilters() {
		if value := given.Get(name); value != "" {
			view.Command += " --" + strings.ReplaceAll(name, "_", "-") + " " + shellWord(value)
			view.Clear = &link{Text: "Clear", Href: view.Action}
		}
	}
	return view
}

// shellWord quotes a value for a shell, unless it needs no quotes.
func shellWord(value string) string {
	if value != "" && strings.Trim(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-,") == "" {
		return value
	}
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}

func (f frame) listedRow(e apiclient.ListedEntity, t surgical.EntityType) listedRow {
	ref := surgical.EntityRef{ProjectID: e.ProjectID, Target: surgical.Target{Type: t, IID: e.IID}}
	number := fmt.Sprintf("#%d", e.IID)
	if t == surgical.MergeRequest {
		number = fmt.Sprintf("!%d", e.IID)
	}
	row := listedRow{
		Number: link{Text: number, Href: entityPath(ref)}, Title: link{Text: cmp.Or(plaintext.Line(e.Title), named(ref.Target)), Href: entityPath(ref)},
		State: markOfState(e.State), Confidential: e.Confidential, Author: plaintext.Line(e.Author), Updated: f.moment(e.UpdatedAt),
	}
	for _, label := range e.Labels {
		row.Labels = append(row.Labels, plaintext.Line(label))
	}
	return row
}
