package console

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// second returns a point in time of the runs below, or the zero time for 0.
func second(n int) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Date(2026, 11, 2, 6, 0, n, 0, time.UTC)
}

// drawn returns the timeline as text, one line per step.
func drawn(t timeline) string {
	var lines []string
	for _, s := range t.Steps {
		line := s.Name + " –"
		if s.Reached {
			line = strings.Join([]string{s.Name, s.Tone, s.After, s.Took}, " ")
		}
		if s.Note != "" {
			line += " (" + s.Note + ")"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func run(status surgical.RunStatus, stage surgical.Stage, m surgical.Marks, change ...func(*surgical.Run)) surgical.Run {
	r := surgical.Run{
		Request: surgical.Request{RunID: "wabc7", ProjectID: 1, Origin: surgical.OriginWebhook, EventAt: second(10), Targets: []surgical.Target{issue(7).Target}},
		Status:  status, Stage: stage, CreatedAt: second(12), FirstClaimedAt: second(12), Attempt: 1, Marks: m,
	}
	if status.Terminal() {
		r.FinishedAt = second(30)
	}
	if !m.Committed.IsZero() {
		r.CommittedBy = 1
	}
	for _, f := range change {
		f(&r)
	}
	return r
}

func TestTimeline_ShowsHowARunSpentItsTime(t *testing.T) {
	all := surgical.Marks{
		PreflightStarted: second(12), IngestStarted: second(14), Committed: second(15),
		DocsStarted: second(17), DocsEnded: second(20), EmbedStarted: second(21), EmbedEnded: second(29),
	}
	for name, c := range map[string]struct {
		run  surgical.Run
		want string
	}{
		"succeeded": {run(surgical.StatusSucceeded, surgical.StageDone, all), `
Queue wait +0 ms 2.0 s (settle time and queue)
Preflight work +2.0 s 2.0 s
Ingest work +4.0 s 1.0 s
Handover wait +5.0 s 2.0 s (workflow start)
Docs work +7.0 s 3.0 s
Embed work +11.0 s 8.0 s`},
		"failed in embed": {run(surgical.StatusFailed, surgical.StageEmbed, func() surgical.Marks { m := all; m.EmbedEnded = time.Time{}; return m }()), `
Queue wait +0 ms 2.0 s (settle time and queue)
Preflight work +2.0 s 2.0 s
Ingest work +4.0 s 1.0 s
Handover wait +5.0 s 2.0 s (workflow start)
Docs work +7.0 s 3.0 s
Embed bad +11.0 s 9.0 s (failed here)`},
		"failed in preflight": {run(surgical.StatusFailed, surgical.StagePreflight, surgical.Marks{PreflightStarted: second(12)}), `
Queue wait +0 ms 2.0 s (settle time and queue)
Preflight bad +2.0 s 18.0 s (failed here)
Ingest – (not reached)
Docs – (not reached)
Embed – (not reached)`},
		"no changes": {run(surgical.StatusSucceeded, surgical.StageDone, surgical.Marks{
			PreflightStarted: second(12), IngestStarted: second(14), Committed: second(15)}), `
Queue wait +0 ms 2.0 s (settle time and queue)
Preflight work +2.0 s 2.0 s
Ingest work +4.0 s 1.0 s
Docs – (nothing to do)
Embed – (nothing to do)`},
		"queued": {run(surgical.StatusQueued, "", surgical.Marks{}, func(r *surgical.Run) { r.FirstClaimedAt, r.Attempt = time.Time{}, 0 }), `
Queue wait +0 ms 30.0 s (waiting for a worker)
Preflight – (pending)
Ingest – (pending)
Docs – (pending)
Embed – (pending)`},
		"running in preflight": {run(surgical.StatusRunning, surgical.StagePreflight, surgical.Marks{PreflightStarted: second(12)},
			func(r *surgical.Run) { r.LeaseUntil = second(50) }), `
Queue wait +0 ms 2.0 s (settle time and queue)
Preflight busy +2.0 s 28.0 s (so far)
Ingest – (pending)
Docs – (pending)
Embed – (pending)`},
		"waiting for another attempt": {run(surgical.StatusRunning, surgical.StagePreflight, surgical.Marks{PreflightStarted: second(12)},
			func(r *surgical.Run) { r.Error = surgical.NewError(surgical.CodeGitLabTimeout, "slow") }), `
Queue wait +0 ms 2.0 s (settle time and queue)
Preflight wait +2.0 s 28.0 s (waiting for the next attempt)
Ingest – (pending)
Docs – (pending)
Embed – (pending)`},
		"in its third attempt": {run(surgical.StatusRunning, surgical.StagePreflight, surgical.Marks{PreflightStarted: second(25), IngestStarted: second(14)},
			func(r *surgical.Run) { r.Attempt, r.LeaseUntil = 3, second(50) }), `
Queue wait +0 ms 2.0 s (settle time and queue)
Earlier attempts wait +2.0 s 13.0 s (2, including the waits in between)
Preflight busy +15.0 s 15.0 s (so far)
Ingest – (pending)
Docs – (pending)
Embed – (pending)`},
		"covered by another run": {run(surgical.StatusSucceeded, surgical.StageDone, surgical.Marks{PreflightStarted: second(12)},
			func(r *surgical.Run) { r.CoalescedWith = "wother" }), `
Queue wait +0 ms 2.0 s (settle time and queue)
Preflight – (not needed: another run's fetch covers the event)
Ingest – (nothing to do)
Docs – (nothing to do)
Embed – (nothing to do)`},
		"preflight only": {run(surgical.StatusSucceeded, surgical.StageDone, surgical.Marks{PreflightStarted: second(12)},
			func(r *surgical.Run) { r.Options.PreflightOnly = true }), `
Queue wait +0 ms 2.0 s (settle time and queue)
Preflight work +2.0 s 18.0 s
Ingest – (skipped (preflight_only))
Docs – (skipped (preflight_only))
Embed – (skipped (preflight_only))`},
		"cancelled in docs": {run(surgical.StatusCancelled, surgical.StageDocs, surgical.Marks{
			PreflightStarted: second(12), IngestStarted: second(14), Committed: second(15), DocsStarted: second(17)}), `
Queue wait +0 ms 2.0 s (settle time and queue)
Preflight work +2.0 s 2.0 s
Ingest work +4.0 s 1.0 s
Handover wait +5.0 s 2.0 s (workflow start)
Docs wait +7.0 s 13.0 s (cancelled here)
Embed – (not reached)`},
		"a drain": {run(surgical.StatusSucceeded, surgical.StageDone, surgical.Marks{
			PreflightStarted: second(12), Committed: second(13), DocsStarted: second(17), DocsEnded: second(20)},
			func(r *surgical.Run) { r.Origin = surgical.OriginDrain }), `
Queue wait +0 ms 2.0 s (settle time and queue)
Preflight – (not needed: completes what earlier runs left undone)
Ingest – (not needed: completes what earlier runs left undone)
Handover wait +3.0 s 4.0 s (workflow start)
Docs work +7.0 s 3.0 s
Embed – (nothing to do)`},
	} {
		f := frame{now: second(40), zone: time.UTC}
		if diff := cmp.Diff(strings.TrimSpace(c.want), drawn(f.timeline(c.run))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// For any row, even one that no run should have.
func TestTimeline_KeepsBarsWithinItsBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := func(name string) time.Time { return second(rapid.IntRange(0, 59).Draw(t, name)) }
		r := run(rapid.SampledFrom(surgical.RunStatuses()).Draw(t, "status"),
			rapid.SampledFrom([]surgical.Stage{"", surgical.StagePreflight, surgical.StageIngest, surgical.StageDocs, surgical.StageEmbed, surgical.StageDone}).Draw(t, "stage"),
			surgical.Marks{
				PreflightStarted: at("preflight"), IngestStarted: at("ingest"), Committed: at("committed"),
				DocsStarted: at("docs"), DocsEnded: at("docs ended"), EmbedStarted: at("embed"), EmbedEnded: at("embed ended"),
			})
		r.EventAt, r.CreatedAt, r.FirstClaimedAt = at("event"), second(rapid.IntRange(1, 59).Draw(t, "created")), at("claimed")
		r.Attempt = int64(rapid.IntRange(0, 3).Draw(t, "attempt"))
		f := frame{now: second(59), zone: time.UTC}
		for _, s := range f.timeline(r).Steps {
			if !s.Reached {
				continue
			}
			x, errX := strconv.ParseFloat(s.X, 64)
			width, errWidth := strconv.ParseFloat(s.Width, 64)
			if errX != nil || errWidth != nil || x < 0 || width <= 0 || x+width > 100.01 {
				t.Errorf("%s: from %s%%, %s%% wide", s.Name, s.X, s.Width)
			}
		}
	})
}
