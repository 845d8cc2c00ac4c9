package worker

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"gitlab.com/lorehook/lorehook/internal/function/trace"
	"gitlab.com/lorehook/lorehook/internal/queue"
)

// traceOf returns the traceparent that the message brings, else a new one.
func (b *Batch) traceOf(ctx context.Context, record events.SQSMessage) string {
	parent := trace.Parse(attribute(record, queue.TraceAttribute))
	if parent == "" && b.NewTrace != nil {
		parent = b.NewTrace(ctx)
	}
	return parent
}

// attribute returns an attribute of the message if it is one that a log may
// have: short, and of printable ASCII.
func attribute(record events.SQSMessage, name string) string {
	value := record.MessageAttributes[name].StringValue
	if value == nil || !queue.FitsID(*value) {
		return ""
	}
	return *value
}

// measure tells the meter how old the messages are.
func (b *Batch) measure(records []events.SQSMessage) {
	if b.Meter == nil {
		return
	}
	now := b.Clock()
	ages := map[string][]time.Duration{}
	for _, record := range records {
		sent, err := strconv.ParseInt(record.Attributes["SentTimestamp"], 10, 64)
		if err != nil {
			continue
		}
		name := queueName(record)
		ages[name] = append(ages[name], max(0, now.Sub(time.UnixMilli(sent))))
	}
	for name, some := range ages {
		b.Meter.Received(name, some)
	}
}

// queueName is the queue's name without the stack's, which a name may contain
// hyphens of: requests of lorehook-requests.fifo.
func queueName(record events.SQSMessage) string {
	name := record.EventSourceARN[strings.LastIndex(record.EventSourceARN, ":")+1:]
	return strings.TrimSuffix(name[strings.LastIndex(name, "-")+1:], ".fifo")
}
