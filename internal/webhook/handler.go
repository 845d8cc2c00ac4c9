package webhook

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"gitlab.com/lorehook/lorehook/internal/function/gateway"
	"gitlab.com/lorehook/lorehook/internal/function/trace"
	"gitlab.com/lorehook/lorehook/internal/problem"
	"gitlab.com/lorehook/lorehook/internal/queue"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/webhook/delivery"
)

// Enqueuer takes the request, for good if it returns nil.
type Enqueuer interface {
	Send(context.Context, surgical.Request) error
}

// Verifiers gives the tokens in force; package secret has one.
type Verifiers interface {
	Get(context.Context) (*delivery.Verifier, error)
	// Refresh reads the tokens again, if that was not done just now; read says
	// whether it was.
	Refresh(context.Context) (v *delivery.Verifier, read bool, err error)
}

// Meter is told of every delivery that was answered.
type Meter interface {
	// Delivered takes the outcome, one of [metrics.Outcome]'s values, the code of
	// a refused or failed delivery, and how long the answer took.
	Delivered(outcome string, code surgical.Code, took time.Duration)
}

// Handler answers deliveries. All fields are required but NewTrace and Meter.
type Handler struct {
	Verifiers Verifiers
	Queue     Enqueuer
	// Allows reports whether a project's entities are kept.
	Allows func(projectID int64) bool
	Clock  func() time.Time
	Log    *slog.Logger
	// NewTrace makes the traceparent of a delivery that brings none.
	NewTrace func(context.Context) string
	Meter    Meter
}

// incoming is what is known of a delivery so far.
type incoming struct {
	trace  string
	header http.Header
	body   []byte
	event  delivery.Event
	runID  string
}

// ServeHTTP implements [http.Handler]; it answers one delivery.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	receivedAt := h.Clock()
	ctx, cancel := context.WithTimeout(r.Context(), surgical.WebhookCallTimeout)
	defer cancel()
	d := incoming{header: r.Header}
	if h.NewTrace != nil {
		d.trace = h.NewTrace(ctx)
	}
	reason, err := h.handle(ctx, &d, r, receivedAt)
	var failure *problem.Problem
	if err != nil {
		failure = problem.Of(err)
	}
	h.tell(ctx, d, reason, failure, receivedAt)
	answer(w, d, reason, failure)
}

// handle goes through the checks, the cheap and the strict ones first, and
// returns why the delivery is ignored, if it is.
func (h *Handler) handle(ctx context.Context, d *incoming, r *http.Request, receivedAt time.Time) (reason string, err error) {
	if d.body, err = readBody(r); err != nil {
		return "", err
	}
	if err := h.verify(ctx, d, receivedAt); err != nil {
		return "", err
	}
	// Whoever is not verified does not choose what the logs say.
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
	key, err := idempotencyKey(d.header, gateway.RequestID(ctx))
	if err != nil {
		return "", err
	}
	d.runID = surgical.RunID(surgical.OriginWebhook, key)
	req := surgical.Request{
		RunID: d.runID, ProjectID: d.event.ProjectID, Targets: []surgical.Target{d.event.Target},
		Origin: surgical.OriginWebhook, EventAt: receivedAt.UTC(), TraceParent: d.trace,
	}
	if queue.FitsID(key) {
		req.IdempotencyKey = key // an odd or endless one is not carried around
	}
	return "", h.Queue.Send(ctx, req)
}

// verify reads the tokens again when none of them fits: they may have been
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
	if read {
		err = fresh.Verify(d.header, d.body, now)
	}
	if errors.Is(err, delivery.ErrNoTokens) {
		return unverifiable(err)
	}
	return err
}

func unverifiable(cause error) error {
	return problem.Unavailable(surgical.WrapError(surgical.CodeInternal, cause, "the tokens that deliveries are verified with are missing or out of reach; an operator must look"))
}

// readBody refuses by the length that the request declares, so that nothing of
// a payload that is too large is decoded, and by what is really there.
func readBody(r *http.Request) ([]byte, error) {
	tooLarge := surgical.NewError(surgical.CodePayloadTooLarge, fmt.Sprintf("the payload is larger than %d bytes", surgical.MaxWebhookBody))
	if r.ContentLength > surgical.MaxWebhookBody {
		return nil, tooLarge
	}
	body := bytes.NewBuffer(make([]byte, 0, max(r.ContentLength, 0)+bytes.MinRead))
	if _, err := body.ReadFrom(io.LimitReader(r.Body, surgical.MaxWebhookBody+1)); err != nil {
		return nil, problem.Malformed(surgical.WrapError(surgical.CodeInvalidRequest, err, "the body cannot be read, or is not the base64 that it is said to be"))
	}
	if body.Len() > surgical.MaxWebhookBody {
		return nil, tooLarge
	}
	return body.Bytes(), nil
}

// idempotencyKey is what names the delivery: GitLab keeps the first two when it
// sends one again.
func idempotencyKey(h http.Header, requestID string) (string, error) {
	key := cmp.Or(h.Get("Idempotency-Key"), h.Get("webhook-id"), requestID)
	if key == "" {
		// Two deliveries under one empty key would be one run.
		return "", problem.Malformed(surgical.NewError(surgical.CodeInvalidRequest, "the delivery has neither an Idempotency-Key nor a request id"))
	}
	return key, nil
}
