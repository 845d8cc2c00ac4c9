package delivery

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
)

// object is a JSON object whose members are decoded on access: one field of an
// unexpected type must not hide the others.
type object map[string]json.RawMessage

var errNoObject = errors.New("not a JSON object")

func parseObject(raw []byte) (object, error) {
	var o object
	if err := json.Unmarshal(raw, &o); err != nil {
		return nil, err
	}
	if o == nil { // JSON null
		return nil, errNoObject
	}
	return o, nil
}

// object returns the member if it is an object, or nil, which has no members.
func (o object) object(name string) object {
	member, err := parseObject(o[name])
	if err != nil {
		return nil
	}
	return member
}

// text returns the member if it is a string, or "".
func (o object) text(name string) string {
	var s string
	if json.Unmarshal(o[name], &s) != nil {
		return ""
	}
	return s
}

// has reports whether the member is present and not null.
func (o object) has(name string) bool {
	return len(o[name]) > 0 && string(o[name]) != "null"
}

// id returns the member if it is a positive integer, or a string that holds one,
// and otherwise 0.
func (o object) id(name string) int64 {
	digits := string(o[name])
	if s := o.text(name); s != "" {
		digits = strings.TrimSpace(s)
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}
