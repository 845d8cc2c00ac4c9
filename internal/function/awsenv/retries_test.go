package awsenv_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"gitlab.com/lorehook/lorehook/internal/bucket"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/function/awsenv"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// failing is an HTTP client that answers every request with a server's error, and keeps
// when each was sent.
type failing struct{ sent []time.Time }

// Do implements aws.HTTPClient.
func (f *failing) Do(*http.Request) (*http.Response, error) {
	f.sent = append(f.sent, time.Now())
	return &http.Response{StatusCode: http.StatusInternalServerError, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(""))}, nil
}

// How often a request is sent must not change with the version of a client.
func TestConfig_SendsARequestOfEachServiceAsOftenAsTheLimitsSay(t *testing.T) {
	for name, value := range map[string]string{"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_ENDPOINT_URL": ""} {
		t.Setenv(name, value)
	}
	name := aws.String("name")
	for service, c := range map[string]struct {
		call     func(context.Context, aws.Config) error
		attempts int
		pause    time.Duration
	}{
		"DynamoDB": {func(ctx context.Context, cfg aws.Config) error {
			_, err := dynamo.New(cfg, nil).GetItem(ctx, &dynamodb.GetItemInput{TableName: name, Key: dynamo.Item{"pk": &types.AttributeValueMemberS{Value: "a"}}})
			return err
		}, surgical.DynamoDBAttempts, surgical.DynamoDBRetryPause},
		"SQS": {func(ctx context.Context, cfg aws.Config) error {
			_, err := sqs.NewFromConfig(cfg).SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: name, MessageBody: name})
			return err
		}, surgical.AWSAttempts, surgical.AWSRetryPause},
		"Secrets Manager": {func(ctx context.Context, cfg aws.Config) error {
			_, err := secretsmanager.NewFromConfig(cfg).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: name})
			return err
		}, surgical.AWSAttempts, surgical.AWSRetryPause},
		"Lambda": {func(ctx context.Context, cfg aws.Config) error {
			_, err := lambda.NewFromConfig(cfg).Invoke(ctx, &lambda.InvokeInput{FunctionName: name})
			return err
		}, surgical.AWSAttempts, surgical.AWSRetryPause},
		"Step Functions": {func(ctx context.Context, cfg aws.Config) error {
			_, err := sfn.NewFromConfig(cfg).StartExecution(ctx, &sfn.StartExecutionInput{StateMachineArn: name})
			return err
		}, surgical.AWSAttempts, surgical.AWSRetryPause},
		"S3": {func(ctx context.Context, cfg aws.Config) error {
			_, _, err := bucket.New(bucket.Client(cfg), "bucket").Head(ctx, "key")
			return err
		}, surgical.AWSAttempts, surgical.AWSRetryPause},
	} {
		t.Run(service, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				longest := make([]time.Duration, c.attempts-1)
				for range 50 { // pauses are random
					server, cfg := &failing{}, awsenv.Config()
					cfg.HTTPClient = server
					if err := c.call(t.Context(), cfg); err == nil || len(server.sent) != c.attempts {
						t.Fatalf("sent %d times, want %d; error %v", len(server.sent), c.attempts, err)
					}
					for i := range longest {
						longest[i] = max(longest[i], server.sent[i+1].Sub(server.sent[i]))
					}
				}
				for i, got := range longest {
					if most := c.pause << i; got > most || got < most/2 {
						t.Errorf("pauses after attempt %d take up to %s, want %s", i+1, got, most)
					}
				}
			})
		})
	}
}
