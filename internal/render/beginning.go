package render

import (
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"gitlab.com/lorehook/lorehook/internal/plaintext"
	"gitlab.com/lorehook/lorehook/internal/record"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Beginning is what tells a document from the others of its entity, which all have the
// entity's title. It is read from the text, and not part of it: a change of this rule
// changes no document.
type Beginning struct {
	// Author is the user name of who began the discussion or opened the entity, "" if
	// GitLab names none.
	Author string
	// At is when that was, in whole seconds; zero if GitLab's time cannot be read.
	At time.Time
	// Words are the first words of the first comment or the description, on one line and
	// at most [maxWords] characters; "" if there are none.
	Words string
}

// maxWords is the greatest length of a Beginning's words, in characters.
const maxWords = 80

// BeginningOf reads the beginning of a document of this package from its text.
func BeginningOf(d surgical.Document) Beginning {
	front, body, _ := strings.Cut(d.Text, rule)
	if d.ID == EntityID {
		return beginning(username(field(front, "Author")), field(front, "Created"), body)
	}
	// The first heading of level two names the author and the time.
	heading, comment, _ := strings.Cut(strings.TrimLeft(body, "\n"), "\n")
	who, at := strings.TrimPrefix(heading, "## "), ""
	if comma := strings.LastIndex(who, ", "); comma >= 0 {
		at = who[comma+len(", "):]
	}
	return beginning(username(who), at, quoted(comment))
}

// BeginningOfEntity and BeginningOfDiscussion return the beginning of a document from what
// it is rendered from.
func BeginningOfEntity(a surgical.Attributes) Beginning {
	return beginning(username(person(a.Author)), date(a.CreatedAt), plaintext.Text(a.Description))
}

// BeginningOfDiscussion reads GitLab's JSON of a discussion. What is not one, or has no
// notes, has the zero Beginning.
func BeginningOfDiscussion(raw json.RawMessage) Beginning {
	discussion, _ := record.Read(raw)
	notes := notesOf(discussion)
	if len(notes) == 0 {
		return Beginning{}
	}
	first := notes[0]
	return beginning(username(person(first.author)), date(first.createdAt), plaintext.Text(first.body))
}

func beginning(user, at, text string) Beginning {
	var b Beginning
	if user != unknownAuthor {
		b.Author = strings.TrimPrefix(user, "@")
	}
	b.At, _ = surgical.ParseTime(at) // an odd time is not shown
	b.Words = firstWords(text)
	return b
}

// field returns the value of a field of the metadata, "" if it is absent.
func field(front, name string) string {
	for line := range strings.Lines(front) {
		if value, ok := strings.CutPrefix(line, "- "+name+": "); ok {
			return strings.TrimSuffix(value, "\n")
		}
	}
	return ""
}

// quoted returns the text of the block quote that a comment's text is, up to the next
// comment.
func quoted(comment string) string {
	var b strings.Builder
	for line := range strings.Lines(comment) {
		said, ok := strings.CutPrefix(line, ">")
		switch {
		case ok:
			b.WriteString(strings.TrimPrefix(said, " "))
		case strings.HasPrefix(line, "## "):
			return b.String()
		}
		if b.Len() > maxRead {
			break
		}
	}
	return b.String()
}

// maxRead is how many bytes of a text are looked at for its first words.
const maxRead = 4096

// firstWords returns what a text begins with, cut at a space if there is one.
func firstWords(text string) string {
	words := oneLine(text[:min(len(text), maxRead)])
	if utf8.RuneCountInString(words) <= maxWords {
		return words
	}
	end := advance(words, 0, maxWords-1)
	if space := strings.LastIndexByte(words[:end+1], ' '); space > end/2 {
		end = space
	}
	return words[:end] + "…"
}
