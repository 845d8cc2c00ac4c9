package gitlab

import (
	"net/http"
	"net/url"
	"path"
	"strings"
)

// link is one link of a Link header (RFC 8288).
type link struct {
	target string
	rels   []string
}

// parseLinks returns the links of all Link headers of a response. A proxy may
// join several headers with commas, or add links of its own with parameters that
// have no value. Whatever is malformed is skipped up to the next comma.
func parseLinks(values []string) []link {
	var links []link
	for rest := strings.Join(values, ","); rest != ""; {
		rest = strings.TrimLeft(rest, ", \t")
		if !strings.HasPrefix(rest, "<") {
			_, rest = cutOutsideQuotes(rest, ',')
			continue
		}
		target, after, found := strings.Cut(rest[1:], ">")
		if !found {
			return links
		}
		var parameters string
		parameters, rest = cutOutsideQuotes(after, ',')
		links = append(links, link{strings.TrimSpace(target), relsOf(parameters)})
	}
	return links
}

// relsOf returns the relation types in a link's parameters, in lower case. Only
// the first rel parameter counts.
func relsOf(parameters string) []string {
	for parameters != "" {
		var parameter string
		parameter, parameters = cutOutsideQuotes(parameters, ';')
		name, value, _ := strings.Cut(parameter, "=")
		if strings.EqualFold(strings.TrimSpace(name), "rel") {
			return strings.Fields(strings.ToLower(strings.Trim(strings.TrimSpace(value), `"`)))
		}
	}
	return nil
}

// cutOutsideQuotes splits text at the first separator outside a quoted string.
func cutOutsideQuotes(text string, separator byte) (before, after string) {
	quoted := false
	for i := 0; i < len(text); i++ {
		switch {
		case quoted && text[i] == '\\':
			i++
		case text[i] == '"':
			quoted = !quoted
		case !quoted && text[i] == separator:
			return text[:i], text[i+1:]
		}
	}
	return text, ""
}

// nextLink returns the URL of the list's next page according to the response's
// Link headers, or nil. Only a link to the same list counts: its path ends like
// the request's. The host may differ, because GitLab does not always know the
// name under which it is reached; one that no host can have is not a link.
func nextLink(header http.Header, requested *url.URL) *url.URL {
	for _, l := range parseLinks(header.Values("Link")) {
		for _, rel := range l.rels {
			if rel != "next" {
				continue
			}
			target, err := requested.Parse(l.target)
			if err == nil && path.Base(target.Path) == path.Base(requested.Path) && !strings.ContainsAny(target.Host, ",;") {
				return target
			}
		}
	}
	return nil
}

// readableLinks is a transport that leaves of the Link headers what the official client
// can read.
type readableLinks struct{ next http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (t readableLinks) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	readableLink(resp.Header, req.URL)
	return resp, nil
}

// readableLink replaces the response's Link headers with the one link that
// matters, in the form that the official client expects: that client panics on a
// parameter without a value, and splits at every comma and semicolon.
func readableLink(header http.Header, requested *url.URL) {
	next := nextLink(header, requested)
	header.Del("Link")
	if next != nil {
		target := strings.NewReplacer(",", "%2C", ";", "%3B").Replace(next.String())
		header.Set("Link", "<"+target+`>; rel="next"`)
	}
}
