package gitlab

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

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
