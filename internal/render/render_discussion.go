package render

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/internal/record"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Head is the part of an entity that the documents of its discussions depend on.
// A change to anything else does not affect them.
type Head struct {
	Title        string
	WebURL       string
	Confidential bool
}

// HeadOf returns the [Head] of an entity with the given attributes.
func HeadOf(a surgical.Attributes) Head {
	return Head{Title: a.Title, WebURL: a.WebURL, Confidential: a.Confidential}
}

type note struct {
	// id is GitLab's, as decimal digits, or "".
	id        string
	body      string
	author    *surgical.User
	createdAt string
	system    bool
	internal  bool

	resolvable, resolved bool
	resolvedBy           *surgical.User
	position             *position
}

// position is a note's position in a diff. oldLine is 0 for an added line, newLine
// for a removed one, and both are 0 for a note on a file or an image.
type position struct {
	oldPath, newPath string
	oldLine, newLine int64
}

// Discussion renders one discussion from GitLab's JSON. Notes are sorted by
// creation time; each has a heading with author and date, and its body as a block
// quote. The document is confidential if the entity is, or if any note is
// internal.
//
// Fields that are missing, unknown or of an unexpected type are ignored, and a
// note that does not say whether it is internal is left out; LeftOut says so. JSON
// that is not an object gives a [surgical.CodeDocsFailed] error that is not
// retryable.
func Discussion(ref surgical.EntityRef, head Head, raw json.RawMessage) (surgical.Document, error) {
	in, ok := record.Read(raw)
	id, named := record.Name(raw)
	if !ok || !named {
		return surgical.Document{}, unreadable(ref, "discussion", errors.New("it is not a JSON object"))
	}
	notes := notesOf(in)
	d := surgical.Document{
		ID:           DiscussionID(id),
		Title:        titleOf(ref.Target, head.Title),
		URL:          safeURL(head.WebURL),
		Confidential: head.Confidential || slices.ContainsFunc(notes, func(n note) bool { return n.internal }),
		LeftOut:      in.Odd(),
	}
	if d.URL != "" && len(notes) > 0 && notes[0].id != "" {
		d.URL += "#note_" + notes[0].id
	}
	var p page
	p.heading(1, inline(d.Title))
	p.WriteByte('\n')
	p.field("Type", "discussion")
	p.place("Of", ref)
	p.flag("Confidential", d.Confidential)
	p.link(d.URL)
	p.rule()
	for _, n := range notes {
		n.write(&p)
	}
	d.Text = p.String()
	return sealed(d), nil
}

// notesOf returns the notes of a discussion in the order in which they are shown.
func notesOf(discussion record.Fields) []note {
	var notes []note
	for _, f := range discussion.Objects("notes") {
		internal, err := surgical.IsInternal(f)
		if err != nil {
			f.LeaveOut(err.Error() + ", so the note is left out")
			continue
		}
		n := note{
			id: f.ID("id"), body: f.Text("body"), author: surgical.UserOf(f, "author"), createdAt: f.Text("created_at"),
			system: f.Flag("system"), internal: internal,
			resolvable: f.Flag("resolvable"), resolved: f.Flag("resolved"), resolvedBy: surgical.UserOf(f, "resolved_by"),
		}
		if strings.Trim(n.id, "0123456789") != "" {
			n.id = ""
		}
		if p, ok := f.Object("position"); ok {
			n.position = &position{
				oldPath: p.Text("old_path"), newPath: p.Text("new_path"), oldLine: p.Integer("old_line"), newLine: p.Integer("new_line"),
			}
		}
		notes = append(notes, n)
	}
	slices.SortStableFunc(notes, byCreation)
	return notes
}

func (n note) write(p *page) {
	who := cmp.Or(person(n.author), unknownAuthor)
	if when := date(n.createdAt); when != "" {
		who += ", " + when
	}
	p.WriteByte('\n')
	p.heading(2, who)
	if marks := n.marks(); marks != "" {
		p.WriteString("\n" + marks)
	}
	if body := quote(n.body); body != "" {
		p.WriteString("\n" + body)
	}
}

// marks returns the note's attributes as a list, or "" if it has none.
func (n note) marks() string {
	var p page
	p.flag("Internal note", n.internal)
	p.flag("System note", n.system)
	if n.position != nil {
		p.field("At", n.position.String())
	}
	if n.resolvable && n.resolved {
		p.field("Resolved", cmp.Or(by(n.resolvedBy), "yes"))
	} else if n.resolvable {
		p.field("Resolved", "no")
	}
	return p.String()
}

func by(u *surgical.User) string {
	if s := person(u); s != "" {
		return "by " + s
	}
	return ""
}

// String returns the position as escaped text, such as "cache.go:42".
func (p position) String() string {
	path, line := cmp.Or(inline(p.newPath), inline(p.oldPath)), p.newLine
	if line == 0 && p.oldLine != 0 {
		return cmp.Or(inline(p.oldPath), path) + ":" + strconv.FormatInt(p.oldLine, 10) + " (removed line)"
	}
	if path != "" && line > 0 {
		path += ":" + strconv.FormatInt(line, 10)
	}
	return path
}

// byCreation orders notes by creation time, then id. Invalid times come first, in
// lexical order.
func byCreation(a, b note) int {
	at, aErr := time.Parse(time.RFC3339, a.createdAt)
	bt, bErr := time.Parse(time.RFC3339, b.createdAt)
	// Decimal digits without leading zeros.
	byID := cmp.Or(cmp.Compare(len(a.id), len(b.id)), cmp.Compare(a.id, b.id))
	if aErr != nil || bErr != nil {
		return cmp.Or(boolCompare(aErr == nil, bErr == nil), cmp.Compare(a.createdAt, b.createdAt), byID)
	}
	return cmp.Or(at.Compare(bt), byID)
}

func boolCompare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}
