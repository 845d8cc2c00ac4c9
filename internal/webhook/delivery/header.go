package delivery

import (
	"net/http"
	"strings"
)

// Path is the path that GitLab delivers to.
const Path = "/webhooks/gitlab"

// Header returns the header's value without surrounding white space, or "" if it is
// absent. A proxy may send a header twice, as two fields or as one that joins them
// with a comma; if all copies are the same, that is the value. Different copies are
// returned as one text, joined with commas.
func Header(h http.Header, name string) string {
	return once(strings.TrimSpace(strings.Join(h.Values(name), ",")))
}

// once undoes the joining of equal copies: "a,a" and "a, a" are "a".
func once(joined string) string {
	for i, c := range joined {
		if c != ',' || i == 0 {
			continue
		}
		if copied := strings.TrimSpace(joined[:i]); repeats(joined, copied) {
			return copied
		}
	}
	return joined
}

// repeats reports whether joined is nothing but copies of one text, with commas and
// white space between them.
func repeats(joined, copied string) bool {
	for rest := joined; ; {
		after, ok := strings.CutPrefix(rest, copied)
		if !ok {
			return false
		}
		if after = strings.TrimLeft(after, " \t"); after == "" {
			return true
		}
		if after, ok = strings.CutPrefix(after, ","); !ok {
			return false
		}
		rest = strings.TrimLeft(after, " \t")
	}
}
