package gitlab_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/gitlab"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// typed is a header with the content type.
func typed(contentType string, more ...string) http.Header {
	h := http.Header{}
	if contentType != "" {
		h.Set("Content-Type", contentType)
	}
	for i := 0; i < len(more); i += 2 {
		h.Set(more[i], more[i+1])
	}
	return h
}

func TestClientFetch_TrustsOnlyRefusalsThatGitLabWrote(t *testing.T) {
	const html, text, js = "text/html; charset=utf-8", "text/plain", "application/json"
	terms := `{"message":"403 Forbidden - You (@body-text) must accept the Terms of Service in order to perform this action."}`
	tests := []struct {
		name   string
		status int
		header http.Header
		body   string
		code   surgical.Code
		says   string
	}{
		{"GitLab's 401", 401, typed(js), `{"message":"401 Unauthorized"}`, surgical.CodeGitLabUnauthorized, "401"},
		{"OAuth's 401", 401, typed(js), `{"error":"invalid_token","error_description":"Token is expired."}`, surgical.CodeGitLabUnauthorized, "401"},
		{"GitLab's 403", 403, typed(js), `{"message":"403 Forbidden"}`, surgical.CodeGitLabForbidden, "403"},
		{"GitLab's 404", 404, typed(js), `{"message":"404 Issue Not Found"}`, surgical.CodeGitLabNotFound, "404"},
		{"GitLab's 401 with a reason", 401, typed(js), `{"message":"401 Unauthorized - body-text"}`, surgical.CodeGitLabUnauthorized, "401"},
		{"a revoked token", 401, typed(text), `{"error":"invalid_token","error_description":"Token was revoked."}`, surgical.CodeGitLabUnauthorized, "401"},
		{"GitLab's 403 with a reason", 403, typed(js), `{"message":"403 Forbidden - body-text"}`, surgical.CodeGitLabForbidden, "403"},
		{"an old GitLab's 403 with a reason", 403, typed(js), `{"message":"403 Forbidden  - body-text"}`, surgical.CodeGitLabForbidden, "403"},
		{"GitLab's 404 of a project", 404, typed(js), `{"message":"404 Project Not Found"}`, surgical.CodeGitLabNotFound, "404"},
		{"GitLab's 404 of a record", 404, typed(js), `{"message":"404 Not found"}`, surgical.CodeGitLabNotFound, "404"},
		{"a JSON error without a content type", 403, http.Header{"Content-Type": nil}, `{"message":"403 Forbidden"}`, surgical.CodeGitLabForbidden, "403"},

		{"a bot protection", 403, typed(html, "Server", "cloudflare"), "<html>body-text</html>", surgical.CodeGitLabUnavailable, "text/html"},
		{"a firewall", 403, typed(text), "Forbidden body-text", surgical.CodeGitLabUnavailable, "text/plain"},
		{"an ingress", 404, typed(html), "default backend body-text", surgical.CodeGitLabUnavailable, "text/html"},
		{"a web server", 404, typed(text), "404 page not found", surgical.CodeGitLabUnavailable, "text/plain"},
		{"a login in front of GitLab", 401, typed(html), "<html>body-text</html>", surgical.CodeGitLabUnavailable, "text/html"},
		{"HTML under the wrong type", 404, typed(js), "<html>body-text</html>", surgical.CodeGitLabUnavailable, "JSON that is not GitLab's"},
		{"JSON of another shape", 403, typed(js), `"body-text"`, surgical.CodeGitLabUnavailable, "JSON that is not GitLab's"},
		{"null", 404, typed(js), `null`, surgical.CodeGitLabUnavailable, "JSON that is not GitLab's"},
		{"GitLab's JSON under another type", 403, typed(text), `{"message":"403 Forbidden"}`, surgical.CodeGitLabForbidden, "403"},
		{"an empty body", 404, typed(js), "", surgical.CodeGitLabUnavailable, "JSON that is not GitLab's"},
		{"an empty object", 404, typed(js), `{}`, surgical.CodeGitLabUnavailable, "JSON that is not GitLab's"},
		{"an API gateway", 403, typed(js), `{"message":"Forbidden"}`, surgical.CodeGitLabUnavailable, "JSON that is not GitLab's"},
		{"an API gateway without a route", 404, typed(js), `{"message":"no Route matched with those values"}`, surgical.CodeGitLabUnavailable, "JSON that is not GitLab's"},
		{"an API gateway that asks for a key", 401, typed(js), `{"message":"Unauthorized"}`, surgical.CodeGitLabUnavailable, "JSON that is not GitLab's"},
		{"a firewall's JSON", 403, typed("application/problem+json"), `{"title":"Error 1020","status":403,"detail":"body-text"}`, surgical.CodeGitLabUnavailable, "application/problem+json"},
		{"an API of another kind", 403, typed(js), `{"success":false,"errors":[{"message":"body-text"}]}`, surgical.CodeGitLabUnavailable, "JSON that is not GitLab's"},
		{"a web framework", 404, typed(js), `{"status":404,"error":"Not Found","message":"body-text"}`, surgical.CodeGitLabUnavailable, "JSON that is not GitLab's"},
		{"a message that is an object", 403, typed(js), `{"message":{"base":["403 Forbidden"]}}`, surgical.CodeGitLabUnavailable, "JSON that is not GitLab's"},
		{"a refusal under another status", 404, typed(js), `{"message":"403 Forbidden"}`, surgical.CodeGitLabUnavailable, "JSON that is not GitLab's"},
		{"a router that has no such endpoint", 404, typed(js), `{"error":"404 Not Found"}`, surgical.CodeGitLabUnavailable, "every GitLab has"},
		{"no type and no JSON", 404, http.Header{"Content-Type": nil}, "body-text", surgical.CodeGitLabUnavailable, "no content type"},
		{"a content type that is none", 404, typed("body-text; ="), "x", surgical.CodeGitLabUnavailable, "an invalid content type"},
		{"a page of a bad gateway", 502, typed(html), "<html>body-text</html>", surgical.CodeGitLabUnavailable, "text/html"},
		{"a login page as a success", 200, typed(html), "<html>body-text</html>", surgical.CodeGitLabUnavailable, "text/html"},

		{"insufficient scope", 403, typed(js), `{"error":"insufficient_scope","error_description":"body-text","scope":"api read_api"}`, surgical.CodeGitLabUnauthorized, "read_api"},
		{"insufficient scope for writing", 403, typed(js), `{"error":"insufficient_scope","scope":"api"}`, surgical.CodeGitLabUnauthorized, "lacks the api scope"},
		{"a permission that a fine-grained token lacks", 403, typed(js), `{"error":"insufficient_granular_scope"}`, surgical.CodeGitLabForbidden, "403"},
		{"terms of service", 403, typed(js), terms, surgical.CodeGitLabUnauthorized, "Terms of Service"},
		{"a blocked user", 403, typed(js), `{"message":"403 Forbidden - Your account has been blocked."}`, surgical.CodeGitLabUnauthorized, "blocked"},
		{"an expired password", 403, typed(js), `{"message":"403 Forbidden - Your password expired. Please access GitLab from a web browser to update your password."}`, surgical.CodeGitLabUnauthorized, "password"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			client := newClient(t, serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for name, values := range tt.header {
					w.Header()[name] = values
				}
				w.WriteHeader(tt.status)
				fmt.Fprint(w, tt.body)
			})))
			_, err := client.Fetch(t.Context(), fakegitlab.IssueRef(7))
			e := wantCode(t, err, tt.code, surgical.NewError(tt.code, "").Retryable)
			if !strings.Contains(e.Message, tt.says) {
				t.Errorf("the message does not say %q: %s", tt.says, e.Message)
			}
		})
	}
}

// What a project, a list or a log is refused for counts as little, if GitLab did not
// say it: a project that GitLab does not show is hidden in the end.
func TestClient_TrustsOnlyRefusalsThatGitLabWroteInEveryCall(t *testing.T) {
	calls := map[string]func(*gitlab.Client) error{
		"a project": func(c *gitlab.Client) error { _, _, err := c.Project(t.Context(), "1"); return err },
		"a list":    func(c *gitlab.Client) error { _, err := c.ListIssues(t.Context(), 1, gitlab.ListQuery{}); return err },
		"a count":   func(c *gitlab.Client) error { _, err := c.Count(t.Context(), 1, surgical.Issue); return err },
		"projects":  func(c *gitlab.Client) error { _, err := c.GroupProjects(t.Context(), "demo", ""); return err },
		"hooks":     func(c *gitlab.Client) error { _, err := c.Hooks(t.Context(), gitlab.Owner{Project: 1}, ""); return err },
		"a hook's log": func(c *gitlab.Client) error {
			_, err := c.HookEvents(t.Context(), gitlab.Owner{Project: 1}, 1, "")
			return err
		},
	}
	for status, bodies := range map[int][]string{
		401: {`{"message":"Unauthorized"}`},
		403: {`{"message":"Forbidden"}`, `{"title":"Error 1020","status":403}`, `{}`},
		404: {`{"message":"no Route matched with those values"}`, `{}`},
	} {
		for _, body := range bodies {
			client := newClient(t, serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(status)
				fmt.Fprint(w, body)
			})))
			for name, call := range calls {
				if err := call(client); surgical.CodeOf(err) != surgical.CodeGitLabUnavailable || !surgical.AsError(err).Retryable {
					t.Errorf("%s, %d with %s: %v", name, status, body, err)
				}
			}
		}
	}
}

func TestClientProject_BelievesNoRouterThatHasNoProjects(t *testing.T) {
	client := newClient(t, serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"error":"404 Not Found"}`)
	})))
	_, _, err := client.Project(t.Context(), "1")
	if e := wantCode(t, err, surgical.CodeGitLabUnavailable, true); !strings.Contains(e.Message, "GITLAB_BASE_URL") {
		t.Errorf("message %q", e.Message)
	}
}

// A list that this GitLab does not have says nothing about an entity that did not
// answer.
func TestClientFetch_DoesNotTakeAMissingListForAMissingEntity(t *testing.T) {
	listed := make(chan struct{})
	client := newClient(t, "https://gitlab.invalid", func(o *gitlab.Options) {
		o.HTTP = roundTrip(func(req *http.Request) (*http.Response, error) {
			status, body := http.StatusBadGateway, ""
			switch path.Base(req.URL.Path) {
			case "resource_state_events":
				status, body = http.StatusNotFound, `{"error":"404 Not Found"}`
				defer close(listed)
			default:
				<-listed
			}
			return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: req}, nil
		})
	})
	_, err := client.Fetch(t.Context(), fakegitlab.IssueRef(7))
	wantCode(t, err, surgical.CodeGitLabUnavailable, true)
}

func TestClientFetch_WaitsAsLongAsAProxySays(t *testing.T) {
	client := newClient(t, serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "90")
		w.WriteHeader(http.StatusForbidden)
	})))
	_, err := client.Fetch(t.Context(), fakegitlab.IssueRef(7))
	if e := wantCode(t, err, surgical.CodeGitLabUnavailable, true); e.RetryAfter != 90*time.Second {
		t.Errorf("retry after %v, want 90s", e.RetryAfter)
	}
}

// Whichever list is refused first, the entity is what the operator knows.
func TestClientFetch_NamesAForbiddenEntity(t *testing.T) {
	for range 20 {
		server, client := demo(t)
		server.Inject(fakegitlab.Fault{Requests: 5, Status: 403, Body: `{"message":"403 Forbidden"}`})
		_, err := client.Fetch(t.Context(), fakegitlab.IssueRef(7))
		e := wantCode(t, err, surgical.CodeGitLabForbidden, false)
		if want := "project 1 issue#7: GitLab denied access (403)"; e.Message != want {
			t.Fatalf("%q, want %q", e.Message, want)
		}
	}
}

func TestClientFetch_TellsAMissingListFromAMissingEntity(t *testing.T) {
	for name, tt := range map[string]struct {
		body      string
		retryable bool
		says      string
	}{
		"GitLab's router does not know the list": {`{"error":"404 Not Found"}`, false, "upgrade GitLab"},
		"the record is missing":                  {`{"message":"404 Not found"}`, true, "older than version 13.2"},
	} {
		t.Run(name, func(t *testing.T) {
			server, client := demo(t)
			server.Inject(fakegitlab.Fault{Endpoint: "resource_milestone_events", Status: 404, Body: tt.body, Requests: 1})
			server.Inject(fakegitlab.Fault{Endpoint: "resource_state_events", Status: 404, Body: tt.body, Requests: 1})
			_, err := client.Fetch(t.Context(), fakegitlab.IssueRef(7))
			e := wantCode(t, err, surgical.CodeGitLabUnavailable, tt.retryable)
			if !strings.Contains(e.Message, "resource_state_events") || !strings.Contains(e.Message, tt.says) {
				t.Errorf("message %q", e.Message)
			}
		})
	}
}

func TestClientFetch_NamesTheCauseInTheTransport(t *testing.T) {
	tlsServer := httptest.NewUnstartedServer(http.NotFoundHandler())
	tlsServer.Config.ErrorLog = log.New(io.Discard, "", 0) // the refused handshakes are the point
	tlsServer.StartTLS()
	t.Cleanup(tlsServer.Close)
	plain := serve(t, http.NotFoundHandler())
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	hangsUp := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	toTLS := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://"+r.Host+r.URL.Path, http.StatusMovedPermanently)
	}))
	t.Cleanup(toTLS.Close)
	trusting := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: x509.NewCertPool()}}
	trusting.TLSClientConfig.RootCAs.AddCert(tlsServer.Certificate())
	named := trusting.Clone()
	named.TLSClientConfig.ServerName = "gitlab.invalid"
	expired := trusting.Clone()
	expired.TLSClientConfig.Time = func() time.Time { return time.Date(2222, 1, 1, 0, 0, 0, 0, time.UTC) }
	broken := func(err error) http.RoundTripper {
		return roundTrip(func(*http.Request) (*http.Response, error) { return nil, err })
	}
	proxied := &http.Transport{Proxy: http.ProxyURL(mustParse(t, closed.URL))}
	tests := []struct {
		name, base string
		transport  http.RoundTripper
		retryable  bool
		says       []string
	}{
		{"an unknown host", "https://gitlab.invalid", broken(&net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Name: "gitlab.invalid", IsNotFound: true}}), true, []string{`host "gitlab.invalid" is unknown`, "GITLAB_BASE_URL"}},
		{"a name server that fails", "https://gitlab.invalid", broken(&net.DNSError{Name: "gitlab.invalid", Err: "server misbehaving", IsTemporary: true}), true, []string{`"gitlab.invalid" could not be resolved`}},
		{"a private CA", tlsServer.URL, nil, true, []string{"certificate", "private CA"}},
		{"a certificate of another host", tlsServer.URL, named, true, []string{"certificate", `"gitlab.invalid"`}},
		{"an expired certificate", tlsServer.URL, expired, true, []string{"certificate", "expired"}},
		{"https where http is spoken", strings.Replace(plain, "http:", "https:", 1), nil, true, []string{"does not speak TLS", "http://"}},
		{"http where https is spoken", strings.Replace(tlsServer.URL, "https:", "http:", 1), nil, true, []string{"https://", "GITLAB_BASE_URL"}},
		{"http that redirects to https", toTLS.URL, nil, false, []string{"redirect", "set GITLAB_BASE_URL to https://127.0.0.1:"}},
		{"nothing listens", closed.URL, nil, true, []string{"refused", strings.TrimPrefix(closed.URL, "http://")}},
		{"no route", "https://gitlab.invalid", broken(&net.OpError{Op: "dial", Net: "tcp", Err: syscall.ENETUNREACH}), true, []string{"network is unreachable"}},
		{"a proxy that is gone", "http://gitlab.invalid", proxied, true, []string{"proxy", strings.TrimPrefix(closed.URL, "http://"), "refused"}},
		{"an unknown proxy", "https://gitlab.invalid", broken(toProxy(&net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Name: "proxy.invalid", IsNotFound: true}})), true, []string{"proxy", `host "proxy.invalid" is unknown`}},
		{"a proxy that does not speak TLS", "https://gitlab.invalid", broken(toProxy(tls.RecordHeaderError{})), true, []string{"proxy", "does not speak TLS"}},
		{"GitLab hangs up", hangsUp, nil, true, []string{"closed before the response"}},
		{"a reset", "https://gitlab.invalid", broken(&net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}), true, []string{"reset"}},
		{"an unknown failure", "https://gitlab.invalid", broken(fmt.Errorf("body-text %s", sampleToken)), true, []string{"no response"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			client := newClient(t, tt.base, func(o *gitlab.Options) { o.HTTP = tt.transport })
			_, err := client.Fetch(t.Context(), fakegitlab.IssueRef(7))
			e := wantCode(t, err, surgical.CodeGitLabUnavailable, tt.retryable)
			for _, says := range tt.says {
				if !strings.Contains(e.Message, says) {
					t.Errorf("the message does not say %q: %s", says, e.Message)
				}
			}
			if slices.Contains(tt.says, "proxy") && strings.Contains(e.Message, "GITLAB_BASE_URL") {
				t.Errorf("GITLAB_BASE_URL is not the proxy's: %s", e.Message)
			}
		})
	}
}

// toProxy is the failure of a connection to a proxy, as net/http returns it.
func toProxy(err error) error { return &net.OpError{Op: "proxyconnect", Net: "tcp", Err: err} }

func mustParse(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestClientFetch_SaysWhenNoConnectionCouldBeOpened(t *testing.T) {
	timeout := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ETIMEDOUT}
	for want, err := range map[string]error{
		"the connection could not be opened in time; is GitLab reachable from here?": timeout,
		"the connection to the configured HTTP proxy could not be opened in time":    toProxy(timeout),
	} {
		client := newClient(t, "https://gitlab.invalid", func(o *gitlab.Options) {
			o.HTTP = roundTrip(func(*http.Request) (*http.Response, error) { return nil, err })
		})
		_, err := client.Fetch(t.Context(), fakegitlab.IssueRef(7))
		if e := wantCode(t, err, surgical.CodeGitLabTimeout, true); !strings.HasSuffix(e.Message, want) {
			t.Errorf("message %q, want %q", e.Message, want)
		}
	}
}

func TestClientFetch_SurvivesEveryLegalLinkHeader(t *testing.T) {
	for _, values := range [][]string{
		{`<https://assets.example.com>; crossorigin; rel="preconnect"`},
		{`<https://assets.example.com>; rel=preconnect; crossorigin`, `</style.css>;rel=preload;as=style;nopush`},
		{`<https://assets.example.com>;`, `<>;;`, `;`, `<`},
		{`<https://assets.example.com/a,b;c>; title="a, \"b\"; c"; rel="a b"`},
	} {
		t.Run(values[0], func(t *testing.T) {
			server := fakegitlab.New(fakegitlab.Options{Token: sampleToken})
			client := newClient(t, serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header()["Link"] = values
				server.ServeHTTP(appending{w, values}, r)
			})))
			snap, err := client.Fetch(t.Context(), fakegitlab.IssueRef(7))
			if err != nil {
				t.Fatal(err)
			}
			if len(snap.Children) != 10 {
				t.Errorf("%d children, want 10", len(snap.Children))
			}
		})
	}
}

// appending adds Link headers to those of the handler, in front of them.
type appending struct {
	http.ResponseWriter
	links []string
}

func (w appending) WriteHeader(status int) {
	w.Header()["Link"] = append(append([]string{}, w.links...), w.Header()["Link"]...)
	w.ResponseWriter.WriteHeader(status)
}

func TestClientFetch_TurnsAPanicIntoAPermanentFailure(t *testing.T) {
	client := newClient(t, "https://gitlab.invalid", func(o *gitlab.Options) {
		o.HTTP = roundTrip(func(req *http.Request) (*http.Response, error) {
			if strings.HasSuffix(req.URL.Path, "/discussions") {
				panic("body-text")
			}
			<-req.Context().Done() // the panic cancels the other requests
			return nil, req.Context().Err()
		})
	})
	_, err := client.Fetch(t.Context(), fakegitlab.IssueRef(7))
	wantCode(t, err, surgical.CodeInternal, false)
}
