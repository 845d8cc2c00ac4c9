package webhook

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/internal/function/gateway"
	"gitlab.com/lorehook/lorehook/internal/function/trace"
	"gitlab.com/lorehook/lorehook/internal/problem"
	"gitlab.com/lorehook/lorehook/internal/queue"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/webhook/delivery"
)

// Enqueuer durably enqueues the request. A nil error means that it was stored.
type Enqueuer interface {
	Send(context.Context, surgical.Request) error
}

// Verifiers returns a verifier with the current tokens. Package secret implements it.
type Verifiers interface {
	Get(context.Context) (*delivery.Verifier, error)
	// Refresh reads the tokens again, unless they were read recently. read
	// reports whether it did.
	Refresh(context.Context) (v *delivery.Verifier, read bool, err error)
}

// Meter records every delivery once its response is sent.
type Meter interface {
	// Delivered records the outcome, one of [metrics.Outcome]'s values, the code
	// of a refused or failed delivery, and how long the response took.
	Delivered(outcome string, code surgical.Code, took time.Duration)
}

// Handler handles deliveries. All fields except NewTrace and Meter are required.
type Handler struct {
	Verifiers Verifiers
	Queue     Enqueuer
	// Hides is the queue of hide requests, which never wait for runs.
	Hides Enqueuer
	// Allows reports whether the project is on the allow list.
	Allows func(projectID int64) bool
	Clock  func() time.Time
	Log    *slog.Logger
	// NewTrace generates the traceparent of a delivery that has none.
	NewTrace func(context.Context) string
	Meter    Meter

	buffers buffers
}

// incoming is what is known about a delivery so far.
type incoming struct {
	trace  string
	header http.Header
	// body is in a buffer that is lent for the delivery.
	body  []byte
	event delivery.Event
	runID string
	// resendAfter is the time from which another delivery under the same name is
	// a message of its own.
	resendAfter time.Time
}

// ServeHTTP implements [http.Handler]. It handles one delivery.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	receivedAt := h.Clock()
	ctx, cancel := context.WithTimeout(r.Context(), surgical.WebhookCallTimeout)
	defer cancel()
	buffer := h.buffers.borrow()
	defer h.buffers.giveBack(buffer)
	d := incoming{header: r.Header}
	if h.NewTrace != nil {
		d.trace = h.NewTrace(ctx)
	}
	ctx = trace.With(ctx, d.trace, "") // for lines about the tokens, until the sender's own is known
	reason, err := h.handle(ctx, &d, r, buffer, receivedAt)
	var failure *problem.Problem
	if err != nil {
		failure = problem.Of(err)
	}
	h.tell(ctx, d, reason, failure, receivedAt)
	answer(w, d, reason, failure)
}

// handle runs the cheap and strict checks first. If the delivery is
// ignored, it returns the reason.
func (h *Handler) handle(ctx context.Context, d *incoming, r *http.Request, buffer *bytes.Buffer, receivedAt time.Time) (reason string, err error) {
	if !isWebhookPath(r.URL.Path) {
		return "", problem.Malformed(surgical.NewError(surgical.CodeInvalidRequest, "webhooks are not received at this path; GitLab's path is "+delivery.Path))
	}
	if d.body, err = readBody(r, buffer); err != nil {
		return "", err
	}
	if err := h.verify(ctx, d, receivedAt); err != nil {
		return "", err
	}
	// An unverified sender must not control what is logged.
	d.trace = cmp.Or(trace.Parse(d.header.Get(trace.Header)), d.trace)
	if d.event, err = delivery.Classify(d.header, d.body); err != nil {
		return "", problem.Malformed(err)
	}
	if d.event.Ignored != "" {
		return d.event.Ignored, nil
	}
	if !h.Allows(d.event.ProjectID) {
		return string(surgical.CodeProjectNotAllowed), nil
	}
	key, name := d.named(gateway.RequestID(ctx))
	if key == "" {
		// Two deliveries under one empty key would be one run.
		return "", problem.Malformed(surgical.NewError(surgical.CodeInvalidRequest, "the delivery has neither a webhook-id, an Idempotency-Key nor a request id"))
	}
	d.runID = surgical.DeliveryRunID(name, surgical.EntityRef{ProjectID: d.event.ProjectID, Target: d.event.Target})
	d.resendAfter = receivedAt.Add(surgical.DeduplicationInterval)
	req := surgical.Request{
		RunID: d.runID, ProjectID: d.event.ProjectID, Targets: []surgical.Target{d.event.Target},
		Origin: surgical.OriginWebhook, EventAt: receivedAt.UTC(), Evidence: d.event.Evidence, TraceParent: d.trace,
	}
	if queue.FitsID(key) {
		req.IdempotencyKey = key // a key that is malformed or too long is dropped
	}
	if req.Evidence.Confidential {
		// The run may have to wait for GitLab; hiding the copy does not.
		if err := h.Hides.Send(ctx, req.HideRequest()); err != nil {
			return "", err
		}
	}
	return "", h.Queue.Send(ctx, req)
}

// isWebhookPath accepts [delivery.Path] in any spelling that the gateway lets
// through. Its route matches /webhooks/ exactly, so what follows may have repeated
// slashes, one at the end, or capitals. In front may be the key of a custom
// domain's API mapping, which the gateway ignores when it looks for the route but
// leaves in the path.
func isWebhookPath(p string) bool {
	return strings.HasSuffix(strings.ToLower(path.Clean("/"+p)), delivery.Path)
}

// verify reads the tokens again if none of them matches: they may have been
// rotated.
func (h *Handler) verify(ctx context.Context, d *incoming, now time.Time) error {
	verifier, err := h.Verifiers.Get(ctx)
	if err != nil {
		return unverifiable(err)
	}
	if err = verifier.Verify(d.header, d.body, now); err == nil {
		return nil
	}
	fresh, read, refreshErr := h.Verifiers.Refresh(ctx)
	if refreshErr != nil {
		return unverifiable(errors.Join(err, refreshErr))
	}
	if read || fresh != verifier { // another delivery may have read them
		err = fresh.Verify(d.header, d.body, now)
	}
	if errors.Is(err, delivery.ErrNoTokens) {
		return unverifiable(err)
	}
	return err
}

func unverifiable(cause error) error {
	return problem.Unavailable(surgical.WrapError(surgical.CodeInternal, cause, "the tokens for verifying deliveries are missing or cannot be read; contact the operator"))
}

// named returns the delivery's key, "" if it has none, and the name that its run is
// derived from. GitLab keeps both when it sends a delivery again.
//
// The name depends only on what was verified. A signature covers the webhook-id, so
// that is the name of a signed delivery, and other headers do not count. A secret
// token covers nothing: the sender chooses the key, so the name includes the body,
// and a key that is used again for another event does not hide that event.
func (d *incoming) named(requestID string) (key, name string) {
	if delivery.Signed(d.header) {
		key = delivery.Header(d.header, delivery.IDHeader)
		return key, key
	}
	key = cmp.Or(delivery.Header(d.header, "Idempotency-Key"), delivery.Header(d.header, delivery.IDHeader), requestID)
	return key, fmt.Sprintf("%s\x00%x", key, sha256.Sum256(d.body))
}
