package awsapi_test

import (
	"context"
	"crypto/md5" //nolint:gosec // as SQS does
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go"

	"gitlab.com/lorehook/lorehook/internal/awsapi"
	"gitlab.com/lorehook/lorehook/test/pipe"
)

func md5Of(text string) string {
	sum := md5.Sum([]byte(text)) //nolint:gosec // as SQS does
	return hex.EncodeToString(sum[:])
}

func TestSendMessage_FailsIfSQSReceivedAnotherBody(t *testing.T) {
	for _, sent := range []string{"text", strings.Repeat("long ", 100_000)} {
		w := &wire{answer: saying(http.StatusOK, http.Header{}, `{"MessageId":"m","MD5OfMessageBody":"`+md5Of("other")+`"}`)}
		_, err := awsapi.NewSQS(w.config("eu-central-1")).SendMessage(t.Context(), &awsapi.SendMessageInput{QueueURL: "q", Body: sent})
		if _, named := errors.AsType[*smithy.OperationError](err); !named || !strings.Contains(err.Error(), md5Of(sent)) {
			t.Errorf("the error is %v", err)
		}
		if len(w.requests) != 1 {
			t.Errorf("sent %d times", len(w.requests))
		}
	}
}

// A text takes no more bytes on its way than in a queue.
func TestSendMessage_SendsTextsAsTheyAre(t *testing.T) {
	sent := strings.Repeat("<>&", 100_000)
	w := &wire{answer: func(req *http.Request) (*http.Response, error) {
		if req.ContentLength > int64(len(sent)+1000) {
			t.Errorf("%d bytes for a text of %d", req.ContentLength, len(sent))
		}
		return saying(http.StatusOK, http.Header{}, "{}")(req)
	}}
	if _, err := awsapi.NewSQS(w.config("eu-central-1")).SendMessage(t.Context(), &awsapi.SendMessageInput{QueueURL: "q", Body: sent}); err != nil {
		t.Error(err)
	}
}

// What is sent again is signed when it is sent, with the credentials of that time.
func TestClients_SignEachAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at, keys []string
		w := &wire{answer: func(req *http.Request) (*http.Response, error) {
			at = append(at, req.Header.Get("X-Amz-Date"))
			key, _, _ := strings.Cut(strings.TrimPrefix(req.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential="), "/")
			keys = append(keys, key)
			time.Sleep(time.Hour)
			return saying(http.StatusInternalServerError, http.Header{}, "")(req)
		}}
		cfg, began := w.config("eu-central-1"), time.Now()
		cfg.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: fmt.Sprint("key", int(time.Since(began)/time.Hour)), SecretAccessKey: "sample"}, nil
		})
		client := awsapi.NewLambda(cfg)
		for range 2 {
			if _, err := client.Invoke(t.Context(), &awsapi.InvokeInput{Function: "f", Payload: []byte("7")}); err == nil {
				t.Error("no error")
			}
		}
		want := []string{"key0", "key1", "key2", "key3", "key4", "key5"}
		if !slices.Equal(keys, want) {
			t.Errorf("signed with %v, want %v", keys, want)
		}
		for i, date := range at {
			if signed, err := time.Parse("20060102T150405Z", date); err != nil || signed.Sub(began).Truncate(time.Hour) != time.Duration(i)*time.Hour {
				t.Errorf("attempt %d was signed at %s", i, date)
			}
		}
	})
}

func TestClients_SendNothingWithoutCredentials(t *testing.T) {
	for name, provider := range map[string]aws.CredentialsProvider{
		"none": nil,
		"a provider that fails": aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{}, errors.New("out of reach")
		}),
	} {
		w := &wire{answer: saying(http.StatusOK, http.Header{}, "{}")}
		cfg := w.config("eu-central-1")
		cfg.Credentials = provider
		if _, err := awsapi.NewSQS(cfg).SendMessage(t.Context(), &awsapi.SendMessageInput{QueueURL: "q", Body: "text"}); err == nil || !strings.Contains(err.Error(), "credentials") || len(w.requests) != 0 {
			t.Errorf("%s: sent %d times, error %v", name, len(w.requests), err)
		}
	}
}

// An answer that breaks off says nothing, so the call is repeated, and fails in the end.
func TestClients_DoNotTakeAPartForTheWhole(t *testing.T) {
	for name, op := range operations() {
		synctest.Test(t, func(t *testing.T) {
			w := &wire{answer: func(*http.Request) (*http.Response, error) {
				broken := io.MultiReader(strings.NewReader(op.answer), iotest.ErrReader(io.ErrUnexpectedEOF))
				return &http.Response{StatusCode: op.status, Header: http.Header{}, Body: io.NopCloser(broken)}, nil
			}}
			if out, err := op.ours(t.Context(), w.config("eu-central-1")); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%s: %+v, %v", name, out, err)
			}
		})
	}
}

// Whatever is wrong with an answer, the failure does not quote it: it may be a secret.
func TestGetSecretValue_NeverQuotesTheAnswer(t *testing.T) {
	for _, status := range []int{http.StatusOK, http.StatusBadRequest} {
		for _, answer := range []string{
			`sample-secret`, `{"SecretString":"sample-secret`, `{"SecretString":["sample-secret"]}`, `{"SecretString":{"sample-secret":7}}`, `"sample-secret"`, `["sample-secret"]`,
			`{"__type":"Odd","SecretString":"sample-secret"}`, `{"__type":["sample-secret"]}`,
		} {
			w := &wire{answer: saying(status, http.Header{}, answer)}
			out, err := awsapi.NewSecretsManager(w.config("eu-central-1")).GetSecretValue(t.Context(), &awsapi.GetSecretValueInput{SecretID: "s"})
			if err == nil && status != http.StatusOK || err != nil && strings.Contains(err.Error(), "sample-secret") {
				t.Errorf("%d %s: %+v, %v", status, answer, out, err)
			}
		}
	}
}

// echo answers each operation with what it was sent. Of each three requests, it refuses one.
func echo(t *testing.T) aws.Config {
	var requests atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		switch {
		case err != nil || int64(len(body)) != r.ContentLength:
			t.Errorf("%d bytes of %d, %v", len(body), r.ContentLength, err)
		case requests.Add(1)%3 == 0:
			w.WriteHeader(http.StatusServiceUnavailable)
		case strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".GetQueueAttributes"):
			_, _ = io.WriteString(w, `{"Attributes":{"ApproximateNumberOfMessages":"7"}}`)
		case r.Header.Get("X-Amz-Target") != "":
			_, text, _ := strings.Cut(string(body), `"MessageBody":"`)
			text, _, _ = strings.Cut(text, `"`)
			_, _ = fmt.Fprintf(w, `{"MessageId":%q,"MD5OfMessageBody":%q}`, text, md5Of(text))
		default:
			_, _ = w.Write(body)
		}
	}))
	t.Cleanup(server.Close)
	return aws.Config{Region: "eu-central-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("sample", "sample", ""), RetryMaxAttempts: 10}
}

func TestClients_KeepConcurrentCallsApart(t *testing.T) {
	cfg := echo(t)
	queues, functions := awsapi.NewSQS(cfg), awsapi.NewLambda(cfg)
	var group sync.WaitGroup
	for n := range 30 {
		group.Go(func() {
			text := fmt.Sprint("text-", n)
			if out, err := queues.SendMessage(t.Context(), &awsapi.SendMessageInput{QueueURL: "q", Body: text}); err != nil || out.MessageID != text {
				t.Errorf("%s: %+v, %v", text, out, err)
			}
			if out, err := queues.GetQueueAttributes(t.Context(), &awsapi.GetQueueAttributesInput{QueueURL: "q"}); err != nil || out.Attributes[awsapi.Messages] != "7" {
				t.Errorf("%+v, %v", out, err)
			}
			if out, err := functions.Invoke(t.Context(), &awsapi.InvokeInput{Function: "f", Payload: []byte(text)}); err != nil || string(out.Payload) != text {
				t.Errorf("%s: %+v, %v", text, out, err)
			}
		})
	}
	group.Wait()
}

// A request with a body may lose its connection if its answer comes before the transport has
// read the body's end, as it does with the SDK's clients; so this one has none.
func TestClients_UseTheirConnectionAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requests := 0
		server := pipe.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			requests++
			w.WriteHeader([]int{http.StatusOK, http.StatusServiceUnavailable, http.StatusBadRequest}[requests%3])
			_, _ = io.WriteString(w, []string{"{}", "", `{"Message":"bad"}`}[requests%3])
		}))
		var network *http.Transport
		functions := awsapi.NewLambda(aws.Config{
			Region: "eu-central-1", Credentials: credentials.NewStaticCredentialsProvider("sample", "sample", ""), BaseEndpoint: aws.String("http://lambda.invalid"),
			HTTPClient: awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
				t.Proxy, t.DialContext = nil, server.Dial
				network = t
			}),
		})
		for range 30 {
			_, _ = functions.Invoke(t.Context(), &awsapi.InvokeInput{Function: "f"}) // each third one is refused
		}
		if n := server.Dialled(); n != 1 || requests <= 30 {
			t.Errorf("%d connections for %d requests", n, requests)
		}
		network.CloseIdleConnections()
	})
}

// While a service is down, the calls of a client together soon send each request once.
func TestClients_ShareAQuotaOfRepetitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{answer: saying(http.StatusInternalServerError, http.Header{}, "")}
		functions := awsapi.NewLambda(w.config("eu-central-1"))
		const calls = 500
		for range calls {
			if _, err := functions.Invoke(t.Context(), &awsapi.InvokeInput{Function: "f"}); err == nil {
				t.Fatal("no error")
			}
		}
		if n := len(w.requests); n <= calls || n > calls+calls/2 {
			t.Errorf("%d requests of %d calls", n, calls)
		}
	})
}

func TestClients_SendAsOftenAsTheConfigurationSays(t *testing.T) {
	for attempts := 1; attempts <= 2; attempts++ {
		w := &wire{answer: saying(http.StatusInternalServerError, http.Header{}, "")}
		cfg := w.config("eu-central-1")
		cfg.RetryMaxAttempts = attempts
		if _, err := awsapi.NewLambda(cfg).Invoke(t.Context(), &awsapi.InvokeInput{Function: "f"}); err == nil || len(w.requests) != attempts {
			t.Errorf("sent %d times, want %d; error %v", len(w.requests), attempts, err)
		}
	}
}

func TestClients_NeedARegion(t *testing.T) {
	w := &wire{answer: saying(http.StatusOK, http.Header{}, "{}")}
	_, err := awsapi.NewStepFunctions(w.config("")).StartExecution(t.Context(), &awsapi.StartExecutionInput{StateMachineARN: "arn"})
	if _, missing := errors.AsType[*aws.MissingRegionError](err); !missing || len(w.requests) != 0 {
		t.Errorf("sent %v, error %v", w.requests, err)
	}
}

func TestClients_HaveATransportOfTheirOwn(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `{"SecretString":"sample"}`)
	}))
	defer server.Close()
	cfg := aws.Config{Region: "eu-central-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("sample", "sample", "")}
	out, err := awsapi.NewSecretsManager(cfg).GetSecretValue(t.Context(), &awsapi.GetSecretValueInput{SecretID: "s"})
	if err != nil || out.Text != "sample" {
		t.Errorf("%+v, %v", out, err)
	}
}
