package sqs

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
)

// URL is the queue's URL. It ends with the name, as on AWS.
func (q *Queue) URL() string { return "https://sqs.us-east-1.amazonaws.com/000000000000/" + q.Name }

// ARN is the queue's ARN, its event source in an event.
func (q *Queue) ARN() string { return "arn:aws:sqs:us-east-1:000000000000:" + q.Name }

// Client returns an SDK client whose calls the queues serve; options may add
// interceptors.
func Client(queues []*Queue, options ...func(*middleware.Stack) error) *sqs.Client {
	answer := middleware.InitializeMiddlewareFunc("fakesqs",
		func(ctx context.Context, in middleware.InitializeInput, _ middleware.InitializeHandler) (out middleware.InitializeOutput, meta middleware.Metadata, err error) {
			if err := ctx.Err(); err != nil {
				return out, meta, &aws.RequestCanceledError{Err: err}
			}
			out.Result, err = call(queues, in.Parameters)
			return out, meta, err
		})
	return sqs.New(sqs.Options{
		Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
		APIOptions: append([]func(*middleware.Stack) error{func(stack *middleware.Stack) error {
			return stack.Initialize.Add(answer, middleware.After)
		}}, options...),
	})
}

func call(queues []*Queue, params any) (any, error) {
	find := func(url *string) (*Queue, error) {
		for _, q := range queues {
			if strings.HasSuffix(aws.ToString(url), "/"+q.Name) {
				return q, nil
			}
		}
		return nil, &types.QueueDoesNotExist{Message: aws.String("The specified queue does not exist.")}
	}
	switch in := params.(type) {
	case *sqs.SendMessageInput:
		q, err := find(in.QueueUrl)
		if err != nil {
			return nil, err
		}
		group, deduplication := aws.ToString(in.MessageGroupId), aws.ToString(in.MessageDeduplicationId)
		if group == "" || deduplication == "" {
			return nil, &smithy.GenericAPIError{Code: "MissingParameter", Message: "The request must contain the parameters MessageGroupId and MessageDeduplicationId."}
		}
		attributes := make(map[string]string, len(in.MessageAttributes))
		for name, value := range in.MessageAttributes {
			attributes[name] = aws.ToString(value.StringValue)
		}
		return &sqs.SendMessageOutput{MessageId: aws.String(q.SendWith(group, deduplication, *in.MessageBody, attributes))}, nil
	case *sqs.GetQueueAttributesInput:
		q, err := find(in.QueueUrl)
		if err != nil {
			return nil, err
		}
		visible, received := q.Depth()
		return &sqs.GetQueueAttributesOutput{Attributes: map[string]string{
			string(types.QueueAttributeNameApproximateNumberOfMessages):           strconv.Itoa(visible),
			string(types.QueueAttributeNameApproximateNumberOfMessagesNotVisible): strconv.Itoa(received),
		}}, nil
	case *sqs.ChangeMessageVisibilityInput:
		q, err := find(in.QueueUrl)
		if err != nil {
			return nil, err
		}
		return &sqs.ChangeMessageVisibilityOutput{}, receiptFailure(q.Hide(*in.ReceiptHandle, time.Duration(in.VisibilityTimeout)*time.Second))
	}
	return nil, fmt.Errorf("fakesqs: %T is not supported", params)
}

// receiptFailure is SQS's response to an expired receipt handle.
func receiptFailure(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrNotInFlight):
		return &types.MessageNotInflight{Message: aws.String(err.Error())}
	}
	return &smithy.GenericAPIError{Code: "InvalidParameterValue", Message: err.Error()}
}
