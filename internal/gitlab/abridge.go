package gitlab

import (
	"context"
	"net/url"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// getAbridged is [Client.get] of a list whose records are too large to be held: it leaves
// their long texts and nested values out while it reads. What names a record and its place
// in a list stays, so one record never keeps the rest of its list from being read. What is
// left out is only shown, and a fetch of the entity decides whether it is too large.
func (c *Client) getAbridged(ctx context.Context, path, what string, query url.Values) ([]byte, *response, error) {
	budget := &budget{limit: surgical.MaxAbridgedBytes, what: what + ": a response", limited: "response"}
	short := abridger{what: what}
	resp, err := c.getInto(context.WithValue(ctx, budgetKey{}, budget), path, what, query, &short)
	return short.out.join(), resp, err
}

// maxAbridgedText is the longest text that is kept, in bytes of JSON. What names a record
// is shorter.
const maxAbridgedText = 2 << 10

// recordDepth is how deep the fields of a list's records are: in an object in a list.
const recordDepth = 2

// abridger is an [io.Writer] that keeps an abridged copy of a JSON list of records: a long
// text becomes an empty one, a nested list or object becomes null, and whitespace a single
// space. Everything else is kept as it is, so that what is not JSON there does not become
// JSON.
type abridger struct {
	what string
	out  pieces
	// depth counts the lists and objects that are open.
	depth int
	// quoted is set within a text, and escaped after a backslash in it. text is the text
	// so far behind its first quote, nil once it is too long.
	quoted, escaped bool
	text            []byte
	// spaced is set after whitespace between texts.
	spaced bool
}

// Write implements [io.Writer]. It fails with [surgical.CodeEntityTooLarge] if even the
// abridged list is longer than [surgical.MaxListPageBytes].
func (a *abridger) Write(data []byte) (int, error) {
	for _, b := range data {
		if a.quoted {
			a.within(b)
		} else {
			a.between(b)
		}
	}
	if a.out.size > surgical.MaxListPageBytes {
		return 0, tooLarge("%s: a response has more than %d bytes without its long texts, the limit of one response", a.what, surgical.MaxListPageBytes)
	}
	return len(data), nil
}

// within reads a byte of a text.
func (a *abridger) within(b byte) {
	if a.text != nil {
		if a.text = append(a.text, b); len(a.text) > maxAbridgedText {
			a.text = nil
		}
	}
	switch {
	case a.escaped:
		a.escaped = false
	case b == '\\':
		a.escaped = true
	case b == '"':
		a.quoted = false
		if a.text == nil {
			a.text = []byte{b}
		}
		a.keep(a.text...)
	}
}

// between reads a byte that is not part of a text.
func (a *abridger) between(b byte) {
	spaced := a.spaced
	a.spaced = false
	switch b {
	case ' ', '\t', '\r', '\n':
		// Without any, what it separates would become one number or word.
		if a.spaced = true; !spaced {
			a.keep(' ')
		}
		return
	case '"':
		a.quoted, a.text = true, []byte{}
		a.keep(b) // also of a text that does not end
		return
	case '[', '{':
		if a.depth == recordDepth {
			a.keep([]byte("null")...)
		}
		a.depth++
		a.keep(b)
		return
	case ']', '}':
		a.keep(b)
		a.depth--
		return
	}
	a.keep(b)
}

// keep adds to the copy, but for what is nested.
func (a *abridger) keep(b ...byte) {
	if a.depth <= recordDepth {
		_, _ = a.out.Write(b) // never fails
	}
}
