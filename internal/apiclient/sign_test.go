package apiclient_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// The key pair and the date of AWS's published SigV4 test suite.
const (
	suiteKey    = "AKIDEXAMPLE"
	suiteSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
)

func suiteDate() time.Time { return time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC) }

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func signing(token string, next http.RoundTripper) *apiclient.Signing {
	return &apiclient.Signing{
		Credentials: credentials.NewStaticCredentialsProvider(suiteKey, suiteSecret, token),
		Region:      "us-east-1", Service: "service", Clock: suiteDate, Next: next,
	}
}

func TestSigning_MatchesThePublishedSignatures(t *testing.T) {
	const unreserved = "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	for _, vector := range []struct{ name, method, target, signature string }{
		{"get-vanilla", http.MethodGet, "/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"get-vanilla-query", http.MethodGet, "/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"get-vanilla-query-order-key-case", http.MethodGet, "/?Param2=value2&Param1=value1", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
		{"get-unreserved", http.MethodGet, unreserved, "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
		{"post-vanilla", http.MethodPost, "/", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
		{"post-vanilla-query", http.MethodPost, "/?Param1=value1", "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"},
	} {
		t.Run(vector.name, func(t *testing.T) {
			var got string
			s := signing("", roundTripper(func(r *http.Request) (*http.Response, error) {
				got = r.Header.Get("Authorization")
				return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
			}))
			r, err := http.NewRequest(vector.method, "https://example.amazonaws.com"+vector.target, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.RoundTrip(r); err != nil {
				t.Fatal(err)
			}
			want := "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=" + vector.signature
			if got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if r.Header.Get("Authorization") != "" {
				t.Error("the caller's request was changed")
			}
		})
	}
}

// verify recomputes a request's signature from AWS's specification, independently
// of the signer.
func verify(r *http.Request, body []byte) error {
	fields := map[string]string{}
	for part := range strings.SplitSeq(strings.TrimPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 "), ", ") {
		name, value, _ := strings.Cut(part, "=")
		fields[name] = value
	}
	names := strings.Split(fields["SignedHeaders"], ";")
	if !slices.IsSorted(names) || !slices.Contains(names, "host") || !slices.Contains(names, "x-amz-date") {
		return fmt.Errorf("signed headers %v", names)
	}
	hash := func(b []byte) string { sum := sha256.Sum256(b); return hex.EncodeToString(sum[:]) }
	mac := func(key []byte, text string) []byte {
		m := hmac.New(sha256.New, key)
		m.Write([]byte(text))
		return m.Sum(nil)
	}
	// The canonical path is encoded once more than the path that is sent.
	segments := strings.Split(r.URL.EscapedPath(), "/")
	for i := range segments {
		segments[i] = strings.ReplaceAll(url.QueryEscape(segments[i]), "+", "%20")
	}
	canonical := r.Method + "\n" + strings.Join(segments, "/") + "\n" + strings.ReplaceAll(r.URL.Query().Encode(), "+", "%20") + "\n"
	for _, name := range names {
		value := r.Header.Get(name)
		switch name {
		case "host":
			value = r.Host
		case "content-length":
			value = fmt.Sprint(len(body))
		}
		canonical += name + ":" + strings.TrimSpace(value) + "\n"
	}
	canonical += "\n" + fields["SignedHeaders"] + "\n" + hash(body)
	date := r.Header.Get("X-Amz-Date")
	scope := strings.Join([]string{date[:8], "us-east-1", "service", "aws4_request"}, "/")
	key := []byte("AWS4" + suiteSecret)
	for part := range strings.SplitSeq(scope, "/") {
		key = mac(key, part)
	}
	want := hex.EncodeToString(mac(key, "AWS4-HMAC-SHA256\n"+date+"\n"+scope+"\n"+hash([]byte(canonical))))
	if fields["Credential"] != suiteKey+"/"+scope || fields["Signature"] != want {
		return fmt.Errorf("signature %s, want %s over\n%s", fields["Signature"], want, canonical)
	}
	return nil
}

func TestSigning_SignsWhatTheServerReceives(t *testing.T) {
	var problems []error
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = verify(r, body)
		}
		if r.Header.Get("X-Amz-Security-Token") != "session-not-a-real-one" || !strings.Contains(r.Header.Get("Authorization"), "x-amz-security-token") {
			err = errors.Join(err, errors.New("the session token is missing or not signed"))
		}
		problems = append(problems, err)
		_, _ = w.Write([]byte(`{"run_id":"m1"}`))
	}))
	defer server.Close()
	client, err := apiclient.New(apiclient.Options{BaseURL: server.URL + "/$default", HTTP: signing("session-not-a-real-one", nil)})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	_, err1 := client.Run(ctx, "m1")
	_, err2 := client.Runs(ctx, apiclient.Filter{ProjectID: 1, Status: "failed", Limit: 20, Cursor: "a+b/c= d"})
	_, err3 := client.StartRun(ctx, apiclient.RunRequest{ProjectID: 1, Issues: []int64{7}}, "key")
	_, err4 := client.Cancel(ctx, "m1")
	if err := errors.Join(err1, err2, err3, err4); err != nil || len(problems) != 4 {
		t.Fatalf("%d requests, error %v", len(problems), err)
	}
	if err := errors.Join(problems...); err != nil {
		t.Error(err)
	}
}

func TestSigning_SendsNothingWithoutCredentials(t *testing.T) {
	s := signing("", roundTripper(func(*http.Request) (*http.Response, error) {
		t.Error("a request was sent")
		return nil, errors.New("sent")
	}))
	s.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{}, errors.New("no provider has credentials")
	})
	client, err := apiclient.New(apiclient.Options{BaseURL: "https://abc.execute-api.eu-west-1.amazonaws.com", HTTP: s})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Run(t.Context(), "m1")
	if e := surgical.AsError(err); e.Code != apiclient.CodeForbidden || e.Action != surgical.ActionCheckToken || e.Retryable {
		t.Errorf("%+v", e)
	}
}

func TestRegionOf_ReadsTheRegionFromTheHost(t *testing.T) {
	for host, want := range map[string]string{
		"https://abc123.execute-api.eu-west-1.amazonaws.com":                  "eu-west-1",
		"https://abc123.execute-api.us-gov-west-1.amazonaws.com/x":            "us-gov-west-1",
		"https://abc123.execute-api.cn-north-1.amazonaws.com.cn":              "cn-north-1",
		"https://lorehook.example.com":                                        "",
		"https://abc123.execute-api.eu-west-1.amazonaws.com.example.com":      "",
		"https://evil.example.com/abc123.execute-api.eu-west-1.amazonaws.com": "",
	} {
		u, err := url.Parse(host)
		if err != nil {
			t.Fatal(err)
		}
		if got := apiclient.RegionOf(u); got != want {
			t.Errorf("%s: region %q, want %q", host, got, want)
		}
	}
}
