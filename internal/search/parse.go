package search

import (
	"errors"
	"strings"
	"time"
	"unicode"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// MaxText is the longest text of a query, in bytes.
const MaxText = 2000

// Typed is a query as a person typed it, taken apart.
type Typed struct {
	// Text is what remains without filters and quotes.
	Text string
	// Filters are in the order in which they were typed.
	Filters []TypedFilter
}

// TypedFilter is one filter within a typed query, such as state:opened.
type TypedFilter struct{ Name, Value string }

// FilterNames are the names that filters in a typed query have.
func FilterNames() []string {
	return []string{"project", "type", "state", "label", "author", "created", "updated"}
}

// Parse takes a typed query apart: name:value and name:"a value" with one of
// [FilterNames] are filters. All else is text, whatever operators other programs
// would see in it. A filter in quotes as a whole is text as well.
func Parse(typed string) Typed {
	var parsed Typed
	var words []string
	for rest := strings.TrimSpace(typed); rest != ""; rest = strings.TrimLeftFunc(rest, unicode.IsSpace) {
		var word string
		word, rest = nextWord(rest)
		if name, value, ok := strings.Cut(word, ":"); ok && isFilter(name) {
			if value = strings.Trim(value, `"`); value != "" {
				parsed.Filters = append(parsed.Filters, TypedFilter{strings.ToLower(name), value})
				continue
			}
		}
		words = append(words, word)
	}
	parsed.Text = strings.TrimSpace(strings.ReplaceAll(strings.Join(words, " "), `"`, " "))
	return parsed
}

// nextWord returns the word that text begins with. White space within quotes does
// not end it; a quote that is never closed is an ordinary character.
func nextWord(text string) (word, rest string) {
	for i := 0; i < len(text); {
		if text[i] == '"' {
			if end := strings.IndexByte(text[i+1:], '"'); end >= 0 {
				i += end + 2
				continue
			}
		}
		for _, r := range text[i:] {
			if unicode.IsSpace(r) {
				return text[:i], text[i:]
			}
			i += len(string(r))
			break
		}
	}
	return text, ""
}

func isFilter(name string) bool {
	for _, known := range FilterNames() {
		if strings.EqualFold(known, name) {
			return true
		}
	}
	return false
}

// ParseType reads the type of an entity as people write it. Its error says what was
// expected, and so do those of the functions below.
func ParseType(text string) (surgical.EntityType, error) {
	switch strings.ToLower(text) {
	case "issue", "issues":
		return surgical.Issue, nil
	case "merge_request", "merge_requests", "mr", "mrs":
		return surgical.MergeRequest, nil
	}
	return "", errors.New("expected issue or merge_request")
}

// States are the states that GitLab's issues and merge requests have.
func States() []string { return []string{"opened", "closed", "merged", "locked"} }

// ParseState reads a state.
func ParseState(text string) (string, error) {
	for _, state := range States() {
		if strings.EqualFold(state, text) {
			return state, nil
		}
	}
	return "", errors.New("expected opened, closed, merged or locked")
}

// ParseLabels reads labels that are separated by commas, which GitLab's labels never
// contain.
func ParseLabels(text string) ([]string, error) {
	var labels []string
	for label := range strings.SplitSeq(text, ",") {
		if label = strings.TrimSpace(label); label != "" {
			labels = append(labels, label)
		}
	}
	if len(labels) == 0 {
		return nil, errors.New("expected labels, separated by commas")
	}
	return labels, nil
}

// ParseDay reads a date, such as 2026-11-02 (in UTC), or a time in RFC 3339. For a
// date, next is the beginning of the next day; for a time, the time itself. It never
// returns the zero time, which bounds nothing in a [Range]: nothing happened within the
// nanosecond after it either.
func ParseDay(text string) (at, next time.Time, err error) {
	if at, next, err = parseDay(text); err == nil && at.IsZero() {
		at = at.Add(time.Nanosecond)
	}
	return at, next, err
}

func parseDay(text string) (at, next time.Time, err error) {
	if day, err := time.Parse(time.DateOnly, text); err == nil && day.Year() > 0 {
		return day, day.AddDate(0, 0, 1), nil
	}
	if at, err = time.Parse(time.RFC3339, text); err == nil && at.Year() > 0 && at.Year() < 10_000 {
		return at.UTC(), at.UTC(), nil
	}
	return at, at, errors.New("expected a date such as 2026-11-02 or a time such as 2026-11-02T08:00:00Z")
}

// ParseRange reads a range of dates: 2026-11-02, >2026-11-02, >=2026-11-02,
// <2026-11-02, <=2026-11-02 or 2026-11-01..2026-11-30. The last day of a range is
// part of it.
func ParseRange(text string) (Range, error) {
	if first, last, ok := strings.Cut(text, ".."); ok {
		from, _, err := ParseDay(first)
		if err != nil {
			return Range{}, err
		}
		_, until, err := ParseDay(last)
		return Range{from, until}, err
	}
	operator := text[:len(text)-len(strings.TrimLeft(text, "<>="))]
	at, next, err := ParseDay(text[len(operator):])
	if err != nil {
		return Range{}, err
	}
	switch operator {
	case "":
		if next.Equal(at) {
			return Range{}, errors.New("expected a date or a range of times")
		}
		return Range{at, next}, nil
	case ">":
		return Range{From: next}, nil
	case ">=":
		return Range{From: at}, nil
	case "<":
		return Range{Until: at}, nil
	case "<=":
		return Range{Until: next}, nil
	}
	return Range{}, errors.New("expected a range such as >=2026-11-02 or 2026-11-01..2026-11-30")
}
