package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"gitlab.com/lorehook/lorehook/events"
	"gitlab.com/lorehook/lorehook/internal/advice"
	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/webhook/delivery"
)

// maxPayload is the maximum size of a GitLab webhook payload.
const maxPayload = 25 << 20

type replayCommand struct {
	Payload        string  `arg:"" placeholder:"FILE" help:"File with the payload, or name of a sample such as issue_opened."`
	Event          string  `placeholder:"NAME" help:"X-Gitlab-Event header (default: from index.json next to the file, else derived from the payload)."`
	IdempotencyKey *string `placeholder:"KEY" help:"Idempotency-Key header, which GitLab keeps the same when it retries (default: a new key)."`
	hookURL
	waiting
}

// Help implements [kong.HelpProvider].
func (*replayCommand) Help() string {
	return `Signs with the first of GITLAB_WEBHOOK_SIGNING_TOKENS, or else sends the first of GITLAB_WEBHOOK_SECRET_TOKENS. The local stack has its own signing token.

Examples:

    lore replay events/issue_opened.json --wait

    lore replay payload.json --event "Merge Request Hook" --idempotency-key abc`
}

// received is the webhook's response.
type received struct {
	Status    string            `json:"status"`
	Reason    string            `json:"reason"`
	RunID     string            `json:"run_id"`
	ProjectID int64             `json:"project_id"`
	Targets   []surgical.Target `json:"targets"`
}

// Run implements the command.
func (c *replayCommand) Run(ctx context.Context, s *session) error {
	if err := cmp.Or(checkTimeout(c.waiting), checkKey(c.IdempotencyKey)); err != nil {
		return err
	}
	body, event, err := c.payload(s.Dir)
	if err != nil {
		return err
	}
	hook, err := s.webhook(c.URL)
	if err != nil {
		return err
	}
	key := cmp.Or(deref(c.IdempotencyKey), s.NewKey())
	answer, err := s.deliver(ctx, hook, body, event, key)
	if err != nil {
		return err
	}
	if !c.Wait || answer.Value.RunID == "" {
		s.answer(answer.Raw, func(p *printer) { p.received(answer.Value, key) })
		return nil
	}
	client, err := s.client(ctx)
	if err != nil {
		return err
	}
	return s.await(ctx, client, answer.Value.RunID, c.waiting, true)
}

// payload returns the content of the file, or else the sample with that name, and
// its event.
func (c *replayCommand) payload(dir string) (body []byte, event string, err error) {
	file := c.Payload
	if !filepath.IsAbs(file) {
		file = filepath.Join(dir, file)
	}
	name := strings.TrimSuffix(filepath.Base(file), ".json")
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		sample, known := events.Named(name)
		if known != nil {
			return nil, "", invalid("there is no file or sample named %q", c.Payload)
		}
		return sample.Body, cmp.Or(c.Event, sample.Event), nil
	case err != nil:
		return nil, "", invalid("the payload could not be read: %v", err)
	case info.Size() > maxPayload:
		return nil, "", surgical.NewError(surgical.CodePayloadTooLarge, fmt.Sprintf("%s has %d bytes, but GitLab sends at most %d", c.Payload, info.Size(), maxPayload))
	}
	if body, err = os.ReadFile(file); err != nil {
		return nil, "", invalid("the payload could not be read: %v", err)
	}
	return body, cmp.Or(c.Event, indexed(filepath.Dir(file), name), eventOf(body)), nil
}

// indexed returns the file's event from an index.json in its directory, or "".
func indexed(dir, name string) string {
	raw, err := os.ReadFile(filepath.Join(dir, "index.json"))
	var samples []events.Sample
	if err != nil || json.Unmarshal(raw, &samples) != nil {
		return "" // most directories have none, or one in another format
	}
	for _, sample := range samples {
		if sample.Name == name {
			return sample.Event
		}
	}
	return ""
}

// eventOf derives the X-Gitlab-Event header from the payload.
func eventOf(body []byte) string {
	var payload struct {
		Kind      string `json:"object_kind"`
		EventType string `json:"event_type"`
	}
	_ = json.Unmarshal(body, &payload) // the webhook decides what is valid
	switch cmp.Or(payload.EventType, payload.Kind) {
	case "issue", "work_item":
		return "Issue Hook"
	case "confidential_issue":
		return "Confidential Issue Hook"
	case "merge_request":
		return "Merge Request Hook"
	case "note":
		return "Note Hook"
	case "confidential_note":
		return "Confidential Note Hook"
	case "push":
		return "Push Hook"
	default:
		return "System Hook"
	}
}

// deliver sends the payload the way GitLab does.
func (s *session) deliver(ctx context.Context, hook webhook, body []byte, event, key string) (apiclient.Answer[received], error) {
	var a apiclient.Answer[received]
	outer := ctx
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, hook.url, bytes.NewReader(body))
	if err != nil {
		return a, fmt.Errorf("make the delivery: %w", err)
	}
	if err := hook.authenticate(req.Header, body, key, s.Clock()); err != nil {
		return a, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "lore/"+s.Version)
	req.Header.Set("X-Gitlab-Event", event)
	req.Header.Set("Idempotency-Key", key)
	// Redirects are not followed: they would send the token elsewhere.
	client := &http.Client{Transport: s.HTTP, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if cause := context.Cause(outer); err != nil && cause != nil {
		return a, cause
	}
	if err != nil {
		return a, &surgical.Error{
			Code: apiclient.CodeUnavailable, Action: surgical.ActionRetryAfter, Retryable: true,
			Message: fmt.Sprintf("the webhook is not responding: %v", err),
		}
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return a, fmt.Errorf("read the webhook's response: %w", err)
	}
	if resp.StatusCode/100 != 2 {
		return a, apiclient.ReadProblem(resp, raw)
	}
	if err := json.Unmarshal(raw, &a.Value); err != nil {
		return a, invalid("%s returned a response that is not JSON: this is not the Lorehook webhook", req.URL.Host)
	}
	a.Raw = raw
	return a, nil
}

// authenticate signs the delivery, or else adds the secret token.
func (h webhook) authenticate(header http.Header, body []byte, key string, now time.Time) error {
	switch {
	case h.signingToken != "":
		signer, err := standardwebhooks.NewWebhook(h.signingToken)
		if err != nil {
			return invalid("the signing token must be whsec_ followed by a base64-encoded key")
		}
		signature, err := signer.Sign(key, now, body)
		if err != nil {
			return fmt.Errorf("sign the delivery: %w", err)
		}
		header.Set(standardwebhooks.HeaderWebhookID, key)
		header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
		header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	case h.secretToken != "":
		header.Set(delivery.TokenHeader, h.secretToken)
	default:
		return surgical.NewError(surgical.CodeInvalidSignature, "no token for the delivery: set "+signingTokensVariable+" or "+secretTokensVariable)
	}
	return nil
}

// received prints the webhook's response.
func (p *printer) received(r received, key string) {
	status := r.Status
	if r.Reason != "" {
		status += " (" + r.Reason + ")"
	}
	p.pairs(
		pair("status", plain("%s", status)), pair("run", cell{r.RunID, p.strong}), pair("project", number(r.ProjectID)),
		pair("targets", plain("%s", targets(r.Targets, 3))), pair("key", plain("%s", key)),
	)
	if r.RunID != "" {
		p.next([]advice.Step{{Text: "Follow the run until it ends.", Command: advice.Watch(r.RunID)}})
	}
}
