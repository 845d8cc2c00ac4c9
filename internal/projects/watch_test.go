package projects_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/function/metrics"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/projects"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakedynamodb "gitlab.com/lorehook/lorehook/test/fake/dynamodb"
	"gitlab.com/lorehook/lorehook/test/metricstest"
)

var begin = time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC)

// world is a watch over project 1 on the in-memory DynamoDB.
type world struct {
	*testing.T
	*projects.Watch
	now       time.Time
	backfills int
	// resumed are the times since which the project was unseen when Resume was called.
	resumed []time.Time
	// failing fails the calls that it is true for.
	failing      func(input any) bool
	log, metrics bytes.Buffer
}

var errBroken = errors.New("broken")

func newWorld(t *testing.T) *world {
	w := &world{T: t, now: begin, failing: func(any) bool { return false }}
	db, tables := fakedynamodb.New()
	client := db.Around(func(_ context.Context, input any, send func() (any, error)) (any, error) {
		if w.failing(input) {
			return nil, errBroken
		}
		return send()
	})
	clock := func() time.Time { return w.now }
	w.Watch = &projects.Watch{
		Ledger: ledger.New(client, tables, clock), Clock: clock, HideAfter: 24 * time.Hour,
		Backfill: func(_ context.Context, projectID int64) error {
			if projectID != 1 {
				t.Errorf("a backfill of project %d", projectID)
			}
			w.backfills++
			return nil
		},
		Resume: func(_ context.Context, p surgical.Project) error {
			w.resumed = append(w.resumed, p.UnseenSince)
			return nil
		},
		Log: slog.New(slog.NewTextHandler(&w.log, nil)), Meter: metrics.New(&w.metrics, "lorehook", clock),
	}
	return w
}

func (w *world) project() surgical.Project {
	w.Helper()
	p, err := w.Ledger.Project(w.Context(), 1)
	if err != nil {
		w.Fatal(err)
	}
	return p
}

// answer records what GitLab answered after some time.
func (w *world) answer(after time.Duration, path string, refused error) error {
	w.Helper()
	w.now = w.now.Add(after)
	return w.Record(w.Context(), w.project(), projects.Answer{Path: path, AskedAt: w.now.Add(-time.Second), Err: refused})
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

var lost = surgical.NewError(surgical.CodeGitLabNotFound, "404")

func TestRecord_HidesAfterADayAndRestoresWhenTheProjectIsBack(t *testing.T) {
	w := newWorld(t)
	w.must(w.answer(0, "group/project", nil))
	w.must(w.answer(time.Hour, "", lost))
	since := w.now
	w.must(w.answer(23*time.Hour, "", surgical.NewError(surgical.CodeGitLabUnauthorized, "401")))
	w.must(w.answer(time.Minute, "", surgical.NewError(surgical.CodeGitLabUnavailable, "502")))
	want := surgical.Project{ID: 1, Known: true, Path: "group/project", PathAt: begin.Add(-time.Second), UnseenSince: since}
	if diff := cmp.Diff(want, w.project()); diff != "" {
		t.Errorf("after less than a day (-want +got):\n%s", diff)
	}
	w.must(w.answer(time.Hour, "", lost))
	want.HiddenAt = w.now
	w.must(w.answer(time.Hour, "", lost)) // it stays hidden at the same time
	if diff := cmp.Diff(want, w.project()); diff != "" || w.backfills != 0 {
		t.Errorf("after a day: %d backfills (-want +got):\n%s", w.backfills, diff)
	}
	w.must(w.answer(time.Hour, "moved/project", nil))
	want.UnseenSince, want.Path, want.PathAt = time.Time{}, "moved/project", w.now.Add(-time.Second)
	if diff := cmp.Diff(want, w.project()); diff != "" || w.backfills != 1 {
		t.Errorf("back: %d backfills (-want +got):\n%s", w.backfills, diff)
	}
	w.must(w.answer(time.Minute, "moved/project", nil))
	if w.backfills != 1 {
		t.Errorf("%d backfills after it was restored", w.backfills)
	}
	for line, n := range map[string]int{"project_unseen ": 1, "project_hidden ": 1, "project_seen_again ": 1} {
		if got := strings.Count(w.log.String(), "msg="+line); got != n {
			t.Errorf("%s was logged %d times, want %d:\n%s", line, got, n, &w.log)
		}
	}
	counted := 0
	for line := range bytes.Lines(w.metrics.Bytes()) {
		data, err := metricstest.Read(line)
		w.must(err)
		for _, d := range data {
			if d.Name == metrics.ProjectsUnseen().Name {
				counted += int(d.Values[0])
			}
		}
	}
	if counted != 4 {
		t.Errorf("%d answers were counted that did not show the project, want 4", counted)
	}
}

func TestRecord_OfAProjectThatIsBackWithinADayResumesTheLastBackfill(t *testing.T) {
	w := newWorld(t)
	w.must(w.answer(0, "", lost))
	since, resume := w.now, w.Resume
	w.Resume = func(context.Context, surgical.Project) error { return errBroken }
	if err := w.answer(30*time.Minute, "group/project", nil); !errors.Is(err, errBroken) || w.project().UnseenSince.IsZero() {
		t.Errorf("a backfill that did not go on: %v", err)
	}
	w.Resume = resume
	w.must(w.answer(30*time.Minute, "group/project", nil))
	w.must(w.answer(time.Minute, "group/project", nil))
	if p := w.project(); w.backfills != 0 || !p.UnseenSince.IsZero() || !p.HiddenAt.IsZero() || len(w.resumed) != 1 || !w.resumed[0].Equal(since) {
		t.Errorf("%d backfills of %+v, resumed %v", w.backfills, p, w.resumed)
	}
	w.must(w.answer(23*time.Hour+59*time.Minute, "", lost)) // the day begins anew
	if p := w.project(); !p.HiddenAt.IsZero() {
		t.Errorf("hidden: %+v", p)
	}
}

// Whatever call fails, the next answer carries on: nothing stays visible, and nothing
// stays hidden.
func TestRecord_GoesOnAfterAnyFailure(t *testing.T) {
	for name, failing := range map[string]func(any) bool{
		"transactions": func(input any) bool { _, ok := input.(*dynamodb.TransactWriteItemsInput); return ok },
		"updates":      func(input any) bool { _, ok := input.(*dynamodb.UpdateItemInput); return ok },
	} {
		w := newWorld(t)
		failed := 0
		each := func(after time.Duration, path string, refused error) {
			t.Helper()
			w.failing = failing
			if err := w.answer(after, path, refused); errors.Is(err, errBroken) {
				failed++
			} else if err != nil {
				t.Errorf("%s fail: %v", name, err)
			}
			w.failing = func(any) bool { return false }
			w.must(w.answer(0, path, refused))
		}
		each(0, "group/project", nil)
		each(time.Hour, "", lost)
		each(24*time.Hour, "", lost)
		if p := w.project(); !p.HiddenAt.Equal(w.now) || p.UnseenSince.IsZero() {
			t.Errorf("%s fail: after a day %+v", name, p)
		}
		each(time.Hour, "group/renamed", nil)
		if p := w.project(); !p.UnseenSince.IsZero() || p.Path != "group/renamed" || w.backfills == 0 {
			t.Errorf("%s fail: back as %+v with %d backfills", name, p, w.backfills)
		}
		if failed == 0 {
			t.Errorf("%s: none failed", name)
		}
	}
	w := newWorld(t)
	w.must(w.answer(0, "", lost))
	w.must(w.answer(24*time.Hour, "", lost))
	backfill := w.Backfill
	w.Backfill = func(context.Context, int64) error { return errBroken }
	if err := w.answer(time.Hour, "group/project", nil); !errors.Is(err, errBroken) {
		t.Errorf("a backfill that was not requested: %v", err)
	}
	w.Backfill = backfill
	w.must(w.answer(time.Hour, "group/project", nil))
	if w.backfills != 1 {
		t.Errorf("%d backfills", w.backfills)
	}
}

func TestRecord_IgnoresWhatCannotBeAPath(t *testing.T) {
	w := newWorld(t)
	w.must(w.answer(0, "", lost))
	w.must(w.answer(time.Hour, "not a path", nil))
	if p := w.project(); p.Path != "" || !p.UnseenSince.IsZero() {
		t.Errorf("recorded as %+v", p)
	}
}
