package cli_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

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
		for _, args := range [][]string{{"changes", "--limit", "0"}, {"changes", "--follow"}} {
			if e, got := s.robot(args...); e.code() != surgical.CodeInvalidRequest {
				t.Errorf("%v: %s", args, got.out)
			}
		}
	})
}
