package awsapi

import (
	"context"
	"crypto/md5" //nolint:gosec // SQS says which bytes it received by this hash
	"encoding/hex"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
)

// SQS sends messages to queues and looks after them.
type SQS struct{ client *client }

// NewSQS returns a client with the configuration.
func NewSQS(cfg aws.Config) *SQS {
	return &SQS{newClient(cfg, service{id: "SQS", name: "sqs", target: "AmazonSQS", version: "1.0", query: true})}
}

// SendMessageInput is a message of a FIFO queue: a body of at most 1 MiB, its group, and the
// id by which SQS ignores one that was sent before; both have 1 to 128 characters.
type SendMessageInput struct {
	QueueURL        string                      `json:"QueueUrl"`
	Body            string                      `json:"MessageBody"`
	GroupID         string                      `json:"MessageGroupId,omitempty"`
	DeduplicationID string                      `json:"MessageDeduplicationId,omitempty"`
	Attributes      map[string]MessageAttribute `json:"MessageAttributes,omitempty"`
}

// MessageAttribute is a value beside a message's body.
type MessageAttribute struct {
	DataType    string `json:"DataType"`
	StringValue string `json:"StringValue,omitempty"`
}

// TextAttribute returns an attribute that is a text.
func TextAttribute(value string) MessageAttribute {
	return MessageAttribute{DataType: "String", StringValue: value}
}

// SendMessageOutput says that a message is stored, and the MD5 of which body.
type SendMessageOutput struct {
	MessageID string `json:"MessageId"`
	BodyMD5   string `json:"MD5OfMessageBody"`
}

// SendMessage stores a message. If it fails, the message may be stored nevertheless.
func (s *SQS) SendMessage(ctx context.Context, in *SendMessageInput) (*SendMessageOutput, error) {
	out, err := callJSON[SendMessageInput, SendMessageOutput](ctx, s.client, "SendMessage", in)
	if err != nil {
		return nil, err
	}
	sum := md5.Sum([]byte(in.Body)) //nolint:gosec // as above
	if sent := hex.EncodeToString(sum[:]); out.BodyMD5 != "" && out.BodyMD5 != sent {
		err := fmt.Errorf("message %s arrived with another body: its MD5 is %s, not %s", out.MessageID, out.BodyMD5, sent)
		return nil, &smithy.OperationError{ServiceID: s.client.service.id, OperationName: "SendMessage", Err: err}
	}
	return out, nil
}

// ChangeMessageVisibilityInput hides a received message for Timeout seconds from now.
type ChangeMessageVisibilityInput struct {
	QueueURL      string `json:"QueueUrl"`
	ReceiptHandle string `json:"ReceiptHandle"`
	Timeout       int32  `json:"VisibilityTimeout"`
}

// ChangeMessageVisibilityOutput is empty.
type ChangeMessageVisibilityOutput struct{}

// ChangeMessageVisibility hides a message that was received.
func (s *SQS) ChangeMessageVisibility(ctx context.Context, in *ChangeMessageVisibilityInput) (*ChangeMessageVisibilityOutput, error) {
	return callJSON[ChangeMessageVisibilityInput, ChangeMessageVisibilityOutput](ctx, s.client, "ChangeMessageVisibility", in)
}

// Attributes of a queue.
const (
	// Messages is about how many messages can be received, or could be but for others of
	// their group.
	Messages = "ApproximateNumberOfMessages"
	// MessagesNotVisible is about how many were received and are not deleted.
	MessagesNotVisible = "ApproximateNumberOfMessagesNotVisible"
)

// GetQueueAttributesInput names a queue and some of its attributes.
type GetQueueAttributesInput struct {
	QueueURL string   `json:"QueueUrl"`
	Names    []string `json:"AttributeNames,omitempty"`
}

// GetQueueAttributesOutput has the values of the attributes.
type GetQueueAttributesOutput struct {
	Attributes map[string]string `json:"Attributes"`
}

// GetQueueAttributes returns what is known of a queue.
func (s *SQS) GetQueueAttributes(ctx context.Context, in *GetQueueAttributesInput) (*GetQueueAttributesOutput, error) {
	return callJSON[GetQueueAttributesInput, GetQueueAttributesOutput](ctx, s.client, "GetQueueAttributes", in)
}
