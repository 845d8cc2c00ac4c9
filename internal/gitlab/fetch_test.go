package gitlab_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/gitlab"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

const sampleToken = "glpat-sample"

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

func newClient(t *testing.T, baseURL string, change ...func(*gitlab.Options)) *gitlab.Client {
	t.Helper()
	o := gitlab.Options{BaseURL: baseURL, Token: func(context.Context) (string, error) { return sampleToken, nil }, Clock: time.Now}
	for _, c := range change {
		c(&o)
	}
	client, err := gitlab.NewClient(o)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func demo(t *testing.T, change ...func(*gitlab.Options)) (*fakegitlab.Server, *gitlab.Client) {
	t.Helper()
	server := fakegitlab.New(fakegitlab.Options{Token: sampleToken})
	return server, newClient(t, serve(t, server), change...)
}

// wantCode also checks that the error contains neither the token nor a body.
func wantCode(t *testing.T, err error, code surgical.Code, retryable bool) *surgical.Error {
	t.Helper()
	var e *surgical.Error
	if !errors.As(err, &e) || e.Code != code || e.Retryable != retryable {
		t.Fatalf("error = %v, want %s with retryable %v", err, code, retryable)
	}
	if strings.Contains(err.Error(), sampleToken) || strings.Contains(err.Error(), "body-text") {
		t.Errorf("the error leaks the token or a body: %v", err)
	}
	return e
}

func TestClientFetch_TakesFiveRequestsInOneRoundTrip(t *testing.T) {
	for _, ref := range []surgical.EntityRef{fakegitlab.IssueRef(7), fakegitlab.MergeRequestRef(12)} {
		t.Run(ref.Key(), func(t *testing.T) {
			server, client := demo(t, func(o *gitlab.Options) { o.RequestsPerSecond = 1 })
			hold := server.Hold(ref, 5)
			go func() {
				// All five must be under way before any is answered.
				<-hold.Full()
				hold.Release()
			}()
			before := time.Now()
			snap, err := client.Fetch(t.Context(), ref)
			if err != nil {
				t.Fatal(err)
			}
			if snap.Requests != 5 {
				t.Errorf("requests = %d, want 5", snap.Requests)
			}
			if snap.FetchedAt.Before(before.Add(-time.Microsecond)) || snap.FetchedUntil.Before(snap.FetchedAt) || snap.FetchedUntil.Nanosecond()%1000 != 0 {
				t.Errorf("fetched from %v to %v", snap.FetchedAt, snap.FetchedUntil)
			}
			if !snap.UpdatedAt.Equal(server.UpdatedAt(ref)) {
				t.Errorf("updated_at = %v, want %v", snap.UpdatedAt, server.UpdatedAt(ref))
			}
			kinds := map[surgical.ChildKind]int{}
			for _, c := range snap.Children {
				kinds[c.Kind]++
			}
			want := map[surgical.ChildKind]int{surgical.KindDiscussion: 4, surgical.KindStateEvent: 2, surgical.KindLabelEvent: 3, surgical.KindMilestoneEvent: 1}
			if ref.Type == surgical.MergeRequest {
				want = map[surgical.ChildKind]int{surgical.KindDiscussion: 3, surgical.KindLabelEvent: 2, surgical.KindMilestoneEvent: 1}
			}
			if diff := cmp.Diff(want, kinds); diff != "" {
				t.Errorf("children (-want +got):\n%s", diff)
			}
		})
	}
}

func TestClientFetch_ReadsEveryPage(t *testing.T) {
	tests := []struct{ records, requests int }{
		{100, 5},
		{101, 7},      // page 1 is read again after page 2
		{1000, 23},    // ten pages, and nine of them again
		{10_050, 206}, // GitLab counts no more: one request shows that there is no page 102
	}
	for _, tt := range tests {
		t.Run(strconv.Itoa(tt.records), func(t *testing.T) {
			server, client := demo(t)
			ref := fakegitlab.IssueRef(70)
			server.SetIssue(fakegitlab.NewIssue(70, "Long", "", fakegitlab.Time{Time: time.Now()}))
			want := make([]string, tt.records)
			for i := range want {
				want[i] = server.AddDiscussion(ref, fakegitlab.Note{Body: fmt.Sprint("comment ", i)})
			}
			snap, err := client.Fetch(t.Context(), ref)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, c := range snap.Children {
				got = append(got, c.ID)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("discussions (-want +got):\n%.500s", diff)
			}
			if snap.Requests != tt.requests {
				t.Errorf("requests = %d, want %d", snap.Requests, tt.requests)
			}
		})
	}
}

func TestClientFetch_ReadsTheMarksOfAllNotes(t *testing.T) {
	server, client := demo(t)
	ref := fakegitlab.IssueRef(7)
	server.AddDiscussion(ref, fakegitlab.Note{Body: "A remark.", Internal: true})
	snap, err := client.Fetch(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	want, comments := surgical.ReadNotes(snap.Children)
	if snap.Notes != want || snap.Comments != comments || want.MaxID == 0 || want.MaxUpdatedAt.IsZero() || !want.Internal || comments == 0 {
		t.Errorf("marks %+v, want %+v of %d comments", snap.Notes, want, comments)
	}
}

func TestClientFetch_ReturnsTypedErrors(t *testing.T) {
	clock := time.Date(2026, time.May, 28, 7, 0, 0, 0, time.UTC)
	retryAfter := func(v string) http.Header { return http.Header{"Retry-After": {v}} }
	tests := []struct {
		name      string
		fault     fakegitlab.Fault
		code      surgical.Code
		retryable bool
		after     time.Duration
	}{
		{"401", fakegitlab.Fault{Status: 401, Body: `{"message":"401 Unauthorized - body-text"}`}, surgical.CodeGitLabUnauthorized, true, 0},
		{"403", fakegitlab.Fault{Status: 403, Body: `{"message":"403 Forbidden - body-text"}`}, surgical.CodeGitLabForbidden, false, 0},
		{"404", fakegitlab.Fault{Status: 404, Body: `{"message":"404 body-text Not Found"}`}, surgical.CodeGitLabNotFound, false, 0},
		{"429 with seconds", fakegitlab.Fault{Status: 429, Header: retryAfter("30")}, surgical.CodeGitLabRateLimited, true, 30 * time.Second},
		{"429 with a date", fakegitlab.Fault{Status: 429, Header: retryAfter("Thu, 28 May 2026 07:02:00 GMT")}, surgical.CodeGitLabRateLimited, true, 2 * time.Minute},
		{"429 with a past date", fakegitlab.Fault{Status: 429, Header: retryAfter("Thu, 28 May 2026 06:00:00 GMT")}, surgical.CodeGitLabRateLimited, true, 0},
		{"429 with an absurd time", fakegitlab.Fault{Status: 429, Header: retryAfter("2147483647")}, surgical.CodeGitLabRateLimited, true, 12 * time.Hour},
		{"429 with a reset", fakegitlab.Fault{Status: 429, Header: http.Header{"Ratelimit-Reset": {strconv.FormatInt(clock.Add(time.Minute).Unix(), 10)}}}, surgical.CodeGitLabRateLimited, true, time.Minute},
		{"429 without a header", fakegitlab.Fault{Status: 429}, surgical.CodeGitLabRateLimited, true, 0},
		{"503 with seconds", fakegitlab.Fault{Status: 503, Header: retryAfter("7"), Body: "body-text"}, surgical.CodeGitLabUnavailable, true, 7 * time.Second},
		{"500", fakegitlab.Fault{Status: 500, Body: "body-text"}, surgical.CodeGitLabUnavailable, true, 0},
		{"a proxy's page", fakegitlab.Fault{Status: 200, Body: "<html>body-text</html>"}, surgical.CodeGitLabUnavailable, true, 0},
		{"an empty response", fakegitlab.Fault{Status: 204}, surgical.CodeGitLabUnavailable, true, 0},
		{"null", fakegitlab.Fault{Status: 200, Body: "null"}, surgical.CodeGitLabUnavailable, true, 0},
		{"JSON of another shape", fakegitlab.Fault{Status: 200, Body: `"body-text"`}, surgical.CodeGitLabUnavailable, true, 0},
		{"a broken connection", fakegitlab.Fault{Truncate: true}, surgical.CodeGitLabUnavailable, true, 0},
	}
	for _, endpoint := range []string{"entity", "discussions", "resource_state_events", "resource_label_events", "resource_milestone_events"} {
		for _, tt := range tests {
			t.Run(endpoint+" "+tt.name, func(t *testing.T) {
				server, client := demo(t, func(o *gitlab.Options) { o.Clock = func() time.Time { return clock } })
				tt.fault.Requests, tt.fault.Endpoint = 1, endpoint
				server.Inject(tt.fault)
				snap, err := client.Fetch(t.Context(), fakegitlab.IssueRef(7))
				code, retryable := tt.code, tt.retryable
				if code == surgical.CodeGitLabNotFound && endpoint != "entity" {
					code, retryable = surgical.CodeGitLabUnavailable, true // the entity is there
				}
				e := wantCode(t, err, code, retryable)
				if e.RetryAfter != tt.after {
					t.Errorf("retry after %v, want %v", e.RetryAfter, tt.after)
				}
				if snap.Requests == 0 || snap.Entity != nil || snap.Children != nil {
					t.Errorf("a failed fetch returned %d requests and content %v", snap.Requests, snap.Entity)
				}
			})
		}
	}
}

func TestClientFetch_ReportsTheMostTellingFailure(t *testing.T) {
	ref := fakegitlab.IssueRef(7)
	server, client := demo(t)
	// The 429 arrives first; the delayed requests are still pending when it does.
	server.Inject(fakegitlab.Fault{Endpoint: "resource_milestone_events", Status: 429, Requests: 1})
	server.Inject(fakegitlab.Fault{Endpoint: "discussions", Latency: time.Hour, Requests: 1})
	server.Inject(fakegitlab.Fault{Endpoint: "entity", Latency: time.Hour, Requests: 1})
	_, err := client.Fetch(t.Context(), ref)
	wantCode(t, err, surgical.CodeGitLabRateLimited, true)
}

// All its endpoints return 404, in any order.
func TestClientFetch_NamesAMissingEntity(t *testing.T) {
	_, client := demo(t)
	for range 50 {
		_, err := client.Fetch(t.Context(), fakegitlab.IssueRef(4711))
		e := wantCode(t, err, surgical.CodeGitLabNotFound, false)
		if want := "project 1 issue#4711 was not found (404): deleted, or not visible to this token"; e.Message != want {
			t.Fatalf("%q, want %q", e.Message, want)
		}
	}
}

func TestClientFetch_TimesOutWhenGitLabIsSilent(t *testing.T) {
	t.Run("the client's timeout", func(t *testing.T) {
		server, client := demo(t, func(o *gitlab.Options) { o.Timeout = 50 * time.Millisecond })
		server.Hold(fakegitlab.IssueRef(7), 5)
		_, err := client.Fetch(t.Context(), fakegitlab.IssueRef(7))
		wantCode(t, err, surgical.CodeGitLabTimeout, true)
	})
	t.Run("the caller's deadline", func(t *testing.T) {
		server, client := demo(t)
		server.Hold(fakegitlab.IssueRef(7), 5)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := client.Fetch(ctx, fakegitlab.IssueRef(7))
		wantCode(t, err, surgical.CodeGitLabTimeout, true)
	})
	t.Run("the rate limit leaves no time", func(t *testing.T) {
		_, client := demo(t, func(o *gitlab.Options) { o.RequestsPerSecond = 0.001 })
		if _, err := client.Fetch(t.Context(), fakegitlab.IssueRef(7)); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := client.Fetch(ctx, fakegitlab.IssueRef(7))
		wantCode(t, err, surgical.CodeGitLabTimeout, true)
	})
	t.Run("cancelled", func(t *testing.T) {
		_, client := demo(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := client.Fetch(ctx, fakegitlab.IssueRef(7))
		wantCode(t, err, surgical.CodeGitLabTimeout, true)
	})
}

func TestClientFetch_ReportsAnUnreachableGitLabAsUnavailable(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	_, err := newClient(t, server.URL).Fetch(t.Context(), fakegitlab.IssueRef(7))
	wantCode(t, err, surgical.CodeGitLabUnavailable, true)
}

func TestClientFetch_ReadsOnlyTheStartOfAnErrorsBody(t *testing.T) {
	server, client := demo(t)
	server.Inject(fakegitlab.Fault{Endpoint: "discussions", Status: 500, Body: strings.Repeat("body-text", surgical.MaxEntityBytes/9+1), Requests: 1})
	_, err := client.Fetch(t.Context(), fakegitlab.IssueRef(7))
	wantCode(t, err, surgical.CodeGitLabUnavailable, true)
}

func TestClientFetch_SendsTheTokenNowhereElse(t *testing.T) {
	var leaked atomic.Int64
	other := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request) { leaked.Add(1) }))
	server, client := demo(t)
	server.Inject(fakegitlab.Fault{Endpoint: "entity", Status: http.StatusFound, Header: http.Header{"Location": {other + "/body-text"}}, Requests: 1})
	_, err := client.Fetch(t.Context(), fakegitlab.IssueRef(7))
	e := wantCode(t, err, surgical.CodeGitLabUnavailable, true)
	if host := strings.TrimPrefix(other, "http://"); !strings.Contains(e.Message, host) || !strings.Contains(e.Message, "redirect") {
		t.Errorf("the message does not name the redirect to %s: %s", host, e.Message)
	}
	if leaked.Load() > 0 {
		t.Error("the redirect was followed")
	}
}

func TestClientFetch_FollowsARedirectWithinGitLab(t *testing.T) {
	server, client := demo(t)
	server.AddProject(fakegitlab.ProjectID, "demo/renamed")
	server.Inject(fakegitlab.Fault{Endpoint: "entity", Status: http.StatusMovedPermanently, Header: http.Header{"Location": {"/api/v4/projects/demo%2Florehook-demo/issues/7"}}, Requests: 1})
	snap, err := client.Fetch(t.Context(), fakegitlab.IssueRef(7))
	if err != nil {
		t.Fatal(err)
	}
	if snap.Requests != 7 { // five, the injected redirect, and that of the renamed project
		t.Errorf("requests = %d, want 7", snap.Requests)
	}
}

func TestClientFetch_StopsAtARedirectLoop(t *testing.T) {
	server, client := demo(t)
	server.Inject(fakegitlab.Fault{Endpoint: "entity", Status: http.StatusFound, Header: http.Header{"Location": {"/api/v4/projects/1/issues/7"}}, Requests: 1000})
	_, err := client.Fetch(t.Context(), fakegitlab.IssueRef(7))
	wantCode(t, err, surgical.CodeGitLabUnavailable, true)
}

// Old rows of GitLab have no updated_at, and importers write what they like. None
// of it stops a fetch: the guard takes it for a date that was set back.
func TestClientFetch_TakesAnyDate(t *testing.T) {
	for members, want := range map[string]string{
		`"updated_at":"2099-01-01T00:00:00Z"`:                                 "2099-01-01T00:00:00Z",
		`"updated_at":"2026-05-28 06:17:50 UTC"`:                              "2026-05-28T06:17:50Z",
		`"updated_at":null,"created_at":"2026-05-28T06:17:50.386Z"`:           "2026-05-28T06:17:50.386Z",
		`"updated_at":"yesterday","created_at":"2026-05-28T06:17:50.386Z"`:    "2026-05-28T06:17:50.386Z",
		`"updated_at":1793599208,"created_at":["2026-05-28T06:17:50.386Z"]`:   "1970-01-01T00:00:00Z",
		`"updated_at":"0001-01-01T00:00:00Z","created_at":"2026-05-28T06:17"`: "1970-01-01T00:00:00Z",
		`"title":"T"`: "1970-01-01T00:00:00Z",
	} {
		server, client := demo(t)
		server.Inject(fakegitlab.Fault{Endpoint: "entity", Status: 200, Body: `{"iid":7,"project_id":1,` + members + `}`, Requests: 1})
		snap, err := client.Fetch(t.Context(), fakegitlab.IssueRef(7))
		if got := snap.UpdatedAt.Format(time.RFC3339Nano); err != nil || got != want {
			t.Errorf("{%s} is dated %s, want %s; error %v", members, got, want, err)
		}
	}
}

func TestClientFetch_RefusesADifferentEntity(t *testing.T) {
	for _, body := range []string{
		`{"iid":8,"project_id":1,"updated_at":"2026-05-28T06:17:50.386Z"}`,
		`{"iid":7,"project_id":2,"updated_at":"2026-05-28T06:17:50.386Z"}`,
		`{}`,
	} {
		server, client := demo(t)
		server.Inject(fakegitlab.Fault{Endpoint: "entity", Status: 200, Body: body, Requests: 1})
		_, err := client.Fetch(t.Context(), fakegitlab.IssueRef(7))
		wantCode(t, err, surgical.CodeGitLabUnavailable, true)
	}
}

func TestClientFetch_TriesARenewedTokenAtOnce(t *testing.T) {
	var token atomic.Value
	token.Store("expired")
	refreshed := 0
	_, client := demo(t, func(o *gitlab.Options) {
		o.Token = func(context.Context) (string, error) { return token.Load().(string), nil }
		o.RefreshToken = func(context.Context) (bool, error) {
			refreshed++
			if refreshed > 1 {
				token.Store(sampleToken)
			}
			return true, nil
		}
	})
	_, err := client.Fetch(t.Context(), fakegitlab.IssueRef(7))
	wantCode(t, err, surgical.CodeGitLabUnauthorized, true)
	if _, err := client.Fetch(t.Context(), fakegitlab.IssueRef(7)); err != nil {
		t.Errorf("the new token was not tried: %v", err)
	}
	if refreshed != 2 {
		t.Errorf("refreshed %d times, want once a fetch", refreshed)
	}
}

func TestNewClient_RefusesAnInvalidBaseURL(t *testing.T) {
	for _, base := range []string{"", "gitlab.example.com", "ftp://gitlab.example.com", "https://user:pass@gitlab.example.com", "https://gitlab.example.com/?a=b"} {
		if _, err := gitlab.NewClient(gitlab.Options{BaseURL: base, Token: func(context.Context) (string, error) { return "", nil }, Clock: time.Now}); err == nil {
			t.Errorf("NewClient accepted %q", base)
		}
	}
}

// The address of a self-managed GitLab may be one of IPv6.
func TestClientFetch_ReachesAnAddressOfIPv6(t *testing.T) {
	listener, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skipf("this machine has no IPv6: %v", err)
	}
	server := httptest.NewUnstartedServer(fakegitlab.New(fakegitlab.Options{Token: sampleToken}))
	_ = server.Listener.Close() // nothing uses it
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	if !strings.HasPrefix(server.URL, "http://[::1]:") {
		t.Fatalf("the server is at %s", server.URL)
	}
	snap, err := newClient(t, server.URL+"/").Fetch(t.Context(), fakegitlab.IssueRef(7))
	if err != nil || len(snap.Children) == 0 {
		t.Errorf("%d children, error %v", len(snap.Children), err)
	}
}
