package delivery_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/events"
	"gitlab.com/lorehook/lorehook/internal/gitlab/delivery"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// hmacOf is the signature by the book, not by the library: HMAC-SHA256 under
// the token's key over id, time and body.
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

// A delivery that is let in carries the right HMAC of a configured token over
// exactly its id, time and body, at a time near now; or no signature at all and
// a configured secret token. One that is rightly signed is let in.
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
	verifier, err := delivery.NewVerifier([]string{sampleToken("b"), ours}, []string{"sample-token"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, id, timestamp, signature, token string, payload []byte, signed bool) {
		seconds, timeErr := strconv.ParseInt(timestamp, 10, 64)
		near := timeErr == nil && seconds >= now.Unix()-300 && seconds <= now.Unix()+300
		right := []string{hmacOf(t, ours, id, seconds, payload), hmacOf(t, sampleToken("b"), id, seconds, payload)}
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
		hasRight := strings.Contains(signature, right[0]) || strings.Contains(signature, right[1])
		switch {
		case err == nil && signature != "" && !(hasRight && near):
			t.Fatal("let in without the right signature at the right time")
		case err == nil && signature == "" && token != "sample-token":
			t.Fatal("let in without a token")
		case err != nil && signed && near && id != "":
			t.Fatalf("a right signature was refused: %v", err)
		}
	})
}

// A body is classified by its values alone, however its JSON is written, and
// the ids of what comes out stood in it.
func FuzzClassify(f *testing.F) {
	samples, err := events.All()
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range samples {
		f.Add(s.Event, s.Body)
	}
	f.Add("Issue Hook", []byte(`{"object_kind":"issue","project":{"id":" 1 "},"object_attributes":{"iid":"\u0037"}}`))
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
		again, err := delivery.Classify(hook(event), rewritten)
		if err != nil {
			t.Fatalf("rewritten, it is refused: %v", err)
		}
		if diff := cmp.Diff(got, again); diff != "" {
			t.Fatalf("rewritten, it is another event (-was +is):\n%s\n%s", diff, rewritten)
		}
	})
}

// rewrite encodes an object's values anew: other order, other spacing, other
// escapes, and the last of members with one name.
func rewrite(payload []byte) ([]byte, bool) {
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.UseNumber()
	var value map[string]any
	if err := decoder.Decode(&value); err != nil || value == nil || decoder.More() {
		return nil, false
	}
	if !json.Valid(payload) {
		return nil, false // something follows
	}
	raw, err := json.MarshalIndent(value, " ", "\t")
	return raw, err == nil
}
