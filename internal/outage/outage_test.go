package outage_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"gitlab.com/lorehook/lorehook/internal/awsapi"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/outage"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// service is a service that answers every request in one way.
func service(t *testing.T, handle http.HandlerFunc) aws.Config {
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	return at(server.URL)
}

// at is the configuration of clients that send every request once.
func at(url string) aws.Config {
	return aws.Config{Region: "eu-central-1", BaseEndpoint: &url, RetryMaxAttempts: 1, Credentials: credentials.NewStaticCredentialsProvider("sample", "sample", "")}
}

func saying(status int, kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("X-Amzn-Errortype", kind)
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `{"__type":"com.amazonaws#%s","message":"it says so"}`, kind)
	}
}

func silent(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

func readItem(ctx context.Context, cfg aws.Config) error {
	_, err := dynamodb.NewFromConfig(cfg).GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String("t"), Key: dynamo.Item{}})
	return err
}

func writeItem(ctx context.Context, cfg aws.Config) error {
	_, err := dynamodb.NewFromConfig(cfg).PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String("t"), Item: dynamo.Item{}})
	return err
}

func readObject(ctx context.Context, cfg aws.Config) error {
	_, err := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }).GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("b"), Key: aws.String("k")})
	return err
}

func invoke(ctx context.Context, cfg aws.Config) error {
	_, err := awsapi.NewLambda(cfg).Invoke(ctx, &awsapi.InvokeInput{Function: "f"})
	return err
}

func TestTyped_OfWhatAServiceDoes(t *testing.T) {
	for name, c := range map[string]struct {
		call func(context.Context, aws.Config) error
		// handle is nil for a service that reads the request and never answers.
		handle http.HandlerFunc
		outage bool
	}{
		"a throttled read":               {readItem, saying(400, "ThrottlingException"), true},
		"a hot partition":                {readItem, saying(400, "ProvisionedThroughputExceededException"), true},
		"DynamoDB fails":                 {readItem, saying(500, "InternalServerError"), true},
		"DynamoDB is silent":             {readItem, nil, true},
		"S3 asks for a slower pace":      {readObject, saying(503, "SlowDown"), true},
		"S3 fails":                       {readObject, saying(500, "InternalError"), true},
		"S3 is silent":                   {readObject, nil, true},
		"a throttled function":           {invoke, saying(429, "TooManyRequestsException"), true},
		"a silent function":              {invoke, nil, true},
		"a write in a transaction's way": {writeItem, saying(400, "TransactionConflictException"), true},
		"an invalid request":             {readItem, saying(400, "ValidationException"), false},
		"no such table":                  {readItem, saying(400, "ResourceNotFoundException"), false},
		"no right to":                    {readObject, saying(403, "AccessDenied"), false},
		"no such object":                 {readObject, saying(404, "NoSuchKey"), false},
	} {
		t.Run(name, func(t *testing.T) {
			left := time.Minute
			if c.handle == nil {
				c.handle, left = silent, 100*time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), left)
			defer cancel()
			check(t, c.call(ctx, service(t, c.handle)), c.outage)
		})
	}
	t.Run("nobody listens", func(t *testing.T) { check(t, readItem(t.Context(), at("http://127.0.0.1:1")), true) })
}

func check(t *testing.T, err error, away bool) {
	t.Helper()
	typed := outage.Typed(fmt.Errorf("read: %w", err))
	e := surgical.AsError(typed)
	if got := e.Code == surgical.CodeDependencyUnavailable; got != away || err == nil || !errors.Is(typed, err) {
		t.Errorf("%v became %+v", err, e)
	}
	if away && (e.RetryAfter != surgical.UnavailableRetryAfter || !e.Retryable || e.Action != surgical.ActionRetryAfter) {
		t.Errorf("got %+v", e)
	}
}

func TestTyped_OfOtherErrors(t *testing.T) {
	check(t, fmt.Errorf("read 3 items: %w", dynamo.ErrNoTime), true)
	check(t, context.DeadlineExceeded, true)
	check(t, context.Canceled, false)
	check(t, errors.New("a bug"), false)
	if err := outage.Typed(nil); err != nil {
		t.Errorf("nothing became %v", err)
	}
	typed := surgical.WrapError(surgical.CodeQueueUnavailable, context.DeadlineExceeded, "the queue")
	if err := outage.Typed(typed); !errors.Is(err, typed) || surgical.CodeOf(err) != surgical.CodeQueueUnavailable {
		t.Errorf("an error with a code became %v", err)
	}
}

func TestAsError(t *testing.T) {
	broken := &smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: &http.Response{StatusCode: http.StatusInternalServerError}}, Err: &types.InternalServerError{}}
	invalid := &smithy.GenericAPIError{Code: "ValidationException", Message: "Item size has exceeded the maximum allowed size"}
	for name, c := range map[string]struct {
		err       error
		code      surgical.Code
		retryable bool
	}{
		"a broken server":              {broken, surgical.CodeDependencyUnavailable, true},
		"another writer's transaction": {&types.TransactionConflictException{}, surgical.CodeDependencyUnavailable, true},
		"no answer in time":            {context.DeadlineExceeded, surgical.CodeDependencyUnavailable, true},
		"a request that is invalid":    {invalid, surgical.CodeInternal, false},
		"an error with a code":         {surgical.WrapError(surgical.CodeEmbedFailed, broken, "no vectors"), surgical.CodeEmbedFailed, true},
		"an error of Lorehook's own":   {errors.New("a bug"), surgical.CodeInternal, true},
	} {
		if e := outage.AsError(fmt.Errorf("commit: %w", c.err)); e.Code != c.code || e.Retryable != c.retryable {
			t.Errorf("%s became %+v", name, e)
		}
	}
}
