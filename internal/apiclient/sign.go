package apiclient

import (
	"bytes"
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

// Service is the name that calls of an HTTP API are signed for.
const Service = "execute-api"

// Signing signs every request with SigV4 and passes it on.
type Signing struct {
	Credentials aws.CredentialsProvider
	Region      string
	// Service is [Service] for the API.
	Service string
	Clock   func() time.Time
	// Next is the transport; nil for the default one.
	Next http.RoundTripper
}

// RoundTrip implements [http.RoundTripper]. Credentials that cannot be had
// give [CodeForbidden].
func (s *Signing) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		body, err = io.ReadAll(r.Body)
		_ = r.Body.Close() // it was read to its end
		if err != nil {
			return nil, fmt.Errorf("read the request: %w", err)
		}
	}
	credentials, err := s.Credentials.Retrieve(r.Context())
	if err != nil {
		e := surgical.WrapError(CodeForbidden, err,
			"there are no AWS credentials to sign with: sign in (aws sso login), or set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
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

// RegionOf reads the region from the host of an execute-api URL; empty if it
// is another host, such as a custom domain.
func RegionOf(u *url.URL) string {
	found := regexp.MustCompile(`^[a-z0-9-]+\.execute-api\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?$`).FindStringSubmatch(u.Hostname())
	if found == nil {
		return ""
	}
	return found[1]
}
