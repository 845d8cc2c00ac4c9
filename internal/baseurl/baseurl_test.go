package baseurl_test

import (
	"net/url"
	"strings"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/baseurl"
)

func TestParseAcceptsAddressesOnly(t *testing.T) {
	for text, want := range map[string]string{
		"https://gitlab.com":            "https://gitlab.com",
		"https://gitlab.com/":           "https://gitlab.com",
		"http://[::1]:8080//":           "http://[::1]:8080",
		"https://example.com/gitlab/":   "https://example.com/gitlab",
		"HTTPS://example.com":           "https://example.com",
		"http://127.0.0.1:1/a/$default": "http://127.0.0.1:1/a/$default",
		"https://GitLab.Example.com./":  "https://gitlab.example.com",
		"https://gitlab.com:443":        "https://gitlab.com",
		"https://gitlab.com:":           "https://gitlab.com",
		"http://gitlab.com:80/x":        "http://gitlab.com/x",
		"http://gitlab.com:443":         "http://gitlab.com:443",
		"https://GITLAB.com.:8443":      "https://gitlab.com:8443",
		" https://gitlab.com\n":         "https://gitlab.com",
		"https://[::1]:443":             "https://[::1]",
		"https://[fe80::1%25En0]":       "https://[fe80::1%25En0]",
		"https://.":                     "",
		"":                              "",
		"gitlab.com":                    "",
		"ftp://gitlab.com":              "",
		"https://":                      "",
		"https://:443":                  "",
		"https:///path":                 "",
		"https://user:pw@gitlab.com":    "",
		"https://gitlab.com?x=1":        "",
		"https://gitlab.com?":           "",
		"https://gitlab.com#part":       "",
		"https://gitlab.com:port":       "",
		"https://gitlab.com/%zz":        "",
	} {
		u, err := baseurl.Parse(text)
		if err == nil {
			if u.String() != want {
				t.Errorf("Parse(%q) = %q, want %q", text, u, want)
			}
		} else if want != "" || !strings.Contains(err.Error(), baseurl.Rule) || strings.Contains(err.Error(), "pw") {
			t.Errorf("Parse(%q): %v", text, err)
		}
	}
}

func TestSameOriginComparesSchemeHostAndPort(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"https://gitlab.com", "https://gitlab.com:443/x?y#z", true},
		{"http://gitlab.com:80", "http://gitlab.com", true},
		{"https://GitLab.com", "https://gitlab.com", true},
		{"https://gitlab.com.", "https://GITLAB.com:443", true},
		{"https://gitlab.com..", "https://gitlab.com", false},
		{"https://gitlab.com", "http://gitlab.com", false},
		{"https://gitlab.com", "http://gitlab.com:443", false},
		{"https://gitlab.com", "https://gitlab.com:8443", false},
		{"https://gitlab.com", "https://gitlab.com.example.com", false},
	} {
		if got := baseurl.SameOrigin(parse(t, c.a), parse(t, c.b)); got != c.want || baseurl.SameOrigin(parse(t, c.b), parse(t, c.a)) != c.want {
			t.Errorf("SameOrigin(%s, %s) = %v, want %v", c.a, c.b, got, c.want)
		}
	}
}

func TestSame_ComparesOriginAndPath(t *testing.T) {
	const hook = "https://lore.example.com/webhooks/gitlab"
	for text, want := range map[string]bool{
		hook: true, hook + "/": true, "https://LORE.example.com:443/webhooks/gitlab": true,
		"http://lore.example.com/webhooks/gitlab": false, "https://lore.example.com/webhooks": false, "https://example.com/webhooks/gitlab": false, "%zz": false, "": false,
	} {
		if got := baseurl.Same(hook, text); got != want {
			t.Errorf("Same(%s) = %v, want %v", text, got, want)
		}
	}
	if !baseurl.Same("%zz", "%zz") {
		t.Error("a text that is not a URL is not itself")
	}
}

func TestLoopbackIsThisMachineOnly(t *testing.T) {
	for text, want := range map[string]bool{
		"http://localhost:1": true, "http://127.0.0.1": true, "http://127.8.9.1:80": true, "http://[::1]": true, "http://LOCALHOST.:80": true,
		"http://127.0.0.1.example.com": false, "http://10.0.0.1": false, "http://localhost.example.com": false, "": false,
	} {
		if got := baseurl.Loopback(parse(t, text)); got != want {
			t.Errorf("Loopback(%s) = %v, want %v", text, got, want)
		}
	}
}

func TestSecureIsHTTPSOrThisMachine(t *testing.T) {
	for text, want := range map[string]bool{
		"https://gitlab.com": true, "https://10.0.0.1": true, "http://127.0.0.1:8929": true, "http://localhost": true, "http://[::1]:80": true,
		"http://gitlab.com": false, "http://10.0.0.1": false, "http://127.0.0.1.example.com": false, "ftp://gitlab.com": false,
	} {
		if got := baseurl.Secure(parse(t, text)); got != want {
			t.Errorf("Secure(%s) = %v, want %v", text, got, want)
		}
	}
}

func parse(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
