package worker

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// SQS implements [Queue].
type SQS struct {
	Client *sqs.Client
	// QueueURLs are the queues that messages come from; a message's queue is
	// found by the name in its ARN.
	QueueURLs []string
	// DeadLetterURL is a FIFO queue.
	DeadLetterURL string
}

// Delay implements [Queue].
func (q *SQS) Delay(ctx context.Context, record events.SQSMessage, seconds int32) error {
	url, err := q.queueOf(record)
	if err != nil {
		return err
	}
	_, err = q.Client.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
		QueueUrl: aws.String(url), ReceiptHandle: aws.String(record.ReceiptHandle), VisibilityTimeout: seconds,
	})
	if err != nil {
		return fmt.Errorf("delay message %s: %w", record.MessageId, err)
	}
	return nil
}

func (q *SQS) queueOf(record events.SQSMessage) (string, error) {
	name := record.EventSourceARN[strings.LastIndex(record.EventSourceARN, ":")+1:]
	for _, url := range q.QueueURLs {
		if strings.HasSuffix(url, "/"+name) {
			return url, nil
		}
	}
	return "", fmt.Errorf("message %s comes from %s, which is no queue of this worker", record.MessageId, record.EventSourceARN)
}

// DeadLetter implements [Queue]. The message keeps its group and its attributes;
// its own id deduplicates a second try.
func (q *SQS) DeadLetter(ctx context.Context, record events.SQSMessage) error {
	group := record.Attributes["MessageGroupId"]
	if group == "" {
		group = record.MessageId
	}
	_, err := q.Client.SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl: aws.String(q.DeadLetterURL), MessageBody: aws.String(record.Body),
		MessageGroupId: aws.String(group), MessageDeduplicationId: aws.String(record.MessageId),
		MessageAttributes: texts(record.MessageAttributes),
	})
	if err != nil {
		return fmt.Errorf("move message %s to the dead letters: %w", record.MessageId, err)
	}
	return nil
}

// texts copies the attributes that are texts, which ours are.
func texts(attributes map[string]events.SQSMessageAttribute) map[string]types.MessageAttributeValue {
	copied := map[string]types.MessageAttributeValue{}
	for name, value := range attributes {
		if value.DataType == "String" && value.StringValue != nil {
			copied[name] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: value.StringValue}
		}
	}
	return copied
}
