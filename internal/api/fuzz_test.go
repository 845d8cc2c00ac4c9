package api

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/feed"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/problem"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/cloud/cloudsearch"
	fakedynamodb "gitlab.com/lorehook/lorehook/test/fake/dynamodb"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// outbox is a queue that keeps what it was sent.
type outbox struct{ sent []surgical.Request }

func (q *outbox) Send(_ context.Context, req surgical.Request) error {
	q.sent = append(q.sent, req)
	return req.Validate()
}

// changingLedger is the ledger of the moment: each input finds an empty one,
// and the API, which takes long to describe itself, is made once.
type changingLedger struct{ *ledger.Ledger }

func handlerOver(t interface{ Fatal(...any) }, o Options) http.Handler {
	o.Allows, o.Log = func(id int64) bool { return id == 1 || id == 2 }, slog.New(slog.DiscardHandler)
	handler, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return handler
}

// A body is accepted if and only if it names 1 to 25 entities of an allowed
// project with options that go together; then exactly these are queued, once.
// Otherwise it is a problem, and nothing is left behind.
func FuzzStart(f *testing.F) {
	for _, body := range []string{
		`{"project_id":1,"issues":[7],"merge_requests":[12]}`, `{"project_id":2,"issues":[9,8],"no_embed":true}`, `{"project_id":1,"issues":[7],"dry_run":true}`,
		`{"project_id":1,"issues":[7],"dry_run":true,"preflight_only":true}`, `{"project_id":3,"issues":[7]}`, `{"project_id":1}`, `{"project_id":1,"issues":[7,7]}`,
		`{"project_id":1,"issues":[0]}`, `{"project_id":1.5,"issues":[7]}`, `{"project_id":1,"issues":[7],"no_docs":true}`, `{"project_id":1,"Issues":[7]}`,
		`{"project_id":1,"issues":[7]} {}`, `{"project_id":1,"issues":[7],"x":1}`, `[]`, `null`, `{`, ``, `{"project_id":"1","issues":"7"}`,
		`{"project_id":1,"issues":[1,2,3,4,5,6,7,8,9,10,11,12,13],"merge_requests":[1,2,3,4,5,6,7,8,9,10,11,12,13]}`,
	} {
		f.Add(body, "key-1", "application/json")
	}
	f.Add(`{"project_id":1,"issues":[7]}`, "clé", "application/json")
	f.Add(`{"project_id":1,"issues":[7]}`, "", "text/plain")
	clock := cloud.NewClock(time.Date(2026, time.May, 28, 7, 0, 0, 0, time.UTC))
	runs, queue := &changingLedger{}, &outbox{}
	empty, names := fakedynamodb.New()
	handler := handlerOver(f, Options{
		Runs: runs, Projects: runs, Passes: runs, Content: content.NewStore(empty.Client(), names.Content, clock.Now).ForReaders(nil, surgical.Exclude), Queue: queue, Clock: clock.Now, NewKey: func() string { return "made-up" },
	})
	f.Fuzz(func(t *testing.T, body, key, contentType string) {
		db, tables := fakedynamodb.New()
		runs.Ledger, queue.sent = ledger.New(db.Client(), tables, clock.Now), nil
		post := func() *httptest.ResponseRecorder {
			r := httptest.NewRequest(http.MethodPost, "/v1/sync-runs", strings.NewReader(body))
			r.Header.Set("Content-Type", contentType)
			if key != "" {
				r.Header.Set(keyHeader, key)
			}
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			return w
		}
		w := post()
		checkAnswer(t, w)
		rows := db.Items(tables.SyncRuns)
		if w.Code != http.StatusAccepted {
			if len(rows)+len(queue.sent) > 0 {
				t.Fatalf("status %d, and %d rows and %d messages", w.Code, len(rows), len(queue.sent))
			}
			return
		}
		if len(rows) != 1 || len(queue.sent) != 1 {
			t.Fatalf("accepted with %d rows and %d messages", len(rows), len(queue.sent))
		}
		req := queue.sent[0]
		targets, options := asked(t, body)
		if diff := cmp.Diff(targets, req.Targets); diff != "" || (req.ProjectID != 1 && req.ProjectID != 2) {
			t.Fatalf("project %d, targets (-named +queued):\n%s", req.ProjectID, diff)
		}
		if req.Options != options || options.DryRun {
			t.Fatalf("options %+v, named %+v", req.Options, options)
		}
		if got := w.Header().Get("Location"); got != "/v1/sync-runs/"+req.RunID {
			t.Fatalf("run %s is at %q", req.RunID, got)
		}
		if again := post(); again.Code != http.StatusAccepted || len(db.Items(tables.SyncRuns)) != 1 || queue.sent[1].RunID != req.RunID {
			t.Fatalf("the same again: %d %s", again.Code, again.Body)
		}
	})
}

// asked are the targets and options of a body, by the book.
func asked(t *testing.T, body string) ([]surgical.Target, surgical.Options) {
	t.Helper()
	var lists struct {
		surgical.Options
		Issues        []int64 `json:"issues"`
		MergeRequests []int64 `json:"merge_requests"`
	}
	if err := json.Unmarshal([]byte(body), &lists); err != nil {
		t.Fatalf("accepted although it is no JSON: %v", err)
	}
	var targets []surgical.Target
	for _, iid := range slices.Sorted(slices.Values(lists.Issues)) {
		targets = append(targets, surgical.Target{Type: surgical.Issue, IID: iid})
	}
	for _, iid := range slices.Sorted(slices.Values(lists.MergeRequests)) {
		targets = append(targets, surgical.Target{Type: surgical.MergeRequest, IID: iid})
	}
	return targets, lists.Options
}

// checkAnswer checks what holds for every answer.
func checkAnswer(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	if w.Code >= http.StatusInternalServerError {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	if w.Code < http.StatusBadRequest {
		if !json.Valid(w.Body.Bytes()) {
			t.Fatalf("status %d without JSON: %s", w.Code, w.Body)
		}
		return
	}
	var p problem.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Header().Get("Content-Type") != problem.ContentType {
		t.Fatalf("status %d is no problem: %v, %s", w.Code, err, w.Body)
	}
	if p.Status != w.Code || p.Code == "" || p.Action == "" || p.Detail == "" {
		t.Fatalf("an incomplete problem: %s", w.Body)
	}
}

// stored is the API over a store that holds and has indexed issue 7, whose change is in the
// feed.
func stored(f *testing.F) http.Handler {
	db, tables := fakedynamodb.New()
	w := cloud.NewWorld(f, db.Client(), tables)
	w.Webhook(fakegitlab.IssueRef(7))
	found := cloudsearch.New(f, w, func() surgical.Policy { return surgical.Include })
	changes := feed.NewStore(w.DB, tables.Feed, w.Clock.Now)
	consumer := &feed.Consumer{Store: changes, Clock: w.Clock.Now, Log: slog.New(slog.DiscardHandler)}
	_, err := consumer.Handle(f.Context(), json.RawMessage(`{"Records":[{"eventSource":"aws:dynamodb","dynamodb":{"Keys":{"pk":{"S":"P#1#issue#7"},"sk":{"S":"head"}}}}]}`))
	if err := errors.Join(err, found.Index(f.Context())); err != nil {
		f.Fatal(err)
	}
	return handlerOver(f, Options{
		Runs: w.Ledger, Projects: w.Ledger, Passes: w.Ledger, Standing: w.Ledger, Content: w.Content.ForReaders(w.Ledger.ProjectHiddenAt, surgical.Include), Eraser: w.Eraser, Feed: changes,
		Search: found.Find, Index: found.Manifests, Queue: &outbox{}, Clock: w.Clock.Now, NewKey: func() string { return "made-up" },
	})
}

// No path and no query breaks the API.
func FuzzRead(f *testing.F) {
	for _, target := range []string{
		"/v1/sync-runs", "/v1/sync-runs?project_id=1&status=succeeded&limit=1", "/v1/sync-runs?limit=0", "/v1/sync-runs?cursor=e30", "/v1/sync-runs?x=1",
		"/v1/sync-runs/w", "/v1/sync-runs/%2e%2e", "/v1/projects/1/issues/7", "/v1/projects/1/issues/7?limit=1", "/v1/projects/1/issues/7/documents?limit=2",
		"/v1/projects/1/issues/7/sync-runs", "/v1/projects/3/issues/7", "/v1/projects/1/merge_requests/99999999999999999999", "/v1//projects", "/openapi.json", "/healthz", "/%zz",
		"/v1/search", "/v1/search?q=reindex&limit=1", "/v1/search?q=%00%ff+NOT(*:*~2^3+%22state:opened+label:%22a+b%22+created:2026-05-01..2026-05-31+%E6%A4%9C%E7%B4%A2", "/v1/search?similar_to=1%237&project=1&state=opened&updated_before=0001-01-01T00:00:00Z",
		"/v1/search?q=x&cursor=e30", "/v1/search?q=x+updated:%3E%3D9999-12-31&created_after=2026-02-30", "/v1/search?q=x&author=%40a&label=%2C",
		"/v1/changes", "/v1/changes?since=e30&project=1", "/v1/changes?since=" + encodedPlace(f, changePlace{Of: changesList, Epoch: 1, Offset: 1, At: 1780000000000000}), "/v1/index", "/v1/status", "/v1/projects",
		"/v1/projects/1/issues?state=opened&label=a,b&author=a&assignee=b&milestone=c&order=created_asc&limit=100&fields=iid,title", "/v1/projects/1/issues?created_after=2026-05-01&created_before=2026-05-01T00:00:00%2B02:00&updated_after=0001-01-01&updated_before=0001-01-01T00:00:00Z",
		"/v1/projects/1/merge_requests?state=locked&cursor=e30", "/v1/projects/1/entities?after=issue%237", "/v1/projects/1/issues/7?include=documents&fields=documents", "/v1/projects/1/issues/7/why",
	} {
		f.Add(http.MethodGet, target)
	}
	f.Add(http.MethodPost, "/v1/sync-runs/w/cancel")
	f.Add("TRACE", "/v1/sync-runs")
	handler := stored(f)
	f.Fuzz(func(t *testing.T, method, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || !strings.HasPrefix(target, "/") || method == http.MethodHead {
			return // no server hands it on; HEAD has no body
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Method, r.URL, r.RequestURI = method, u, target
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		checkAnswer(t, w)
	})
}

// encodedPlace is the cursor of a place.
func encodedPlace(t testing.TB, place any) string {
	cursor, err := encodeCursor(place)
	if err != nil {
		t.Fatal(err)
	}
	return cursor
}

// A cursor of the right list leads to a page, however its place was forged.
func FuzzPlace(f *testing.F) {
	f.Add(int64(1780000000000000), "w", int64(1), 0, "entity", 1)
	f.Add(int64(1), "discussion#none", int64(1), 0, "", 1)
	f.Add(int64(-1), "\x00", int64(-1), -1, "discussion#", 100)
	f.Add(int64(1<<62), "~", int64(1<<62), 1<<40, "\U0010ffff", 50)
	f.Add(int64(1780000000000000), "0000000000000007", int64(1), 1, "1780000000000000#0000000000000007", 1)
	f.Add(int64(-1<<63), "9999999999999999", int64(1), surgical.MaxSearchDepth, "issue#7", 2)
	selectsAll := ListingInput{Order: "updated_desc"}.query("", search.Range{}, search.Range{})
	handler := stored(f)
	f.Fuzz(func(t *testing.T, at int64, runID string, revision int64, children int, document string, limit int) {
		for path, place := range map[string]any{
			"/v1/sync-runs?":                            listPlace{Of: listName("runs", 0, ""), At: at, RunID: runID},
			"/v1/sync-runs?project_id=1&":               listPlace{Of: listName("runs", 1, ""), At: at, RunID: runID},
			"/v1/projects/1/issues/7/sync-runs?":        listPlace{Of: listName("entity", 1, "issue#7"), At: at, RunID: runID},
			"/v1/projects/1/issues/7?":                  entityPlace{Entity: "1#issue#7", Revision: revision, Child: runID, Entries: children, Document: document},
			"/v1/projects/1/issues/7/documents?":        documentPlace{Of: listName("documents", 1, "issue#7"), Document: document},
			"/v1/projects/1/merge_requests/7?":          entityPlace{Entity: "1#merge_request#7", Revision: revision, Child: runID, Entries: children, Document: document},
			"/v1/projects/1/issues/8/documents?":        documentPlace{Of: listName("documents", 1, "issue#8"), Document: document},
			"/v1/sync-runs?project_id=1&status=failed&": listPlace{Of: listName("runs", 1, "failed"), At: at, RunID: runID},
			"/v1/search?q=reindex&":                     searchPlace{Of: "search " + search.Query{Text: "reindex"}.Fingerprint(), From: children},
			"/v1/projects/1/entities?":                  targetPlace{Of: listName("entities", 1, ""), After: document},
			"/v1/projects/1/issues?":                    listingPlace{Of: listName("issues", 1, selectsAll), After: document},
			"/v1/projects/1/issues?order=created_asc&":  listingPlace{Of: listName("issues", 1, ListingInput{Order: "created_asc"}.query("", search.Range{}, search.Range{})), After: runID},
		} {
			w := httptest.NewRecorder()
			query := url.Values{"cursor": {encodedPlace(t, place)}, "limit": {strconv.Itoa(limit)}}
			handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path+query.Encode(), nil))
			checkAnswer(t, w)
		}
		w := httptest.NewRecorder()
		since := url.Values{"since": {encodedPlace(t, changePlace{Of: changesList, Epoch: revision, Number: int64(children), Offset: int64(limit), At: at})}, "limit": {strconv.Itoa(limit)}}
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/changes?"+since.Encode(), nil))
		checkAnswer(t, w)
	})
}
