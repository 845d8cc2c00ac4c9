package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/worker"
)

// lanes is a worker whose verdicts the test specifies, and a queue that records
// its calls.
type lanes struct {
	verdicts map[string][]worker.Verdict // by run id, one after the other; then Done

	mu        sync.Mutex
	processed []string // run ids, with " isolated" behind those that were
	messages  map[string]worker.Message
	delays    map[string]int32
	dead      []string
	away      bool
}

func (l *lanes) process(_ context.Context, msg worker.Message, isolated bool) worker.Verdict {
	l.mu.Lock()
	defer l.mu.Unlock()
	name := msg.RunID
	if isolated {
		name += " isolated"
	}
	l.processed = append(l.processed, name)
	l.messages[msg.RunID] = msg
	if next := l.verdicts[msg.RunID]; len(next) > 0 {
		l.verdicts[msg.RunID] = next[1:]
		return next[0]
	}
	return worker.Done{}
}

func (l *lanes) Delay(_ context.Context, record events.SQSMessage, seconds int32) error {
	l.delays[record.MessageId] = seconds
	return nil
}

func (l *lanes) DeadLetter(_ context.Context, record events.SQSMessage) error {
	if l.away {
		return errors.New("away")
	}
	l.dead = append(l.dead, record.MessageId)
	return nil
}

// handle processes one batch and returns the messages that are not done.
func (l *lanes) handle(t *testing.T, records ...events.SQSMessage) []string {
	t.Helper()
	l.messages, l.delays = map[string]worker.Message{}, map[string]int32{}
	batch := &worker.Batch{Process: l.process, Queue: l, Clock: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler)}
	response, err := batch.Handle(t.Context(), events.SQSEvent{Records: records})
	if err != nil || response.BatchItemFailures == nil {
		t.Fatalf("response %+v, error %v", response, err)
	}
	left := []string{}
	for _, failure := range response.BatchItemFailures {
		left = append(left, failure.ItemIdentifier)
	}
	slices.Sort(left)
	return left
}

// message is one of a group, whose event was received so long ago.
func message(runID, group string, age time.Duration) events.SQSMessage {
	body, _ := json.Marshal(surgical.Request{ // always encodes
		RunID: runID, ProjectID: 1, Targets: []surgical.Target{{Type: surgical.Issue, IID: 7}}, Origin: surgical.OriginWebhook, EventAt: now.Add(-age),
	})
	return events.SQSMessage{MessageId: runID, Body: string(body), Attributes: map[string]string{"MessageGroupId": group}}
}

func TestHandle_HoldsBackAGroupBehindAMessageThatWaits(t *testing.T) {
	l := &lanes{verdicts: map[string][]worker.Verdict{"a2": {worker.Wait{After: 90 * time.Second}}}}
	left := l.handle(t, message("a1", "a", 0), message("b1", "b", 0), message("a2", "a", 0), message("a3", "a", 0), message("b2", "b", 0))
	if diff := cmp.Diff([]string{"a2", "a3"}, left); diff != "" {
		t.Errorf("not done (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int32{"a2": 90, "a3": 90}, l.delays); diff != "" {
		t.Errorf("delays (-want +got):\n%s", diff)
	}
	slices.Sort(l.processed)
	if diff := cmp.Diff([]string{"a1", "a2", "b1", "b2"}, l.processed); diff != "" {
		t.Errorf("processed (-want +got):\n%s", diff)
	}
}

// The first message brings the fetch for all events of its group in the batch.
func TestHandle_LetsOneFetchCoverEveryEventOfItsGroup(t *testing.T) {
	l := &lanes{}
	l.handle(t, message("a1", "a", time.Minute), message("a2", "a", time.Second), message("b1", "b", time.Hour))
	settled := now.Add(-time.Second).Add(surgical.Settle + time.Microsecond)
	for id, want := range map[string]struct {
		notBefore time.Time
		shares    bool
	}{
		"a1": {settled, false}, "a2": {settled, true},
		"b1": {now.Add(-time.Hour).Add(surgical.Settle + time.Microsecond), false},
	} {
		if got := l.messages[id]; !got.NotBefore.Equal(want.notBefore) || got.SharesFetch != want.shares {
			t.Errorf("%s: not before %s, shares %t; want %s, %t", id, got.NotBefore, got.SharesFetch, want.notBefore, want.shares)
		}
	}
}

func TestHandle_SharesTheEvidenceOfAGroup(t *testing.T) {
	with := func(id, group string, e surgical.Evidence) events.SQSMessage {
		m := message(id, group, 0)
		body := strings.Replace(m.Body, `"run_id"`, `"evidence":EVIDENCE,"run_id"`, 1)
		raw, _ := json.Marshal(e) // always encodes
		m.Body = strings.Replace(body, "EVIDENCE", string(raw), 1)
		return m
	}
	l := &lanes{}
	l.handle(t, with("a1", "a", surgical.Evidence{UpdatedAt: now, NoteID: 70}), with("a2", "a", surgical.Evidence{NoteID: 71, Confidential: true}), with("b1", "b", surgical.Evidence{NoteID: 72}))
	shared := surgical.Evidence{UpdatedAt: now, NoteID: 71, Confidential: true}
	for id, want := range map[string]surgical.Evidence{"a1": shared, "a2": shared, "b1": {NoteID: 72}} {
		if diff := cmp.Diff(want, l.messages[id].Evidence); diff != "" {
			t.Errorf("%s (-want +got):\n%s", id, diff)
		}
	}
}

func TestHandle_IsolatesRunsOneByOneFewestDeathsFirst(t *testing.T) {
	l := &lanes{verdicts: map[string][]worker.Verdict{
		"a1": {worker.Isolate{Deaths: 3}}, "b1": {worker.Isolate{Deaths: 1}, worker.Wait{After: time.Second}}, "c1": {worker.Isolate{Deaths: 2}},
	}}
	left := l.handle(t, message("a1", "a", 0), message("b1", "b", 0), message("b2", "b", 0), message("c1", "c", 0), message("d1", "d", 0))
	if diff := cmp.Diff([]string{"b1", "b2"}, left); diff != "" {
		t.Errorf("not done (-want +got):\n%s", diff)
	}
	first := l.processed[:4]
	slices.Sort(first)
	if diff := cmp.Diff([]string{"a1", "b1", "c1", "d1", "b1 isolated", "c1 isolated", "a1 isolated"}, l.processed); diff != "" {
		t.Errorf("processed (-want +got):\n%s", diff)
	}
}

func TestHandle_KeepsAMessageUntilItIsAmongTheDeadLetters(t *testing.T) {
	garbage := message("a1", "a", 0)
	garbage.Body = "{"
	lost := map[string][]worker.Verdict{"b1": {worker.DeadLetter{}}}
	l := &lanes{away: true, verdicts: lost}
	if diff := cmp.Diff([]string{"a1", "a2", "b1"}, l.handle(t, garbage, message("a2", "a", 0), message("b1", "b", 0))); diff != "" {
		t.Errorf("not done while the dead letters are out of reach (-want +got):\n%s", diff)
	}
	l = &lanes{verdicts: map[string][]worker.Verdict{"b1": {worker.DeadLetter{}}}}
	if diff := cmp.Diff([]string{}, l.handle(t, garbage, message("a2", "a", 0), message("b1", "b", 0))); diff != "" {
		t.Errorf("not done (-want +got):\n%s", diff)
	}
	slices.Sort(l.dead)
	if diff := cmp.Diff([]string{"a1", "b1"}, l.dead); diff != "" {
		t.Errorf("dead letters (-want +got):\n%s", diff)
	}
}

func TestHandle_DelaysWithinWhatSQSAllows(t *testing.T) {
	for after, want := range map[time.Duration]int32{0: 1, 1500 * time.Millisecond: 2, 24 * time.Hour: 12*60*60 - 10*60} {
		l := &lanes{verdicts: map[string][]worker.Verdict{"a1": {worker.Wait{After: after}}}}
		l.handle(t, message("a1", "a", 0))
		if got := l.delays["a1"]; got != want {
			t.Errorf("%s: hidden for %d s, want %d", after, got, want)
		}
	}
}
