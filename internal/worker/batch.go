// Package worker takes batches of requests from the FIFO queues: the messages
// of one group in their order, groups side by side, failures reported one by
// one so that the queue delivers exactly those again.
package worker

import (
	"cmp"
	"context"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"gitlab.com/lorehook/lorehook/internal/queue"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/trace"
)

// Processor carries one message's run as far as it goes.
type Processor interface {
	Process(ctx context.Context, msg surgical.Message) (surgical.Verdict, error)
}

// Queue is what a batch needs of SQS.
type Queue interface {
	// Delay hides the message from now on for so many seconds.
	Delay(ctx context.Context, record events.SQSMessage, seconds int32) error
	// DeadLetter puts a copy of the message among the dead letters.
	DeadLetter(ctx context.Context, record events.SQSMessage) error
}

// Meter is told of what a batch brought.
type Meter interface {
	// Received hears, of one queue, how long ago each message was sent.
	Received(queue string, ages []time.Duration)
}

// Batch handles batches. All fields are required but NewTrace and Meter.
type Batch struct {
	Processor Processor
	Queue     Queue
	Clock     func() time.Time
	Log       *slog.Logger
	// NewTrace makes the traceparent of a message that brings none.
	NewTrace func(context.Context) string
	Meter    Meter
}

// maxDelay is the longest time that SQS hides a message, in seconds: 12 hours
// from when it was received, which is some minutes ago.
const maxDelay = 12*60*60 - 10*60

// Handle implements the Lambda function. It reports every message that is not
// done; its error is always nil, for an error would fail healthy groups too.
func (b *Batch) Handle(ctx context.Context, event events.SQSEvent) (events.SQSEventResponse, error) {
	b.measure(event.Records)
	var order []string
	groups := map[string][]events.SQSMessage{}
	for _, record := range event.Records {
		group := record.Attributes["MessageGroupId"]
		if _, seen := groups[group]; !seen {
			order = append(order, group)
		}
		groups[group] = append(groups[group], record)
	}
	left := make([][]events.SQSMessage, len(order))
	var wg sync.WaitGroup
	for i, group := range order {
		wg.Go(func() { left[i] = b.group(ctx, groups[group]) })
	}
	wg.Wait()
	// The list is never nil: not every caller takes null for an empty list.
	response := events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}}
	for _, records := range left {
		for _, record := range records {
			response.BatchItemFailures = append(response.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: record.MessageId})
		}
	}
	return response, nil
}

// group takes one group's messages in order and returns those that are left:
// the first that is not done, and all behind it, or they would overtake it.
func (b *Batch) group(ctx context.Context, records []events.SQSMessage) []events.SQSMessage {
	requests := make([]surgical.Request, len(records))
	errs := make([]error, len(records))
	var notBefore time.Time
	for i, record := range records {
		requests[i], errs[i] = queue.Decode(record.Body)
		requests[i].TraceParent = b.traceOf(ctx, record)
		// A fetch covers an event only if it begins later than this.
		settled := requests[i].EventAt.Add(surgical.Settle + time.Microsecond)
		if errs[i] == nil && settled.After(notBefore) {
			notBefore = settled
		}
	}
	for i, record := range records {
		ctx := trace.With(ctx, requests[i].TraceParent, cmp.Or(requests[i].RunID, attribute(record, queue.RunAttribute)))
		verdict := surgical.Verdict{DeadLetter: true}
		if errs[i] != nil {
			b.Log.ErrorContext(ctx, "undecodable", "message_id", record.MessageId, "error", errs[i].Error())
		} else {
			verdict = b.process(ctx, surgical.Message{
				Request: requests[i], ID: record.MessageId, NotBefore: notBefore, SharesFetch: i > 0,
			})
		}
		if !b.settle(ctx, record, verdict) {
			b.delay(ctx, records[i:], verdict.After)
			return records[i:]
		}
	}
	return nil
}

func (b *Batch) process(ctx context.Context, msg surgical.Message) surgical.Verdict {
	verdict, err := b.Processor.Process(ctx, msg)
	if err != nil {
		b.Log.WarnContext(ctx, "message_waits", "run_id", msg.RunID, "project_id", msg.ProjectID, "message_id", msg.ID,
			"delay_ms", verdict.After.Milliseconds(), "code", surgical.CodeOf(err), "error", err.Error())
	}
	return verdict
}

// settle reports whether the message may be deleted.
func (b *Batch) settle(ctx context.Context, record events.SQSMessage, verdict surgical.Verdict) bool {
	if !verdict.DeadLetter {
		return verdict.Delete
	}
	if err := b.Queue.DeadLetter(ctx, record); err != nil {
		b.Log.ErrorContext(ctx, "dead_letter_failed", "message_id", record.MessageId, "error", err.Error())
		return false
	}
	return true
}

// delay hides the messages. One that cannot be hidden comes again when its
// visibility ends, which is late but safe.
func (b *Batch) delay(ctx context.Context, records []events.SQSMessage, after time.Duration) {
	seconds := int32(min(maxDelay, max(1, math.Ceil(after.Seconds()))))
	for _, record := range records {
		if err := b.Queue.Delay(ctx, record, seconds); err != nil {
			ctx := trace.With(ctx, attribute(record, queue.TraceAttribute), attribute(record, queue.RunAttribute))
			b.Log.WarnContext(ctx, "delay_failed", "message_id", record.MessageId, "error", err.Error())
		}
	}
}
