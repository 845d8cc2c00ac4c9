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

	"gitlab.com/lorehook/lorehook/internal/awsapi"
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
			_, err := awsapi.NewSQS(cfg).SendMessage(ctx, &awsapi.SendMessageInput{QueueURL: "name", Body: "text"})
			return err
		}, surgical.AWSAttempts, surgical.AWSRetryPause},
		"Secrets Manager": {func(ctx context.Context, cfg aws.Config) error {
			_, err := awsapi.NewSecretsManager(cfg).GetSecretValue(ctx, &awsapi.GetSecretValueInput{SecretID: "name"})
			return err
		}, surgical.AWSAttempts, surgical.AWSRetryPause},
		"Lambda": {func(ctx context.Context, cfg aws.Config) error {
			_, err := awsapi.NewLambda(cfg).Invoke(ctx, &awsapi.InvokeInput{Function: "name"})
			return err
		}, surgical.AWSAttempts, surgical.AWSRetryPause},
		"Step Functions": {func(ctx context.Context, cfg aws.Config) error {
			_, err := awsapi.NewStepFunctions(cfg).StartExecution(ctx, &awsapi.StartExecutionInput{StateMachineARN: "name"})
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
