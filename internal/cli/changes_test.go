package cli_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/feed"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// changed lets the stream say that the heads of these issues of project 1 changed.
func (s *stack) changed(iids ...int64) {
	s.t.Helper()
	var records []string
	for _, iid := range iids {
		records = append(records, fmt.Sprintf(`{"eventSource":"aws:dynamodb","dynamodb":{"Keys":{"pk":{"S":"P#1#issue#%d"},"sk":{"S":"head"}}}}`, iid))
	}
	consumer := &feed.Consumer{Store: feed.NewStore(s.DB, s.Tables.Feed, s.World.Clock.Now), Clock: s.World.Clock.Now, Log: slog.New(slog.DiscardHandler)}
	if _, err := consumer.Handle(context.Background(), json.RawMessage(`{"Records":[`+strings.Join(records, ",")+`]}`)); err != nil {
		s.t.Fatal(err)
	}
}

func TestChanges_ListsAndFollows(t *testing.T) {
	inStack(t, func(t *testing.T, s *stack) {
		s.changed()
		begun := s.run("changes")
		_, place, found := strings.Cut(strings.TrimSpace(begun.out), "--since ")
		if !found || begun.exit != 0 {
			t.Fatalf("%+v", begun)
		}
		s.run("sync", "1#7", "--wait")
		s.changed(7, 4711)
		if got := s.run("changes", "--since", place); !strings.Contains(got.out, "project 1 issue#7") || !strings.Contains(got.out, "opened") || !strings.Contains(got.out, "gone") {
			t.Errorf("%s%s", got.out, got.errors)
		}
		e, _ := s.robot("changes", "--since", place, "--json", "gone,entity")
		var selected struct {
			Changes []map[string]any
			Next    string
			More    bool
		}
		if err := json.Unmarshal(e.Data, &selected); err != nil || len(selected.Changes) != 2 || len(selected.Changes[1]) != 5 || selected.Changes[0]["next"] != place || selected.Changes[1]["next"] != selected.Next {
			t.Errorf("%v: %s", err, e.Data)
		}
		// While it follows, something changes; then it is interrupted.
		ctx, cancel := context.WithCancel(t.Context())
		looks := 0
		s.paused = func(context.Context) {
			if looks++; looks == 1 {
				s.changed(9)
				return
			}
			cancel()
		}
		if got := s.runContext(ctx, "changes", "--follow", "--limit", "1", "--since", place); got.exit != 130 || strings.Count(got.out, "project 1 issue#") != 3 || !strings.Contains(got.out, "issue#9") {
			t.Errorf("followed, exit %d:\n%s%s", got.exit, got.out, got.errors)
		}
		s.paused = s.work
		s.run("projects", "hide", "-p", "1")
		if e, got := s.robot("changes", "--since", place); e.code() != surgical.CodeFeedRestarted || got.exit != 47 {
			t.Errorf("%s", got.out)
		}
		for _, args := range [][]string{{"changes", "--limit", "0"}, {"changes", "--follow"}, {"changes", "--json", "title"}, {"changes", "--json", ""}} {
			if e, got := s.robot(args...); e.code() != surgical.CodeInvalidRequest {
				t.Errorf("%v: %s", args, got.out)
			}
		}
	})
}

// flaky serves a change feed in which each change has a page of its own. Before each
// page, as many requests fail as failing says: with a 503, a 500, or without an answer.
func flaky(t *testing.T, failing []int) (string, func() int) {
	t.Helper()
	requests, page, failed := 0, 0, 0
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests++
		w.Header().Set("Connection", "close") // or the transport would try again by itself
		if since := r.URL.Query().Get("since"); since != fmt.Sprintf("place-%d", page) {
			t.Errorf("request %d begins at %q", requests, since)
		}
		if failed < failing[min(page, len(failing)-1)] {
			failed++
			switch failed % 3 {
			case 1:
				w.WriteHeader(http.StatusServiceUnavailable)
			case 2:
				w.WriteHeader(http.StatusInternalServerError)
				_, _ = io.WriteString(w, `{"code":"internal","status":500,"detail":"a bug","action":"contact_operator"}`)
			default:
				panic(http.ErrAbortHandler)
			}
			return
		}
		failed = 0
		page++
		_ = json.NewEncoder(w).Encode(map[string]any{
			"changes": []any{map[string]any{"project_id": 1, "type": "issue", "iid": page, "changed_at": "2026-11-02T06:00:00Z", "gone": false, "entity": map[string]any{"state": "opened", "title": strings.Repeat("A long title. ", 10)}}},
			"next":    fmt.Sprintf("place-%d", page), "more": page == 1,
		})
	}))
	api.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(api.Close)
	return api.URL, func() int { return page }
}

func TestChanges_FollowsThroughFailuresOfTheAPI(t *testing.T) {
	url, pages := flaky(t, []int{0, 3, 0, 2, 0})
	p := newProgram(t)
	p.env["LOREHOOK_API_URL"], p.env["NO_COLOR"] = url, "1"
	ctx, interrupt := context.WithCancel(t.Context())
	p.paused = func(context.Context) {
		if pages() == 5 {
			interrupt()
		}
	}
	begun := p.clock
	got := p.runContext(ctx, "changes", "--follow", "--since", "place-0", "--json", "gone")
	if got.exit != 130 || strings.Count(got.errors, "trying again for up to 30 minutes") != 2 || strings.Count(got.errors, "the API answers again") != 2 {
		t.Errorf("exit %d:\n%s", got.exit, got.errors)
	}
	want := ""
	for i := 1; i <= 5; i++ {
		want += fmt.Sprintf(`{"gone":false,"iid":%d,"next":"place-%d","project_id":1,"type":"issue"}`+"\n", i, i)
	}
	if diff := cmp.Diff(want, got.out); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// Three failures, two more, and the pauses where nothing was left to read.
	if waited := p.clock.Sub(begun); waited != (5+10+20)*time.Second+(5+10)*time.Second+4*5*time.Second {
		t.Errorf("it waited for %s", waited)
	}
}

func TestChanges_EndsWhenTheAPIFailsForTooLong(t *testing.T) {
	url, _ := flaky(t, []int{0, 1_000_000})
	p := newProgram(t)
	p.env["LOREHOOK_API_URL"] = url
	begun := p.clock
	got := p.run("changes", "--follow", "--since", "place-0")
	if waited := p.clock.Sub(begun); got.exit == 0 || waited < 30*time.Minute || waited > 32*time.Minute || !strings.Contains(got.errors, "api_unavailable") {
		t.Errorf("exit %d after %s:\n%s", got.exit, waited, got.errors)
	}
}

func TestChanges_FitsATerminal(t *testing.T) {
	for _, args := range [][]string{{"changes", "--since", "place-0"}, {"changes", "--since", "place-0", "--follow"}} {
		url, pages := flaky(t, []int{0})
		p := newProgram(t)
		p.env["LOREHOOK_API_URL"], p.env["NO_COLOR"], p.terminal = url, "1", true
		p.clock = p.clock.Add(3 * time.Minute)
		ctx, interrupt := context.WithCancel(t.Context())
		p.paused = func(context.Context) {
			if pages() == 2 {
				interrupt()
			}
		}
		got := p.runContext(ctx, args...)
		for _, line := range strings.Split(got.out, "\n") {
			if strings.Contains(line, "A long") && (utf8.RuneCountInString(line) != 80 || strings.Contains(line, "3 min ago") == (len(args) > 3)) {
				t.Errorf("%v: %d columns: %s", args, utf8.RuneCountInString(line), line)
			}
		}
		if !strings.Contains(got.out, "A long") {
			t.Errorf("%v: %+v", args, got)
		}
	}
}
