// Package awsenv provides the AWS SDK configuration of a Lambda function.
package awsenv

import (
	"net"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"gitlab.com/lorehook/lorehook/internal/awsretry"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// localPatience is how much longer a local AWS may take: an emulator shares a
// machine with everything else.
const localPatience = 10

// Config returns the configuration from the environment variables that Lambda
// sets. It spares the cold start the SDK's search through files, profiles and
// instance metadata. AWS_ENDPOINT_URL, if set, points to a local AWS. Its clients
// give up an attempt after [surgical.AWSDialTimeout] and [surgical.AWSReadTimeout], and
// make as many as package awsretry says.
func Config() aws.Config {
	cfg := aws.Config{
		Region:      os.Getenv("AWS_REGION"),
		Credentials: credentials.NewStaticCredentialsProvider(os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), os.Getenv("AWS_SESSION_TOKEN")),
		Retryer:     awsretry.Standard,
	}
	if endpoint := os.Getenv("AWS_ENDPOINT_URL"); endpoint != "" {
		cfg.BaseEndpoint = aws.String(endpoint)
	}
	cfg.HTTPClient = client(cfg, surgical.AWSReadTimeout, surgical.AWSBodyTimeout)
	return cfg
}

// Patient returns cfg for clients of services that do the work before they answer:
// Bedrock, Step Functions, and functions that are invoked.
func Patient(cfg aws.Config) aws.Config {
	cfg.HTTPClient = client(cfg, surgical.AWSSlowReadTimeout, surgical.AWSBodyTimeout)
	return cfg
}

// Awaiting returns cfg for clients of a function whose answer may take as long as d.
func Awaiting(cfg aws.Config, d time.Duration) aws.Config {
	cfg.HTTPClient = client(cfg, d, surgical.AWSBodyTimeout)
	return cfg
}

// ForObjects returns cfg for clients that transfer large objects.
func ForObjects(cfg aws.Config) aws.Config {
	cfg.HTTPClient = client(cfg, surgical.AWSSlowReadTimeout, surgical.AWSTransferTimeout)
	return cfg
}

// client is the SDK's own HTTP client, but no attempt lasts longer than the times
// in package surgical: a connection that hangs costs an attempt, not the whole
// invocation. The SDK repeats an attempt that timed out.
func client(cfg aws.Config, read, body time.Duration) aws.HTTPClient {
	patience := time.Duration(1)
	if cfg.BaseEndpoint != nil {
		patience = localPatience
	}
	return awshttp.NewBuildableClient().
		WithTimeout(patience * (surgical.AWSDialTimeout + read + body)).
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = patience * surgical.AWSDialTimeout }).
		WithTransportOptions(func(t *http.Transport) {
			t.TLSHandshakeTimeout = patience * surgical.AWSReadTimeout
			t.ResponseHeaderTimeout = patience * read
		})
}
