package sqs

import (
	"context"
	"strconv"

	"github.com/aws/aws-lambda-go/events"
)

// batchSize is the mapping's, see infra/queues.go.
const batchSize = 10

// Handler is a Lambda function that takes batches.
type Handler func(context.Context, events.SQSEvent) (events.SQSEventResponse, error)

// Poll is one round of Lambda's event source mapping with partial failures: it
// receives a batch, invokes the handler, and deletes what the answer does not
// report. It returns how many messages the batch held; 0 if there was none, and
// the handler was not invoked. An error of the handler deletes nothing.
func (q *Queue) Poll(ctx context.Context, handle Handler) (int, error) {
	batch := q.Receive(batchSize)
	if len(batch) == 0 {
		return 0, nil
	}
	var event events.SQSEvent
	for _, m := range batch {
		event.Records = append(event.Records, q.record(m))
	}
	response, err := handle(ctx, event)
	if err != nil {
		return len(batch), err
	}
	failed := map[string]bool{}
	for _, f := range response.BatchItemFailures {
		failed[f.ItemIdentifier] = true
	}
	for _, m := range batch {
		if !failed[m.ID] {
			// A receipt that is out of date: the message comes again.
			_ = q.Delete(m.Receipt)
		}
	}
	return len(batch), nil
}

// record is the message as a function sees it.
func (q *Queue) record(m Message) events.SQSMessage {
	return events.SQSMessage{
		MessageId: m.ID, ReceiptHandle: m.Receipt, Body: m.Body, EventSource: "aws:sqs", EventSourceARN: q.ARN(), AWSRegion: "us-east-1",
		Attributes: map[string]string{
			"MessageGroupId": m.Group, "MessageDeduplicationId": m.Deduplication,
			"ApproximateReceiveCount":          strconv.Itoa(m.Receives),
			"SentTimestamp":                    strconv.FormatInt(m.SentAt.UnixMilli(), 10),
			"ApproximateFirstReceiveTimestamp": strconv.FormatInt(m.FirstReceivedAt.UnixMilli(), 10),
		},
	}
}
