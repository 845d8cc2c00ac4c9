package awsapi_test

import (
	"crypto/md5" //nolint:gosec // as SQS does
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"gitlab.com/lorehook/lorehook/internal/awsapi"
)

func md5Of(text string) string {
	sum := md5.Sum([]byte(text)) //nolint:gosec // as SQS does
	return hex.EncodeToString(sum[:])
}

func TestSendMessage_FailsIfSQSReceivedAnotherBody(t *testing.T) {
	w := &wire{answer: saying(http.StatusOK, http.Header{}, `{"MessageId":"m","MD5OfMessageBody":"`+md5Of("other")+`"}`)}
	_, err := awsapi.NewSQS(w.config("eu-central-1")).SendMessage(t.Context(), &awsapi.SendMessageInput{QueueURL: "q", Body: "text"})
	if err == nil || !strings.Contains(err.Error(), md5Of("text")) {
		t.Errorf("the error is %v", err)
	}
	if len(w.requests) != 1 {
		t.Errorf("sent %d times", len(w.requests))
	}
}

func TestClients_SendAsOftenAsTheConfigurationSays(t *testing.T) {
	for attempts := 1; attempts <= 2; attempts++ {
		w := &wire{answer: saying(http.StatusInternalServerError, http.Header{}, "")}
		cfg := w.config("eu-central-1")
		cfg.RetryMaxAttempts = attempts
		if _, err := awsapi.NewLambda(cfg).Invoke(t.Context(), &awsapi.InvokeInput{Function: "f"}); err == nil || len(w.requests) != attempts {
			t.Errorf("sent %d times, want %d; error %v", len(w.requests), attempts, err)
		}
	}
}

func TestClients_NeedARegion(t *testing.T) {
	w := &wire{answer: saying(http.StatusOK, http.Header{}, "{}")}
	_, err := awsapi.NewStepFunctions(w.config("")).StartExecution(t.Context(), &awsapi.StartExecutionInput{StateMachineARN: "arn"})
	if _, missing := errors.AsType[*aws.MissingRegionError](err); !missing || len(w.requests) != 0 {
		t.Errorf("sent %v, error %v", w.requests, err)
	}
}

func TestClients_HaveATransportOfTheirOwn(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `{"SecretString":"sample"}`)
	}))
	defer server.Close()
	cfg := aws.Config{Region: "eu-central-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("sample", "sample", "")}
	out, err := awsapi.NewSecretsManager(cfg).GetSecretValue(t.Context(), &awsapi.GetSecretValueInput{SecretID: "s"})
	if err != nil || out.Text != "sample" {
		t.Errorf("%+v, %v", out, err)
	}
}
