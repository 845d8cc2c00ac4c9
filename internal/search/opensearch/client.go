package opensearch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// client sends requests to a cluster.
type client struct {
	endpoint    Endpoint
	http        aws.HTTPClient
	credentials aws.CredentialsProvider
	clock       func() time.Time
	// attempts is how often a request is sent at most while the cluster is busy or away.
	attempts int
}

const (
	// firstPause is how long the first repetition of a request waits, with jitter; each
	// further one waits twice as long.
	firstPause = 200 * time.Millisecond
	// maxResponse is the largest response that is read, in bytes.
	maxResponse = 256 << 20
	// maxReason is how much of a failed response is kept.
	maxReason = 2 << 10
)

// failure is a response that is not a success.
type failure struct {
	Status int
	Type   string
	Reason string
}

// Error implements error. It leaves out why a request is invalid: that may quote it.
func (f *failure) Error() string {
	if f.Status == http.StatusBadRequest {
		return fmt.Sprintf("OpenSearch answered %d %s", f.Status, f.Type)
	}
	return fmt.Sprintf("OpenSearch answered %d %s: %s", f.Status, f.Type, f.Reason)
}

// noIndex reports whether the request failed because there is no such index.
func noIndex(err error) bool {
	var f *failure
	return errors.As(err, &f) && f.Status == http.StatusNotFound && f.Type == "index_not_found_exception"
}

// absent reports whether the request failed because what it names does not exist.
func absent(err error) bool {
	var f *failure
	return errors.As(err, &f) && f.Status == http.StatusNotFound
}

// busy reports whether the same request may succeed a little later.
func busy(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout
}

// call sends a request whose body is JSON, or lines of it, and decodes the response into
// out unless that is nil. It repeats the request while the cluster is busy or away: every
// request may be repeated.
func (c *client) call(ctx context.Context, method, path string, query url.Values, body []byte, out any) error {
	pause := firstPause
	for attempt := 1; ; attempt++ {
		err := c.send(ctx, method, path, query, body, out)
		var f *failure
		if err == nil || errors.As(err, &f) && !busy(f.Status) || attempt >= c.attempts || ctx.Err() != nil {
			return err
		}
		if !rest(ctx, pause) {
			return err
		}
		pause *= 2
	}
}

// rest waits for some half of the pause to the whole of it; false if ctx ends before.
func rest(ctx context.Context, pause time.Duration) bool {
	pause = pause/2 + rand.N(pause/2)
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < pause {
		return false
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(pause):
		return true
	}
}

func (c *client) send(ctx context.Context, method, path string, query url.Values, body []byte, out any) error {
	target := c.endpoint.URL + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("ask OpenSearch: %w", err)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if err := c.sign(request, body); err != nil {
		return err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return errAway{fmt.Errorf("ask OpenSearch: %w", err)}
	}
	defer response.Body.Close()
	if response.StatusCode >= http.StatusMultipleChoices {
		return failureOf(response)
	}
	if out == nil {
		_, err = io.Copy(io.Discard, io.LimitReader(response.Body, maxResponse)) // so that the connection is used again
	} else {
		err = json.NewDecoder(io.LimitReader(response.Body, maxResponse)).Decode(out)
	}
	if err != nil {
		return errAway{fmt.Errorf("read OpenSearch's answer: %w", err)}
	}
	return nil
}

// errAway reports that a request was not answered, or not to the end.
type errAway struct{ error }

// Unwrap returns the cause.
func (e errAway) Unwrap() error { return e.error }

// unanswered reports whether the cluster, and nothing else, is what failed: it refused a
// request, or did not answer.
func unanswered(err error) bool {
	var f *failure
	var away errAway
	return errors.As(err, &f) || errors.As(err, &away)
}

// sign signs a request to a domain of AWS.
func (c *client) sign(request *http.Request, body []byte) error {
	if c.endpoint.Domain == "" {
		return nil
	}
	credentials, err := c.credentials.Retrieve(request.Context())
	if err != nil {
		return fmt.Errorf("sign a request to OpenSearch: %w", err)
	}
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	request.Header.Set("X-Amz-Content-Sha256", hash)
	if err := v4.NewSigner().SignHTTP(request.Context(), credentials, request, hash, "es", c.endpoint.Region, c.clock()); err != nil {
		return fmt.Errorf("sign a request to OpenSearch: %w", err)
	}
	return nil
}

// failureOf reads what OpenSearch, or a proxy before it, says about a failure.
func failureOf(response *http.Response) error {
	f := &failure{Status: response.StatusCode}
	raw, err := io.ReadAll(io.LimitReader(response.Body, maxReason))
	if err != nil {
		return fmt.Errorf("%w (%w)", f, err)
	}
	var answer struct {
		Error   json.RawMessage `json:"error"`
		Message string          `json:"message"`
	}
	var named struct{ Type, Reason string }
	f.Reason = string(raw)
	if json.Unmarshal(raw, &answer) == nil {
		if json.Unmarshal(answer.Error, &named) == nil {
			f.Type, f.Reason = named.Type, named.Reason
		} else if answer.Message != "" {
			f.Reason = answer.Message
		}
	}
	return f
}
