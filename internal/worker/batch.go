// Package worker takes batches of requests from the FIFO queues: the messages
// of one group in their order, groups side by side, failures reported one by
// one so that the queue delivers exactly those again.
package worker

import (
	"cmp"
	"context"
	"log/slog"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"gitlab.com/lorehook/lorehook/internal/function/logs"
	"gitlab.com/lorehook/lorehook/internal/function/trace"
	"gitlab.com/lorehook/lorehook/internal/queue"
	"gitlab.com/lorehook/lorehook/internal/surgical"
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
	lanes := make([]*lane, len(order))
	var wg sync.WaitGroup
	for i, group := range order {
		lanes[i] = b.lane(ctx, groups[group])
		wg.Go(func() { b.advance(ctx, lanes[i], false) })
	}
	wg.Wait()
	b.alone(ctx, lanes)
	// The list is never nil: not every caller takes null for an empty list.
	response := events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}}
	for _, l := range lanes {
		for _, item := range l.items {
			response.BatchItemFailures = append(response.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: item.record.MessageId})
		}
	}
	return response, nil
}

// lane is one group's part of a batch. Items are left out as they are done.
type lane struct {
	items []item
	// verdict is the last one given, on the first item that is left.
	verdict surgical.Verdict
}

// item is a message as it is processed, or why it cannot be.
type item struct {
	record events.SQSMessage
	msg    surgical.Message
	err    error
}

// lane decodes a group's messages.
func (b *Batch) lane(ctx context.Context, records []events.SQSMessage) *lane {
	l := &lane{items: make([]item, len(records))}
	var notBefore time.Time
	for i, record := range records {
		req, err := queue.Decode(record.Body)
		req.TraceParent = b.traceOf(ctx, record)
		l.items[i] = item{record: record, err: err, msg: surgical.Message{Request: req, ID: record.MessageId, SharesFetch: i > 0}}
		// A fetch covers an event only if it begins later than this.
		settled := req.EventAt.Add(surgical.Settle + time.Microsecond)
		if err == nil && settled.After(notBefore) {
			notBefore = settled
		}
	}
	for i := range l.items {
		l.items[i].msg.NotBefore = notBefore
	}
	return l
}

// advance takes the lane's messages in order, up to the first that is not done:
// it and all behind it wait, or they would overtake it.
func (b *Batch) advance(ctx context.Context, l *lane, alone bool) {
	for len(l.items) > 0 {
		next := l.items[0]
		next.msg.Alone = alone
		ctx := trace.With(ctx, next.msg.TraceParent, cmp.Or(next.msg.RunID, attribute(next.record, queue.RunAttribute)))
		l.verdict = surgical.Verdict{DeadLetter: true}
		if next.err != nil {
			b.Log.ErrorContext(ctx, "undecodable", "message_id", next.record.MessageId, "error", next.err.Error())
		} else {
			l.verdict = b.process(ctx, next.msg)
		}
		if l.verdict.Alone {
			return
		}
		if !b.settle(ctx, next.record, l.verdict) {
			b.delay(ctx, l.items, l.verdict.After)
			return
		}
		l.items = l.items[1:]
	}
}

// alone goes on with the lanes whose run a worker died over, one after another:
// if this worker dies too, it takes no other run with it. Those with the fewest
// deaths come first, so that the one that kills does not kill before them again.
func (b *Batch) alone(ctx context.Context, lanes []*lane) {
	var waiting []*lane
	for _, l := range lanes {
		if l.verdict.Alone {
			waiting = append(waiting, l)
		}
	}
	slices.SortStableFunc(waiting, func(x, y *lane) int { return cmp.Compare(x.verdict.Deaths, y.verdict.Deaths) })
	for _, l := range waiting {
		b.advance(ctx, l, true)
	}
}

func (b *Batch) process(ctx context.Context, msg surgical.Message) surgical.Verdict {
	defer logs.Panics(ctx, b.Log) // it is no handler of its own, where the library would see
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
func (b *Batch) delay(ctx context.Context, items []item, after time.Duration) {
	seconds := int32(min(maxDelay, max(1, math.Ceil(after.Seconds()))))
	for _, item := range items {
		if err := b.Queue.Delay(ctx, item.record, seconds); err != nil {
			ctx := trace.With(ctx, attribute(item.record, queue.TraceAttribute), attribute(item.record, queue.RunAttribute))
			b.Log.WarnContext(ctx, "delay_failed", "message_id", item.record.MessageId, "error", err.Error())
		}
	}
}
