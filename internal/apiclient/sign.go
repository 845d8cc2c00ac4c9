package apiclient

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Service is the SigV4 service name of API Gateway.
const Service = "execute-api"

// Signing is a transport that signs every request with SigV4.
type Signing struct {
	Credentials aws.CredentialsProvider
	Region      string
	// Service is the SigV4 service name: [Service] for the API.
	Service string
	Clock   func() time.Time
	// Next sends the signed requests; nil means [http.DefaultTransport].
	Next http.RoundTripper
}

// RoundTrip implements [http.RoundTripper]. Without credentials nothing is sent
// and the error has [CodeForbidden]. The caller's request is not modified.
func (s *Signing) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		body, err = io.ReadAll(r.Body)
		_ = r.Body.Close() // already read to the end
		if err != nil {
			return nil, fmt.Errorf("read the request: %w", err)
		}
	}
	credentials, err := s.Credentials.Retrieve(untraced{r.Context()})
	if err != nil {
		e := surgical.WrapError(CodeForbidden, err,
			"no AWS credentials found: sign in (aws sso login), or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
		e.Action, e.Retryable = surgical.ActionCheckToken, false
		return nil, e
	}
	signed := r.Clone(r.Context())
	signed.Body = http.NoBody
	if len(body) > 0 {
		signed.Body = io.NopCloser(bytes.NewReader(body))
	}
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(r.Context(), credentials, signed, hex.EncodeToString(sum[:]), s.Service, s.Region, s.Clock()); err != nil {
		return nil, fmt.Errorf("sign the request: %w", err)
	}
	next := s.Next
	if next == nil {
		next = http.DefaultTransport
	}
	return next.RoundTrip(signed)
}

// RegionOf returns the region in the host of an execute-api URL, or "" for any
// other host, such as a custom domain.
func RegionOf(u *url.URL) string {
	found := regexp.MustCompile(`^[a-z0-9-]+\.execute-api\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?$`).FindStringSubmatch(u.Hostname())
	if found == nil {
		return ""
	}
	return found[1]
}

// untraced is a context without values, so that the trace of a request's connections does
// not see those over which credentials are loaded.
type untraced struct{ context.Context }

// Value implements [context.Context].
func (untraced) Value(any) any { return nil }
