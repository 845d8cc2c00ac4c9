package dashboard

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// query is a query of Logs Insights, as far as the dashboard uses it.
type query struct {
	groups  []string // of log groups
	matches func(logLine) bool
	// columns are shown; by are those that lines are grouped by.
	columns, by []string
	aggregates  []aggregate
	sortBy      string
	limit       int
}

// aggregate is a column of a group: count, max or latest of a field.
type aggregate struct{ function, field, name string }

// logLine is a log line with its fields.
type logLine map[string]any

func (l logLine) text(field string) string {
	if l[field] == nil {
		return ""
	}
	return fmt.Sprint(l[field])
}

var (
	sources     = regexp.MustCompile(`SOURCE '([^']*)'( \| )?`)
	separator   = regexp.MustCompile(`\s*[|\n]\s*`)
	aggregation = regexp.MustCompile(`(count|max|latest)\(([^)]*)\) as (\w+)`)
	word        = regexp.MustCompile(`"[^"]*"|[@\w.]+|[][(),=]`)
)

func parseQuery(text string) (q query, err error) {
	for _, m := range sources.FindAllStringSubmatch(text, -1) {
		q.groups = append(q.groups, m[1])
	}
	q.matches, q.limit = func(logLine) bool { return true }, 10000
	for _, command := range separator.Split(strings.TrimSpace(sources.ReplaceAllString(text, "")), -1) {
		name, rest, _ := strings.Cut(command, " ")
		switch name {
		case "":
		case "filter":
			f := filter{words: word.FindAllString(rest, -1)}
			if q.matches, err = f.either(); err == nil && len(f.words) > 0 {
				err = fmt.Errorf("%q is not understood", f.words[0])
			}
		case "fields":
			q.columns = names(rest)
		case "stats":
			what, by, _ := strings.Cut(rest, " by ")
			q.by = names(by)
			q.columns = slices.Clone(q.by)
			for _, m := range aggregation.FindAllStringSubmatch(what, -1) {
				q.aggregates = append(q.aggregates, aggregate{m[1], m[2], m[3]})
				q.columns = append(q.columns, m[3])
			}
		case "sort":
			q.sortBy, _, _ = strings.Cut(rest, " ")
			if !strings.HasSuffix(rest, " desc") {
				err = fmt.Errorf("it sorts by %q, only desc is drawn", rest)
			}
		case "limit":
			q.limit, err = strconv.Atoi(rest)
		default:
			err = fmt.Errorf("it has a command %q, which is not drawn", name)
		}
		if err != nil {
			return q, fmt.Errorf("the query %.60q: %w", command, err)
		}
	}
	return q, nil
}

func names(list string) (all []string) {
	for name := range strings.SplitSeq(list, ",") {
		all = append(all, strings.TrimSpace(name))
	}
	return all
}

// run returns the rows that the query finds in the recorded lines.
func (q query) run(lines map[string][]string) (rows [][]string, err error) {
	var found []logLine
	for _, group := range q.groups {
		for _, text := range lines[group] {
			var l logLine
			if err := json.Unmarshal([]byte(text), &l); err != nil {
				return nil, fmt.Errorf("a line of %s: %w", group, err)
			}
			l["@timestamp"] = l["time"]
			if q.matches(l) {
				found = append(found, l)
			}
		}
	}
	if q.aggregates != nil {
		found = q.grouped(found)
	}
	slices.SortStableFunc(found, func(a, b logLine) int {
		x, isNumber := a[q.sortBy].(float64)
		if y, ok := b[q.sortBy].(float64); ok && isNumber {
			return cmp.Compare(y, x)
		}
		return strings.Compare(b.text(q.sortBy), a.text(q.sortBy))
	})
	for _, l := range found[:min(len(found), q.limit)] {
		var row []string
		for _, column := range q.columns {
			row = append(row, l.text(column))
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// grouped returns one line for each group.
func (q query) grouped(lines []logLine) (groups []logLine) {
	slices.SortStableFunc(lines, func(a, b logLine) int { return strings.Compare(a.text("@timestamp"), b.text("@timestamp")) })
	byKey := map[string]logLine{}
	for _, l := range lines {
		key := ""
		for _, field := range q.by {
			key += l.text(field) + "\x00"
		}
		g, ok := byKey[key]
		if !ok {
			g = logLine{}
			for _, field := range q.by {
				g[field] = l[field]
			}
			byKey[key] = g
			groups = append(groups, g)
		}
		for _, a := range q.aggregates {
			switch a.function {
			case "count":
				n, _ := g[a.name].(float64)
				g[a.name] = n + 1
			case "latest":
				g[a.name] = l[a.field]
			case "max":
				was, _ := g[a.name].(float64)
				if is, ok := l[a.field].(float64); ok {
					g[a.name] = max(was, is)
				}
			}
		}
	}
	return groups
}

// filter parses conditions: field = "text", field in ["text", …], and, or, parentheses.
type filter struct{ words []string }

func (f *filter) next() string {
	if len(f.words) == 0 {
		return ""
	}
	w := f.words[0]
	f.words = f.words[1:]
	return w
}

func (f *filter) either() (func(logLine) bool, error) {
	left, err := f.both()
	for err == nil && len(f.words) > 0 && f.words[0] == "or" {
		f.next()
		first := left
		var second func(logLine) bool
		second, err = f.both()
		left = func(l logLine) bool { return first(l) || second(l) }
	}
	return left, err
}

func (f *filter) both() (func(logLine) bool, error) {
	left, err := f.condition()
	for err == nil && len(f.words) > 0 && f.words[0] == "and" {
		f.next()
		first := left
		var second func(logLine) bool
		second, err = f.condition()
		left = func(l logLine) bool { return first(l) && second(l) }
	}
	return left, err
}

func (f *filter) condition() (func(logLine) bool, error) {
	field := f.next()
	if field == "(" {
		inner, err := f.either()
		if err == nil && f.next() != ")" {
			err = fmt.Errorf("a parenthesis is not closed")
		}
		return inner, err
	}
	var values []string
	switch operator := f.next(); operator {
	case "=":
		values = []string{strings.Trim(f.next(), `"`)}
	case "in":
		for w := f.next(); w != "]" && w != ""; w = f.next() {
			values = append(values, strings.Trim(w, `"`))
		}
	default:
		return nil, fmt.Errorf("conditions like %s %s are not drawn", field, operator)
	}
	return func(l logLine) bool { return slices.Contains(values, l.text(field)) }, nil
}
