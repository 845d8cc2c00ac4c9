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
	"gitlab.com/lorehook/lorehook/internal/function/metrics"
	"gitlab.com/lorehook/lorehook/internal/function/trace"
	"gitlab.com/lorehook/lorehook/internal/queue"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Queue is the worker's side of SQS, apart from Lambda's polling: [queue.Consumer].
type Queue interface {
	// Delay hides the message for the given number of seconds from now.
	Delay(ctx context.Context, record events.SQSMessage, seconds int32) error
	// DeadLetter sends a copy of the message to the dead-letter queue.
	DeadLetter(ctx context.Context, record events.SQSMessage) error
}

// Batch handles the batches of messages that Lambda delivers. All fields are
// required except NewTrace and Meter.
type Batch struct {
	// Process carries one message's run as far as it goes; see [Engine.Process].
	Process func(ctx context.Context, msg Message, isolated bool) Verdict
	Queue   Queue
	Clock   func() time.Time
	Log     *slog.Logger
	// NewTrace generates the traceparent of a message that has none.
	NewTrace func(context.Context) string
	Meter    *metrics.Emitter
}

// maxDelay is the longest time that SQS hides a message, in seconds: 12 hours
// from when it was received, which is some minutes ago.
const maxDelay = 12*60*60 - 10*60

// Handle is the Lambda function: the messages of one group in their order, groups
// side by side. It reports every message that is not done, so that SQS delivers
// exactly those again; its error is always nil, because an error would fail
// healthy groups too.
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
		wg.Go(func() { b.advance(ctx, lanes[i], len(order) == 1) })
	}
	wg.Wait()
	b.isolate(ctx, lanes)
	// The list is never nil: some callers reject null.
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
	// isolate is set if the first item that is left must be processed with nothing
	// else running.
	isolate *Isolate
}

// item is a message, or why it cannot be decoded.
type item struct {
	record events.SQSMessage
	msg    Message
	err    error
}

// lane decodes a group's messages.
func (b *Batch) lane(ctx context.Context, records []events.SQSMessage) *lane {
	l := &lane{items: make([]item, len(records))}
	var notBefore time.Time
	var evidence surgical.Evidence
	for i, record := range records {
		req, err := queue.Decode(record.Body)
		req.TraceParent = b.traceOf(ctx, record)
		l.items[i] = item{record: record, err: err, msg: Message{Request: req, ID: record.MessageId, SharesFetch: i > 0}}
		// A fetch covers an event only if it begins later than this.
		settled := req.EventAt.Add(surgical.Settle + time.Microsecond)
		if err == nil && settled.After(notBefore) {
			notBefore = settled
		}
		if err == nil {
			evidence = evidence.Merge(req.Evidence)
		}
	}
	for i := range l.items {
		l.items[i].msg.NotBefore = notBefore
		if len(l.items[i].msg.Targets) == 1 { // the group is the entity
			l.items[i].msg.Evidence = evidence
		}
	}
	return l
}

// advance processes the lane's messages in order, up to the first that is not
// done: it and all that follow wait, or they would overtake it.
func (b *Batch) advance(ctx context.Context, l *lane, isolated bool) {
	l.isolate = nil
	for len(l.items) > 0 {
		next := l.items[0]
		ctx := trace.With(ctx, next.msg.TraceParent, cmp.Or(next.msg.RunID, attribute(next.record, queue.RunAttribute)))
		var verdict Verdict = DeadLetter{}
		if next.err != nil {
			b.Log.ErrorContext(ctx, "undecodable", "message_id", next.record.MessageId, "error", next.err.Error())
		} else {
			verdict = b.process(ctx, next.msg, isolated)
		}
		var after time.Duration
		switch v := verdict.(type) {
		case Done:
			l.items = l.items[1:]
			continue
		case DeadLetter:
			if b.deadLetter(ctx, next.record) {
				l.items = l.items[1:]
				continue
			}
		case Isolate:
			l.isolate = &v
			return
		case Wait:
			after = v.After
		}
		b.delay(ctx, l.items, after)
		return
	}
}

// isolate goes on with the lanes whose run a worker died over, or that was too
// large beside the others, one after another: if this worker dies too, it takes no
// other run with it. Those with the fewest
// deaths come first, so that the run that kills does not kill before the others
// again.
func (b *Batch) isolate(ctx context.Context, lanes []*lane) {
	var waiting []*lane
	for _, l := range lanes {
		if l.isolate != nil {
			waiting = append(waiting, l)
		}
	}
	slices.SortStableFunc(waiting, func(x, y *lane) int { return cmp.Compare(x.isolate.Deaths, y.isolate.Deaths) })
	for _, l := range waiting {
		b.advance(ctx, l, true)
	}
}

// process processes one message. A panic that [Engine.Process] did not turn into
// the end of its run moves the message to the dead letters: it would panic again,
// and the process has other runs.
func (b *Batch) process(ctx context.Context, msg Message, isolated bool) (verdict Verdict) {
	defer func() {
		if value := recover(); value != nil {
			logs.Panic(ctx, b.Log, surgical.PanicOf(value))
			verdict = DeadLetter{}
		}
	}()
	verdict = b.Process(ctx, msg, isolated)
	if w, ok := verdict.(Wait); ok && w.Cause != nil {
		b.Log.WarnContext(ctx, "message_waits", "run_id", msg.RunID, "project_id", msg.ProjectID, "message_id", msg.ID,
			"delay_ms", w.After.Milliseconds(), "code", surgical.CodeOf(w.Cause), "error", w.Cause.Error())
	}
	return verdict
}

// deadLetter reports whether the message was moved, so that it may be deleted.
func (b *Batch) deadLetter(ctx context.Context, record events.SQSMessage) bool {
	if err := b.Queue.DeadLetter(ctx, record); err != nil {
		b.Log.ErrorContext(ctx, "dead_letter_failed", "message_id", record.MessageId, "error", err.Error())
		return false
	}
	return true
}

// delay hides the messages. One that cannot be hidden is delivered again when its
// visibility timeout ends, which is late but safe.
func (b *Batch) delay(ctx context.Context, items []item, after time.Duration) {
	seconds := int32(min(maxDelay, max(1, math.Ceil(after.Seconds()))))
	for _, item := range items {
		if err := b.Queue.Delay(ctx, item.record, seconds); err != nil {
			ctx := trace.With(ctx, attribute(item.record, queue.TraceAttribute), attribute(item.record, queue.RunAttribute))
			b.Log.WarnContext(ctx, "delay_failed", "message_id", item.record.MessageId, "error", err.Error())
		}
	}
}
