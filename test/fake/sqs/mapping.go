package sqs

import (
	"context"
	"strconv"

	"github.com/aws/aws-lambda-go/events"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Handler is a Lambda function that processes batches.
type Handler func(context.Context, events.SQSEvent) (events.SQSEventResponse, error)

// Poll is one round of Lambda's event source mapping with partial failures: it
// receives a batch, invokes the handler, and deletes the messages that the
// response does not report. It returns the number of messages in the batch. If
// there are none, the handler is not invoked. If the handler fails, nothing is
// deleted.
func (q *Queue) Poll(ctx context.Context, handle Handler) (int, error) {
	event := q.Batch(surgical.BatchSize)
	if len(event.Records) == 0 {
		return 0, nil
	}
	response, err := handle(ctx, event)
	if err == nil {
		q.Done(event, response)
	}
	return len(event.Records), err
}

// Batch is the first half of [Queue.Poll]: it receives at most the given number
// of messages.
func (q *Queue) Batch(most int) events.SQSEvent {
	var event events.SQSEvent
	for _, m := range q.Receive(most) {
		event.Records = append(event.Records, q.record(m))
	}
	return event
}

// Done is the second half of [Queue.Poll]: it deletes the batch's messages
// except those that the response reports.
func (q *Queue) Done(batch events.SQSEvent, response events.SQSEventResponse) {
	failed := map[string]bool{}
	for _, f := range response.BatchItemFailures {
		failed[f.ItemIdentifier] = true
	}
	for _, m := range batch.Records {
		if !failed[m.MessageId] {
			// If the receipt has expired, the message is delivered again.
			_ = q.Delete(m.ReceiptHandle)
		}
	}
}

// Take returns all messages in the order in which they were sent, and deletes
// them, whatever their state. It is for a test that invokes the function
// itself.
func (q *Queue) Take() events.SQSEvent {
	var event events.SQSEvent
	for _, m := range q.Messages() {
		event.Records = append(event.Records, q.record(m))
		q.Drop(m.ID)
	}
	return event
}

// record returns the message as a function receives it.
func (q *Queue) record(m Message) events.SQSMessage {
	attributes := make(map[string]events.SQSMessageAttribute, len(m.Attributes))
	for name, value := range m.Attributes {
		attributes[name] = events.SQSMessageAttribute{DataType: "String", StringValue: &value}
	}
	return events.SQSMessage{
		MessageAttributes: attributes,
		MessageId:         m.ID, ReceiptHandle: m.Receipt, Body: m.Body, EventSource: "aws:sqs", EventSourceARN: q.ARN(), AWSRegion: "us-east-1",
		Attributes: map[string]string{
			"MessageGroupId": m.Group, "MessageDeduplicationId": m.Deduplication,
			"ApproximateReceiveCount":          strconv.Itoa(m.Receives),
			"SentTimestamp":                    strconv.FormatInt(m.SentAt.UnixMilli(), 10),
			"ApproximateFirstReceiveTimestamp": strconv.FormatInt(m.FirstReceivedAt.UnixMilli(), 10),
		},
	}
}
