package render

import (
	"regexp"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// origin is what the chunks of one document say about where they come from. It is
// read from the parts of the document that the renderer wrote.
type origin struct {
	title string
	// reference names the entity, such as "note on issue #7 in project 1"; it is
	// empty for a text that is not a document of this package.
	reference string
	// authors are in the order of their texts; of an entity there is one.
	authors []authored
}

// authored is the place where the text of one author begins, in bytes.
type authored struct {
	at     int
	author string
}

// unknownAuthor stands for an author that GitLab does not name.
const unknownAuthor = "unknown author"

// originOf reads the origin of a document. The front matter ends at the first line
// that is not one of its fields. In the document of a discussion, all headings of
// level two are the renderer's.
func originOf(d surgical.Document) origin {
	o := origin{title: oneLine(d.Title)}
	ofDiscussion := strings.HasPrefix(d.ID, DiscussionID(""))
	reference, project, author := "", "", unknownAuthor
	front, at := true, 0
	for line := range strings.Lines(d.Text) {
		content := strings.TrimSuffix(line, "\n")
		if name, value, ok := strings.Cut(strings.TrimPrefix(content, "- "), ": "); front && ok && strings.HasPrefix(content, "- ") {
			switch name {
			case "Reference", "Of":
				reference = value
			case "Project":
				project = value
			case "Author":
				author = username(value)
			}
		} else if at > 0 && content != "" {
			front = false
		}
		if who, ok := strings.CutPrefix(content, "## "); ok && !front && ofDiscussion {
			o.authors = append(o.authors, authored{at, username(who)})
		}
		at += len(line)
	}
	if reference == "" {
		return o
	}
	o.reference = reference
	if ofDiscussion {
		o.reference = "note on " + reference
	} else {
		o.authors = []authored{{0, author}}
	}
	if project != "" {
		o.reference += " in project " + project
	}
	return o
}

// context returns the text that precedes the part of the document that begins at
// the offset: the origin on one line, and an empty line.
func (o origin) context(at int) string {
	title := o.title[:advance(o.title, 0, maxTitle)]
	if o.reference == "" {
		if title == "" {
			return ""
		}
		return title + "\n\n"
	}
	author := unknownAuthor
	for i, a := range o.authors {
		// Before the first note, the metadata belongs to the first author.
		if i == 0 || a.at <= at {
			author = a.author
		}
	}
	return o.reference + ", by " + author + ": " + title + "\n\n"
}

// username returns the user name of [person]'s text, such as "@ada". A display
// name is never one: anyone can choose any.
func username(person string) string {
	name, ok := strings.CutPrefix(person, "@")
	if !ok {
		return unknownAuthor
	}
	if end := strings.IndexAny(name, " ,"); end >= 0 {
		name = name[:end]
	}
	name = strings.ReplaceAll(name, "\\", "")
	if name == "" || strings.Trim(name, userNameLetters) != "" {
		return unknownAuthor
	}
	return "@" + name[:advance(name, 0, maxAuthor)]
}

// userNameLetters are the characters of GitLab's user names.
const userNameLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"

// imitation is a line that reads like the first line of a chunk, whatever marks
// precede it.
var imitation = regexp.MustCompile(`(?im)^([^\pL\pN\n]*)((?:note on )?(?:issue #|merge request !)\pN+ in project\b)`)

// withoutImitations escapes the lines of a chunk's body that imitate a first line.
func withoutImitations(body string) string {
	if !strings.Contains(strings.ToLower(body), "in project") {
		return body // almost always, and much faster
	}
	return imitation.ReplaceAllString(body, `$1\$2`)
}
