package render

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/internal/plaintext"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// ReadableHead renders the beginning of a page for people and agents: title, metadata,
// when the copy was fetched, and the description.
func ReadableHead(ref surgical.EntityRef, entity json.RawMessage, updatedAt, fetchedAt time.Time) (string, error) {
	a, err := surgical.ParseAttributes(entity)
	if err != nil {
		return "", unreadable(ref, "JSON", err)
	}
	var p page
	p.heading(1, inline(titleOf(ref.Target, a.Title)))
	p.WriteByte('\n')
	writeAttributes(&p, ref, a)
	p.field("Updated", stamp(updatedAt))
	p.field("Fetched", stamp(fetchedAt))
	p.link(safeURL(a.WebURL))
	if description := plaintext.Text(a.Description); strings.TrimSpace(description) != "" {
		p.rule()
		p.WriteString("\n" + strings.TrimRight(description, "\n") + "\n")
	}
	p.rule()
	return p.String(), nil
}

// Readable renders one entry of a thread: an event on one line, a comment with a heading
// and its text as a block quote, so that no text can look like another comment.
func (e Entry) Readable() string {
	var p page
	who := cmp.Or(person(e.Author), unknownAuthor)
	if e.Text == "" && e.Did != "commented" && e.Did != "replied" {
		p.WriteString("\n- " + who + " " + inline(e.Did) + when(e.At) + "\n")
		return p.String()
	}
	p.WriteByte('\n')
	p.heading(2, who+" "+inline(e.Did)+when(e.At))
	if len(e.Marks) > 0 {
		p.WriteString("\n" + inline(fmt.Sprintf("(%s)", strings.Join(e.Marks, ", "))) + "\n")
	}
	if body := quote(e.Text); body != "" {
		p.WriteString("\n" + body)
	}
	return p.String()
}

func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return ", " + stamp(t)
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }
