package render

import (
	"regexp"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

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

// imitation is how a line reads that looks like the first line of a chunk. It is compiled
// when it is first needed: most functions link this package, and few need it.
var imitation = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?:note on )?(?:issue #|merge request !)\pN+ in project\b`)
})

// withoutImitations escapes the lines of a chunk's body that imitate a first line,
// whatever marks precede it.
func withoutImitations(body string) string {
	if !mayImitate(body) {
		return body // almost always, and much faster
	}
	var b strings.Builder
	b.Grow(len(body) + maxEscapes)
	for line := range strings.Lines(body) {
		words, at := reading(line)
		if imitation().MatchString(words) {
			b.WriteString(line[:at])
			b.WriteByte('\\')
			line = line[at:]
		}
		b.WriteString(line)
	}
	return b.String()
}

// mayImitate reports whether a text can contain an imitation. A text with more than
// ASCII can spell the words in too many ways to look for them.
func mayImitate(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return true
		}
	}
	return strings.Contains(strings.ToLower(text), "project")
}

// reading returns how a line looks to a reader from its first letter or digit, which
// is at the given byte: in lower case, without what is invisible, and with one space
// for any white space. It is empty if no imitation begins like that.
func reading(line string) (words string, at int) {
	var b strings.Builder
	at = -1
	space := false
	for i, r := range line {
		switch r = ascii(r); {
		case isBlank(r):
			space = true
			continue
		case isInvisible(r), at < 0 && !unicode.In(r, unicode.L, unicode.N):
			continue
		case at < 0:
			if !strings.ContainsRune("nimNIM", r) {
				return "", i // almost always
			}
			at, space = i, false
		}
		if space {
			b.WriteByte(' ')
		}
		space = false
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String(), at
}

// ascii returns the character of ASCII that a full-width one shows.
func ascii(r rune) rune {
	if r >= '！' && r <= '～' {
		return r - '！' + '!'
	}
	return r
}

// isBlank reports whether a character is shown as a space. Braille's empty pattern
// and the fillers of Hangul are none to Unicode.
func isBlank(r rune) bool {
	return unicode.IsSpace(r) || unicode.In(r, unicode.Z) || strings.ContainsRune("\u2800\u115f\u1160\u3164\uffa0", r)
}

// isInvisible reports whether a character is not shown, such as a joiner or a
// selector of a glyph's variant.
func isInvisible(r rune) bool {
	return unicode.In(r, unicode.Cf, unicode.Cc, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}
