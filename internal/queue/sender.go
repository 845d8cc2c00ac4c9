// Package queue sends surgical requests to a FIFO queue and decodes them.
//
// A message's body is the request as JSON. Its group is the entity (or the run,
// if it has several targets), so that requests for one entity stay in order. Its
// deduplication id is the run's id, so that SQS ignores a request that is repeated
// within [surgical.DeduplicationInterval], and never one for another run. Hide
// requests have groups and deduplication ids of their own. A message's
// attributes hold the run and the trace, so that both can be seen without reading
// the body.
package queue

import (
	"context"
	"encoding/json"
	"fmt"

	"gitlab.com/lorehook/lorehook/internal/awsapi"
	"gitlab.com/lorehook/lorehook/internal/function/trace"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// maxID is the length that SQS allows for group and deduplication ids.
const maxID = 128

// The attributes of a message.
const (
	RunAttribute   = "run_id"
	TraceAttribute = trace.Header
)

// SQS is the part of the SQS client that [Sender] uses.
type SQS interface {
	SendMessage(context.Context, *awsapi.SendMessageInput) (*awsapi.SendMessageOutput, error)
}

// Sender sends to one queue.
type Sender struct {
	sqs SQS
	url string
}

// NewSender returns a sender to the FIFO queue with the URL.
func NewSender(client SQS, queueURL string) *Sender { return &Sender{sqs: client, url: queueURL} }

// Send durably enqueues the request. Its error is [surgical.CodeInvalidRequest]
// if the request is invalid, else [surgical.CodeQueueUnavailable], in which case
// the message may have been stored nevertheless.
func (s *Sender) Send(ctx context.Context, r surgical.Request) error {
	if err := r.Validate(); err != nil {
		return err
	}
	if err := checkMessageID(r); err != nil {
		return err
	}
	body, err := json.Marshal(r)
	if err != nil {
		return surgical.WrapError(surgical.CodeInternal, err, "the request cannot be encoded")
	}
	_, err = s.sqs.SendMessage(ctx, &awsapi.SendMessageInput{
		QueueURL: s.url, Body: string(body), GroupID: r.Group(), DeduplicationID: r.MessageID(), Attributes: attributes(r),
	})
	if err != nil {
		return surgical.WrapError(surgical.CodeQueueUnavailable, err, "the request could not be sent to the queue")
	}
	return nil
}

func attributes(r surgical.Request) map[string]awsapi.MessageAttribute {
	all := map[string]awsapi.MessageAttribute{RunAttribute: awsapi.TextAttribute(r.RunID)}
	if r.TraceParent != "" {
		all[TraceAttribute] = awsapi.TextAttribute(r.TraceParent)
	}
	return all
}

// FitsID reports whether SQS accepts s as a group or deduplication id: 1 to 128
// letters, digits and ASCII punctuation.
func FitsID(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return s != "" && len(s) <= maxID
}

// checkMessageID refuses a request whose message SQS would refuse.
func checkMessageID(r surgical.Request) error {
	if FitsID(r.MessageID()) {
		return nil
	}
	return surgical.NewError(surgical.CodeInvalidRequest, "the run_id is not a valid SQS deduplication id")
}

// Decode decodes a message's body: only what [Sender.Send] can send again, because
// a run may have to wait. Its error is [surgical.CodeInvalidRequest], and never
// quotes the body.
func Decode(body string) (surgical.Request, error) {
	var r surgical.Request
	if json.Unmarshal([]byte(body), &r) != nil {
		return surgical.Request{}, surgical.NewError(surgical.CodeInvalidRequest, "the message is not a surgical request")
	}
	if err := r.Validate(); err != nil {
		return surgical.Request{}, fmt.Errorf("message: %w", err)
	}
	if err := checkMessageID(r); err != nil {
		return surgical.Request{}, fmt.Errorf("message: %w", err)
	}
	if r.Options.DryRun {
		return surgical.Request{}, surgical.NewError(surgical.CodeInvalidRequest, "a dry_run is answered immediately and never queued")
	}
	return r, nil
}
