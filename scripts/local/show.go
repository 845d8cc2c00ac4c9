package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/internal/duration"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// showRun prints a finished run; took is the time since its event was sent.
func (t *terminal) showRun(label string, r runView, took time.Duration) {
	status := string(r.Status)
	if r.skippedStale() {
		status += ", skipped_stale"
	}
	if r.CoalescedWith != "" {
		status += ", coalesced with " + r.CoalescedWith
	}
	if r.Status == surgical.StatusSucceeded {
		status = t.good.Sprint(status)
	} else {
		status = t.bad.Sprint(status)
	}
	t.row(label, r.RunID+"  "+status+t.faint.Sprintf("  after %s", duration.Text(took)))
	if r.Error != nil {
		t.row("error", t.bad.Sprintf("%s: %s (%s)", r.Error.Code, r.Error.Message, r.Error.Action))
	}
	if stages := r.timings(); stages != "" {
		t.row("stages", stages)
	}
}

// showPass prints a backfill or reconcile that has ended.
func (t *terminal) showPass(label string, status surgical.RunStatus, took time.Duration, counts string) {
	outcome := t.good
	if status != surgical.StatusSucceeded {
		outcome = t.bad
	}
	t.row(label, outcome.Sprint(status)+t.faint.Sprintf("  after %s", duration.Text(took)))
	t.row("", counts)
}

// skippedStale reports whether a target was skipped because a newer fetch is stored.
func (r runView) skippedStale() bool {
	for _, e := range r.Entities {
		if e.Status == surgical.EntitySkippedStale {
			return true
		}
	}
	return false
}

// timings lists the stages in order, with the time each took.
func (r runView) timings() string {
	var parts []string
	for _, stage := range []string{"preflight", "ingest", "docs", "embed"} {
		if ms, ok := r.TimingsMS[stage]; ok {
			parts = append(parts, stage+" "+duration.Text(time.Duration(ms*float64(time.Millisecond))))
		}
	}
	return strings.Join(parts, " · ")
}

// showEntity prints the stored copy.
func (t *terminal) showEntity(e entityView) {
	documents, embedded, chunks := e.documents()
	t.row("store", fmt.Sprintf("“%s”, %s", e.Title, e.State))
	t.row("", strings.Join([]string{
		count(len(e.Discussions), "discussion"), count(e.events(), "event"),
		count(documents, "document"), count(chunks, "embedding"),
	}, " · ")+missing(documents-embedded))
}

func missing(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" (%s without embeddings)", count(n, "document"))
}

func (e entityView) events() int {
	n := 0
	for _, list := range e.Events {
		n += len(list)
	}
	return n
}

// documents counts all documents, those with embeddings, and the embeddings.
func (e entityView) documents() (all, embedded, chunks int) {
	for _, d := range e.Documents {
		if d.Embedded {
			embedded++
			chunks += d.Chunks
		}
	}
	return len(e.Documents), embedded, chunks
}

// withoutEmbeddings returns the ids of documents that have no embeddings.
func (e entityView) withoutEmbeddings() []string {
	var ids []string
	for _, d := range e.Documents {
		if !d.Embedded {
			ids = append(ids, d.ID)
		}
	}
	return slices.Clip(ids)
}

// shows reports whether a discussion contains the text.
func (e entityView) shows(text string) bool {
	return slices.ContainsFunc(e.Discussions, func(d json.RawMessage) bool { return bytes.Contains(d, []byte(text)) })
}
