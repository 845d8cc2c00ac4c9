package faults_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	gocmp "github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/awsapi"
	"gitlab.com/lorehook/lorehook/internal/awsretry"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/faults"
)

// calls has one call to each service that the kinds hit.
func calls() map[string]func(ctx context.Context, b boundary) error {
	put := func(ctx context.Context, db *dynamodb.Client) error {
		_, err := db.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String("sync_runs"), Item: key("run_id")})
		return err
	}
	transact := func(ctx context.Context, db *dynamodb.Client) error {
		_, err := db.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
			{Put: &types.Put{TableName: aws.String("sync_runs"), Item: key("run_id")}},
			{Delete: &types.Delete{TableName: aws.String("state"), Key: key("name")}},
		}})
		return err
	}
	return map[string]func(ctx context.Context, b boundary) error{
		"PutItem":            func(ctx context.Context, b boundary) error { return put(ctx, b.dynamoDB()) },
		"TransactWriteItems": func(ctx context.Context, b boundary) error { return transact(ctx, b.dynamoDB()) },
		"SendMessage": func(ctx context.Context, b boundary) error {
			_, err := b.sqs().SendMessage(ctx, &awsapi.SendMessageInput{QueueURL: "https://sqs/q", Body: "m", GroupID: "g", DeduplicationID: "d"})
			return err
		},
		"StartExecution": func(ctx context.Context, b boundary) error {
			_, err := b.stepFunctions().StartExecution(ctx, &awsapi.StartExecutionInput{StateMachineARN: "arn", Input: "{}"})
			return err
		},
	}
}

func key(name string) dynamo.Item { return dynamo.Item{name: &types.AttributeValueMemberS{Value: "k"}} }

// boundary returns clients whose every call fails with the kind: on the wire,
// or injected above the retries.
type boundary struct {
	kind     faults.Kind
	injected bool
}

func (b boundary) config(service string) aws.Config {
	cfg := aws.Config{Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""), Retryer: awsretry.Standard}
	wire := &faults.Wire{
		Next: roundTripper(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}"))}, nil
		}),
		Spoil: func(string, int) faults.Kind {
			if b.injected {
				return ""
			}
			return b.kind
		},
	}
	cfg.HTTPClient = &http.Client{Transport: wire}
	if b.injected {
		cfg.APIOptions = append(cfg.APIOptions, cloud.InterceptAPI(service, b.kind.Do))
	}
	return cfg
}

func (b boundary) dynamoDB() *dynamodb.Client { return dynamo.New(b.config(cloud.DynamoDB), nil) }
func (b boundary) sqs() *awsapi.SQS           { return awsapi.NewSQS(b.config(cloud.SQS)) }
func (b boundary) stepFunctions() *awsapi.StepFunctions {
	return awsapi.NewStepFunctions(b.config(cloud.StepFunctions))
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// shape lists the types of an error and the errors it wraps, down to the cause
// that the code base may examine, with its code.
func shape(err error) []string {
	var types []string
	for ; err != nil; err = errors.Unwrap(err) {
		types = append(types, fmt.Sprintf("%T", err))
		if e, ok := err.(smithy.APIError); ok {
			types = append(types, e.ErrorCode())
		}
		if e, ok := err.(*awshttp.ResponseError); ok {
			types = append(types, strconv.Itoa(e.HTTPStatusCode()))
		}
	}
	return types
}

func TestEveryFailureOfAWSHasTheShapeThatTheSDKGivesIt(t *testing.T) {
	for operation, call := range calls() {
		service := map[string]string{"SendMessage": cloud.SQS, "StartExecution": cloud.StepFunctions}[operation]
		for _, kind := range faults.Kinds() {
			if !wireKinds()[kind] || !kind.Hits(cloud.Call{Service: cmp.Or(service, cloud.DynamoDB), Operation: operation}) {
				continue
			}
			t.Run(operation+" "+string(kind), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { // the retry delays take no real time
					ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
					defer cancel()
					want, got := call(ctx, boundary{kind, false}), call(t.Context(), boundary{kind, true})
					if diff := gocmp.Diff(shape(want), shape(got)); diff != "" || want == nil {
						t.Errorf("(-SDK +injected)\n%s\nSDK:      %v\ninjected: %v", diff, want, got)
					}
				})
			})
		}
	}
}

// wireKinds are the kinds that are an error response to one request.
func wireKinds() map[faults.Kind]bool {
	return map[faults.Kind]bool{
		faults.ServerError: true, faults.BrokenConnection: true, faults.LostAnswer: true, faults.Timeout: true, faults.TimeoutApplied: true,
		faults.ThroughputExceeded: true, faults.Throttled: true, faults.TransactionConflict: true, faults.TransactionThrottled: true,
		faults.TransactionInProgress: true, faults.IdempotentMismatch: true, faults.WriteConflict: true,
	}
}
