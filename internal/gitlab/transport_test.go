package gitlab

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/baseurl"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func TestNewTransport_NamesAProxyThatRefuses(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		w.WriteHeader(http.StatusProxyAuthRequired)
	}))
	t.Cleanup(proxy.Close)
	address, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	address.User = url.UserPassword("someone", "fake-password")
	transport := newTransport(nil)
	transport.Proxy = http.ProxyURL(address)
	client, err := NewClient(Options{
		BaseURL: "https://gitlab.invalid", HTTP: transport, Clock: time.Now,
		Token: func(context.Context) (string, error) { return "glpat-fake-sample", nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Fetch(t.Context(), surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.Issue, IID: 7}})
	e := surgical.AsError(err)
	if e.Code != surgical.CodeGitLabUnavailable || !e.Retryable || !strings.Contains(e.Message, address.Host) || !strings.Contains(e.Message, "407") {
		t.Errorf("%+v", e)
	}
	if strings.Contains(e.Message, "fake-password") {
		t.Errorf("the message has the proxy's password: %s", e.Message)
	}
}

// An origin has one spelling for people and several for proxies.
func TestFollowWithin_UnderstandsEverySpellingOfTheOrigin(t *testing.T) {
	for _, c := range []struct{ base, target, want string }{
		{"https://gitlab.example.com", "https://gitlab.example.com/api/v4/projects/2", ""},
		{"https://gitlab.example.com", "https://GitLab.Example.com:443/x", ""},
		{"https://gitlab.example.com:443", "https://gitlab.example.com./x", ""},
		{"http://GITLAB.example.com", "http://gitlab.example.com:80/x", ""},
		{"http://gitlab.example.com", "https://GitLab.example.com./x", "set GITLAB_BASE_URL to https://"},
		{"https://gitlab.example.com", "http://gitlab.example.com/x", "another address"},
		{"https://gitlab.example.com", "https://gitlab.example.com:8443/x", "another address"},
		{"https://gitlab.example.com", "https://login.example.com/x", "another address"},
	} {
		base, err := baseurl.Parse(c.base)
		if err != nil {
			t.Fatal(err)
		}
		req := httptest.NewRequest(http.MethodGet, c.target, nil)
		err = FollowWithin(base)(req, []*http.Request{req})
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("from %s to %s: %v", c.base, c.target, err)
		}
	}
}
