package console

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"html/template"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"gitlab.com/lorehook/lorehook/internal/advice"
	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/parallel"
	"gitlab.com/lorehook/lorehook/internal/plaintext"
	"gitlab.com/lorehook/lorehook/internal/render"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// threadView is an entity: its comments and events in the order of time, beside what
// Lorehook made of it.
type threadView struct {
	Ref          string
	Title        string
	State        mark
	Confidential bool
	Labels       []string
	Opened       entryView
	Comments     string
	Entries      []entryView
	// Earlier and Later lead to the other pages of the thread, nil if there are none.
	Earlier, Later *link

	Project                    link
	Fetched, Updated, Complete moment
	// Sync leads to the start of a run, Similar to what resembles the entity.
	Sync, Similar link
	// GitLab is the URL of the entity's page there, or "".
	GitLab string
	Facts  []fact
	// Behind is nil if documents and embeddings are current.
	Behind    *behindView
	Documents []documentView
	// MoreDocuments counts those that are not shown.
	MoreDocuments int
	Runs          []runRow
	Todo          []advice.Step
}

// entryView is a comment or an event.
type entryView struct {
	// Anchor is the element's id, or "".
	Anchor, Author, Did string
	At                  moment
	Marks               []string
	// Text is the rendered text of a comment, "" for events.
	Text template.HTML
}

// documentView is a document of the entity.
type documentView struct {
	// Title tells it from the entity's other documents: what it begins with, or its id.
	Title, ID, Text string
	// Author is who began the discussion, At when that was; both are empty for the
	// entity's own document, and as far as GitLab does not say.
	Author string
	At     moment
	// Note says how current it is.
	Note string
}

const (
	// entriesOnPage is how many comments and events one page of a thread has.
	entriesOnPage = 100
	shownDocs     = 40
	maxShownDoc   = 20_000
	runsOfEntity  = 5
)

func (s *site) thread(ctx context.Context, v visit, t surgical.EntityType) (sheet, error) {
	ref, err := v.ref(t)
	if err != nil {
		return sheet{}, err
	}
	var (
		entity    apiclient.Answer[apiclient.Entity]
		documents apiclient.Answer[apiclient.Documents]
		project   apiclient.Answer[apiclient.Project]
		runs      apiclient.Answer[apiclient.RunList]
		absent    error
	)
	group, reads := parallel.WithContext(ctx)
	group.Go(func() error {
		entity, absent = s.API.Entity(reads, ref)
		return nil
	})
	group.Go(func() error {
		var err error
		documents, err = s.API.Documents(reads, ref)
		if isAbsent(err) {
			err = nil // the entity says the same
		}
		return err
	})
	group.Go(func() (err error) {
		project, err = s.API.Project(reads, ref.ProjectID)
		return err
	})
	group.Go(func() (err error) {
		runs, err = s.API.Runs(reads, apiclient.Filter{ProjectID: ref.ProjectID, Target: ref.Target, Limit: runsOfEntity})
		return err
	})
	if err := group.Wait(); err != nil {
		return sheet{}, err
	}
	name := refText(ref, project.Value.Path)
	if isAbsent(absent) {
		return s.absent(ctx, v, ref, name, absent)
	}
	if absent != nil {
		return sheet{}, absent
	}
	view := s.threadView(v, entity.Value)
	view.Ref, view.Complete = name, v.moment(project.Value.CompleteAsOf)
	view.Project = link{Text: cmp.Or(plaintext.Line(project.Value.Path), fmt.Sprintf("Project %d", ref.ProjectID)), Href: listPath(ref.ProjectID, t)}
	v.documents(view, documents.Value.Documents)
	view.Runs = v.rows(runsOf(runs.Value.Runs), nil)
	return sheet{Title: view.Title, Thread: view}, nil
}

func isAbsent(err error) bool {
	code := surgical.CodeOf(err)
	return err != nil && (code == surgical.CodeEntityNotFound || code == surgical.CodeEntityGone)
}

// absent explains why there is no copy to show, and offers to fetch one.
func (s *site) absent(ctx context.Context, v visit, ref surgical.EntityRef, name string, cause error) (sheet, error) {
	why, err := s.API.Why(ctx, ref)
	if err != nil {
		return sheet{}, err
	}
	status, p := v.failed(cause)
	p.Status, p.Title = status, name+": "+strings.ToLower(p.Title[:1])+p.Title[1:]
	for _, sentence := range why.Value.Sentences {
		p.Problem.Sentences = append(p.Problem.Sentences, plaintext.Line(sentence))
	}
	p.Problem.Links = append(p.Problem.Links, link{Text: "Sync it now", Href: entityPath(ref) + "/sync"})
	return p, nil
}

func (s *site) threadView(v visit, e apiclient.Entity) *threadView {
	a, err := surgical.ParseAttributes(e.Entity)
	if err != nil { // what the head has of it
		a = surgical.Attributes{Title: e.Title, State: e.State, Labels: e.Labels, Confidential: e.Confidential, WebURL: e.WebURL}
	}
	ref := surgical.EntityRef{ProjectID: e.ProjectID, Target: e.Target}
	page := webLink(e.WebURL)
	view := &threadView{
		Title: cmp.Or(plaintext.Line(a.Title), named(ref.Target)), State: markOfState(a.State), Confidential: a.Confidential, GitLab: page,
		Fetched: v.moment(e.FetchedAt), Updated: v.moment(e.UpdatedAt), Facts: v.threadFacts(e, a), Behind: v.behind(behindOf(e.DocumentsBehind)),
		Sync: link{Text: "Sync", Href: entityPath(ref) + "/sync"}, Similar: link{Text: "Similar", Href: path("/search", url.Values{"similar_to": {ref.Key()}})},
		Todo: []advice.Step{{Text: "Read it on the command line.", Command: advice.Show(ref)}, {Text: "Bring the copy up to date.", Command: advice.Sync(ref)}},
	}
	for _, label := range a.Labels {
		view.Labels = append(view.Labels, plaintext.Line(label))
	}
	view.Opened = entryView{Author: personName(a.Author), Did: "opened", Text: s.Markdown(a.Description, page)}
	if created, ok := surgical.ParseTime(a.CreatedAt); ok {
		view.Opened.At = v.moment(created)
	}
	entries := render.Thread(e.Discussions, map[surgical.ChildKind][]json.RawMessage{
		surgical.KindStateEvent: e.Events["state"], surgical.KindLabelEvent: e.Events["label"], surgical.KindMilestoneEvent: e.Events["milestone"],
	})
	comments := 0
	for _, entry := range entries {
		if entry.Text != "" {
			comments++
		}
	}
	view.Comments = count(comments, false, "comment")
	begin := v.pageOf(entries) * entriesOnPage
	end := min(begin+entriesOnPage, len(entries))
	for _, entry := range entries[begin:end] {
		view.Entries = append(view.Entries, s.entry(v, entry, page))
	}
	to := func(text string, n int) *link {
		return &link{Text: text, Href: path(entityPath(ref), url.Values{"page": {strconv.Itoa(n)}})}
	}
	if begin > 0 {
		view.Earlier = to("Earlier comments and events", begin/entriesOnPage)
	}
	if end < len(entries) {
		view.Later = to(fmt.Sprintf("Later comments and events (%s more)", number(len(entries)-end, false)), begin/entriesOnPage+2)
	}
	return view
}

// pageOf returns which page of the entries is shown, from 0: that of a note, or that of
// the number.
func (v visit) pageOf(entries []render.Entry) int {
	last := max(0, (len(entries)-1)/entriesOnPage)
	if note := v.text("note"); note != "" {
		if at := slices.IndexFunc(entries, func(e render.Entry) bool { return e.NoteID == note }); at >= 0 {
			return at / entriesOnPage
		}
	}
	n, err := strconv.Atoi(v.text("page"))
	if err != nil {
		return 0
	}
	return min(max(n-1, 0), last)
}

func (s *site) entry(v visit, e render.Entry, page string) entryView {
	view := entryView{Author: personName(e.Author), Did: plaintext.Line(e.Did), At: v.moment(e.At)}
	if _, err := strconv.ParseUint(e.NoteID, 10, 64); err == nil {
		view.Anchor = "note_" + e.NoteID
	}
	for _, m := range e.Marks {
		view.Marks = append(view.Marks, plaintext.Line(m))
	}
	if e.Text != "" {
		view.Text = s.Markdown(e.Text, page)
	}
	return view
}

func personName(u *surgical.User) string {
	if u == nil {
		return "somebody"
	}
	return plaintext.Line(cmp.Or(u.Username, u.Name, "somebody"))
}

func (f frame) threadFacts(e apiclient.Entity, a surgical.Attributes) []fact {
	run := f.toRun(e.RunID)
	var assignees []string
	for _, user := range a.Assignees {
		assignees = append(assignees, personName(&user))
	}
	branches := ""
	if a.SourceBranch != "" {
		branches = plaintext.Line(a.SourceBranch + " into " + a.TargetBranch)
	}
	facts := []fact{
		{Name: "Author", Value: personName(a.Author)},
		{Name: "Assigned to", Value: strings.Join(assignees, ", ")},
		{Name: "Milestone", Value: plaintext.Line(a.Milestone)},
		{Name: "Branches", Value: branches},
		{Name: "Changed in GitLab", Moment: f.moment(e.UpdatedAt)},
		{Name: "Fetched", Moment: f.moment(e.FetchedAt)},
		{Name: "Revision", Value: number(int(e.Revision), false)},
		{Name: "Stored by run", Link: &run},
	}
	return slices.DeleteFunc(facts, func(f fact) bool { return f.Value == "" && f.Moment.ISO == "" && f.Link == nil })
}

func (v visit) documents(view *threadView, all []apiclient.Document) {
	for i, d := range all {
		if i == shownDocs {
			view.MoreDocuments = len(all) - shownDocs
			return
		}
		note := "not embedded yet"
		if d.Embedded {
			note = count(d.Chunks, false, "chunk") + " embedded"
		}
		text := plaintext.Text(d.Text)
		if utf8.RuneCountInString(text) > maxShownDoc {
			text = string([]rune(text)[:maxShownDoc]) + "\n… cut here; lore show --documents has the rest"
		}
		shown := documentView{Title: "Description", ID: plaintext.Line(d.ID), Note: fmt.Sprintf("revision %d, %s", d.Revision, note), Text: text}
		if d.ID != render.EntityID {
			shown.Title, shown.Author, shown.At = cmp.Or(plaintext.Line(d.Begins), shown.ID), plaintext.Line(d.Author), v.moment(d.CreatedAt)
		}
		view.Documents = append(view.Documents, shown)
	}
}
