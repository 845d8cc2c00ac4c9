package api

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/go-cmp/cmp"
)

// unconnected are options without anything behind the API: whatever passes the checks of a
// request fails as an internal error.
func unconnected() Options {
	return Options{Clock: func() time.Time { return time.UnixMicro(0) }, Log: slog.New(slog.DiscardHandler), Allows: func(int64) bool { return false }}
}

// whole is the API with all routes registered in one, before any request.
func whole(t *testing.T) http.Handler {
	t.Helper()
	s, mux := &server{unconnected()}, newMux()
	api := newAPI(mux, newDescription())
	for _, r := range s.routes() {
		op := r.Operation
		op.Middlewares = huma.Middlewares{func(ctx huma.Context, next func(huma.Context)) { refuseAmbiguous(api, ctx, next) }}
		r.register(api, op)
	}
	mux.HandleFunc("GET "+descriptionPath, serveDescription())
	handler, err := compressed(s.serve(func(*url.URL) *http.ServeMux { return mux }))
	if err != nil {
		t.Fatal(err)
	}
	return handler
}

// answerTo is all that a client sees of a response.
func answerTo(h http.Handler, method, url, body string) string {
	r := httptest.NewRequest(method, url, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return fmt.Sprint(w.Code, w.Header(), w.Body)
}

func TestNew_AnswersLikeAnAPIThatHasAllRoutesFromTheStart(t *testing.T) {
	handler, err := New(unconnected())
	if err != nil {
		t.Fatal(err)
	}
	description, err := Description()
	if err != nil {
		t.Fatal(err)
	}
	paths := []string{"/", "/v1", "/v1/unknown", "/v1/sync-runs/", "/v1//sync-runs", "/v1/projects/a/b/issues/7", "/v1/projects/a%2Fb/issues/7",
		"/v1/pro%6Aects/1/issues/7", "/%76%31/projects", "/v1/sync%2Druns", "/v1%2Fsync-runs", "/v1/projects%2F1", "/healthz/", "/healthz/x", "/openapi.json/x", "/v1/healthz", "/sync-runs", "//healthz", "/v1/."}
	for path := range description.Paths {
		paths = append(paths, path, strings.NewReplacer("{project}", "1", "{iid}", "7", "{run_id}", "abc", "{id}", "1-6c5yq4wsxhqm3f2a").Replace(path))
	}
	slices.Sort(paths)
	answered := map[string]int{}
	reference := whole(t)
	for _, path := range paths {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"} {
			for _, query := range []string{"", "?unknown=1", "?limit=0", "?cursor=e30", "?limit=1&limit=2", "?status=y", "?order=x", "?project=1"} {
				for _, body := range []string{"", "null", `{"unknown":1}`, `{"project":"1"}`} {
					if body != "" && method != "POST" {
						continue
					}
					got, want := answerTo(handler, method, path+query, body), answerTo(reference, method, path+query, body)
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("%s %s%s %s: (-all routes +New)\n%s", method, path, query, body, diff)
					}
					answered[got[:3]]++
				}
			}
		}
	}
	for _, status := range []string{"200", "400", "404", "405", "422", "500"} {
		if answered[status] == 0 {
			t.Errorf("nothing was answered with %s: %v", status, answered)
		}
	}
}

func TestNew_RoutesExactlyWhatIsDescribed(t *testing.T) {
	description, err := Description()
	if err != nil {
		t.Fatal(err)
	}
	handler, err := New(unconnected())
	if err != nil {
		t.Fatal(err)
	}
	for path, item := range description.Paths {
		described := map[string]bool{}
		for _, op := range Operations(item) {
			described[op.Method] = true
		}
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
			if routed := !strings.HasPrefix(answerTo(handler, method, path, ""), "405 "); routed != described[method] {
				t.Errorf("%s %s: routed %t, described %t", method, path, routed, described[method])
			}
		}
	}
}

// Allocations are counted because they do not depend on the machine.
func TestNew_BuildsOnlyWhatARequestAsksFor(t *testing.T) {
	all := testing.AllocsPerRun(1, func() { whole(t) })
	for name, path := range map[string]string{"no request": "", "an issue": "/v1/projects/1/issues/7"} {
		some := testing.AllocsPerRun(1, func() {
			handler, err := New(unconnected())
			if err != nil {
				t.Fatal(err)
			}
			if path != "" {
				answerTo(handler, http.MethodGet, path, "")
			}
		})
		if some > all/5 {
			t.Errorf("%s: %v allocations, of %v for all routes", name, some, all)
		}
	}
}

func TestNew_AnswersFirstRequestsThatComeAtOnce(t *testing.T) {
	handler, err := New(unconnected())
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if got := answerTo(handler, http.MethodGet, "/v1/projects/1/issues/7", ""); !strings.HasPrefix(got, "403 ") {
				t.Errorf("answered %s", got)
			}
		})
	}
	group.Wait()
}
