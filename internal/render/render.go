// Package render turns stored issues, merge requests and discussions into
// documents: deterministic Markdown for search and agents, and the chunks of
// it that are embedded.
//
// Every document has the same shape: a level-one heading with the title, a
// list of metadata, a thematic break, then what people wrote. What GitLab's
// users can choose within the first two (titles, names, labels) stands on one
// line and is escaped, so that the first thematic break is always ours.
package render

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// EntityID is the ID of an entity's own document.
const EntityID = "entity"

// DiscussionID returns the ID of the document of a discussion, by GitLab's id
// of the discussion.
func DiscussionID(discussion string) string {
	return string(surgical.KindDiscussion) + "#" + discussion
}

// page builds the Markdown of one document.
type page struct{ strings.Builder }

// heading writes a heading; text must be escaped.
func (p *page) heading(level int, text string) {
	p.WriteString(strings.Repeat("#", level) + " " + text + "\n")
}

// field writes one item of metadata; value must be escaped. A field without a
// value is left out.
func (p *page) field(name, value string) {
	if value != "" {
		p.WriteString("- " + name + ": " + value + "\n")
	}
}

// flag writes a field that is either set or left out.
func (p *page) flag(name string, set bool) {
	if set {
		p.field(name, "yes")
	}
}

// link writes a URL that passed [safeURL].
func (p *page) link(u string) {
	if u != "" {
		p.field("Link", "<"+u+">")
	}
}

// rule ends the metadata.
func (p *page) rule() { p.WriteString("\n---\n") }

// people returns users as escaped text, in the order given.
func people(users []surgical.User) string {
	shown := make([]string, 0, len(users))
	for _, u := range users {
		if s := person(&u); s != "" {
			shown = append(shown, s)
		}
	}
	return strings.Join(shown, ", ")
}

// person returns a user as escaped text, "" for nobody.
func person(u *surgical.User) string {
	if u == nil {
		return ""
	}
	username, name := inline(u.Username), inline(u.Name)
	switch {
	case username == "":
		return name
	case name == "":
		return "@" + username
	default:
		return "@" + username + " (" + name + ")"
	}
}

// date returns one of GitLab's times in UTC, in whole seconds: the same text
// whatever time zone the server is set to. What is no time is shown as it is.
func date(s string) string {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return inline(s)
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}

// kind returns what people call the entity, and its reference: "issue #7",
// "merge request !12".
func kind(t surgical.Target) (name, reference string) {
	if t.Type == surgical.MergeRequest {
		return "merge request", fmt.Sprintf("merge request !%d", t.IID)
	}
	return "issue", fmt.Sprintf("issue #%d", t.IID)
}

// titleOf returns the title on one line, never empty.
func titleOf(t surgical.Target, title string) string {
	if title = oneLine(title); title != "" {
		return title
	}
	_, reference := kind(t)
	return reference
}

// safeURL returns u if it is an absolute http or https URL that can stand
// between angle brackets, else "".
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

// sealed returns d with its hash: SHA-256 over all other fields, each string
// behind its length, so that no two documents have one encoding.
func sealed(d surgical.Document) surgical.Document {
	h := sha256.New()
	var length [binary.MaxVarintLen64]byte
	for _, s := range []string{d.ID, d.Title, d.URL, fmt.Sprint(d.Confidential), d.Text} {
		h.Write(binary.AppendUvarint(length[:0], uint64(len(s))))
		h.Write([]byte(s))
	}
	d.Hash = hex.EncodeToString(h.Sum(nil))
	return d
}

// unreadable is the failure for stored JSON that is not what GitLab
// documents. Trying again cannot help, and guessing could show what is
// confidential.
func unreadable(ref surgical.EntityRef, what string, cause error) error {
	e := surgical.WrapError(surgical.CodeDocsFailed, cause, "the stored "+what+" of "+ref.String()+" cannot be read")
	e.Action, e.Retryable = surgical.ActionContactOperator, false
	return e
}
