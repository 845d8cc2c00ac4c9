// Package render turns stored issues, merge requests and discussions into
// documents: deterministic Markdown for search and agents, split into the chunks
// that are embedded.
//
// Every document has the same structure: a level-one heading with the title, a
// list of metadata, a thematic break, then the text that people wrote. Everything
// before the break that a GitLab user can choose (titles, names, labels) is
// escaped and kept on one line, so the first thematic break is always the
// renderer's own.
//
// Text that people wrote has no control characters other than newlines and tabs,
// and no characters that change the direction of text; see package plaintext.
//
// A change of the rendering changes the documents' hashes: raise
// [surgical.DocumentFormat] with it.
package render

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// EntityID is the ID of the document of the entity itself.
const EntityID = "entity"

// DiscussionID returns the ID of a discussion's document; discussion is GitLab's
// id of the discussion.
func DiscussionID(discussion string) string {
	return string(surgical.KindDiscussion) + "#" + discussion
}

// page builds the Markdown of one document.
type page struct{ strings.Builder }

// heading writes a heading. text must already be escaped.
func (p *page) heading(level int, text string) {
	p.WriteString(strings.Repeat("#", level) + " " + text + "\n")
}

// field writes one metadata item, unless value is empty. value must already be
// escaped.
func (p *page) field(name, value string) {
	if value != "" {
		p.WriteString("- " + name + ": " + value + "\n")
	}
}

// flag writes a field with the value "yes" if it is set.
func (p *page) flag(name string, set bool) {
	if set {
		p.field(name, "yes")
	}
}

// link writes a URL that [safeURL] returned.
func (p *page) link(u string) {
	if u != "" {
		p.field("Link", "<"+u+">")
	}
}

// rule ends the metadata.
const rule = "\n---\n"

func (p *page) rule() { p.WriteString(rule) }

// Body returns what follows the title and the metadata that a document's text, and so its
// first chunk, begins with: a description, or comments. Other text is returned as it is.
func Body(text string) string {
	if _, body, ok := strings.Cut(text, rule); ok || strings.HasPrefix(text, "# ") {
		text = body
	}
	return strings.TrimSpace(text)
}

// people returns users as escaped text, in the given order.
func people(users []surgical.User) string {
	shown := make([]string, 0, len(users))
	for _, u := range users {
		if s := person(&u); s != "" {
			shown = append(shown, s)
		}
	}
	return strings.Join(shown, ", ")
}

// place writes the entity's reference under the name, and its project.
func (p *page) place(name string, ref surgical.EntityRef) {
	_, reference := kind(ref.Target)
	p.field(name, reference)
	p.field("Project", strconv.FormatInt(ref.ProjectID, 10))
}

// person returns a user as escaped text, or "" for nil.
func person(u *surgical.User) string {
	if u == nil {
		return ""
	}
	username, name := inline(u.Username), inline(u.Name)
	if strings.Trim(u.Username, userNameLetters) != "" {
		// Not one that GitLab gives.
		username, name = "", strings.TrimSpace(username+" "+name)
	}
	switch {
	case username == "" && name == "":
		return ""
	case username == "":
		// Without the parentheses, a name could look like a user name.
		return "(" + name + ")"
	case name == "":
		return "@" + username
	default:
		return "@" + username + " (" + name + ")"
	}
}

// date returns a GitLab timestamp in UTC and whole seconds, so that the text does
// not depend on the server's time zone. Anything else is returned escaped.
func date(s string) string {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return inline(s)
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}

// kind returns the display name of the entity's type, and the entity's reference,
// such as "issue #7" or "merge request !12".
func kind(t surgical.Target) (name, reference string) {
	if t.Type == surgical.MergeRequest {
		return "merge request", fmt.Sprintf("merge request !%d", t.IID)
	}
	return "issue", fmt.Sprintf("issue #%d", t.IID)
}

// titleOf returns the title on one line, or the reference if the title is empty.
func titleOf(t surgical.Target, title string) string {
	if title = oneLine(title); title != "" {
		return title
	}
	_, reference := kind(t)
	return reference
}

// safeURL returns u if it is an absolute http or https URL that is safe between
// angle brackets in Markdown, or else "".
func safeURL(u string) string {
	u = strings.ToValidUTF8(u, "")
	parsed, err := url.Parse(u)
	if err != nil || parsed.Host == "" || (parsed.Scheme != "https" && parsed.Scheme != "http") {
		return ""
	}
	if strings.ContainsAny(u, "<>\"\\` ") || oneLine(u) != u {
		return ""
	}
	return u
}

// sealed returns d with its beginning and its hash: SHA-256 over all other fields but
// these. Every string is prefixed with its length, so that different documents never have the same
// encoding.
func sealed(d surgical.Document) surgical.Document {
	cut(&d)
	h := sha256.New()
	var length [binary.MaxVarintLen64]byte
	for _, s := range []string{d.ID, d.Title, d.URL, fmt.Sprint(d.Confidential), d.Text} {
		h.Write(binary.AppendUvarint(length[:0], uint64(len(s))))
		h.Write([]byte(s))
	}
	d.Hash, d.Beginning = hex.EncodeToString(h.Sum(nil)), beginningOf(d)
	return d
}

// cut shortens a text that is too long for a document, and says so at its end.
func cut(d *surgical.Document) {
	if len(d.Text) <= surgical.MaxDocument {
		return
	}
	shown, characters := len(d.Text), 0
	for at := range d.Text {
		if characters == surgical.MaxDocument {
			shown = at
		}
		characters++
	}
	if characters <= surgical.MaxDocument {
		return
	}
	told := fmt.Sprintf("%d of %d characters are shown", surgical.MaxDocument, characters)
	d.Text = d.Text[:shown] + "\n\n---\n\nThis document is cut: " + told + ".\n"
	d.LeftOut = append(d.LeftOut, "it is cut: "+told)
}

// unreadable returns the error for stored JSON that does not match GitLab's
// documentation. A retry cannot help, and guessing could expose confidential text.
func unreadable(ref surgical.EntityRef, what string, cause error) error {
	e := surgical.WrapError(surgical.CodeDocsFailed, cause, "the stored "+what+" of "+ref.String()+" could not be read")
	e.Action, e.Retryable = surgical.ActionContactOperator, false
	return e
}
