package record

import (
	"bytes"
	"encoding/json"
)

// member says where the name, with its quotation marks, and the value of a member are in
// an object's text.
type member struct {
	name, nameEnd, value, valueEnd uint32
	// decoded is the name if it is not what stands between its quotation marks: decoded
	// once, because every field that is looked for is compared with it.
	decoded *string
}

// usualMembers is how many members most of GitLab's objects have at most.
const usualMembers = 32

// members returns the members of an object, which must be valid JSON of less than 4 GB, in
// their order. It only looks for where each ends, so it takes a fraction of the time that
// checking the object took.
func members(raw json.RawMessage) []member {
	all := make([]member, 0, usualMembers)
	for at := next(raw, skipBlank(raw, 0)+1); raw[at] == '"'; at = next(raw, at) {
		nameEnd := endOfText(raw, at)
		start := skipBlank(raw, skipBlank(raw, nameEnd)+1) // past the colon
		end := endOfValue(raw, start)
		all = append(all, member{uint32(at), uint32(nameEnd), uint32(start), uint32(end), decodedName(raw[at:nameEnd])})
		at = end
	}
	return all
}

// next returns where the next member begins, or the object's end.
func next(raw []byte, at int) int {
	if at = skipBlank(raw, at); raw[at] == ',' {
		at = skipBlank(raw, at+1)
	}
	return at
}

// skipBlank returns the first place from at on that is not white space.
func skipBlank(raw []byte, at int) int {
	for at < len(raw) && (raw[at] == ' ' || raw[at] == '\n' || raw[at] == '\t' || raw[at] == '\r') {
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

// decodedName returns a name as encoding/json reads it, nil if it is what stands between
// its quotation marks. Beyond ASCII it may not be: what is not UTF-8 is replaced.
func decodedName(quoted []byte) *string {
	for _, c := range quoted {
		if c == '\\' || c >= 0x80 {
			var name string
			_ = json.Unmarshal(quoted, &name) // it is valid
			return &name
		}
	}
	return nil
}

// nameOf returns the name of a member of raw, as encoding/json reads it.
func (m member) nameOf(raw []byte) string {
	if m.decoded != nil {
		return *m.decoded
	}
	return string(raw[m.name+1 : m.nameEnd-1])
}

// is reports whether the member of raw has this name.
func (m member) is(name string, raw []byte) bool {
	if m.decoded != nil {
		return *m.decoded == name
	}
	return string(raw[m.name+1:m.nameEnd-1]) == name
}

// of returns the value of a member of raw.
func (m member) of(raw []byte) json.RawMessage { return raw[m.value:m.valueEnd:m.valueEnd] }
