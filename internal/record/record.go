// Package record reads the JSON of GitLab's records: issues, merge requests,
// discussions, notes and events. It is the one place that decides which JSON is
// accepted, for fetching and for rendering.
//
// What names a record ([Name]) or decides who may see it ([Fields.Access]) is
// read strictly. What is only displayed is read leniently: a value in another
// spelling is understood, and a value of another type is left out and reported
// ([Fields.Odd]), so that one odd field costs nothing but itself.
package record

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"
)

// maxName is the longest name that a record may have. GitLab's have at most 40
// characters.
const maxName = 128

// maxOdd is how many descriptions a record keeps of what was left out.
const maxOdd = 100

// Name returns the name of a record: its id, which may be a text or a number in
// any spelling. A record without a usable id is named after its content, so that
// it can be stored and found again. Only what is not a JSON object has no name.
func Name(raw json.RawMessage) (name string, ok bool) {
	fields, ok := Read(raw)
	if !ok {
		return "", false
	}
	if id := idOf(fields.last("id")); id != "" {
		return id, true
	}
	var compact bytes.Buffer
	if json.Compact(&compact, raw) != nil {
		return "", false
	}
	sum := sha256.Sum256(compact.Bytes())
	return "unnamed-" + hex.EncodeToString(sum[:16]), true
}

// idOf returns an id in its one spelling, or "" for what is none.
func idOf(raw json.RawMessage) string {
	if KindOf(raw) == "a text" {
		text, _ := textOf(raw)
		if text == "" || len(text) > maxName || strings.ContainsFunc(text, func(r rune) bool {
			return r == unicode.ReplacementChar || unicode.IsSpace(r) || !unicode.IsPrint(r)
		}) {
			return ""
		}
		return text
	}
	digits := wholeNumber(string(raw))
	if digits == "" || digits == "0" || digits[0] == '-' || len(digits) > maxName {
		return ""
	}
	return digits
}

// wholeNumber returns a JSON number as decimal digits, or "" if it is not a whole
// number that is known exactly: 7, 7.0 and 7e0 are the same.
func wholeNumber(number string) string {
	digits := strings.TrimPrefix(number, "-")
	if digits != "" && strings.Trim(digits, "0123456789") == "" && (digits == "0" || digits[0] != '0') {
		return number
	}
	const exact = 1 << 53
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) >= exact || strings.ContainsAny(number, "xX_pPiInN") {
		return ""
	}
	return strconv.FormatInt(int64(f), 10)
}

// Fields are the fields of one JSON object. The zero Fields has none.
type Fields struct {
	raw     json.RawMessage
	members []member
	// names are the names of members that are written with escapes, by their index.
	names map[int]string
	// path leads from the record to this object, such as "notes[2].".
	path string
	odd  *[]string
}

// Read returns the fields of a record; false for what is not a JSON object. They share
// the memory of raw, which must not change.
func Read(raw json.RawMessage) (Fields, bool) {
	if uint64(len(raw)) > math.MaxUint32 || !IsJSON(raw) {
		return Fields{}, false
	}
	return readValid(raw)
}

// IsJSON is [json.Valid] in a quarter of its time: it accepts names that occur twice, and
// texts that are not UTF-8.
func IsJSON(raw []byte) bool {
	return jsontext.Value(raw).IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// readValid is [Read] for what is known to be JSON: the parts of a record need not be
// checked again.
func readValid(raw json.RawMessage) (Fields, bool) {
	if raw[skipBlank(raw, 0)] != '{' {
		return Fields{}, false
	}
	f := Fields{raw: raw, odd: new([]string)}
	f.members, f.names = members(raw)
	return f, true
}

// Odd describes what was read of the record and left out, in the order of
// reading, such as "notes[2].position.new_line is an object". It quotes no values, and
// has no more than the first 100.
func (f Fields) Odd() []string {
	if f.odd == nil {
		return nil
	}
	return slices.Clone(*f.odd)
}

// LeaveOut reports that the caller leaves a part of the record out, and why.
func (f Fields) LeaveOut(what string) {
	if len(*f.odd) < maxOdd {
		*f.odd = append(*f.odd, what)
	}
}

// last returns the field's value, the last one if it has several, or nil.
func (f Fields) last(name string) json.RawMessage {
	for i, m := range slices.Backward(f.members) {
		if f.is(i, name) {
			return m.of(f.raw)
		}
	}
	return nil
}

// is reports whether the member with the index has this name.
func (f Fields) is(i int, name string) bool {
	if decoded, ok := f.names[i]; ok {
		return decoded == name
	}
	return string(f.members[i].quoted(f.raw)) == name
}

// nameOf returns the name of the member with the index, as encoding/json reads it.
func (f Fields) nameOf(i int) string {
	if decoded, ok := f.names[i]; ok {
		return decoded
	}
	return string(f.members[i].quoted(f.raw))
}

// byName returns the values of all fields.
func (f Fields) byName() map[string]json.RawMessage {
	values := make(map[string]json.RawMessage, len(f.members))
	for i, m := range f.members {
		values[f.nameOf(i)] = m.of(f.raw)
	}
	return values
}

// value returns the field, or nil if it is absent or null.
func (f Fields) value(name string) json.RawMessage {
	if raw := f.last(name); string(raw) != "null" {
		return raw
	}
	return nil
}

// Has reports whether the field is there and not null.
func (f Fields) Has(name string) bool { return len(f.value(name)) > 0 }

func (f Fields) drop(name string, raw json.RawMessage) {
	f.LeaveOut(f.path + name + " is " + KindOf(raw))
}

// Raw returns a value as it is, or nil if it is absent or null. It shares the record's
// memory.
func (f Fields) Raw(name string) json.RawMessage { return f.value(name) }

// Keys returns the names of all fields, sorted.
func (f Fields) Keys() []string { return slices.Sorted(maps.Keys(f.byName())) }

// Text returns a text, or "".
func (f Fields) Text(name string) string {
	raw := f.value(name)
	if raw == nil {
		return ""
	}
	text, ok := textOf(raw)
	if !ok {
		f.drop(name, raw)
	}
	return text
}

// Integer returns a whole number in any spelling, such as 7, 7.0 or "7", or 0.
func (f Fields) Integer(name string) int64 {
	raw := f.value(name)
	if raw == nil {
		return 0
	}
	number := string(raw)
	if text, ok := textOf(raw); ok {
		number = strings.TrimSpace(text)
	}
	n, err := strconv.ParseInt(wholeNumber(number), 10, 64)
	if err != nil {
		f.drop(name, raw)
		return 0
	}
	return n
}

// ID returns an id as [Name] spells it, or "".
func (f Fields) ID(name string) string {
	raw := f.value(name)
	id := idOf(raw)
	if raw != nil && id == "" {
		f.drop(name, raw)
	}
	return id
}

// Flag returns a boolean that is only displayed, or false.
func (f Fields) Flag(name string) bool {
	raw := f.value(name)
	set, ok := flagOf(raw)
	if raw != nil && !ok {
		f.drop(name, raw)
	}
	return set
}

// Access returns a boolean that decides who may see the record. Anything but
// true, false, null and an absent field is an error: a guess could show what is
// confidential.
func (f Fields) Access(name string) (bool, error) {
	raw := f.value(name)
	set, ok := flagOf(raw)
	if raw != nil && !ok {
		return false, fmt.Errorf("%s%s is %s", f.path, name, KindOf(raw))
	}
	return set, nil
}

// Object returns an object; false if there is none.
func (f Fields) Object(name string) (Fields, bool) {
	raw := f.value(name)
	if raw == nil {
		return Fields{}, false
	}
	return f.object(name, raw)
}

func (f Fields) object(name string, raw json.RawMessage) (Fields, bool) {
	object, ok := readValid(raw)
	if !ok {
		f.drop(name, raw)
		return Fields{}, false
	}
	object.path, object.odd = f.path+name+".", f.odd
	return object, true
}

// Objects returns the objects of a list, without what is none.
func (f Fields) Objects(name string) []Fields {
	list := f.list(name)
	objects := make([]Fields, 0, len(list))
	for i, raw := range list {
		if object, ok := f.object(fmt.Sprintf("%s[%d]", name, i), raw); ok {
			objects = append(objects, object)
		}
	}
	return objects
}

// Names returns the texts of a list. An element may also be an object with a
// name.
func (f Fields) Names(name string) []string {
	var names []string
	for i, raw := range f.list(name) {
		at := fmt.Sprintf("%s[%d]", name, i)
		var text string
		if object, ok := readValid(raw); ok {
			object.path, object.odd = f.path+at+".", f.odd
			text = object.Text("name")
		} else if string(raw) == "null" || json.Unmarshal(raw, &text) != nil {
			f.drop(at, raw)
		}
		if text != "" {
			names = append(names, text)
		}
	}
	return names
}

func (f Fields) list(name string) []json.RawMessage {
	list, ok := f.List(name)
	if !ok {
		f.drop(name, f.value(name))
	}
	return list
}

// List returns the elements of a list; false if the field is something else. A list
// that is absent or null is empty.
func (f Fields) List(name string) ([]json.RawMessage, bool) {
	raw := f.value(name)
	if raw == nil {
		return nil, true
	}
	var list []json.RawMessage
	return list, json.Unmarshal(raw, &list) == nil
}

// With returns the record as JSON, with the list in place of the field.
func (f Fields) With(name string, list []json.RawMessage) (json.RawMessage, error) {
	raw, err := json.Marshal(list)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", name, err)
	}
	values := f.byName()
	values[name] = raw
	return json.Marshal(values)
}

// KindOf names the kind of a JSON value, with its article.
func KindOf(raw json.RawMessage) string {
	if len(raw) == 0 {
		return "absent"
	}
	switch raw[0] {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a text"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	default:
		return "a number"
	}
}
