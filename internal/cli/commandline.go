package cli

import (
	"fmt"
	"regexp"
	"strings"
)

// plainly returns kong's message about a command line in the words of this program, with
// only such suggestions as are near.
func plainly(message string) string {
	if m := regexp.MustCompile(`^(.*) must be one of ("[^ ]*") but got (".*")$`).FindStringSubmatch(message); m != nil {
		return notOneOf(m[1], strings.FieldsFunc(m[2], func(r rune) bool { return r == '"' || r == ',' }), strings.Trim(m[3], `"`))
	}
	if m := regexp.MustCompile(`^(unexpected argument|unknown flag) (\S+), did you mean (?:one of )?(.*)\?$`).FindStringSubmatch(message); m != nil {
		return m[1] + " " + m[2] + suggestion(m[2], strings.Split(m[3], ", "))
	}
	return message
}

// notOneOf says that a value is none of the allowed ones.
func notOneOf(name string, allowed []string, got string) string {
	return fmt.Sprintf("%s must be one of %s, got %q", name, strings.Join(allowed, ", "), got)
}

// suggestion asks whether one of the quoted candidates was meant, or is "" if none is near
// the word.
func suggestion(word string, candidates []string) string {
	var near []string
	for _, quoted := range candidates {
		if candidate := strings.Trim(quoted, `"`); strings.HasPrefix(candidate, word) || typos(word, candidate) <= max(1, len(strings.TrimLeft(word, "-"))/3) {
			near = append(near, quoted)
		}
	}
	switch len(near) {
	case 0:
		return ""
	case 1:
		return ", did you mean " + near[0] + "?"
	}
	return ", did you mean one of " + strings.Join(near, ", ") + "?"
}

// typos is how many letters have to be added, left out, replaced or swapped with the next
// one to make b of a.
func typos(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		for j := range rows[i] {
			switch {
			case i == 0 || j == 0:
				rows[i][j] = i + j
				continue
			case a[i-1] == b[j-1]:
				rows[i][j] = rows[i-1][j-1]
			default:
				rows[i][j] = 1 + min(rows[i-1][j-1], rows[i-1][j], rows[i][j-1])
			}
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], 1+rows[i-2][j-2])
			}
		}
	}
	return rows[len(a)][len(b)]
}
