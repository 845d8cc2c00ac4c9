package render

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"

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

// discussion is the part of GitLab's discussion that is rendered.
type discussion struct {
	ID    string `json:"id"`
	Notes []note `json:"notes"`
}

type note struct {
	ID        int64          `json:"id"`
	Body      string         `json:"body"`
	Author    *surgical.User `json:"author"`
	CreatedAt string         `json:"created_at"`
	System    bool           `json:"system"`
	Internal  bool           `json:"internal"`
	// Confidential is the name of Internal in older GitLab versions.
	Confidential bool           `json:"confidential"`
	Resolvable   bool           `json:"resolvable"`
	Resolved     bool           `json:"resolved"`
	ResolvedBy   *surgical.User `json:"resolved_by"`
	Position     *position      `json:"position"`
}

// position is a note's position in a diff. OldLine is 0 for an added line, NewLine
// for a removed one, and both are 0 for a note on a file or an image.
type position struct {
	OldPath string `json:"old_path"`
	NewPath string `json:"new_path"`
	OldLine int64  `json:"old_line"`
	NewLine int64  `json:"new_line"`
}

// Discussion renders one discussion from GitLab's JSON. Notes are sorted by
// creation time; each has a heading with author and date, and its body as a block
// quote. The document is confidential if the entity is, or if any note is
// internal.
//
// JSON that is malformed, has fields of the wrong type or lacks the discussion's
// id gives a [surgical.CodeDocsFailed] error that is not retryable. Other missing
// fields and unknown fields are ignored.
func Discussion(ref surgical.EntityRef, head Head, raw json.RawMessage) (surgical.Document, error) {
	var in discussion
	if err := json.Unmarshal(raw, &in); err != nil {
		return surgical.Document{}, unreadable(ref, "discussion", err)
	}
	if in.ID == "" {
		return surgical.Document{}, unreadable(ref, "discussion", errors.New("it has no id"))
	}
	slices.SortStableFunc(in.Notes, byCreation)
	d := surgical.Document{
		ID:           DiscussionID(in.ID),
		Title:        titleOf(ref.Target, head.Title),
		URL:          safeURL(head.WebURL),
		Confidential: head.Confidential || slices.ContainsFunc(in.Notes, note.isInternal),
	}
	if d.URL != "" && len(in.Notes) > 0 && in.Notes[0].ID > 0 {
		d.URL += "#note_" + strconv.FormatInt(in.Notes[0].ID, 10)
	}
	_, reference := kind(ref.Target)
	var p page
	p.heading(1, inline(d.Title))
	p.WriteByte('\n')
	p.field("Type", "discussion")
	p.field("Of", reference)
	p.flag("Confidential", d.Confidential)
	p.link(d.URL)
	p.rule()
	for _, n := range in.Notes {
		n.write(&p)
	}
	d.Text = p.String()
	return sealed(d), nil
}

func (n note) isInternal() bool { return n.Internal || n.Confidential }

func (n note) write(p *page) {
	who := cmp.Or(person(n.Author), "unknown author")
	if when := date(n.CreatedAt); when != "" {
		who += ", " + when
	}
	p.WriteByte('\n')
	p.heading(2, who)
	if marks := n.marks(); marks != "" {
		p.WriteString("\n" + marks)
	}
	if body := quote(n.Body); body != "" {
		p.WriteString("\n" + body)
	}
}

// marks returns the note's attributes as a list, or "" if it has none.
func (n note) marks() string {
	var p page
	p.flag("Internal note", n.isInternal())
	p.flag("System note", n.System)
	if n.Position != nil {
		p.field("At", n.Position.String())
	}
	if n.Resolvable && n.Resolved {
		p.field("Resolved", cmp.Or(by(n.ResolvedBy), "yes"))
	} else if n.Resolvable {
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
	path, line := cmp.Or(inline(p.NewPath), inline(p.OldPath)), p.NewLine
	if line == 0 && p.OldLine != 0 {
		return cmp.Or(inline(p.OldPath), path) + ":" + strconv.FormatInt(p.OldLine, 10) + " (removed line)"
	}
	if path != "" && line > 0 {
		path += ":" + strconv.FormatInt(line, 10)
	}
	return path
}

// byCreation orders notes by creation time, then id. Invalid times come first, in
// lexical order.
func byCreation(a, b note) int {
	at, aErr := time.Parse(time.RFC3339, a.CreatedAt)
	bt, bErr := time.Parse(time.RFC3339, b.CreatedAt)
	if aErr != nil || bErr != nil {
		return cmp.Or(boolCompare(aErr == nil, bErr == nil), cmp.Compare(a.CreatedAt, b.CreatedAt), cmp.Compare(a.ID, b.ID))
	}
	return cmp.Or(at.Compare(bt), cmp.Compare(a.ID, b.ID))
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
