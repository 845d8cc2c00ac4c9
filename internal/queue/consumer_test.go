package queue_test

import (
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"gitlab.com/lorehook/lorehook/internal/queue"
	fakesqs "gitlab.com/lorehook/lorehook/test/fake/sqs"
)

// received is a message of the queue, as Lambda hands it to a function.
func received(q *fakesqs.Queue, m fakesqs.Message) events.SQSMessage {
	return events.SQSMessage{
		MessageId: m.ID, ReceiptHandle: m.Receipt, Body: m.Body, EventSourceARN: q.ARN(), Attributes: map[string]string{"MessageGroupId": "issue-7"},
	}
}

func TestConsumerDelay_HidesAMessageForAsLongAsItSays(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	q := fakesqs.New(fakesqs.Options{Name: "lorehook-requests.fifo", Clock: func() time.Time { return now }, Visibility: time.Minute})
	consumer := &queue.Consumer{Client: fakesqs.Client([]*fakesqs.Queue{q}), QueueURLs: []string{q.URL()}}
	q.Send("issue-7", "1", "body")
	message := q.Receive(1)[0]
	if err := consumer.Delay(t.Context(), received(q, message), 3600); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour - time.Second)
	if visible, _ := q.Depth(); visible != 0 {
		t.Error("it is visible too early")
	}
	now = now.Add(time.Second)
	if visible, _ := q.Depth(); visible != 1 {
		t.Error("it is not visible after its time")
	}
	if err := consumer.Delay(t.Context(), events.SQSMessage{EventSourceARN: "arn:aws:sqs:us-east-1:000000000000:other.fifo"}, 1); err == nil {
		t.Error("a message of another queue was delayed")
	}
}

// A worker that dies after it moved a message moves it again.
func TestConsumerDeadLetter_StoresAMessageOnce(t *testing.T) {
	clock := func() time.Time { return time.Unix(1_700_000_000, 0) }
	q, dead := fakesqs.New(fakesqs.Options{Name: "lorehook-requests.fifo", Clock: clock, Visibility: time.Minute}), fakesqs.New(fakesqs.Options{Name: "lorehook-dead-letters.fifo", Clock: clock, Visibility: time.Minute})
	consumer := &queue.Consumer{Client: fakesqs.Client([]*fakesqs.Queue{q, dead}), QueueURLs: []string{q.URL()}, DeadLetterURL: dead.URL()}
	q.Send("issue-7", "1", "same")
	q.Send("issue-8", "2", "same")
	for _, message := range q.Receive(2) {
		for range 2 {
			if err := consumer.DeadLetter(t.Context(), received(q, message)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if stored := dead.Messages(); len(stored) != 2 || stored[0].Body != "same" || stored[0].Group != "issue-7" {
		t.Errorf("stored %+v", stored)
	}
}
