package queue_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/queue"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// A decoded request is valid, survives encoding and decoding, and can be sent: the
// message decodes to it and has ids that SQS accepts. A body that does not decode
// is invalid_request.
func FuzzDecode(f *testing.F) {
	for _, body := range []string{
		"", "null", "[]", `{"run_id":7}`,
		`{"run_id":"w1","project_id":1,"targets":[{"type":"issue","iid":7}],"origin":"webhook","event_at":"2026-05-28T07:00:00Z"}`,
		`{"run_id":"m1","project_id":1,"targets":[{"type":"issue","iid":7},{"type":"merge_request","iid":12}],"options":{"no_embed":true},"origin":"manual","event_at":"2026-05-28T07:00:00.123456789+02:00","idempotency_key":"k","retry_of":"m0"}`,
		`{"run_id":"a b","project_id":1,"targets":[{"type":"issue","iid":7},{"type":"issue","iid":8}],"origin":"drain","event_at":"9999-12-31T23:59:59-23:59"}`,
		`{"run_id":"a b","project_id":1,"targets":[{"type":"issue","iid":7}],"origin":"webhook","event_at":"2026-05-28T07:00:00Z"}`,
		`{"run_id":"w1","project_id":1,"targets":[{"type":"issue","iid":7}],"options":{"dry_run":true},"origin":"manual","event_at":"2026-05-28T07:00:00Z"}`,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		r, err := queue.Decode(body)
		if err != nil {
			if surgical.CodeOf(err) != surgical.CodeInvalidRequest {
				t.Errorf("error = %v, want invalid_request", err)
			}
			return
		}
		if err := r.Validate(); err != nil || r.Options.DryRun {
			t.Fatalf("what was decoded is not valid: %+v, %v", r, err)
		}
		encoded, err := json.Marshal(r)
		if err != nil {
			t.Fatalf("what was decoded cannot be encoded: %v", err)
		}
		same(t, r, string(encoded))
		client := &fakeSQS{}
		if err := queue.NewSender(client, "q").Send(t.Context(), r); err != nil {
			t.Fatalf("not sent: %v", err)
		}
		in := client.sent[0]
		same(t, r, in.Body)
		if !queue.FitsID(in.GroupID) || !queue.FitsID(in.DeduplicationID) {
			t.Fatalf("SQS would refuse the group %q or the id %q", in.GroupID, in.DeduplicationID)
		}
	})
}

func same(t *testing.T, want surgical.Request, body string) {
	t.Helper()
	got, err := queue.Decode(body)
	if err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("request (-encoded +decoded):\n%s", diff)
	}
}

// Every valid request survives the queue.
func FuzzEncode(f *testing.F) {
	f.Add("w1", int64(1), int64(7), int64(12), uint8(0), "webhook", int64(1779951600), int64(123456789), "key-1", "")
	f.Add("m1", int64(1), int64(7), int64(0), uint8(4), "manual", int64(253402300799), int64(0), "", "m0")
	f.Add("d\xff", int64(1), int64(1<<62), int64(1), uint8(3), "drain", int64(-62135596800), int64(1), "a b", "é")
	f.Fuzz(func(t *testing.T, runID string, project, issue, mr int64, options uint8, origin string, seconds, nanos int64, key, retryOf string) {
		r := surgical.Request{
			RunID: valid(runID), ProjectID: project, Origin: surgical.Origin(origin), EventAt: time.Unix(seconds, nanos).UTC(),
			IdempotencyKey: valid(key), RetryOf: valid(retryOf),
			Options: surgical.Options{PreflightOnly: options&1 != 0, NoDocs: options&2 != 0, NoEmbed: options&4 != 0},
		}
		for typ, iid := range map[surgical.EntityType]int64{surgical.Issue: issue, surgical.MergeRequest: mr} {
			if iid != 0 {
				r.Targets = append(r.Targets, surgical.Target{Type: typ, IID: iid})
			}
		}
		encoded, err := json.Marshal(r)
		if err != nil || r.Validate() != nil || !queue.FitsID(r.MessageID()) {
			return // no request: a year beyond 9999, one of Validate's reasons, or no message
		}
		same(t, r, string(encoded))
	})
}

// valid returns s as JSON or a header would deliver it: as valid UTF-8.
func valid(s string) string {
	raw, _ := json.Marshal(s) // a string always encodes
	_ = json.Unmarshal(raw, &s)
	return s
}
