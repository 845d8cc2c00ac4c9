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

// Parse reads a base URL, without the slashes at its end. Anything but [Rule]
// is an error. The error does not quote the text, which may hold a password.
func Parse(text string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimRight(text, "/"))
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" ||
		u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return nil, errors.New("must be " + Rule)
	}
	return u, nil
}

// SameOrigin reports whether two URLs have one scheme, host and port. A request
// with a token may be redirected within its origin only.
func SameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

// port is the URL's port, or its scheme's.
func port(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	default:
		return "80"
	}
}

// Loopback reports whether the URL leads to this machine.
func Loopback(u *url.URL) bool {
	host := u.Hostname()
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// SecureRule is what [Secure] demands, for error messages: "… must be " + SecureRule.
const SecureRule = "an https URL (http is accepted only for this machine, such as http://127.0.0.1)"

// Secure reports whether what is sent to the URL cannot be read on the way: it is
// https, or does not leave this machine.
func Secure(u *url.URL) bool { return u.Scheme == "https" || Loopback(u) }
