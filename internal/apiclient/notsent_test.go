package apiclient_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"gitlab.com/lorehook/lorehook/internal/apiclient"
)

// at is a client of the API at the address, with connections of its own.
func at(t *testing.T, address string, through http.RoundTripper) *apiclient.Client {
	t.Helper()
	c, err := apiclient.New(apiclient.Options{BaseURL: address, HTTP: through})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func transport(t *testing.T) *http.Transport {
	own := &http.Transport{}
	t.Cleanup(own.CloseIdleConnections)
	return own
}

// refusing is an address at which nothing listens.
func refusing() string {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	return server.URL
}

func start(ctx context.Context, c *apiclient.Client) error {
	_, err := c.StartBackfill(ctx, apiclient.BackfillRequest{}, "key-1")
	return err
}

// vanishing is an API that answers one request, receives another one on the same
// connection, and is gone.
func vanishing(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	t.Cleanup(func() {
		_ = listener.Close() // ends a server that nobody called
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	go func() { done <- answerOneOfTwo(listener) }()
	return "http://" + listener.Addr().String()
}

func answerOneOfTwo(listener net.Listener) error {
	connection, err := listener.Accept()
	if err != nil {
		return err
	}
	defer connection.Close()
	defer listener.Close() // before the connection
	requests := bufio.NewReader(connection)
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		request, err := http.ReadRequest(requests)
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, request.Body); err != nil || request.Method != method {
			return errors.Join(err, fmt.Errorf("received %s, want %s", request.Method, method))
		}
		if method == http.MethodPost {
			return nil
		}
		if _, err := io.WriteString(connection, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"); err != nil {
			return err
		}
	}
	return nil
}

// net/http sends the request again, and cannot connect.
func TestNotSent_IsFalseOfARequestThatWasReceivedBeforeTheAPIWasGone(t *testing.T) {
	c := at(t, vanishing(t), transport(t))
	if _, err := c.Run(t.Context(), "m1"); err != nil {
		t.Fatal(err)
	}
	err := start(t.Context(), c)
	var failed *net.OpError
	if !errors.As(err, &failed) || failed.Op != "dial" {
		t.Fatalf("the request was not repeated: %v", err)
	}
	if apiclient.NotSent(err) {
		t.Errorf("not sent: %v", err)
	}
}

func TestNotSent_IsFalseOfARequestWithoutAResponse(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
		server.EnableHTTP2 = http2
		server.StartTLS()
		defer server.Close()
		if err := start(t.Context(), at(t, server.URL, server.Client().Transport)); err == nil || apiclient.NotSent(err) {
			t.Errorf("HTTP/2 %v: not sent: %v", http2, err)
		}
	}
}

type unreachable struct{}

func (unreachable) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, &net.OpError{Op: "dial", Err: errors.New("unreachable")}
}

func TestNotSent_IsFalseOfATransportThatDoesNotTellOfItsConnections(t *testing.T) {
	if err := start(t.Context(), at(t, refusing(), unreachable{})); err == nil || apiclient.NotSent(err) {
		t.Errorf("not sent: %v", err)
	}
}

func TestNotSent_IsTrueWithoutAConnection(t *testing.T) {
	err := start(t.Context(), at(t, refusing(), transport(t)))
	if !apiclient.NotSent(err) {
		t.Errorf("sent: %v", err)
	}
}

func TestNotSent_IsTrueOfARequestThatWasCancelledWhileItConnected(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	connecting := transport(t)
	connecting.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		cancel()
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if err := start(ctx, at(t, refusing(), connecting)); !errors.Is(err, context.Canceled) || !apiclient.NotSent(err) {
		t.Errorf("sent: %v", err)
	}
}

// Credentials may have to be loaded over the network first.
func TestNotSent_CountsNoConnectionOverWhichCredentialsWereLoaded(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	own := transport(t)
	load := func(ctx context.Context) (aws.Credentials, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
		if err != nil {
			return aws.Credentials{}, err
		}
		response, err := own.RoundTrip(request)
		if err != nil {
			return aws.Credentials{}, err
		}
		return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret-not-a-real-one"}, response.Body.Close()
	}
	signing := &apiclient.Signing{Credentials: aws.CredentialsProviderFunc(load), Region: "eu-west-1", Service: apiclient.Service, Clock: time.Now, Next: own}
	if err := start(t.Context(), at(t, refusing(), signing)); !apiclient.NotSent(err) {
		t.Errorf("sent: %v", err)
	}
}
