package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/advice"
	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/baseurl"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/token"
	"gitlab.com/lorehook/lorehook/internal/webhook/delivery"
)

// endpoints is .local/endpoints.json, which `make up` writes.
type endpoints struct {
	WebhookURL    string `json:"webhook_url"`
	APIURL        string `json:"api_url"`
	GitLabBaseURL string `json:"gitlab_base_url"`
	SigningToken  string `json:"signing_token"`
	// AWSEndpointURL is the emulator of AWS.
	AWSEndpointURL string `json:"aws_endpoint_url"`
}

// local returns the endpoints of the local stack, found in the working directory
// or above, or the zero value if there is none. Only loopback URLs are kept: a file
// in a directory must not decide which host receives a token.
func (s *session) local() (endpoints, error) {
	for dir := s.Dir; ; dir = filepath.Dir(dir) {
		file := filepath.Join(dir, ".local", "endpoints.json")
		raw, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			if dir == filepath.Dir(dir) {
				return endpoints{}, nil
			}
			continue
		}
		var e endpoints
		if err == nil {
			err = json.Unmarshal(raw, &e)
		}
		if err != nil {
			return e, remedy(surgical.CodeInvalidRequest, advice.Step{Text: "Start that stack again, which writes the file.", Command: "make up"}, "%s could not be read: %v", file, err)
		}
		for _, address := range []*string{&e.WebhookURL, &e.APIURL, &e.GitLabBaseURL, &e.AWSEndpointURL} {
			if u, err := url.Parse(*address); err != nil || !baseurl.Loopback(u) {
				*address = ""
			}
		}
		return e, nil
	}
}

// apiURL returns the URL of the API in use; see [session.setting].
func (s *session) apiURL() (string, error) {
	address, err := s.setting(keyAPIURL)
	switch {
	case err != nil || address.value != "":
		return address.value, err
	case s.namedProfile() != "":
		return "", surgical.WrapError(surgical.CodeInvalidRequest, errNoAddress, fmt.Sprintf("no API URL: profile %s has none; lore config set api-url URL --profile %[1]s", s.namedProfile()))
	default:
		return "", surgical.WrapError(surgical.CodeInvalidRequest, errNoAddress, "no API URL: pass --api-url, set LOREHOOK_API_URL or a profile (lore config set api-url URL); there is no local stack either (.local/endpoints.json, which make up writes)")
	}
}

// apiBase is [session.apiURL], parsed, with where it comes from.
func (s *session) apiBase() (*url.URL, setting, error) {
	if _, err := s.apiURL(); err != nil {
		return nil, setting{}, err
	}
	address, err := s.setting(keyAPIURL)
	if err != nil {
		return nil, address, err
	}
	base, err := apiclient.ParseBase(address.value)
	if err != nil {
		return nil, address, remedy(surgical.CodeInvalidRequest, settingsStep(), "%s: %s", address.from, surgical.AsError(err).Message)
	}
	return base, address, nil
}

// settingsCommand shows which settings apply, and where they come from.
const settingsCommand = "lore config list"

func settingsStep() advice.Step {
	return advice.Step{Text: "See which settings apply, and where they come from.", Command: settingsCommand}
}

// errNoAddress is the cause of a failure for which no stack is known.
var errNoAddress = errors.New("no API URL")

// client returns a client for the API. Requests over plain http, which can only go
// to this machine, are not signed.
func (s *session) client(ctx context.Context) (*apiclient.Client, error) {
	base, address, err := s.apiBase()
	if err != nil {
		return nil, err
	}
	transport := s.HTTP
	if base.Scheme == "https" {
		if transport, err = s.signing(ctx, base); err != nil {
			return nil, err
		}
	}
	return apiclient.New(apiclient.Options{BaseURL: address.value, HTTP: transport, UserAgent: "lore/" + s.Version})
}

func (s *session) signing(ctx context.Context, base *url.URL) (http.RoundTripper, error) {
	config, err := s.awsOf(ctx, base)
	if err != nil {
		return nil, err
	}
	return &apiclient.Signing{Credentials: config.Credentials, Region: config.Region, Service: apiclient.Service, Clock: s.Clock, Next: s.HTTP}, nil
}

// noCredentials is the error if the AWS configuration could not be loaded.
func noCredentials(err error) error {
	e := surgical.WrapError(apiclient.CodeForbidden, err, fmt.Sprintf("the AWS configuration could not be loaded: %v", err))
	e.Action, e.Retryable = surgical.ActionCheckToken, false
	return e
}

// The variables with the tokens for webhooks, the one to use first.
const (
	signingTokensVariable = "GITLAB_WEBHOOK_SIGNING_TOKENS"
	secretTokensVariable  = "GITLAB_WEBHOOK_SECRET_TOKENS"
)

// webhook is the URL that deliveries are sent to, and the tokens for them.
type webhook struct{ url, signingToken, secretToken string }

// webhook returns the webhook at address, else that of the chosen API, else that of
// the local stack. The tokens come from the environment, except that the local
// stack has its own signing token, which is never used for another URL.
func (s *session) webhook(address string) (webhook, error) {
	w := webhook{url: address}
	for name, first := range map[string]*string{signingTokensVariable: &w.signingToken, secretTokensVariable: &w.secretToken} {
		list, err := token.ParseList(s.lookup(name))
		if err != nil {
			return w, invalid("%s: %v", name, err)
		}
		*first = list.First()
	}
	if err := w.check(); err != nil {
		return w, err
	}
	e, err := s.local()
	if err != nil {
		return w, err
	}
	if w.url == "" {
		if w.url, err = s.webhookURL(e); err != nil {
			return w, err
		}
	}
	if w.url == "" {
		return w, surgical.WrapError(surgical.CodeInvalidRequest, errNoAddress, "no webhook URL: pass --url or --api-url; there is no local stack either (.local/endpoints.json, which make up writes)")
	}
	if baseurl.Same(w.url, e.WebhookURL) {
		w.signingToken = cmp.Or(e.SigningToken, w.signingToken)
	}
	if _, err := apiclient.ParseBase(w.url); err != nil {
		return w, fmt.Errorf("webhook: %w", err)
	}
	return w, nil
}

// webhookURL returns the URL of the webhook beside the API in use, or "". That of the
// local stack may be elsewhere, where a tunnel ends.
func (s *session) webhookURL(e endpoints) (string, error) {
	address, err := s.setting(keyAPIURL)
	if err != nil || address.value == "" {
		return e.WebhookURL, err
	}
	if address.from == fromLocalStack {
		return e.WebhookURL, nil
	}
	return strings.TrimRight(address.value, "/") + delivery.Path, nil
}

// check rejects tokens that neither GitLab nor an operator can have made, so that no
// hook is created with one.
func (w webhook) check() error {
	if w.signingToken != "" {
		if _, err := token.Signing(w.signingToken); err != nil {
			return invalid("%s: %v", signingTokensVariable, err)
		}
	}
	if w.secretToken != "" {
		if _, err := token.Secret(w.secretToken); err != nil {
			return invalid("%s: %v", secretTokensVariable, err)
		}
	}
	return nil
}
