package upgrade_test

import (
	"crypto/md5" //nolint:gosec // SQS names messages' bodies by it
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// services is the AWS that the functions see: DynamoDB of an engine, and queues and
// executions that are kept here until the test handles them.
type services struct {
	dynamodb http.Handler

	mu       sync.Mutex
	messages []*message
	// inputs are those of the executions that were started.
	inputs []json.RawMessage
}

// message is one that was sent to a queue.
type message struct {
	record events.SQSMessage
	queue  string
	due    time.Time
	tries  int
}

func newServices(t *testing.T, engine string) *services {
	t.Helper()
	to, err := url.Parse(engine)
	if err != nil {
		t.Fatal(err)
	}
	return &services{dynamodb: &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}}
}

// queueURL is the URL of a queue with the name.
func queueURL(name string) string { return "http://127.0.0.1/000000000000/lorehook-" + name }

// settle is the delay of requests.fifo.
const settle = 2 * time.Second

// ServeHTTP implements the JSON protocols.
func (s *services) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	target := r.Header.Get("X-Amz-Target")
	if strings.HasPrefix(target, "DynamoDB_") {
		s.dynamodb.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var answer any = struct{}{}
	switch target {
	case "AmazonSQS.SendMessage":
		answer, err = s.send(body)
	case "AmazonSQS.ChangeMessageVisibility":
		err = s.postpone(body)
	case "AmazonSQS.GetQueueAttributes":
		answer = map[string]any{"Attributes": map[string]string{"ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesNotVisible": "0"}}
	case "AWSStepFunctions.StartExecution":
		var in struct {
			Input string `json:"input"`
		}
		if err = json.Unmarshal(body, &in); err == nil {
			s.inputs = append(s.inputs, json.RawMessage(in.Input))
		}
		answer = map[string]any{"executionArn": fmt.Sprintf("arn:aws:states:us-east-1:000000000000:express:lorehook:%d", len(s.inputs)), "startDate": 1.0}
	default:
		err = fmt.Errorf("%q is not expected", target)
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		answer = map[string]string{"__type": "ValidationException", "message": err.Error()}
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func (s *services) send(body []byte) (any, error) {
	var in struct {
		QueueURL          string `json:"QueueUrl"`
		MessageBody       string
		MessageGroupID    string `json:"MessageGroupId"`
		MessageAttributes map[string]struct{ DataType, StringValue string }
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	_, queue, _ := strings.Cut(in.QueueURL, "/lorehook-")
	m := &message{queue: queue, due: time.Now()}
	if queue != "hides.fifo" {
		m.due = m.due.Add(settle)
	}
	id := fmt.Sprint("message-", len(s.messages), "-", m.due.UnixNano())
	m.record = events.SQSMessage{
		MessageId: id, ReceiptHandle: id, Body: in.MessageBody, EventSource: "aws:sqs", EventSourceARN: "arn:aws:sqs:us-east-1:000000000000:lorehook-" + queue,
		Attributes: map[string]string{
			"MessageGroupId": in.MessageGroupID, "SentTimestamp": fmt.Sprint(time.Now().UnixMilli()), "ApproximateReceiveCount": "1",
		},
		MessageAttributes: map[string]events.SQSMessageAttribute{},
	}
	for name, a := range in.MessageAttributes {
		m.record.MessageAttributes[name] = events.SQSMessageAttribute{DataType: a.DataType, StringValue: &a.StringValue}
	}
	s.messages = append(s.messages, m)
	sum := md5.Sum([]byte(in.MessageBody)) //nolint:gosec // see above
	return map[string]string{"MessageId": id, "MD5OfMessageBody": hex.EncodeToString(sum[:]), "SequenceNumber": "1"}, nil
}

func (s *services) postpone(body []byte) error {
	var in struct {
		ReceiptHandle     string
		VisibilityTimeout int
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return err
	}
	for _, m := range s.messages {
		if m.record.ReceiptHandle == in.ReceiptHandle {
			m.due = time.Now().Add(time.Duration(in.VisibilityTimeout) * time.Second)
		}
	}
	return nil
}

// next returns the message that is due first, or nil.
func (s *services) next() (first *message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.messages {
		if first == nil || m.due.Before(first.due) {
			first = m
		}
	}
	return first
}

func (s *services) done(m *message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, other := range s.messages {
		if other == m {
			s.messages = append(s.messages[:i:i], s.messages[i+1:]...)
			return
		}
	}
}

// started takes the inputs of the executions that were started.
func (s *services) started() []json.RawMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	inputs := s.inputs
	s.inputs = nil
	return inputs
}
