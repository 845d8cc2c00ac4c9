package pipeline

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// Inbox is a FIFO queue between a queue.Sender and Lambda: what is sent comes
// out as Lambda hands it to the worker. It delivers once and drops nothing.
type Inbox struct {
	clock func() time.Time
	mu    sync.Mutex
	sent  []events.SQSMessage
}

// NewInbox returns an empty queue.
func (w *World) NewInbox() *Inbox { return &Inbox{clock: w.Clock.Now} }

// SendMessage implements queue.SQS.
func (i *Inbox) SendMessage(_ context.Context, in *sqs.SendMessageInput, _ ...func(*sqs.Options)) (*sqs.SendMessageOutput, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	attributes := map[string]events.SQSMessageAttribute{}
	for name, value := range in.MessageAttributes {
		attributes[name] = events.SQSMessageAttribute{DataType: aws.ToString(value.DataType), StringValue: value.StringValue}
	}
	id := "message-" + aws.ToString(in.MessageDeduplicationId) + "-" + strconv.Itoa(len(i.sent))
	i.sent = append(i.sent, events.SQSMessage{
		MessageId: id, Body: aws.ToString(in.MessageBody), MessageAttributes: attributes,
		Attributes: map[string]string{
			"MessageGroupId": aws.ToString(in.MessageGroupId), "SentTimestamp": strconv.FormatInt(i.clock().UnixMilli(), 10),
		},
		EventSourceARN: "arn:aws:sqs:us-east-1:000000000000:lorehook-requests.fifo",
	})
	return &sqs.SendMessageOutput{MessageId: &id}, nil
}

// Take returns what was sent since the last call.
func (i *Inbox) Take() events.SQSEvent {
	i.mu.Lock()
	defer i.mu.Unlock()
	taken := events.SQSEvent{Records: i.sent}
	i.sent = nil
	return taken
}
