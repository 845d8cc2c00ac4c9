package render

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"gitlab.com/lorehook/lorehook/internal/record"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Entry is a comment on an entity, or an event: one thing that happened to it.
type Entry struct {
	// At is when it happened, zero if GitLab's time cannot be read.
	At time.Time
	// Author is nil if GitLab names none.
	Author *surgical.User
	// Did says what happened, for what follows the author: "commented", "added the label
	// bug". Names in it are as in GitLab.
	Did string
	// Text is the Markdown of a comment, as in GitLab; "" for events.
	Text string
	// Marks are what else is known of a comment, such as "internal note" or its place in
	// a diff.
	Marks []string
	// NoteID is GitLab's id of the comment, "" for events.
	NoteID string
}

// Thread returns the comments and events of an entity in the order of time. Like
// documents, it leaves out what is odd.
func Thread(discussions []json.RawMessage, events map[surgical.ChildKind][]json.RawMessage) []Entry {
	var thread []Entry
	for _, raw := range discussions {
		discussion, ok := record.Read(raw)
		if !ok {
			continue
		}
		for i, n := range notesOf(discussion) {
			thread = append(thread, n.entry(i > 0))
		}
	}
	for _, kind := range []surgical.ChildKind{surgical.KindStateEvent, surgical.KindLabelEvent, surgical.KindMilestoneEvent} {
		for _, raw := range events[kind] {
			if f, ok := record.Read(raw); ok {
				if e, told := eventEntry(kind, f); told {
					thread = append(thread, e)
				}
			}
		}
	}
	slices.SortStableFunc(thread, func(a, b Entry) int { return a.At.Compare(b.At) })
	return thread
}

func (n note) entry(reply bool) Entry {
	e := Entry{Author: n.author, Did: "commented", NoteID: n.id}
	e.At, _ = surgical.ParseTime(n.createdAt) // an odd time sorts first
	switch {
	case n.system: // GitLab's own sentence, such as "changed the description"
		e.Did = oneLine(n.body)
		return e
	case reply:
		e.Did = "replied"
	}
	e.Text = n.body
	if n.internal {
		e.Marks = append(e.Marks, "internal note")
	}
	if n.position != nil {
		if at := n.position.plain(); at != "" {
			e.Marks = append(e.Marks, "at "+at)
		}
	}
	if n.resolvable && n.resolved {
		e.Marks = append(e.Marks, "resolved")
	}
	return e
}

// plain returns the position as it is in GitLab, such as "cache.go:42".
func (p position) plain() string {
	path, line := cmp.Or(p.newPath, p.oldPath), cmp.Or(p.newLine, p.oldLine)
	if path = oneLine(path); path != "" && line > 0 {
		path += ":" + strconv.FormatInt(line, 10)
	}
	return path
}

// eventEntry returns what a resource event says; false if it does not say.
func eventEntry(kind surgical.ChildKind, f record.Fields) (Entry, bool) {
	e := Entry{Author: surgical.UserOf(f, "user")}
	e.At, _ = surgical.ParseTime(f.Text("created_at")) // an odd time sorts first
	of := func(field, member, add, remove string) {
		object, _ := f.Object(field) // a label that was deleted is null
		name := oneLine(object.Text(member))
		switch f.Text("action") {
		case "add":
			e.Did = fmt.Sprintf("%s %s", add, name)
		case "remove":
			e.Did = fmt.Sprintf("%s %s", remove, name)
		}
		if name == "" {
			e.Did = ""
		}
	}
	switch kind {
	case surgical.KindStateEvent:
		e.Did = oneLine(f.Text("state"))
	case surgical.KindLabelEvent:
		of("label", "name", "added the label", "removed the label")
	case surgical.KindMilestoneEvent:
		of("milestone", "title", "set the milestone", "removed the milestone")
	}
	return e, e.Did != ""
}
