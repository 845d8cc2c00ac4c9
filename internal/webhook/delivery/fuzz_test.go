package delivery_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/events"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/webhook/delivery"
)

// hmacOf computes the signature as specified, without the library: HMAC-SHA256
// with the token's key over id, time and body.
func hmacOf(t *testing.T, token, id string, seconds int64, body []byte) string {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(token, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + strconv.FormatInt(seconds, 10) + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// An accepted delivery has either a correct HMAC over exactly its id, time and
// body, with the key of a configured token and a time near now, or no signature
// and a configured secret token. A correctly signed delivery is accepted.
func FuzzVerify(f *testing.F) {
	ours := sampleToken("a")
	good := sign(f, ours, now, body)
	f.Add("delivery-1", good.Get("webhook-timestamp"), good.Get("webhook-signature"), "", []byte(body), false)
	f.Add("delivery-2", good.Get("webhook-timestamp"), good.Get("webhook-signature"), "", []byte(body), false)
	f.Add("delivery-1", good.Get("webhook-timestamp"), "v1,AAAA "+good.Get("webhook-signature"), "", []byte(body), false)
	f.Add("delivery-1", "+"+good.Get("webhook-timestamp"), "", "", []byte(body), true)
	f.Add("delivery-1", strconv.FormatInt(now.Unix()+301, 10), "", "", []byte(nil), true)
	f.Add("", "", "", "sample-token", []byte("{}"), false)
	f.Add("", "", "", "wrong-token", []byte("{}"), false)
	f.Add("a.1", "-1", "v1,v1,v1", "sample-token", []byte(nil), false)
	f.Add("a,a", good.Get("webhook-timestamp"), "v1,AAAA,v1", "", []byte(body), true)
	f.Add("", "", "", "sample-token, sample-token", []byte("{}"), false)
	verifier, err := delivery.NewVerifier([]string{sampleToken("b"), ours}, []string{"sample-token"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, id, timestamp, signature, token string, payload []byte, signed bool) {
		seconds, timeErr := strconv.ParseInt(timestamp, 10, 64)
		near := timeErr == nil && seconds >= now.Unix()-300 && seconds <= now.Unix()+300
		var right []string
		for _, id := range []string{id, delivery.Header(http.Header{"Webhook-Id": {id}}, "webhook-id")} { // as sent, or sent twice
			right = append(right, hmacOf(t, ours, id, seconds, payload), hmacOf(t, sampleToken("b"), id, seconds, payload))
		}
		if signed {
			signature = strings.TrimSpace(signature + " " + right[0])
		}
		h := http.Header{}
		for name, value := range map[string]string{"webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signature, "X-Gitlab-Token": token} {
			if value != "" {
				h.Set(name, value)
			}
		}
		err := verifier.Verify(h, payload, now)
		if err != nil && surgical.CodeOf(err) != surgical.CodeInvalidSignature {
			t.Fatalf("error = %v, want invalid_signature", err)
		}
		hasRight := slices.ContainsFunc(right, func(r string) bool { return strings.Contains(signature, strings.TrimPrefix(r, "v1,")) })
		switch {
		case err == nil && signature != "" && !(hasRight && near):
			t.Fatal("let in without the right signature at the right time")
		case err == nil && signature == "" && delivery.Header(h, "X-Gitlab-Token") != "sample-token":
			t.Fatal("let in without a token")
		case err != nil && signed && near && id != "":
			t.Fatalf("a right signature was refused: %v", err)
		}
	})
}

// A header that is sent several times is read as if it had been sent once, whether a
// proxy joined the copies or not; different values are never read as one.
func FuzzHeader(f *testing.F) {
	for _, v := range []string{"Issue Hook", "a,a", "a, b", "", " ", ",", "v1,AAAA"} {
		f.Add(v, ",", uint8(2))
		f.Add(v, ", ", uint8(3))
	}
	f.Fuzz(func(t *testing.T, value, separator string, copies uint8) {
		once := delivery.Header(http.Header{"X": {value}}, "X")
		if strings.Trim(once, ", \t") == "" || strings.Trim(separator, " \t") != "," {
			return
		}
		n := int(copies%5) + 1
		all := slices.Repeat([]string{once}, n)
		for how, h := range map[string]http.Header{"separate": {"X": all}, "joined": {"X": {strings.Join(all, separator)}}} {
			if got := delivery.Header(h, "X"); got != once {
				t.Errorf("%d copies of %q, %s: %q, want %q", n, value, how, got, once)
			}
		}
		if other := delivery.Header(http.Header{"X": {once, once + "x"}}, "X"); other == once || other == once+"x" {
			t.Errorf("%q and %q are read as %q", once, once+"x", other)
		}
	})
}

// Only a body's values decide its class, however its JSON is written. The ids of
// the event come from the body, and never from a merge request's source, which
// may be a fork.
func FuzzClassify(f *testing.F) {
	samples, err := events.All()
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range samples {
		f.Add(s.Event, s.Body)
	}
	f.Add("Issue Hook", []byte(`{"object_kind":"issue","project":{"id":" 1 "},"object_attributes":{"iid":"\u0037"}}`))
	f.Add("Issue Hook", []byte(`{"object_kind":"issue","project":{"id":1},"object_attributes":{"iid":-7}}`))
	f.Add("Issue Hook", []byte(`{"object_kind":"issue","project":{"id":-1},"project_id":2,"object_attributes":{"iid":"-0"}}`))
	f.Add("Note Hook", []byte(`{"project_id":1,"object_attributes":{"noteable_type":"WorkItem"},"work_item":{"iid":7,"iid":8}}`))
	f.Fuzz(func(t *testing.T, event string, payload []byte) {
		got, err := delivery.Classify(hook(event), payload)
		rewritten, isObject := rewrite(payload)
		if isObject != (err == nil) {
			t.Fatalf("error = %v for a payload whose being an object is %v", err, isObject)
		}
		if err != nil {
			if surgical.CodeOf(err) != surgical.CodeInvalidRequest {
				t.Fatalf("error = %v, want invalid_request", err)
			}
			return
		}
		usable := got.ProjectID > 0 && got.Target.IID > 0 && got.Target.Type.Valid()
		if usable == (got.Ignored != "") {
			t.Fatalf("%+v is neither a usable target nor ignored", got)
		}
		for _, id := range []int64{got.ProjectID, got.Target.IID} {
			if usable && !bytes.Contains(rewritten, strconv.AppendInt(nil, id, 10)) {
				t.Fatalf("%d does not stand in %s", id, rewritten)
			}
		}
		for name, body := range map[string][]byte{"rewritten": rewritten, "without its source": withoutSource(t, rewritten)} {
			again, err := delivery.Classify(hook(event), body)
			if err != nil {
				t.Fatalf("%s, it is refused: %v", name, err)
			}
			if diff := cmp.Diff(got, again); diff != "" {
				t.Fatalf("%s, it is another event (-was +is):\n%s\n%s", name, diff, rewritten)
			}
		}
	})
}

// withoutSource drops the source of a merge request from an event.
func withoutSource(t *testing.T, payload []byte) []byte {
	t.Helper()
	value, ok := decoded(payload)
	if !ok {
		t.Fatalf("%s is no object", payload)
	}
	for _, name := range []string{"object_attributes", "merge_request"} {
		if member, ok := value[name].(map[string]any); ok {
			delete(member, "source_project_id")
			delete(member, "source")
		}
	}
	raw, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// rewrite re-encodes an object's values: with a different order, spacing and
// escapes, and only the last of members with the same name.
func rewrite(payload []byte) ([]byte, bool) {
	value, ok := decoded(payload)
	if !ok {
		return nil, false
	}
	raw, err := json.MarshalIndent(value, " ", "\t")
	return raw, err == nil
}

func decoded(payload []byte) (map[string]any, bool) {
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.UseNumber()
	var value map[string]any
	// A valid payload is one value with nothing after it.
	return value, decoder.Decode(&value) == nil && value != nil && json.Valid(payload)
}
