package console

import (
	"cmp"
	"context"
	"net/url"
	"strconv"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/parallel"
	"gitlab.com/lorehook/lorehook/internal/plaintext"
	"gitlab.com/lorehook/lorehook/internal/render"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// searchForm is the search box with its filters.
type searchForm struct {
	Words string
	// Similar is the entity that others are compared with instead, such as 1#issue#7.
	Similar                 string
	Projects, Types, States []choice
	Label, Author           string
	Dates                   datesView
	// Filtered reports whether a filter is set.
	Filtered bool
}

// searchParameters are those that the page passes on to the API.
func searchParameters() []string {
	return append([]string{"q", "similar_to", "project", "type", "state", "label", "author", "cursor"}, dateParameters()...)
}

func (v visit) searchForm(projects apiclient.ProjectList) searchForm {
	form := searchForm{Words: v.text("q"), Label: v.text("label"), Author: v.text("author"), Dates: v.dates()}
	if form.Words == "" { // the form has both once somebody types words
		form.Similar = v.text("similar_to")
	}
	project, t, state := v.text("project"), v.text("type"), v.text("state")
	form.Filtered = project+t+state+form.Label+form.Author != "" || form.Dates.Set
	form.Projects = []choice{{"", "all projects", project == ""}}
	known := project == ""
	for _, p := range projects.Projects {
		id := strconv.FormatInt(p.ProjectID, 10)
		chosen := id == project || p.Path != "" && p.Path == project
		known = known || chosen
		form.Projects = append(form.Projects, choice{id, cmp.Or(plaintext.Line(p.Path), "project "+id), chosen})
	}
	if !known {
		form.Projects = append(form.Projects, choice{project, project, true})
	}
	form.Types = choices(t, "issues and merge requests", [2]string{"issue", "issues"}, [2]string{"merge_request", "merge requests"})
	form.States = choices(state, "any state", [2]string{"opened", "open"}, [2]string{"closed", "closed"}, [2]string{"merged", "merged"}, [2]string{"locked", "locked"})
	return form
}

// choices returns the options of a field: none, and the values with their texts.
func choices(chosen, none string, values ...[2]string) []choice {
	all, known := []choice{{"", none, chosen == ""}}, chosen == ""
	for _, value := range values {
		all = append(all, choice{value[0], value[1], value[0] == chosen})
		known = known || value[0] == chosen
	}
	if !known { // so that the page says what it was asked for
		all = append(all, choice{chosen, chosen, true})
	}
	return all
}

// foundView is a page of what a search found.
type foundView struct {
	Form searchForm
	// Problem is set instead of the rest if there was no answer.
	Problem     *problemView
	Subject     *link
	Hits        []hitView
	Mode, Model string
	AsOf        moment
	// Reason is why no vectors were compared although the embedder is a model.
	Reason      string
	First, Next *link
}

// hitView is an entity that was found.
type hitView struct {
	Title    link
	Ref      string
	State    mark
	Labels   []string
	Author   string
	Updated  moment
	Passages []passageView
	Similar  link
}

// passageView is a part of a document, in which the words of the query are marked.
type passageView struct {
	Link link
	// Began says who began the thread that a comment is in, "" if unknown; At is when.
	Began string
	At    moment
	Parts []markedPart
}

type markedPart struct {
	Text   string
	Marked bool
}

// found shows what the API found. A query that is not valid is shown in the form again,
// so that it can be corrected.
func (s *site) found(ctx context.Context, v visit) (sheet, error) {
	query := url.Values{"limit": {"10"}}
	for _, name := range searchParameters() {
		if value := strings.TrimSpace(v.URL.Query().Get(name)); value != "" {
			query.Set(name, value)
		}
	}
	if query.Has("q") {
		query.Del("similar_to")
	} else if !query.Has("similar_to") {
		return s.home(ctx, v)
	}
	var projects apiclient.Answer[apiclient.ProjectList]
	var page apiclient.Answer[apiclient.SearchPage]
	var refused error
	group, ctx := parallel.WithContext(ctx)
	group.Go(func() (err error) {
		projects, err = s.API.Projects(ctx, knownProjects, "")
		return err
	})
	group.Go(func() error {
		page, refused = s.API.Search(ctx, query)
		return nil
	})
	if err := group.Wait(); err != nil {
		return sheet{}, err
	}
	view := &foundView{Form: v.searchForm(projects.Value)}
	p := sheet{Title: cmp.Or(view.Form.Words, "Similar"), Words: view.Form.Words, Found: view}
	if ref, err := surgical.ParseEntityRef(view.Form.Similar); err == nil {
		view.Subject = &link{Text: refText(ref, pathOf(projects.Value, ref.ProjectID)), Href: entityPath(ref)}
		p.Title = "Similar to " + view.Subject.Text
	}
	if refused != nil {
		_, failed := v.failed(refused)
		view.Problem, p.Status = failed.Problem, statusOf(surgical.CodeOf(refused))
		return p, nil
	}
	view.Mode, view.Model, view.AsOf = page.Value.Mode, plaintext.Line(page.Value.Model), v.moment(page.Value.AsOf)
	view.Reason = plaintext.Line(page.Value.Reason)
	for _, hit := range page.Value.Hits {
		view.Hits = append(view.Hits, v.hit(hit, pathOf(projects.Value, hit.ProjectID)))
	}
	if query.Has("cursor") {
		view.First = &link{Text: "Best matches", Href: path("/search", without(query, "cursor", "limit"))}
	}
	if next := page.Value.NextCursor; next != "" {
		following := without(query, "limit")
		following.Set("cursor", next)
		view.Next = &link{Text: "More", Href: path("/search", following)}
	}
	return p, nil
}

// without returns the parameters without these.
func without(query url.Values, names ...string) url.Values {
	rest := url.Values{}
	for name, values := range query {
		rest[name] = values
	}
	for _, name := range names {
		rest.Del(name)
	}
	return rest
}

func pathOf(list apiclient.ProjectList, projectID int64) string {
	for _, p := range list.Projects {
		if p.ProjectID == projectID {
			return p.Path
		}
	}
	return ""
}

func (f frame) hit(hit apiclient.SearchHit, projectPath string) hitView {
	ref := surgical.EntityRef{ProjectID: hit.ProjectID, Target: hit.Target}
	view := hitView{
		Title: link{Text: cmp.Or(plaintext.Line(hit.Title), named(ref.Target)), Href: entityPath(ref)},
		Ref:   refText(ref, projectPath), State: markOfState(hit.State), Author: plaintext.Line(hit.Author), Updated: f.moment(hit.UpdatedAt),
		Similar: link{Text: "Similar", Href: path("/search", url.Values{"similar_to": {ref.Key()}})},
	}
	for _, label := range hit.Labels {
		view.Labels = append(view.Labels, plaintext.Line(label))
	}
	for _, passage := range hit.Passages {
		view.Passages = append(view.Passages, f.passage(ref, passage))
	}
	return view
}

func (f frame) passage(ref surgical.EntityRef, passage apiclient.SearchPassage) passageView {
	view := passageView{Link: link{Text: "in the description", Href: noteHref(ref, passage.URL)}, Parts: markedParts(passage)}
	if passage.Document != render.EntityID {
		view.Link.Text, view.Began, view.At = "in a comment", plaintext.Line(passage.Author), f.moment(passage.CreatedAt)
	}
	return view
}

// noteHref is the place of a note in an entity's page. GitLab's URL of a note ends with
// its id.
func noteHref(ref surgical.EntityRef, gitlab string) string {
	_, note, ok := strings.Cut(gitlab, "#note_")
	if _, err := strconv.ParseUint(note, 10, 64); !ok || err != nil {
		return entityPath(ref)
	}
	return entityPath(ref) + "?note=" + note + "#note_" + note
}

// markedParts splits a passage at its marks.
func markedParts(passage apiclient.SearchPassage) []markedPart {
	var parts []markedPart
	text, at := []rune(passage.Text), 0
	add := func(end int, marked bool) {
		if end > at {
			parts = append(parts, markedPart{plaintext.Line(string(text[at:end])), marked})
			at = end
		}
	}
	for _, m := range passage.Marks {
		if m.Start < at || m.End < m.Start || m.End > len(text) {
			continue
		}
		add(m.Start, false)
		add(m.End, true)
	}
	add(len(text), false)
	return parts
}
