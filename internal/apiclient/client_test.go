package apiclient_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func client(t *testing.T, handler http.HandlerFunc) *apiclient.Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	c, err := apiclient.New(apiclient.Options{BaseURL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestReadProblem_KeepsEveryMember(t *testing.T) {
	c := client(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprint(w, `{"code":"surgical_preflight_failed","detail":"3 of 10 failed","action":"retry_failed","retryable":true,"retry_after":7,"run_id":"m1","total":10,
			"failures":[{"type":"issue","iid":8,"code":"gitlab_forbidden","message":"no","action":"grant_access","retryable":false}]}`)
	})
	_, err := c.Run(t.Context(), "m1")
	want := &surgical.Error{
		Code: surgical.CodePreflightFailed, Message: "3 of 10 failed", Action: surgical.ActionRetryFailed, Retryable: true,
		RetryAfter: 7 * time.Second, RunID: "m1", Total: 10,
		Failures: []surgical.TargetFailure{{
			Target: surgical.Target{Type: surgical.Issue, IID: 8}, Code: surgical.CodeGitLabForbidden, Message: "no", Action: surgical.ActionGrantAccess,
		}},
	}
	if diff := cmp.Diff(want, surgical.AsError(err), cmpopts.IgnoreUnexported(surgical.Error{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReadProblem_TellsForeignResponsesFromTheAPIs(t *testing.T) {
	for _, test := range []struct {
		name   string
		status int
		header string
		body   string
		want   surgical.Error
	}{
		{"denied by IAM", 403, "", `{"message":"Forbidden"}`, surgical.Error{Code: apiclient.CodeForbidden, Action: surgical.ActionGrantAccess}},
		{"the gateway's timeout", 503, "", `{"message":"Service Unavailable"}`, surgical.Error{Code: apiclient.CodeUnavailable, Action: surgical.ActionRetryAfter, Retryable: true}},
		{"throttling", 429, "3", `{"message":"Too Many Requests"}`, surgical.Error{Code: apiclient.CodeUnavailable, Action: surgical.ActionRetryAfter, Retryable: true, RetryAfter: 3 * time.Second}},
		{"a proxy's page", 502, "", `<html>bad gateway</html>`, surgical.Error{Code: apiclient.CodeUnavailable, Action: surgical.ActionRetryAfter, Retryable: true}},
		{"another server", 404, "", `<html>not here</html>`, surgical.Error{Code: surgical.CodeInvalidRequest, Action: surgical.ActionFixRequest}},
		{"a redirect", 302, "", ``, surgical.Error{Code: surgical.CodeInvalidRequest, Action: surgical.ActionFixRequest}},
		{"a success that is not JSON", 200, "", `hello`, surgical.Error{Code: surgical.CodeInternal, Action: surgical.ActionContactOperator, Retryable: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := client(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Retry-After", test.header)
				if test.status == http.StatusFound {
					w.Header().Set("Location", "http://"+r.Host+"/elsewhere")
				}
				w.WriteHeader(test.status)
				fmt.Fprint(w, test.body)
			})
			_, err := c.Run(t.Context(), "m1")
			got := surgical.AsError(err)
			if got.Message == "" {
				t.Error("no message")
			}
			if diff := cmp.Diff(&test.want, got, cmpopts.IgnoreUnexported(surgical.Error{}), cmpopts.IgnoreFields(surgical.Error{}, "Message")); diff != "" {
				t.Errorf("%s (-want +got):\n%s", got.Message, diff)
			}
		})
	}
}

func TestClient_ReportsAServerThatIsDownAsUnavailable(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	c, err := apiclient.New(apiclient.Options{BaseURL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Run(t.Context(), "m1"); surgical.CodeOf(err) != apiclient.CodeUnavailable {
		t.Error(err)
	}
}

func TestParseBase_AcceptsOnlyHTTPSOrThisMachine(t *testing.T) {
	for address, ok := range map[string]bool{
		"https://abc.execute-api.eu-west-1.amazonaws.com":   true,
		"http://127.0.0.1:4566/_aws/execute-api/a/$default": true,
		"http://localhost:80":                               true,
		"http://[::1]:80/":                                  true,
		"http://example.com":                                false,
		"http://127.0.0.1.evil.com":                         false,
		"ftp://localhost":                                   false,
		"https://user@example.com":                          false,
		"https://example.com?x=1":                           false,
		"example.com":                                       false,
		"":                                                  false,
	} {
		_, err := apiclient.ParseBase(address)
		if (err == nil) != ok {
			t.Errorf("%q: %v", address, err)
		}
		if err != nil && (surgical.CodeOf(err) != surgical.CodeInvalidRequest || !strings.Contains(err.Error(), fmt.Sprintf("%q", address))) {
			t.Errorf("%q: %v does not name it", address, err)
		}
	}
}

func issue7() surgical.EntityRef {
	return surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.Issue, IID: 7}}
}

func TestClientEntity_ReadsAndMergesEveryPage(t *testing.T) {
	pages := map[string]string{
		"":  `{"project_id":1,"type":"issue","iid":7,"revision":2,"entity":{"id":9007199254740993},"discussions":[{"id":"a"}],"events":{"state":[],"label":[1]},"documents":[],"next_cursor":"b"}`,
		"b": `{"project_id":1,"type":"issue","iid":7,"revision":2,"discussions":[{"id":"b"}],"events":{"state":[2],"label":[3]},"documents":[{"id":"x"}],"omitted":[{"kind":"discussion"}],"next_cursor":"c"}`,
		"c": `{"project_id":1,"type":"issue","iid":7,"revision":2,"discussions":[],"events":{"state":[],"label":[]},"documents":[{"id":"y"}]}`,
	}
	c := client(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, pages[r.URL.Query().Get("cursor")])
	})
	got, err := c.Entity(t.Context(), issue7())
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"discussions":[{"id":"a"},{"id":"b"}],"documents":[{"id":"x"},{"id":"y"}],"entity":{"id":9007199254740993},"events":{"label":[1,3],"state":[2]},"iid":7,"omitted":[{"kind":"discussion"}],"project_id":1,"revision":2,"type":"issue"}`
	if string(got.Raw) != want {
		t.Errorf("got  %s\nwant %s", got.Raw, want)
	}
	if len(got.Value.Discussions) != 2 || len(got.Value.Documents) != 2 || len(got.Value.Events["label"]) != 2 {
		t.Errorf("%+v", got.Value)
	}
}

func TestClientEntity_StartsOverWhenTheRevisionChanges(t *testing.T) {
	for name, conflicts := range map[string]int{"once": 1, "forever": 1000} {
		t.Run(name, func(t *testing.T) {
			left, calls := conflicts, 0
			c := client(t, func(w http.ResponseWriter, r *http.Request) {
				calls++
				switch {
				case r.URL.Query().Get("cursor") == "":
					fmt.Fprint(w, `{"discussions":[1],"next_cursor":"b"}`)
				case left > 0:
					left--
					w.WriteHeader(http.StatusConflict)
					fmt.Fprint(w, `{"code":"conflict","detail":"revision 2 by now","action":"fix_request"}`)
				default:
					fmt.Fprint(w, `{"discussions":[2]}`)
				}
			})
			got, err := c.Entity(t.Context(), issue7())
			if conflicts > 1 {
				if surgical.CodeOf(err) != surgical.CodeConflict || calls > 10 {
					t.Errorf("%d calls, %v", calls, err)
				}
				return
			}
			var all struct{ Discussions []int }
			if err = errors.Join(err, json.Unmarshal(got.Raw, &all)); err != nil || !cmp.Equal(all.Discussions, []int{1, 2}) {
				t.Errorf("%s, %v", got.Raw, err)
			}
		})
	}
}

func TestClientRuns_ReadsOnPastShortPages(t *testing.T) {
	pages := map[string]string{
		"":  `{"runs":[],"next_cursor":"b"}`,
		"b": `{"runs":[{"run_id":"m1","new":1}],"next_cursor":"c"}`,
		"c": `{"runs":[{"run_id":"m2"}],"next_cursor":"d"}`,
	}
	var limits []string
	c := client(t, func(w http.ResponseWriter, r *http.Request) {
		limits = append(limits, r.URL.Query().Get("limit"))
		fmt.Fprint(w, pages[r.URL.Query().Get("cursor")])
	})
	got, err := c.Runs(t.Context(), apiclient.Filter{Limit: 2})
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"runs":[{"run_id":"m1","new":1},{"run_id":"m2"}],"next_cursor":"d"}`; string(got.Raw) != want || len(got.Value.Runs) != 2 {
		t.Errorf("got  %s\nwant %s", got.Raw, want)
	}
	if diff := cmp.Diff([]string{"2", "2", "1"}, limits); diff != "" {
		t.Errorf("limits (-want +got):\n%s", diff)
	}
}
