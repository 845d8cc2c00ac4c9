package render

import (
	"strings"
	"unicode/utf8"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// maxWords is the greatest length of a beginning's words, in characters.
const maxWords = 60

// beginningOf reads the beginning of a document of this package from its text.
func beginningOf(d surgical.Document) surgical.Beginning {
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

func beginning(user, at, text string) surgical.Beginning {
	var b surgical.Beginning
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
