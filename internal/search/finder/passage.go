package finder

import (
	"cmp"
	"strings"
	"unicode"
	"unicode/utf8"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/render"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/language"
)

// maxPassage is how long a passage is at most, in characters.
const maxPassage = 320

// marker finds the words of a query in texts.
type marker struct {
	words *language.Analyzer
	terms map[string]bool
}

func (f *Finder) marker(query string) marker {
	m := marker{f.Words, map[string]bool{}}
	for _, word := range f.Words.Words(query) {
		m.terms[word.Term] = true
	}
	return m
}

// passage returns the part of a chunk's text that has most words of the query, without
// what the hit says itself: where the chunk comes from, and the entity's attributes. Of
// comments it has what people wrote.
func (m marker) passage(document content.Document, chunks []render.Chunk, n int) search.Passage {
	chunk := chunks[n].Text
	if _, text, ok := strings.Cut(chunk, "\n\n"); ok {
		chunk = text
	}
	switch {
	case document.ID != render.EntityID:
		chunk = cmp.Or(render.Remarks(chunk), chunk)
	case n == 0:
		chunk = render.Body(chunk)
	}
	var found []language.Word
	for _, word := range m.words.Words(chunk) {
		if m.terms[word.Term] {
			found = append(found, word)
		}
	}
	start, end := window(chunk, found)
	begun := document.Beginning
	p := search.Passage{Document: document.ID, Author: begun.Author, CreatedAt: begun.At, URL: document.URL, Text: chunk[start:end]}
	for _, word := range found {
		if word.Start >= start && word.End <= end && word.Start < word.End {
			from := utf8.RuneCountInString(chunk[start:word.Start])
			p.Marks = append(p.Marks, search.Mark{Start: from, End: from + utf8.RuneCountInString(chunk[word.Start:word.End])})
		}
	}
	return p
}

// window returns the part of the text, of at most [maxPassage] characters, with the
// most different words; the first of them, if there are several.
func window(text string, found []language.Word) (start, end int) {
	if utf8.RuneCountInString(text) <= maxPassage {
		return trimmed(text, 0, len(text))
	}
	most := -1
	for i := range found {
		from := lead(text, found[i].Start)
		until := forward(text, from, maxPassage)
		different := map[string]bool{}
		for _, word := range found[i:] {
			if word.End > until {
				break
			}
			different[word.Term] = true
		}
		if len(different) > most {
			most, start, end = len(different), from, until
		}
	}
	if most < 0 {
		end = forward(text, 0, maxPassage)
	}
	if end < len(text) {
		if space := strings.LastIndexFunc(text[start:end], unicode.IsSpace); space > (end-start)/2 {
			end = start + space
		}
	}
	return trimmed(text, start, end)
}

// lead returns a place a little before the offset: the beginning of its line, or of a
// word.
func lead(text string, at int) int {
	const before = 80 // bytes
	if line := strings.LastIndexByte(text[:at], '\n') + 1; at-line <= before {
		return line
	}
	if space := strings.IndexFunc(text[at-before:at], unicode.IsSpace); space >= 0 {
		return at - before + space
	}
	return at
}

// forward returns the offset n characters later.
func forward(text string, at, n int) int {
	for i := range text[at:] {
		if n == 0 {
			return at + i
		}
		n--
	}
	return len(text)
}

func trimmed(text string, start, end int) (int, int) {
	part := text[start:end]
	left := len(part) - len(strings.TrimLeftFunc(part, unicode.IsSpace))
	return start + left, start + max(left, len(strings.TrimRightFunc(part, unicode.IsSpace)))
}
