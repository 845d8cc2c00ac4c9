package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// webhook is one delivery in the form GitLab sends.
type webhook struct {
	event string
	body  []byte
	// key is the Idempotency-Key, which GitLab repeats when it redelivers.
	key string
	// signingToken is the key that signs the delivery (whsec_…).
	signingToken string
}

// answer is the endpoint's response.
type answer struct {
	status int
	body   struct {
		Status    string `json:"status"`
		Reason    string `json:"reason"`
		RunID     string `json:"run_id"`
		ProjectID int64  `json:"project_id"`
		Targets   []struct {
			Type string `json:"type"`
			IID  int64  `json:"iid"`
		} `json:"targets"`
		Code string `json:"code"`
	}
}

// String formats the response for people: "202 queued".
func (a answer) String() string {
	text := strconv.Itoa(a.status) + " " + cmp.Or(a.body.Status, a.body.Code, http.StatusText(a.status))
	if a.body.Reason != "" {
		text += " (" + a.body.Reason + ")"
	}
	return text
}

func (d webhook) send(ctx context.Context, url string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(d.body))
	if err != nil {
		return answer{}, err
	}
	if err := d.sign(req.Header, time.Now()); err != nil {
		return answer{}, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, fmt.Errorf("deliver: %w", err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, fmt.Errorf("deliver: %w", err)
	}
	a := answer{status: resp.StatusCode}
	// If the response is not JSON, the missing fields fail the checks.
	_ = json.Unmarshal(raw, &a.body)
	return a, nil
}

// sign sets the same headers as GitLab.
func (d webhook) sign(h http.Header, now time.Time) error {
	h.Set("Content-Type", "application/json")
	h.Set("User-Agent", "GitLab/18.9.0")
	h.Set("X-Gitlab-Event", d.event)
	h.Set("Idempotency-Key", d.key)
	signer, err := standardwebhooks.NewWebhook(d.signingToken)
	if err != nil {
		return fmt.Errorf("signing token: %w", err)
	}
	signature, err := signer.Sign(d.key, now, d.body)
	if err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	h.Set(standardwebhooks.HeaderWebhookID, d.key)
	h.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	h.Set(standardwebhooks.HeaderWebhookSignature, signature)
	return nil
}
