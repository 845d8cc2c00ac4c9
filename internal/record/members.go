package record

import (
	"bytes"
	"encoding/json"
)

// member says where the name, with its quotation marks, and the value of a member are in
// an object's text.
type member struct{ name, nameEnd, value, valueEnd uint32 }

// usualMembers is how many members most of GitLab's objects have at most.
const usualMembers = 40

// members returns the members of an object, which must be valid JSON of less than 4 GB, in
// their order. It only looks for where each ends, so it takes a fraction of the time that
// checking the object took. names has the names that are not what stands between their
// quotation marks, by the member's index: decoded once, because every field that is looked
// for is compared with them.
func members(raw json.RawMessage) (all []member, names map[int]string) {
	all = make([]member, 0, usualMembers)
	for at := next(raw, skipBlank(raw, 0)+1); raw[at] == '"'; at = next(raw, at) {
		nameEnd := endOfText(raw, at)
		start := skipBlank(raw, skipBlank(raw, nameEnd)+1) // past the colon
		end := endOfValue(raw, start)
		if !isPlain(raw[at:nameEnd]) {
			if names == nil {
				names = map[int]string{}
			}
			names[len(all)], _ = textOf(raw[at:nameEnd])
		}
		all = append(all, member{uint32(at), uint32(nameEnd), uint32(start), uint32(end)})
		at = end
	}
	return all, names
}

// next returns where the next member begins, or the object's end.
func next(raw []byte, at int) int {
	if at = skipBlank(raw, at); raw[at] == ',' {
		at = skipBlank(raw, at+1)
	}
	return at
}

// skipBlank returns the first place from at on that is not white space. Outside of texts,
// JSON has nothing else below a space.
func skipBlank(raw []byte, at int) int {
	for at < len(raw) && raw[at] <= ' ' {
		at++
	}
	return at
}

// endOfValue returns the end of the value that begins at this place.
func endOfValue(raw []byte, at int) int {
	switch raw[at] {
	case '"':
		return endOfText(raw, at)
	case '{', '[':
		return endOfNested(raw, at)
	}
	for at < len(raw) && raw[at] > ' ' && raw[at] != ',' && raw[at] != '}' && raw[at] != ']' {
		at++
	}
	return at
}

// endOfNested returns the end of an object or a list.
func endOfNested(raw []byte, at int) int {
	for depth := 0; ; at++ {
		switch raw[at] {
		case '"':
			at = endOfText(raw, at) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return at + 1
			}
		}
	}
}

// endOfText returns the end of a text: the first quotation mark after the opening one that
// is not escaped, which is one behind an even number of backslashes.
func endOfText(raw []byte, at int) int {
	for from := at + 1; ; {
		quote := from + bytes.IndexByte(raw[from:], '"')
		slashes := 0
		for raw[quote-1-slashes] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return quote + 1
		}
		from = quote + 1
	}
}

// isPlain reports whether a text is what stands between its quotation marks. Beyond ASCII it
// may not be: what is not UTF-8 is replaced.
func isPlain(quoted []byte) bool {
	for _, c := range quoted {
		if c == '\\' || c >= 0x80 {
			return false
		}
	}
	return true
}

// textOf returns a text as encoding/json reads it; false if the value, which must be valid,
// is something else.
func textOf(raw json.RawMessage) (text string, ok bool) {
	if raw[0] != '"' {
		return "", false
	}
	if isPlain(raw) {
		return string(raw[1 : len(raw)-1]), true
	}
	return text, json.Unmarshal(raw, &text) == nil
}

// flagOf returns a boolean; false if the value is something else.
func flagOf(raw json.RawMessage) (set, ok bool) {
	set = string(raw) == "true"
	return set, set || string(raw) == "false"
}

// quoted returns what stands between the quotation marks of the member's name.
func (m member) quoted(raw []byte) []byte { return raw[m.name+1 : m.nameEnd-1] }

// of returns the value of a member of raw.
func (m member) of(raw []byte) json.RawMessage { return raw[m.value:m.valueEnd:m.valueEnd] }
