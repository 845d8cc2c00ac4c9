package delivery_test

import (
	"net/http"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/webhook/delivery"
)

func TestLoggedName_IsThatOfTheDeliveryIfItWasSigned(t *testing.T) {
	const key, other = "a5461c4d-9c7f", "hook-5-delivery-7"
	for name, c := range map[string]struct {
		headers   map[string]string
		signed    bool
		key, name string
	}{
		"signed, and the log shows that":         {map[string]string{"webhook-id": key, "webhook-signature": "[REDACTED]", "Idempotency-Key": key}, false, key, key},
		"signed, and the log shows only the key": {map[string]string{"Idempotency-Key": key}, true, key, key},
		"unsigned":                               {map[string]string{"Idempotency-Key": key, "X-Gitlab-Token": "[REDACTED]"}, false, key, key + "\x00logged"},
		"without a key":                          {map[string]string{"X-Gitlab-Event": "Issue Hook"}, true, other, other},
	} {
		h := http.Header{}
		for header, value := range c.headers {
			h.Set(header, value)
		}
		if gotKey, gotName := delivery.LoggedName(h, c.signed, other); gotKey != c.key || gotName != c.name {
			t.Errorf("%s: %q, %q", name, gotKey, gotName)
		}
	}
}
