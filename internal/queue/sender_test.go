package queue_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/awsapi"
	"gitlab.com/lorehook/lorehook/internal/queue"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

type fakeSQS struct {
	sent []*awsapi.SendMessageInput
	err  error
}

func (f *fakeSQS) SendMessage(_ context.Context, in *awsapi.SendMessageInput) (*awsapi.SendMessageOutput, error) {
	f.sent = append(f.sent, in)
	return &awsapi.SendMessageOutput{}, f.err
}

func request(key string, targets ...surgical.Target) surgical.Request {
	return surgical.Request{
		RunID: surgical.RunID(surgical.OriginWebhook, key), ProjectID: 1, Targets: targets, Origin: surgical.OriginWebhook,
		EventAt: time.Date(2026, time.May, 28, 7, 0, 0, 123456789, time.UTC), IdempotencyKey: key,
	}
}

var (
	issue7 = surgical.Target{Type: surgical.Issue, IID: 7}
	mr12   = surgical.Target{Type: surgical.MergeRequest, IID: 12}
)

func TestARequestComesBackAsItWasSent(t *testing.T) {
	longest := strings.Repeat("k", 128)
	tests := []struct {
		name         string
		request      surgical.Request
		group, dedup string
	}{
		{"one target: the entity is the group", request("key-1", issue7), "1#issue#7", surgical.RunID(surgical.OriginWebhook, "key-1")},
		{"several: the run is", request("key-2", issue7, mr12), surgical.RunID(surgical.OriginWebhook, "key-2"), surgical.RunID(surgical.OriginWebhook, "key-2")},
		{"the longest key", request(longest, mr12), "1#merge_request#12", surgical.RunID(surgical.OriginWebhook, longest)},
		{"a key that is too long", request(longest+"k", issue7), "1#issue#7", surgical.RunID(surgical.OriginWebhook, longest+"k")},
		{"a key with a space", request("a b", issue7), "1#issue#7", surgical.RunID(surgical.OriginWebhook, "a b")},
		{"a key beyond ASCII", request("clé", issue7), "1#issue#7", surgical.RunID(surgical.OriginWebhook, "clé")},
		{"no key", request("", issue7), "1#issue#7", surgical.RunID(surgical.OriginWebhook, "")},
		{"a hide request", request("key-1", issue7).HideRequest(), "hide#1#issue#7", surgical.RunID(surgical.OriginWebhook, "key-1") + ".hide"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			client := &fakeSQS{}
			if err := queue.NewSender(client, "https://queue.example.com/requests.fifo").Send(t.Context(), tt.request); err != nil {
				t.Fatal(err)
			}
			in := client.sent[0]
			if got := in.GroupID; got != tt.group || !queue.FitsID(got) {
				t.Errorf("group = %q, want %q", got, tt.group)
			}
			if got := in.DeduplicationID; got != tt.dedup || !queue.FitsID(got) {
				t.Errorf("deduplication id = %q, want %q", got, tt.dedup)
			}
			got, err := queue.Decode(in.Body)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.request, got); diff != "" {
				t.Errorf("request (-sent +decoded):\n%s", diff)
			}
		})
	}
}

// The run and the trace can be seen without reading a message's body, and the
// body does not repeat the trace.
func TestAMessageNamesItsRunAndItsTrace(t *testing.T) {
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for name, c := range map[string]struct {
		trace string
		want  map[string]string
	}{
		"with a trace": {parent, map[string]string{"run_id": request("key", issue7).RunID, "traceparent": parent}},
		"without":      {"", map[string]string{"run_id": request("key", issue7).RunID}},
	} {
		client := &fakeSQS{}
		r := request("key", issue7)
		r.TraceParent = c.trace
		if err := queue.NewSender(client, "q").Send(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for key, value := range client.sent[0].Attributes {
			if value.DataType != "String" {
				t.Errorf("%s: %s is a %s", name, key, value.DataType)
			}
			got[key] = value.StringValue
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: attributes (-want +got):\n%s", name, diff)
		}
		if strings.Contains(client.sent[0].Body, "4bf92f") {
			t.Errorf("%s: the body is %s", name, client.sent[0].Body)
		}
	}
}

func TestAQueueThatFailsIsUnavailable(t *testing.T) {
	err := queue.NewSender(&fakeSQS{err: errors.New("throttled")}, "q").Send(t.Context(), request("key", issue7))
	if e := surgical.AsError(err); e.Code != surgical.CodeQueueUnavailable || !e.Retryable {
		t.Errorf("error = %v, want a retryable queue_unavailable", err)
	}
}

// What SQS would refuse is not accepted from a queue either: its run could never
// wait, be postponed or be retried.
func TestAnInvalidRequestIsNeitherSentNorDecoded(t *testing.T) {
	longRun := request("key", issue7, mr12)
	longRun.RunID = strings.Repeat("r", 129)
	spaced := request("key", issue7)
	spaced.RunID = "a b"
	for _, r := range []surgical.Request{{}, request("key"), longRun, spaced} {
		body, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := queue.Decode(string(body)); surgical.CodeOf(err) != surgical.CodeInvalidRequest {
			t.Errorf("decoding %s: error = %v, want invalid_request", body, err)
		}
		client := &fakeSQS{}
		if err := queue.NewSender(client, "q").Send(t.Context(), r); surgical.CodeOf(err) != surgical.CodeInvalidRequest {
			t.Errorf("error = %v, want invalid_request", err)
		}
		if len(client.sent) > 0 {
			t.Error("it was sent")
		}
	}
}

// Messages outlive a deployment by two weeks, and a rollback reads those of the
// newer version: the form of the body changes for nobody.
func TestMessages_KeepTheFormOfEarlierVersions(t *testing.T) {
	at := time.Date(2026, 5, 28, 7, 0, 0, 123456000, time.UTC)
	for body, want := range map[string]surgical.Request{
		`{"run_id":"w1","project_id":1,"targets":[{"type":"issue","iid":7}],"origin":"webhook","event_at":"2026-05-28T07:00:00.123456Z","idempotency_key":"k"}`: {
			RunID: "w1", ProjectID: 1, Targets: []surgical.Target{{Type: surgical.Issue, IID: 7}}, Origin: surgical.OriginWebhook, EventAt: at, IdempotencyKey: "k",
		},
		`{"run_id":"r1","project_id":1,"targets":[{"type":"issue","iid":7},{"type":"merge_request","iid":12}],"options":{"preflight_only":true,"no_docs":true,"no_embed":true},"origin":"retry","event_at":"2026-05-28T07:00:00.123456Z","retry_of":"m0"}`: {
			RunID: "r1", ProjectID: 1, Targets: []surgical.Target{{Type: surgical.Issue, IID: 7}, {Type: surgical.MergeRequest, IID: 12}},
			Options: surgical.Options{PreflightOnly: true, NoDocs: true, NoEmbed: true}, Origin: surgical.OriginRetry, EventAt: at, RetryOf: "m0",
		},
	} {
		got, err := queue.Decode(body)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +decoded):\n%s", body, err, diff)
		}
		client := &fakeSQS{}
		if err := queue.NewSender(client, "q").Send(t.Context(), want); err != nil {
			t.Fatal(err)
		}
		if sent := client.sent[0].Body; sent != body {
			t.Errorf("sent as %s\nwant    %s", sent, body)
		}
	}
}
