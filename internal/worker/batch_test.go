package worker_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/middleware"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/awsapi"
	"gitlab.com/lorehook/lorehook/internal/function/logs"
	"gitlab.com/lorehook/lorehook/internal/function/metrics"
	"gitlab.com/lorehook/lorehook/internal/function/trace"
	"gitlab.com/lorehook/lorehook/internal/queue"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/worker"
	"gitlab.com/lorehook/lorehook/test/metricstest"
)

const (
	theirs = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	ours   = "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-00"
)

var now = time.Date(2026, time.November, 2, 6, 0, 0, 0, time.UTC)

// processor remembers what its context carried.
type processor struct {
	mu      sync.Mutex
	carried []string
	err     error
}

func (p *processor) process(ctx context.Context, msg worker.Message, _ bool) worker.Verdict {
	parent, runID := trace.From(ctx)
	if parent != msg.TraceParent {
		return worker.Wait{Cause: errors.New("the context and the message carry two traces")}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.carried = append(p.carried, runID+" "+parent)
	if p.err != nil {
		return worker.Wait{Cause: p.err}
	}
	return worker.Done{}
}

// away is a queue that cannot be reached.
type away struct{}

func (away) Delay(context.Context, events.SQSMessage, int32) error { return errors.New("away") }
func (away) DeadLetter(context.Context, events.SQSMessage) error   { return errors.New("away") }

// record is a message of the queue that was sent so long ago.
func record(t *testing.T, runID, queue string, age time.Duration, attributes map[string]string) events.SQSMessage {
	t.Helper()
	body, err := json.Marshal(surgical.Request{
		RunID: runID, ProjectID: 1, Targets: []surgical.Target{{Type: surgical.Issue, IID: 7}}, Origin: surgical.OriginWebhook, EventAt: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	carried := map[string]events.SQSMessageAttribute{}
	for name, value := range attributes {
		carried[name] = events.SQSMessageAttribute{DataType: "String", StringValue: &value}
	}
	return events.SQSMessage{
		MessageId: "message-" + runID, Body: string(body), MessageAttributes: carried,
		Attributes:     map[string]string{"MessageGroupId": runID, "SentTimestamp": strconv.FormatInt(now.Add(-age).UnixMilli(), 10)},
		EventSourceARN: "arn:aws:sqs:us-east-1:000000000000:team-a-" + queue + ".fifo",
	}
}

func TestBatchProcessesEachMessageUnderItsOwnTrace(t *testing.T) {
	p := &processor{}
	batch := &worker.Batch{
		Process: p.process, Queue: away{}, Clock: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler),
		NewTrace: func(context.Context) string { return ours },
	}
	for _, r := range []events.SQSMessage{
		record(t, "run-1", "requests", 0, map[string]string{"traceparent": theirs}),
		record(t, "run-2", "requests", 0, nil),
		record(t, "run-3", "requests", 0, map[string]string{"traceparent": "nonsense"}),
	} {
		if _, err := batch.Handle(t.Context(), events.SQSEvent{Records: []events.SQSMessage{r}}); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"run-1 " + theirs, "run-2 " + ours, "run-3 " + ours}, p.carried); diff != "" {
		t.Errorf("carried (-want +got):\n%s", diff)
	}
}

// Also of a message whose body says nothing, and of those that wait behind
// another one.
func TestBatchNamesRunAndTraceInEveryLine(t *testing.T) {
	garbage := record(t, "run-1", "requests", 0, map[string]string{"traceparent": theirs, "run_id": "run-1"})
	garbage.Body = "{"
	waiting := record(t, "run-2", "requests", 0, map[string]string{"traceparent": theirs, "run_id": "run-2"})
	var out bytes.Buffer
	batch := &worker.Batch{
		Process: (&processor{err: errors.New("not yet")}).process, Queue: away{}, Clock: func() time.Time { return now }, Log: logs.New(&out, slog.LevelInfo),
	}
	response, err := batch.Handle(t.Context(), events.SQSEvent{Records: []events.SQSMessage{garbage, waiting}})
	if err != nil || len(response.BatchItemFailures) != 2 {
		t.Fatalf("response %+v, error %v", response, err)
	}
	seen := map[string]bool{}
	for line := range bytes.Lines(out.Bytes()) {
		var l map[string]any
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatal(err)
		}
		seen[l["msg"].(string)] = true
		if l["traceparent"] != theirs || l["run_id"] == nil {
			t.Errorf("a line without its run and trace: %s", line)
		}
	}
	for _, msg := range []string{"undecodable", "dead_letter_failed", "message_waits", "delay_failed"} {
		if !seen[msg] {
			t.Errorf("no line %s in %s", msg, out.String())
		}
	}
}

// The value of an attribute is unchecked input: it must fit into a log line.
func TestBatchLogsNoAttributeThatIsNotAnID(t *testing.T) {
	garbage := record(t, "run-1", "requests", 0, map[string]string{"run_id": "a title\nwith a line break", "traceparent": "a title"})
	garbage.Body = "{"
	var out bytes.Buffer
	batch := &worker.Batch{Process: (&processor{}).process, Queue: away{}, Clock: func() time.Time { return now }, Log: logs.New(&out, slog.LevelInfo)}
	if _, err := batch.Handle(t.Context(), events.SQSEvent{Records: []events.SQSMessage{garbage}}); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(out.Bytes(), []byte("title")) {
		t.Errorf("the log says %s", out.String())
	}
}

func TestBatchReportsHowLongMessagesWaited(t *testing.T) {
	var out bytes.Buffer
	clock := func() time.Time { return now }
	batch := &worker.Batch{
		Process: (&processor{}).process, Queue: away{}, Clock: clock, Log: slog.New(slog.DiscardHandler),
		Meter: metrics.New(&out, "lorehook", clock),
	}
	unknown := record(t, "run-4", "bulk", 0, nil)
	unknown.Attributes["SentTimestamp"] = ""
	_, err := batch.Handle(t.Context(), events.SQSEvent{Records: []events.SQSMessage{
		record(t, "run-1", "requests", 2*time.Second, nil), record(t, "run-2", "requests", time.Hour, nil),
		record(t, "run-3", "bulk", -time.Second, nil), unknown,
	}})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]float64{}
	for line := range bytes.Lines(out.Bytes()) {
		data, err := metricstest.Read(line)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range data {
			got[d.Dimensions] = append(got[d.Dimensions], d.Values...)
		}
	}
	want := map[string][]float64{"Queue=requests": {2000, 3600000}, "Queue=bulk": {0}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ages in milliseconds (-want +got):\n%s", diff)
	}
}

func TestConsumerKeepsRunAndTraceOfADeadLetter(t *testing.T) {
	var sent *awsapi.SendMessageInput
	client := awsapi.NewSQS(aws.Config{Region: "us-east-1", APIOptions: []func(*middleware.Stack) error{func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("Catch",
			func(_ context.Context, in middleware.InitializeInput, _ middleware.InitializeHandler) (out middleware.InitializeOutput, _ middleware.Metadata, _ error) {
				sent = in.Parameters.(*awsapi.SendMessageInput)
				out.Result = &awsapi.SendMessageOutput{}
				return out, middleware.Metadata{}, nil
			}), middleware.Before)
	}}})
	consumer := &queue.Consumer{Client: client, DeadLetterURL: "https://queue.example.com/dead-letters.fifo"}
	carried := map[string]string{"traceparent": theirs, "run_id": "run-1"}
	if err := consumer.DeadLetter(t.Context(), record(t, "run-1", "requests", 0, carried)); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for name, value := range sent.Attributes {
		got[name] = value.StringValue
	}
	if diff := cmp.Diff(carried, got); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
}

// panicking is a process with a mistake.
func panicking(context.Context, worker.Message, bool) worker.Verdict { panic("the text of an issue") }

func TestBatchMovesAMessageThatPanicsToTheDeadLettersAndLogsOneLine(t *testing.T) {
	var out bytes.Buffer
	batch := &worker.Batch{Process: panicking, Queue: away{}, Clock: func() time.Time { return now }, Log: logs.New(&out, slog.LevelInfo)}
	verdict := worker.Process(batch, trace.With(t.Context(), theirs, "run-1"), worker.Message{}, false)
	if diff := cmp.Diff(worker.Verdict(worker.DeadLetter{}), verdict); diff != "" {
		t.Errorf("verdict (-want +got):\n%s", diff)
	}
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("%v: %s", err, out.Bytes())
	}
	if line["msg"] != "panic" || line["level"] != "ERROR" || line["run_id"] != "run-1" || line["traceparent"] != theirs || line["error_name"] != "string" || line["stack"] == nil {
		t.Errorf("line %s", out.Bytes())
	}
	if strings.Contains(out.String(), "the text of an issue") {
		t.Errorf("the panic's value leaked: %s", out.Bytes())
	}
}
