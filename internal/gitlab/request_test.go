package gitlab

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	api "gitlab.com/gitlab-org/api/client-go/v2"
	"golang.org/x/time/rate"

	"gitlab.com/lorehook/lorehook/internal/baseurl"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/linked"
	"gitlab.com/lorehook/lorehook/test/pipe"
)

// sent is all of a request that a server sees.
type sent struct {
	Method, URI, Host, Proto, Body string
	Header                         http.Header
	Length                         int64
}

// recorder answers every request with an empty list, but one for a moved path with a
// redirect, and notes the requests.
type recorder struct{ seen []sent }

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	r.seen = append(r.seen, sent{req.Method, req.RequestURI, req.Host, req.Proto, string(body), req.Header.Clone(), req.ContentLength})
	if path, ok := strings.CutSuffix(req.URL.EscapedPath(), "/moved"); ok {
		http.Redirect(w, req, path+"/here?"+req.URL.RawQuery, http.StatusMovedPermanently)
		return
	}
	_, _ = io.WriteString(w, "[]")
}

func sample(context.Context) (string, error) { return " glpat-fake-sample\n", nil }

func requesterOf(t *testing.T, base string, transport http.RoundTripper) *requester {
	t.Helper()
	u, err := baseurl.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	return newRequester(u, &http.Client{Transport: transport, CheckRedirect: FollowWithin(u)}, newLimiter(0), sample)
}

// official sends what the official client sends for a path and a query.
func official(t *testing.T, base, path, query string, transport http.RoundTripper) *api.Response {
	t.Helper()
	client, err := api.NewClient("glpat-fake-sample", api.WithBaseURL(base), api.WithUserAgent("lorehook"), api.WithoutRetries(), api.WithHTTPClient(&http.Client{Transport: transport}))
	if err != nil {
		t.Fatal(err)
	}
	req, err := client.NewRequest(http.MethodGet, path, nil, []api.RequestOptionFunc{api.WithKeysetPaginationParameters("?" + query), api.WithContext(t.Context())})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// The whole request is compared: method, address, protocol, headers and body, also of a
// request that was redirected.
func TestRequester_SendsWhatTheOfficialClientSends(t *testing.T) {
	escaped := func(owner Owner) string {
		path, err := owner.HooksPath()
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	paths := []string{
		"projects", "projects/1/issues/7", "projects/1/merge_requests/12/discussions", "projects/1/moved", escaped(Owner{Project: 1}),
		escaped(Owner{Group: "group"}), escaped(Owner{Group: "group/sub.group/a b+c%2F:;,&=@ü"}), escaped(Owner{Group: "group/moved"}) + "/moved",
	}
	queries := []url.Values{
		nil, place{number: 3}.query(), place{cursor: "cursor=eyJpZCI6IjEifQ%3D%3D&per_page=100&x=a%3Bb%2Cc+d&x=2&broken=%zz"}.query(),
		step{by: "id", from: 7, page: 1, size: 10}.query(byID(), url.Values{"membership": {"true"}}),
		step{by: "updated_at", from: 1, page: 2, size: 100}.query(byDate("updated_at", "updated_after"), everything()),
	}
	for _, under := range []string{"", "/gitlab", "/a/b", "/api/v4", "/gitlab/api/v4"} {
		for _, path := range paths {
			for _, query := range queries {
				var ours, theirs recorder
				var now http.Handler = &ours
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { now.ServeHTTP(w, req) }))
				var body bytes.Buffer
				if _, err := requesterOf(t, server.URL+under, server.Client().Transport).get(t.Context(), path, query, &body); err != nil || body.String() != "[]" {
					t.Errorf("%s: %q, %v", path, body.String(), err)
				}
				now = &theirs
				official(t, server.URL+under, path, query.Encode(), server.Client().Transport)
				server.Close()
				if diff := cmp.Diff(theirs.seen, ours.seen); diff != "" || len(ours.seen) == 0 {
					t.Errorf("below %q, %s with %v (-official client +ours):\n%s", under, path, query, diff)
				}
			}
		}
	}
}

// The official client would send the slash of a project's path here.
func TestRequester_KeepsWhatIsEscapedBelowAnEscapedBase(t *testing.T) {
	var seen recorder
	server := httptest.NewServer(&seen)
	t.Cleanup(server.Close)
	if _, err := requesterOf(t, server.URL+"/git%20lab", server.Client().Transport).get(t.Context(), "projects/"+pathEscape("a/b.c"), nil, io.Discard); err != nil {
		t.Fatal(err)
	}
	if want := "/git%20lab/api/v4/projects/a%2Fb%2Ec"; seen.seen[0].URI != want {
		t.Errorf("sent %s, want %s", seen.seen[0].URI, want)
	}
}

// transport answers requests in the process.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// A token may be replaced while a request waits for the rate limit.
func TestRequester_ReadsTheTokenAfterTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		token := "glpat-fake-old"
		var tokens []string
		r := requesterOf(t, "https://gitlab.invalid", transport(func(req *http.Request) (*http.Response, error) {
			tokens = append(tokens, req.Header.Get("Private-Token"))
			return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: req}, nil
		}))
		r.limiter = limiter{rate.NewLimiter(rate.Every(time.Hour), 1)}
		r.token = func(context.Context) (string, error) { return token, nil }
		time.AfterFunc(30*time.Minute, func() { token = "glpat-fake-new" })
		for range 2 {
			if _, err := r.get(t.Context(), "projects", nil, io.Discard); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff([]string{"glpat-fake-old", "glpat-fake-new"}, tokens); diff != "" {
			t.Errorf("tokens (-want +sent):\n%s", diff)
		}
	})
}

func TestRequester_SendsNothingWithoutTimeOrToken(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	short, done := context.WithTimeout(t.Context(), time.Minute)
	defer done()
	unread := errors.New("no secret")
	for name, c := range map[string]struct {
		ctx   context.Context
		token error
		want  error
		asked bool
	}{
		"the context has ended":       {cancelled, nil, context.Canceled, false},
		"the rate limit takes longer": {short, nil, surgical.ErrNoTime, false},
		"there is no token":           {t.Context(), unread, surgical.ErrTokenUnread, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := requesterOf(t, "https://gitlab.invalid", transport(func(*http.Request) (*http.Response, error) {
				t.Error("a request was sent")
				return nil, io.EOF
			}))
			r.limiter = newLimiter(0.001)
			if c.want == surgical.ErrNoTime {
				r.limiter.AllowN(time.Now(), endpoints)
			}
			asked := false
			r.token = func(context.Context) (string, error) { asked = true; return "", c.token }
			if _, err := r.get(c.ctx, "projects", nil, io.Discard); !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
			if asked != c.asked {
				t.Errorf("asked for the token: %v", asked)
			}
		})
	}
}

// A proxy's 203 and a part of a body are not what was requested.
func TestRequester_TakesOnlyWholeAnswersOfGitLab(t *testing.T) {
	for status, want := range map[int]string{200: "[]", 201: "[]", 202: "[]", 203: "", 206: "", 300: "", 304: "[]", 404: "", 500: ""} {
		r := requesterOf(t, "https://gitlab.invalid", transport(func(req *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader("[]")), Request: req}, nil
		}))
		var into bytes.Buffer
		if resp, err := r.get(t.Context(), "projects", nil, &into); err != nil || resp.status != status || into.String() != want {
			t.Errorf("status %d: %+v with %q, %v", status, resp, into.String(), err)
		}
	}
}

// A request ends with its context, whatever GitLab does, and a token's white space is not
// part of it.
func TestRequester_SendsItsContextAndTheTokenItself(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("stopped")
	r := requesterOf(t, "https://gitlab.invalid", transport(func(req *http.Request) (*http.Response, error) {
		if token := req.Header.Get("Private-Token"); token != "glpat-fake" {
			t.Errorf("the token is %q", token)
		}
		cancel(stopped)
		select {
		case <-req.Context().Done():
			return nil, context.Cause(req.Context())
		default:
			return nil, errors.New("the request goes on")
		}
	}))
	r.token = func(context.Context) (string, error) { return " glpat-fake\r\n", nil }
	if _, err := r.get(ctx, "projects", nil, io.Discard); !errors.Is(err, stopped) {
		t.Errorf("error %v", err)
	}
}

// The links of a page are relative to where it was found.
func TestRequester_SaysWhereItWasAnswered(t *testing.T) {
	r := requesterOf(t, "https://gitlab.invalid", transport(func(req *http.Request) (*http.Response, error) {
		if req.URL.Path == "/api/v4/projects/old" {
			return &http.Response{StatusCode: http.StatusMovedPermanently, Header: http.Header{"Location": {"/api/v4/projects/new"}}, Body: http.NoBody, Request: req}, nil
		}
		return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: req}, nil
	}))
	resp, err := r.get(t.Context(), "projects/old", nil, io.Discard)
	if err != nil || resp.url.Path != "/api/v4/projects/new" {
		t.Errorf("%+v, %v", resp, err)
	}
}

// A connection that is not used again costs the next request a handshake.
func TestRequester_UsesItsConnectionAgain(t *testing.T) {
	answers := []struct {
		status int
		body   string
	}{
		{200, "[]"}, {200, strings.Repeat(" ", 1<<20)}, {204, ""}, {401, `{"message":"401 Unauthorized"}`}, {404, `{"message":"404 Project Not Found"}`},
		{500, strings.Repeat("x", maxErrorBody-1)}, {429, ""}, {200, "[]"},
	}
	synctest.Test(t, func(t *testing.T) {
		i := 0
		server := pipe.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(answers[i].status)
			_, _ = io.WriteString(w, answers[i].body)
		}))
		network := newTransport(nil)
		network.Proxy, network.DialContext = nil, server.Dial
		t.Cleanup(network.CloseIdleConnections)
		r := requesterOf(t, "http://gitlab.invalid", &boundedTransport{authentic{network, time.Now}})
		for ; i < len(answers); i++ {
			if resp, err := r.get(t.Context(), "projects", nil, io.Discard); err != nil || resp.status != answers[i].status {
				t.Fatalf("%+.80v, %v", resp, err)
			}
			if server.Dialled() != 1 {
				t.Fatalf("a new connection after status %d", answers[i-1].status)
			}
		}
	})
}

// body counts what is read of it, and how often it is closed.
type body struct {
	io.Reader
	read, closed int
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.read += n
	return n, err
}

func (b *body) Close() error { b.closed++; return nil }

// spaces is a body without end.
type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

type full struct{ error }

func (f full) Write([]byte) (int, error) { return 0, f }

// Nothing is read on of a body that cannot be used, and of an error only its start.
func TestRequester_ClosesEveryBody(t *testing.T) {
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		status int
		body   io.Reader
		into   io.Writer
		want   error
		atMost int
	}{
		"a success":                {200, strings.NewReader("[]"), io.Discard, nil, 2},
		"nothing":                  {204, strings.NewReader(""), io.Discard, nil, 0},
		"an error":                 {500, strings.NewReader("body"), io.Discard, nil, 4},
		"an error without end":     {500, spaces{}, io.Discard, nil, maxErrorBody},
		"an error that breaks off": {502, io.MultiReader(strings.NewReader("b"), iotest.ErrReader(broken)), io.Discard, nil, 1},
		"a refusal":                {403, strings.NewReader(`{"message":"403 Forbidden"}`), io.Discard, nil, 27},
		"a body that breaks off":   {200, io.MultiReader(strings.NewReader("["), iotest.ErrReader(broken)), io.Discard, broken, 1},
		"a body that is too large": {200, spaces{}, full{broken}, full{broken}, 64 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			b := &body{Reader: c.body}
			r := requesterOf(t, "https://gitlab.invalid", &boundedTransport{authentic{transport(func(req *http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: c.status, Header: http.Header{"X-Total": {"1"}}, Body: b, Request: req}, nil
			}), time.Now}})
			var into bytes.Buffer
			resp, err := r.get(t.Context(), "projects", nil, io.MultiWriter(c.into, &into))
			if !errors.Is(err, c.want) || resp == nil || resp.status != c.status || resp.header.Get("X-Total") != "1" {
				t.Errorf("%+v, %v, want %v", resp, err, c.want)
			}
			if into.Len() > 0 && !succeeded(c.status) {
				t.Errorf("%q is taken for what was requested", into.String())
			}
			if b.closed == 0 || b.read > c.atMost {
				t.Errorf("closed %d times after %d bytes, at most %d are of use", b.closed, b.read, c.atMost)
			}
		})
	}
}

// The official client, of which `lore` uses much more, would slow every cold start: it
// parses templates of queries that nothing here sends.
func TestNoFunctionHoldsTheOfficialClient(t *testing.T) {
	packages := linked.Packages(t, "gitlab.com/lorehook/lorehook/functions/...")
	for _, p := range packages {
		if strings.HasPrefix(p, "gitlab.com/gitlab-org/") || strings.HasPrefix(p, "github.com/hashicorp/") {
			t.Errorf("%s is part of a function's binary", p)
		}
	}
	if len(packages) < 100 {
		t.Errorf("only %d packages were found: the test shows little", len(packages))
	}
}
