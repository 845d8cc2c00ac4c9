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

	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/baseurl"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// endpoints is .local/endpoints.json, which `make up` writes.
type endpoints struct {
	WebhookURL    string `json:"webhook_url"`
	APIURL        string `json:"api_url"`
	GitLabBaseURL string `json:"gitlab_base_url"`
	SigningToken  string `json:"signing_token"`
}

// local finds the stack of this machine, in the working directory or above;
// zero if there is none. Only addresses on this machine count: a file in a
// folder must not decide which host gets a token.
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
			return e, invalid("%s cannot be read: %v", file, err)
		}
		for _, address := range []*string{&e.WebhookURL, &e.APIURL, &e.GitLabBaseURL} {
			if u, err := url.Parse(*address); err != nil || !baseurl.Loopback(u) {
				*address = ""
			}
		}
		return e, nil
	}
}

// apiURL is the flag's, else the environment's, else this machine's.
func (s *session) apiURL() (string, error) {
	if address := cmp.Or(s.APIURL, s.lookup("LOREHOOK_API_URL")); address != "" {
		return address, nil
	}
	e, err := s.local()
	if err != nil {
		return "", err
	}
	if e.APIURL == "" {
		return "", invalid("which API? No .local/endpoints.json stands here or above (make up starts a stack): give --api-url or set LOREHOOK_API_URL")
	}
	return e.APIURL, nil
}

// client calls the API. Plain http, which only leads to this machine, is not
// signed.
func (s *session) client(ctx context.Context) (*apiclient.Client, error) {
	address, err := s.apiURL()
	if err != nil {
		return nil, err
	}
	base, err := apiclient.ParseBase(address)
	if err != nil {
		return nil, err
	}
	transport := s.HTTP
	if base.Scheme == "https" {
		if transport, err = s.signing(ctx, base); err != nil {
			return nil, err
		}
	}
	return apiclient.New(apiclient.Options{BaseURL: address, HTTP: transport, UserAgent: "lore/" + s.Version})
}

func (s *session) signing(ctx context.Context, base *url.URL) (http.RoundTripper, error) {
	config, err := s.AWS(ctx)
	if err != nil {
		e := surgical.WrapError(apiclient.CodeForbidden, err, "the AWS configuration cannot be read: "+err.Error())
		e.Action, e.Retryable = surgical.ActionCheckToken, false
		return nil, e
	}
	region := cmp.Or(apiclient.RegionOf(base), config.Region)
	if region == "" {
		return nil, invalid("which region is %s in? Set AWS_REGION", base.Host)
	}
	return &apiclient.Signing{Credentials: config.Credentials, Region: region, Service: apiclient.Service, Clock: s.Clock, Next: s.HTTP}, nil
}

// webhook is where deliveries go, and the tokens that they carry.
type webhook struct{ url, signingToken, secretToken string }

// webhook is the flag's address, else that of the API that was named, else
// this machine's. The tokens come from the environment; this machine's stack
// brings its own.
func (s *session) webhook(address string) (webhook, error) {
	w := webhook{
		url:          address,
		signingToken: first(s.lookup("GITLAB_WEBHOOK_SIGNING_TOKENS")),
		secretToken:  first(s.lookup("GITLAB_WEBHOOK_SECRET_TOKENS")),
	}
	if named := cmp.Or(s.APIURL, s.lookup("LOREHOOK_API_URL")); w.url == "" && named != "" {
		w.url = strings.TrimRight(named, "/") + "/webhooks/gitlab"
	}
	e, err := s.local()
	if err != nil {
		return w, err
	}
	w.url = cmp.Or(w.url, e.WebhookURL)
	if w.url == "" {
		return w, invalid("where to? No .local/endpoints.json stands here or above (make up starts a stack): give --url or --api-url")
	}
	if w.url == e.WebhookURL {
		w.signingToken = cmp.Or(e.SigningToken, w.signingToken)
	}
	if _, err := apiclient.ParseBase(w.url); err != nil {
		return w, fmt.Errorf("webhook: %w", err)
	}
	return w, nil
}

func first(list string) string {
	for token := range strings.SplitSeq(list, ",") {
		if token = strings.TrimSpace(token); token != "" {
			return token
		}
	}
	return ""
}
