// Package baseurl checks the base URLs that requests are sent to: GitLab's, an
// embedder's and the API's.
package baseurl

import (
	"errors"
	"net"
	"net/url"
	"strings"
)

// Rule is what [Parse] accepts, for error messages: "… must be " + Rule.
const Rule = "an http or https URL with a host and without user, query and fragment"

// Parse reads a base URL in its one spelling: without slashes at its end, its host in
// lower case and without a dot at its end, and without the port that its scheme has
// anyway. Anything but [Rule] is an error. The error does not quote the text, which
// may hold a password.
func Parse(text string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimRight(strings.TrimSpace(text), "/"))
	if err != nil || host(u) == "" || u.Scheme != "http" && u.Scheme != "https" ||
		u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return nil, errors.New("must be " + Rule)
	}
	name := host(u)
	if strings.Contains(name, ":") { // IPv6
		name = "[" + name + "]"
	}
	if p := port(u); p != schemePort(u) {
		name += ":" + p
	}
	u.Host = name
	return u, nil
}

// SameOrigin reports whether two URLs have one scheme, host and port. A request
// with a token may be redirected within its origin only.
func SameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && SameHost(a, b) && port(a) == port(b)
}

// SameHost reports whether two URLs name one host, in whatever spelling: the case does
// not matter, and neither does the dot that ends a full name.
func SameHost(a, b *url.URL) bool { return host(a) == host(b) }

// host is the URL's host in the spelling that [Parse] gives it.
func host(u *url.URL) string {
	name := u.Hostname()
	if strings.Contains(name, ":") { // IPv6; a zone's case matters
		return name
	}
	return strings.ToLower(strings.TrimSuffix(name, "."))
}

// port is the URL's port, or its scheme's.
func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return schemePort(u)
}

func schemePort(u *url.URL) string {
	if u.Scheme == "https" {
		return "443"
	}
	return "80"
}

// Loopback reports whether the URL leads to this machine.
func Loopback(u *url.URL) bool {
	name := host(u)
	return name == "localhost" || net.ParseIP(name).IsLoopback()
}

// SecureRule is what [Secure] demands, for error messages: "… must be " + SecureRule.
const SecureRule = "an https URL (http is accepted only for this machine, such as http://127.0.0.1)"

// Secure reports whether what is sent to the URL cannot be read on the way: it is
// https, or does not leave this machine.
func Secure(u *url.URL) bool { return u.Scheme == "https" || Loopback(u) }

// Same reports whether two addresses lead to the same place: the same origin and path,
// whether or not they end with a slash. Texts that are not URLs are compared as they
// are.
func Same(a, b string) bool {
	u, err1 := url.Parse(strings.TrimRight(a, "/"))
	v, err2 := url.Parse(strings.TrimRight(b, "/"))
	if err1 != nil || err2 != nil {
		return a == b
	}
	return SameOrigin(u, v) && u.EscapedPath() == v.EscapedPath()
}
