package awsenv_test

import (
	"testing"

	"gitlab.com/lorehook/lorehook/internal/function/awsenv"
)

func TestNameOfARNIsItsLastPart(t *testing.T) {
	for arn, want := range map[string]string{
		"arn:aws:sqs:eu-central-1:123456789012:lorehook-requests.fifo":   "lorehook-requests.fifo",
		"arn:aws:states:eu-central-1:123456789012:stateMachine:lorehook": "lorehook",
		"lorehook-requests.fifo": "lorehook-requests.fifo",
		"arn:":                   "",
		"":                       "",
	} {
		if got := awsenv.NameOfARN(arn); got != want {
			t.Errorf("NameOfARN(%q) = %q, want %q", arn, got, want)
		}
	}
}

func TestConfigTakesWhatLambdaSets(t *testing.T) {
	for name, value := range map[string]string{
		"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "session", "AWS_ENDPOINT_URL": "",
	} {
		t.Setenv(name, value)
	}
	cfg := awsenv.Config()
	got, err := cfg.Credentials.Retrieve(t.Context())
	if err != nil || cfg.Region != "eu-central-1" || cfg.BaseEndpoint != nil ||
		got.AccessKeyID != "id" || got.SecretAccessKey != "secret" || got.SessionToken != "session" {
		t.Errorf("region %q, endpoint %v, key %q, error %v", cfg.Region, cfg.BaseEndpoint, got.AccessKeyID, err)
	}
	t.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
	if cfg := awsenv.Config(); cfg.BaseEndpoint == nil || *cfg.BaseEndpoint != "http://127.0.0.1:4566" {
		t.Errorf("endpoint %v", cfg.BaseEndpoint)
	}
}
