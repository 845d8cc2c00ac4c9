package awsenv_test

import (
	"context"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"gitlab.com/lorehook/lorehook/internal/awsapi"
	"gitlab.com/lorehook/lorehook/internal/function/awsenv"
	"gitlab.com/lorehook/lorehook/internal/surgical"
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

// silent connects the clients of cfg to a server that reads and never answers.
func silent(cfg aws.Config) aws.Config {
	cfg.HTTPClient = cfg.HTTPClient.(*awshttp.BuildableClient).WithTransportOptions(func(t *http.Transport) {
		t.Proxy = nil
		t.DialContext = func(context.Context, string, string) (net.Conn, error) {
			here, there := net.Pipe()
			go func() {
				buffer := make([]byte, 1024)
				for {
					if _, err := there.Read(buffer); err != nil {
						return
					}
				}
			}()
			return here, nil
		}
		t.DialTLSContext = t.DialContext
	})
	return cfg
}

// One hung connection must not use up an invocation.
func TestConfig_GivesUpASilentConnection(t *testing.T) {
	for name, value := range map[string]string{"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_ENDPOINT_URL": ""} {
		t.Setenv(name, value)
	}
	for name, c := range map[string]struct {
		cfg   aws.Config
		after time.Duration
	}{
		"quick":         {awsenv.Config(), surgical.AWSReadTimeout},
		"patient":       {awsenv.Patient(awsenv.Config()), surgical.AWSSlowReadTimeout},
		"of a function": {awsenv.Awaiting(awsenv.Config(), surgical.SearchTimeout), surgical.SearchTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := silent(c.cfg)
				cfg.RetryMaxAttempts = 1
				client := awsapi.NewSecretsManager(cfg)
				began := time.Now()
				_, err := client.GetSecretValue(t.Context(), &awsapi.GetSecretValueInput{SecretID: "s"})
				if took := time.Since(began); err == nil || took != c.after {
					t.Errorf("gave up after %s with %v, want %s", took, err, c.after)
				}
			})
		})
	}
}

func TestConfig_BoundsConnectingAndTheWholeAttempt(t *testing.T) {
	t.Setenv("AWS_ENDPOINT_URL", "")
	client := awsenv.Config().HTTPClient.(*awshttp.BuildableClient)
	if got := client.GetDialer().Timeout; got != surgical.AWSDialTimeout {
		t.Errorf("connecting may take %s", got)
	}
	if got := client.GetTimeout(); got != surgical.AWSDialTimeout+surgical.AWSReadTimeout+surgical.AWSBodyTimeout {
		t.Errorf("an attempt may take %s", got)
	}
}
