package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/plaintext"
	"gitlab.com/lorehook/lorehook/internal/render"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// thread prints an entity for people: what it is, its description, then comments and
// events in the order of time, and how fresh the copy is.
func (p *printer) thread(e apiclient.Entity, at times) {
	a, err := surgical.ParseAttributes(e.Entity)
	if err != nil {
		a = surgical.Attributes{Title: e.Title, State: e.State, Labels: e.Labels, Confidential: e.Confidential}
	}
	entries := render.Thread(e.Discussions, map[surgical.ChildKind][]json.RawMessage{
		surgical.KindStateEvent: e.Events["state"], surgical.KindLabelEvent: e.Events["label"], surgical.KindMilestoneEvent: e.Events["milestone"],
	})
	p.header(e, a, entries, at)
	if strings.TrimSpace(a.Description) != "" {
		p.line("")
		p.text(a.Description)
	}
	for i, entry := range entries {
		if i == 0 || entry.Text != "" || entries[i-1].Text != "" { // events in a row are one block
			p.line("")
		}
		p.entry(entry, at)
	}
	p.line("")
	if e.WebURL != "" {
		p.line("%s", paint(p.faint, "%s", e.WebURL))
	}
	p.wrapped(p.faint, "fetched %s, last updated in GitLab %s", at.text(e.FetchedAt), at.text(e.UpdatedAt))
	if b := e.DocumentsBehind; b != nil {
		p.wrapped(p.warn, "%s", documentsBehind(*b))
	}
}

func (p *printer) header(e apiclient.Entity, a surgical.Attributes, entries []render.Entry, at times) {
	comments := 0
	for _, entry := range entries {
		if entry.Text != "" {
			comments++
		}
	}
	number := fmt.Sprintf("#%d", e.IID)
	if e.Type == surgical.MergeRequest {
		number = fmt.Sprintf("!%d", e.IID)
	}
	p.wrapped(p.strong, "%s %s", a.Title, number)
	state := p.good
	if a.State != "opened" {
		state = p.bad
	}
	said := who(a.Author) + " opened"
	if created, ok := surgical.ParseTime(a.CreatedAt); ok {
		said += " " + at.text(created)
	}
	said += " · " + counted(comments, "comment", "comments")
	p.framed(cell{a.State, state}, " · "+said, cell{})
	confidential := cell{}
	if a.Confidential {
		confidential = cell{"yes", p.warn}
	}
	var assignees []string
	for _, user := range a.Assignees {
		assignees = append(assignees, user.Username)
	}
	branches := ""
	if a.SourceBranch != "" {
		branches = a.SourceBranch + " into " + a.TargetBranch
	}
	p.pairs(
		pair("confidential", confidential),
		pair("labels", plain("%s", strings.Join(a.Labels, ", "))),
		pair("assignees", plain("%s", strings.Join(assignees, ", "))),
		pair("milestone", plain("%s", a.Milestone)),
		pair("branches", plain("%s", branches)),
	)
}

// entry prints a comment with its text, or an event on one line.
func (p *printer) entry(e render.Entry, at times) {
	marks := ""
	if len(e.Marks) > 0 {
		marks = " · " + strings.Join(e.Marks, ", ")
	}
	if e.Text == "" {
		p.wrapped(p.faint, "%s %s · %s%s", who(e.Author), e.Did, at.text(e.At), marks)
		return
	}
	p.framed(cell{who(e.Author), p.strong}, " ", cell{fmt.Sprintf("%s · %s%s", e.Did, at.text(e.At), marks), p.faint})
	p.text(e.Text)
}

// text prints text that people wrote, indented, so that it does not look like a line of
// the program's own.
func (p *printer) text(text string) {
	text = strings.TrimRight(plaintext.Text(text), " \t\n")
	lines := strings.Split(text, "\n")
	if p.width > 0 {
		lines = wrapped(text, p.prose()-2)
	}
	for _, line := range lines {
		if line == "" {
			p.line("")
			continue
		}
		p.line("%s", safe("  "+strings.TrimRight(line, " \t")))
	}
}

func who(user *surgical.User) string {
	if user == nil {
		return "somebody"
	}
	return cmp.Or(user.Username, user.Name, "somebody")
}
