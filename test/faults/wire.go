package faults

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// Wire is a transport that makes single requests to AWS fail, below the SDK's
// retries, with the bytes that the service itself would send.
type Wire struct {
	// Next is the transport for all other requests.
	Next http.RoundTripper
	// Spoil returns the kind of failure of the request, or "". repetition is
	// how many times the same request was sent before, by the SDK's retries.
	Spoil func(operation string, repetition int) Kind

	mu   sync.Mutex
	sent map[[sha256.Size]byte]int
}

// RoundTrip implements [http.RoundTripper].
func (w *Wire) RoundTrip(req *http.Request) (*http.Response, error) {
	operation := req.Header.Get("X-Amz-Target")
	operation = operation[strings.LastIndexByte(operation, '.')+1:]
	repetition, err := w.repetition(req)
	if err != nil {
		return nil, err
	}
	switch kind := w.Spoil(operation, repetition); kind {
	case "":
		return w.Next.RoundTrip(req)
	case BrokenConnection:
		return nil, reset(req.URL.String()).Unwrap()
	case LostAnswer, TimeoutApplied, TransactionInProgress:
		resp, err := w.Next.RoundTrip(req)
		if err != nil {
			return nil, err
		}
		_, _ = io.Copy(io.Discard, resp.Body) // so that the connection can be used again
		_ = resp.Body.Close()
		return kind.afterwards(req)
	case Timeout:
		<-req.Context().Done()
		return nil, req.Context().Err()
	default:
		return kind.onWire(req)
	}
}

// repetition counts the requests with the same content.
func (w *Wire) repetition(req *http.Request) (int, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return 0, err
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	sum := sha256.Sum256(append([]byte(req.Header.Get("X-Amz-Target")+"\x00"), body...))
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.sent == nil {
		w.sent = map[[sha256.Size]byte]int{}
	}
	w.sent[sum]++
	return w.sent[sum] - 1, nil
}

// afterwards returns what follows a request that was applied.
func (k Kind) afterwards(req *http.Request) (*http.Response, error) {
	switch k {
	case LostAnswer:
		return nil, reset(req.URL.String()).Unwrap()
	case TimeoutApplied:
		<-req.Context().Done()
		return nil, req.Context().Err()
	}
	return k.onWire(req)
}

const (
	dynamoErrors  = "com.amazonaws.dynamodb.v20120810#"
	throttling    = "com.amazon.coral.availability#ThrottlingException"
	sqsThrottling = "com.amazonaws.sqs#RequestThrottled"
	failure       = "com.amazon.coral.service#InternalFailure"
)

// onWire returns the service's error response in its protocol.
func (k Kind) onWire(req *http.Request) (*http.Response, error) {
	status, body := http.StatusBadRequest, map[string]any{}
	target := req.Header.Get("X-Amz-Target")
	switch k {
	case ThroughputExceeded:
		body["__type"] = dynamoErrors + "ProvisionedThroughputExceededException"
		body["message"] = "The level of configured provisioned throughput for the table was exceeded. Consider increasing your provisioning level with the UpdateTable API."
	case Throttled:
		body["__type"], body["message"] = throttling, "Rate exceeded"
		if strings.HasPrefix(target, "AmazonSQS.") {
			body["__type"] = sqsThrottling
		}
	case TransactionConflict, TransactionThrottled:
		code := "TransactionConflict"
		if k == TransactionThrottled {
			code = "ThrottlingError"
		}
		body["__type"] = dynamoErrors + "TransactionCanceledException"
		body["Message"] = "Transaction cancelled, please refer cancellation reasons for specific reasons [None, " + code + "]"
		body["CancellationReasons"] = []map[string]string{{"Code": "None"}, {"Code": code, "Message": "Transaction is ongoing for the item"}}
	case TransactionInProgress:
		body["__type"] = dynamoErrors + "TransactionInProgressException"
		body["Message"] = "The transaction with the given request token is already in progress."
	case IdempotentMismatch:
		body["__type"] = dynamoErrors + "IdempotentParameterMismatchException"
		body["Message"] = "Request parameters do not match those of an earlier request with the same client token."
	case WriteConflict:
		body["__type"] = dynamoErrors + "TransactionConflictException"
		body["message"] = "Transaction is ongoing for the item"
	default:
		status = http.StatusInternalServerError
		body["__type"] = failure
		if strings.HasPrefix(target, "DynamoDB_") {
			body["__type"] = dynamoErrors + "InternalServerError"
		}
		body["message"] = "The request could not be processed because of an internal server error. Please retry your request."
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: status, Status: strconv.Itoa(status) + " " + http.StatusText(status),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        http.Header{"Content-Type": {"application/x-amz-json-1.0"}, "X-Amzn-Requestid": {requestID}},
		ContentLength: int64(len(raw)), Body: io.NopCloser(bytes.NewReader(raw)), Request: req,
	}, nil
}
