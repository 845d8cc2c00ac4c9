package devstack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/aws"

	"gitlab.com/lorehook/lorehook/internal/token"
)

// Endpoints are the URLs and the token that a client of the local stack needs.
type Endpoints struct {
	WebhookURL     string `json:"webhook_url"`
	APIURL         string `json:"api_url"`
	GitLabBaseURL  string `json:"gitlab_base_url"`
	AWSEndpointURL string `json:"aws_endpoint_url"`
	// ConsoleURL is the URL of the operations console while it runs.
	ConsoleURL string `json:"console_url,omitempty"`
	// SigningToken signs webhooks (whsec_…).
	SigningToken string `json:"signing_token"`
}

// EndpointsFile returns the file of the endpoints under dir.
func EndpointsFile(dir string) string { return filepath.Join(dir, "endpoints.json") }

// ReadEndpoints reads the endpoints of the stack that was started under dir. If
// there is none, the error is [fs.ErrNotExist].
func ReadEndpoints(dir string) (Endpoints, error) {
	var e Endpoints
	return e, readJSON(EndpointsFile(dir), &e)
}

func (e Endpoints) write(dir string) error { return writeJSON(EndpointsFile(dir), e) }

// webhookSecrets holds the values of the stack's secrets.
type webhookSecrets struct {
	signing, secret []string
	gitlabToken     string
}

// secrets returns the given tokens. If no signing token is given, it reuses the
// previous one or creates one, so that clients on this machine can always sign.
func (u *upper) secrets() (webhookSecrets, error) {
	s := webhookSecrets{signing: u.o.SigningTokens, secret: u.o.SecretTokens, gitlabToken: u.o.GitLabToken}
	if len(s.signing) > 0 {
		return s, nil
	}
	kept := filepath.Join(u.o.Dir, "signing_token.json")
	var signing string
	err := readJSON(kept, &signing)
	if errors.Is(err, fs.ErrNotExist) {
		signing = token.NewSigning()
		err = writeJSON(kept, signing)
	}
	s.signing = []string{signing}
	return s, err
}

// put writes the secrets that the stack's outputs name, and reports whether any
// changed.
func (s webhookSecrets) put(ctx context.Context, cfg aws.Config, outputs Outputs) (changed bool, err error) {
	webhook, err := json.Marshal(map[string][]string{"signing_tokens": s.signing, "secret_tokens": s.secret})
	if err != nil {
		return false, err
	}
	for output, value := range map[string]string{"WebhookSecretId": string(webhook), "GitLabTokenSecretId": s.gitlabToken} {
		id := outputs[output]
		if id == "" {
			return false, fmt.Errorf("the stack has no output %s", output)
		}
		isNew, err := putSecret(ctx, cfg, id, value)
		if err != nil {
			return false, err
		}
		changed = changed || isNew
	}
	return changed, nil
}
