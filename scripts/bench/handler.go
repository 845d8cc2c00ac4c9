package main

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	awsevents "github.com/aws/aws-lambda-go/events"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"gitlab.com/lorehook/lorehook/events"
	"gitlab.com/lorehook/lorehook/internal/awsapi"
	"gitlab.com/lorehook/lorehook/internal/function/gateway"
	"gitlab.com/lorehook/lorehook/internal/function/logs"
	"gitlab.com/lorehook/lorehook/internal/function/metrics"
	"gitlab.com/lorehook/lorehook/internal/function/secret"
	"gitlab.com/lorehook/lorehook/internal/function/trace"
	"gitlab.com/lorehook/lorehook/internal/queue"
	"gitlab.com/lorehook/lorehook/internal/record"
	"gitlab.com/lorehook/lorehook/internal/webhook"
	"gitlab.com/lorehook/lorehook/internal/webhook/delivery"
)

// discarding is a queue that accepts everything at once.
type discarding struct{}

func (discarding) SendMessage(context.Context, *awsapi.SendMessageInput) (*awsapi.SendMessageOutput, error) {
	return &awsapi.SendMessageOutput{}, nil
}

// handling measures the webhook's handler, from the gateway's event to its answer, with
// everything but the network: logs, metrics and the message are written and thrown away.
// The floor is one HMAC of the body and one scan of it, by the standard library. The last
// line of each size has the scan of the library that the handler uses in its place, which is
// what nothing that verifies a delivery and knows that it is JSON can do without.
func handling(context.Context) (figures []figure, err error) {
	key := []byte(rand.Text() + rand.Text())
	sample, err := events.Named("note_issue")
	if err != nil {
		return nil, err
	}
	for _, size := range []struct {
		name  string
		bytes int
	}{{"10 KB", 10_000}, {"1 MB", 1_000_000}} {
		body, err := grown(sample.Body, size.bytes)
		if err != nil {
			return nil, err
		}
		floor, least := checking(key, body, json.Valid), checking(key, body, record.IsJSON)
		for _, sent := range []struct {
			name   string
			event  awsevents.APIGatewayV2HTTPRequest
			reach  float64
			memory float64
		}{
			{"a signed delivery of " + size.name, signed(sample.Event, body, key), 1.5, 2},
			{"the same, encoded in base64 by the gateway", encoded(signed(sample.Event, body, key)), 0, 0},
			{"the same, with a secret token", withToken(sample.Event, body), 0, 0},
		} {
			work, err := handled(sent.event, key)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", sent.name, err)
			}
			p := pair(work, floor)
			time := newFigure("webhook: "+sent.name, milliseconds(p.value), "ms of processor", milliseconds(p.floor), 0)
			memory := newFigure("  allocated", p.allocated, "bytes", float64(len(body)), 0)
			if time.Ratio = p.ratio; sent.reach > 0 {
				time, memory = time.within(sent.reach, p.ratio), memory.within(sent.memory, memory.Ratio)
			}
			figures = append(figures, time, memory)
		}
		work, err := handled(signed(sample.Event, body, key), key)
		if err != nil {
			return nil, err
		}
		p := pair(work, least)
		line := newFigure("  against the fastest scan", milliseconds(p.value), "ms of processor", milliseconds(p.floor), 0)
		line.Ratio = p.ratio
		figures = append(figures, line)
	}
	return figures, nil
}

// checking returns a function that does what any delivery's check takes: the HMAC of the body,
// and a scan that says whether it is JSON.
func checking(key, body []byte, scan func([]byte) bool) func() {
	return func() {
		mac := hmac.New(sha256.New, key)
		_, _ = mac.Write(body)
		if len(mac.Sum(nil)) == 0 || !scan(body) {
			panic("the floor was not measured")
		}
	}
}

// grown returns the sample of a note with a text that makes it this many bytes long, of
// words, lines, and letters beyond ASCII.
func grown(sample []byte, size int) ([]byte, error) {
	var payload map[string]any
	if err := json.Unmarshal(sample, &payload); err != nil {
		return nil, err
	}
	note, ok := payload["object_attributes"].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("the sample has no object_attributes")
	}
	text := strings.Repeat("It fails with \"exit status 1\", as in #12 – see the log:\n", size/40)
	for low, high := 0, len(text); ; {
		length := (low + high) / 2
		note["note"] = strings.ToValidUTF8(text[:length], "")
		body, err := json.Marshal(payload)
		if err != nil || high-low <= 1 {
			return body, err
		}
		if len(body) > size {
			high = length
		} else {
			low = length
		}
	}
}

// plain is the event of a delivery without a proof.
func plain(hook string, body []byte) awsevents.APIGatewayV2HTTPRequest {
	event := awsevents.APIGatewayV2HTTPRequest{RawPath: delivery.Path, Body: string(body), Headers: map[string]string{
		"content-type": "application/json", "content-length": strconv.Itoa(len(body)), "host": "hooks.example.com", "user-agent": "GitLab/18.4.0",
		"x-forwarded-for": "192.0.2.7", "x-forwarded-port": "443", "x-forwarded-proto": "https", "x-amzn-trace-id": "Root=1-5759e988-bd862e3fe1be46a994272793",
		"x-gitlab-event": hook, "x-gitlab-instance": "https://gitlab.example.com", "x-gitlab-webhook-uuid": rand.Text(), "idempotency-key": rand.Text(),
	}}
	event.RequestContext.RequestID, event.RequestContext.HTTP.Method = rand.Text(), http.MethodPost
	return event
}

// signed is a delivery with a signature.
func signed(hook string, body, key []byte) awsevents.APIGatewayV2HTTPRequest {
	event, id, at := plain(hook, body), rand.Text(), time.Now()
	signer, err := standardwebhooks.NewWebhookRaw(key)
	if err != nil {
		panic(err) // it accepts any key
	}
	signature, err := signer.Sign(id, at, body)
	if err != nil {
		panic(err) // it signs anything
	}
	maps.Copy(event.Headers, map[string]string{
		standardwebhooks.HeaderWebhookID: id, standardwebhooks.HeaderWebhookSignature: signature,
		standardwebhooks.HeaderWebhookTimestamp: strconv.FormatInt(at.Unix(), 10),
	})
	return event
}

// encoded is the event of a gateway that takes the body for a binary one.
func encoded(event awsevents.APIGatewayV2HTTPRequest) awsevents.APIGatewayV2HTTPRequest {
	event.Body, event.IsBase64Encoded = base64.StdEncoding.EncodeToString([]byte(event.Body)), true
	return event
}

const benchToken = "sample-token"

// withToken is a delivery with a secret token.
func withToken(hook string, body []byte) awsevents.APIGatewayV2HTTPRequest {
	event := plain(hook, body)
	event.Headers["x-gitlab-token"] = benchToken
	return event
}

// handled returns a function that handles the event once. It fails if the delivery would
// not be queued.
func handled(event awsevents.APIGatewayV2HTTPRequest, key []byte) (func(), error) {
	sender := queue.NewSender(discarding{}, "https://queue.example.com/requests.fifo")
	handle := gateway.Adapt(&webhook.Handler{
		Verifiers: secret.NewSource(func(context.Context) (*delivery.Verifier, error) {
			return delivery.NewVerifier([]string{"whsec_" + base64.StdEncoding.EncodeToString(key)}, []string{benchToken})
		}, time.Now),
		Queue: sender, Hides: sender, Allows: func(int64) bool { return true }, Clock: time.Now,
		Log: logs.New(io.Discard, slog.LevelInfo), Meter: metrics.New(io.Discard, "Lorehook", time.Now), NewTrace: trace.Source(rand.Reader),
	})
	once := func() int {
		answer, _ := handle(context.Background(), event) // it has a response for every failure
		return answer.StatusCode
	}
	if status := once(); status != http.StatusAccepted {
		return nil, fmt.Errorf("the webhook answered with %d", status)
	}
	return func() { once() }, nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }
