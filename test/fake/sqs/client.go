package sqs

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"

	"gitlab.com/lorehook/lorehook/internal/awsapi"
)

// URL is the queue's URL. It ends with the name, as on AWS.
func (q *Queue) URL() string { return "https://sqs.us-east-1.amazonaws.com/000000000000/" + q.Name }

// ARN is the queue's ARN, its event source in an event.
func (q *Queue) ARN() string { return "arn:aws:sqs:us-east-1:000000000000:" + q.Name }

// Client returns a client whose calls the queues serve; options may add interceptors.
func Client(queues []*Queue, options ...func(*middleware.Stack) error) *awsapi.SQS {
	answer := middleware.InitializeMiddlewareFunc("fakesqs",
		func(ctx context.Context, in middleware.InitializeInput, _ middleware.InitializeHandler) (out middleware.InitializeOutput, meta middleware.Metadata, err error) {
			if err := ctx.Err(); err != nil {
				return out, meta, &aws.RequestCanceledError{Err: err}
			}
			out.Result, err = call(queues, in.Parameters)
			return out, meta, err
		})
	return awsapi.NewSQS(aws.Config{Region: "us-east-1", APIOptions: append([]func(*middleware.Stack) error{func(stack *middleware.Stack) error {
		return stack.Initialize.Add(answer, middleware.After)
	}}, options...)})
}

func call(queues []*Queue, params any) (any, error) {
	find := func(url string) (*Queue, error) {
		for _, q := range queues {
			if strings.HasSuffix(url, "/"+q.Name) {
				return q, nil
			}
		}
		return nil, &smithy.GenericAPIError{Code: "AWS.SimpleQueueService.NonExistentQueue", Message: "The specified queue does not exist.", Fault: smithy.FaultClient}
	}
	switch in := params.(type) {
	case *awsapi.SendMessageInput:
		q, err := find(in.QueueURL)
		if err != nil {
			return nil, err
		}
		if in.GroupID == "" || in.DeduplicationID == "" {
			return nil, &smithy.GenericAPIError{Code: "MissingParameter", Message: "The request must contain the parameters MessageGroupId and MessageDeduplicationId."}
		}
		attributes := make(map[string]string, len(in.Attributes))
		for name, value := range in.Attributes {
			attributes[name] = value.StringValue
		}
		return &awsapi.SendMessageOutput{MessageID: q.SendWith(in.GroupID, in.DeduplicationID, in.Body, attributes)}, nil
	case *awsapi.GetQueueAttributesInput:
		q, err := find(in.QueueURL)
		if err != nil {
			return nil, err
		}
		visible, received := q.Depth()
		return &awsapi.GetQueueAttributesOutput{Attributes: map[string]string{
			awsapi.Messages: strconv.Itoa(visible), awsapi.MessagesNotVisible: strconv.Itoa(received),
		}}, nil
	case *awsapi.ChangeMessageVisibilityInput:
		q, err := find(in.QueueURL)
		if err != nil {
			return nil, err
		}
		return &awsapi.ChangeMessageVisibilityOutput{}, receiptFailure(q.Hide(in.ReceiptHandle, time.Duration(in.Timeout)*time.Second))
	}
	return nil, fmt.Errorf("fakesqs: %T is not supported", params)
}

// receiptFailure is SQS's response to an expired receipt handle.
func receiptFailure(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrNotInFlight):
		return &smithy.GenericAPIError{Code: "AWS.SimpleQueueService.MessageNotInflight", Message: err.Error(), Fault: smithy.FaultClient}
	}
	return &smithy.GenericAPIError{Code: "InvalidParameterValue", Message: err.Error()}
}
