package webhook_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gitlab.com/lorehook/lorehook/events"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/webhook/delivery"
)

// Every request gets a response, and is queued if and only if it is verified,
// ours, and answered with 202. The queued request is valid, names the payload's
// entity, and has the run id of the response.
func FuzzHandle(f *testing.F) {
	samples, err := events.All()
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range samples {
		f.Add(s.Event, secretToken, "key-1", string(s.Body), false)
	}
	f.Add("Issue Hook", "", "", "e30=", true)
	f.Add("Issue Hook", secretToken, "", base64.StdEncoding.EncodeToString([]byte(`{"project":{"id":1},"object_attributes":{"iid":7}}`)), true)
	f.Add("Issue Hook", secretToken, "clé \x00", `{"project":{"id":1},"object_attributes":{"iid":7}}`, false)
	f.Add("Issue Hook", secretToken, "k", `{"project":{"id":2},"object_attributes":{"iid":7}}`, false)
	f.Fuzz(func(t *testing.T, event, token, key, body string, isBase64 bool) {
		fix := newFixture()
		req := request(event, body, "x-gitlab-token", token, "idempotency-key", key)
		req.IsBase64Encoded = isBase64
		resp, a := fix.answer(t, req)
		switch resp.StatusCode {
		case 200, 202, 400, 401, 413:
		default:
			t.Errorf("status %d", resp.StatusCode)
		}
		if resp.StatusCode < 400 && delivery.Header(http.Header{"T": {token}}, "T") != secretToken {
			t.Errorf("status %d for the token %q", resp.StatusCode, token)
		}
		if resp.StatusCode != 202 {
			if len(fix.queue.taken) > 0 {
				t.Errorf("queued under status %d", resp.StatusCode)
			}
			return
		}
		payload := []byte(body)
		if isBase64 {
			payload, _ = base64.StdEncoding.DecodeString(body) // it was accepted
		}
		if decoded, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(payload))); err == nil {
			payload = decoded // a proxy may encode it without saying so
		}
		named, err := delivery.Classify(http.Header{delivery.EventHeader: {event}}, payload)
		if err != nil || named.Ignored != "" || named.ProjectID != 1 {
			t.Fatalf("queued although it names %+v, %v", named, err)
		}
		want := surgical.Request{
			RunID: a.RunID, ProjectID: 1, Targets: []surgical.Target{named.Target},
			Origin: surgical.OriginWebhook, EventAt: start, Evidence: named.Evidence,
		}
		var hides []surgical.Request
		if named.Evidence.Confidential {
			hides = append(hides, want.HideRequest())
		}
		if diff := cmp.Diff([][]surgical.Request{{want}, hides}, [][]surgical.Request{fix.queue.taken, fix.hides.taken}, cmpopts.IgnoreFields(surgical.Request{}, "IdempotencyKey")); diff != "" {
			t.Errorf("queued (-want +got):\n%s", diff)
		}
		if err := fix.queue.taken[0].Validate(); err != nil {
			t.Error(err)
		}
		if _, again := fix.answer(t, req); again.RunID != a.RunID {
			t.Errorf("sent again, it is run %s, and was %s", again.RunID, a.RunID)
		}
	})
}
