package worker

import (
	"context"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"gitlab.com/lorehook/lorehook/internal/function/trace"
	"gitlab.com/lorehook/lorehook/internal/queue"
)

// traceOf returns the message's traceparent, or a new one if it has none.
func (b *Batch) traceOf(ctx context.Context, record events.SQSMessage) string {
	parent := trace.Parse(attribute(record, queue.TraceAttribute))
	if parent == "" && b.NewTrace != nil {
		parent = b.NewTrace(ctx)
	}
	return parent
}

// attribute returns an attribute of the message if it is fit for a log line:
// short, and printable ASCII.
func attribute(record events.SQSMessage, name string) string {
	value := record.MessageAttributes[name].StringValue
	if value == nil || !queue.FitsID(*value) {
		return ""
	}
	return *value
}

// measure reports how long ago the messages were sent.
func (b *Batch) measure(records []events.SQSMessage) {
	now := b.Clock()
	ages := map[string][]time.Duration{}
	for _, record := range records {
		sent, err := strconv.ParseInt(record.Attributes["SentTimestamp"], 10, 64)
		if err != nil {
			continue
		}
		name := queue.ShortName(record)
		ages[name] = append(ages[name], max(0, now.Sub(time.UnixMilli(sent))))
	}
	for name, some := range ages {
		b.Meter.Received(name, some)
	}
}
