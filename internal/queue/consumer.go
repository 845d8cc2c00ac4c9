package queue

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"gitlab.com/lorehook/lorehook/internal/awsapi"
	"gitlab.com/lorehook/lorehook/internal/function/awsenv"
)

// Consumer is the worker's side of the queues, apart from Lambda's polling.
type Consumer struct {
	Client *awsapi.SQS
	// QueueURLs are the queues that messages come from. A message's queue is
	// looked up by the name in its ARN.
	QueueURLs []string
	// DeadLetterURL is a FIFO queue.
	DeadLetterURL string
}

// Delay hides the message for the given number of seconds from now.
func (q *Consumer) Delay(ctx context.Context, record events.SQSMessage, seconds int32) error {
	url, err := q.queueOf(record)
	if err != nil {
		return err
	}
	_, err = q.Client.ChangeMessageVisibility(ctx, &awsapi.ChangeMessageVisibilityInput{QueueURL: url, ReceiptHandle: record.ReceiptHandle, Timeout: seconds})
	if err != nil {
		return fmt.Errorf("delay message %s: %w", record.MessageId, err)
	}
	return nil
}

func (q *Consumer) queueOf(record events.SQSMessage) (string, error) {
	name := awsenv.NameOfARN(record.EventSourceARN)
	for _, url := range q.QueueURLs {
		if strings.HasSuffix(url, "/"+name) {
			return url, nil
		}
	}
	return "", fmt.Errorf("message %s comes from %s, which is not a queue of this worker", record.MessageId, record.EventSourceARN)
}

// DeadLetter sends a copy of the message to the dead-letter queue. The copy keeps
// the group and the attributes, and is deduplicated by the message's id.
func (q *Consumer) DeadLetter(ctx context.Context, record events.SQSMessage) error {
	group := record.Attributes["MessageGroupId"]
	if group == "" {
		group = record.MessageId
	}
	_, err := q.Client.SendMessage(ctx, &awsapi.SendMessageInput{
		QueueURL: q.DeadLetterURL, Body: record.Body, GroupID: group, DeduplicationID: record.MessageId, Attributes: texts(record.MessageAttributes),
	})
	if err != nil {
		return fmt.Errorf("move message %s to the dead-letter queue: %w", record.MessageId, err)
	}
	return nil
}

// ShortName is the queue's name without the stack's, which may contain hyphens:
// requests of lorehook-requests.fifo.
func ShortName(record events.SQSMessage) string {
	name := awsenv.NameOfARN(record.EventSourceARN)
	return strings.TrimSuffix(name[strings.LastIndex(name, "-")+1:], ".fifo")
}

// texts copies the string attributes. All of ours are strings.
func texts(attributes map[string]events.SQSMessageAttribute) map[string]awsapi.MessageAttribute {
	copied := map[string]awsapi.MessageAttribute{}
	for name, value := range attributes {
		if value.DataType == "String" && value.StringValue != nil {
			copied[name] = awsapi.TextAttribute(*value.StringValue)
		}
	}
	return copied
}
