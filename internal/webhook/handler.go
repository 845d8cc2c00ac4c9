package webhook

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"gitlab.com/lorehook/lorehook/internal/function/trace"
	"gitlab.com/lorehook/lorehook/internal/queue"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/webhook/delivery"
)

const (
	// MaxBodyBytes is the largest payload, decoded.
	MaxBodyBytes = 6 << 20
	// timeout bounds all calls of one delivery. GitLab waits 10 s, the cold
	// start included.
	timeout = 5 * time.Second
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
	// Delivered hears the outcome (queued, ignored, refused or failed), the code
	// of a refused or failed one, and how long the answer took.
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

// Handle answers one delivery. The error is always nil: every failure has an
// answer of its own.
func (h *Handler) Handle(ctx context.Context, req events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	receivedAt := h.Clock()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	d := incoming{header: header(req.Headers)}
	if h.NewTrace != nil {
		d.trace = h.NewTrace(ctx)
	}
	reason, err := h.handle(ctx, &d, req, receivedAt)
	h.tell(ctx, d, reason, err, receivedAt)
	switch {
	case err != nil:
		return problem(err), nil
	case reason != "":
		return jsonAnswer(http.StatusOK, ignoredBody{Status: ignored, Reason: reason}), nil
	default:
		return jsonAnswer(http.StatusAccepted, queuedBody{
			Status: queued, RunID: d.runID, ProjectID: d.event.ProjectID, Targets: []surgical.Target{d.event.Target},
		}), nil
	}
}

// handle goes through the checks, the cheap and the strict ones first, and
// returns why the delivery is ignored, if it is.
func (h *Handler) handle(ctx context.Context, d *incoming, req events.APIGatewayV2HTTPRequest, receivedAt time.Time) (reason string, err error) {
	if d.body, err = decodeBody(req); err != nil {
		return "", err
	}
	if err := h.verify(ctx, d, receivedAt); err != nil {
		return "", err
	}
	// Whoever is not verified does not choose what the logs say.
	d.trace = cmp.Or(trace.Parse(d.header.Get(trace.Header)), d.trace)
	if d.event, err = delivery.Classify(d.header, d.body); err != nil {
		return "", err
	}
	if d.event.Ignored != "" {
		return d.event.Ignored, nil
	}
	if !h.Allows(d.event.ProjectID) {
		return string(surgical.CodeProjectNotAllowed), nil
	}
	key, err := idempotencyKey(d.header, req.RequestContext.RequestID)
	if err != nil {
		return "", err
	}
	d.runID = surgical.RunID(surgical.OriginWebhook, key)
	r := surgical.Request{
		RunID: d.runID, ProjectID: d.event.ProjectID, Targets: []surgical.Target{d.event.Target},
		Origin: surgical.OriginWebhook, EventAt: receivedAt.UTC(), TraceParent: d.trace,
	}
	if queue.FitsID(key) {
		r.IdempotencyKey = key // an odd or endless one is not carried around
	}
	return "", h.Queue.Send(ctx, r)
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
	return surgical.WrapError(surgical.CodeInternal, cause, "the tokens that deliveries are verified with are missing or out of reach; an operator must look")
}

func header(fields map[string]string) http.Header {
	h := make(http.Header, len(fields))
	for name, value := range fields {
		h.Set(name, value)
	}
	return h
}

func decodeBody(req events.APIGatewayV2HTTPRequest) ([]byte, error) {
	tooLarge := surgical.NewError(surgical.CodePayloadTooLarge, fmt.Sprintf("the payload is larger than %d bytes", MaxBodyBytes))
	if !req.IsBase64Encoded {
		if len(req.Body) > MaxBodyBytes {
			return nil, tooLarge
		}
		return []byte(req.Body), nil
	}
	// Exact in spite of padding, for the limit is a multiple of three.
	if base64.StdEncoding.DecodedLen(len(req.Body)) > MaxBodyBytes {
		return nil, tooLarge
	}
	body, err := base64.StdEncoding.DecodeString(req.Body)
	if err != nil {
		return nil, surgical.NewError(surgical.CodeInvalidRequest, "the body is no base64")
	}
	return body, nil
}

// idempotencyKey is what names the delivery: GitLab keeps the first two when it
// sends one again.
func idempotencyKey(h http.Header, requestID string) (string, error) {
	key := cmp.Or(h.Get("Idempotency-Key"), h.Get("webhook-id"), requestID)
	if key == "" {
		// Two deliveries under one empty key would be one run.
		return "", surgical.NewError(surgical.CodeInvalidRequest, "the delivery has neither an Idempotency-Key nor a request id")
	}
	return key, nil
}
