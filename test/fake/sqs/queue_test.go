package sqs_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/awsapi"
	fakesqs "gitlab.com/lorehook/lorehook/test/fake/sqs"
)

type clock struct{ now time.Time }

func (c *clock) pass(d time.Duration) { c.now = c.now.Add(d) }

func queue() (*clock, *fakesqs.Queue, *fakesqs.Queue) {
	c := &clock{time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC)}
	now := func() time.Time { return c.now }
	dead := fakesqs.New(fakesqs.Options{Name: "dead.fifo", Clock: now})
	return c, fakesqs.New(fakesqs.Options{
		Name: "requests.fifo", Clock: now, Delay: 2 * time.Second, Visibility: time.Minute, Retention: 14 * 24 * time.Hour, DeadLetters: dead, MaxReceives: 3,
	}), dead
}

func bodies(messages []fakesqs.Message) []string {
	got := []string{}
	for _, m := range messages {
		got = append(got, m.Body)
	}
	return got
}

func want(t *testing.T, got []fakesqs.Message, bodiesWanted ...string) {
	t.Helper()
	if diff := cmp.Diff(append([]string{}, bodiesWanted...), bodies(got)); diff != "" {
		t.Errorf("received (-want +got)\n%s", diff)
	}
}

func TestANewMessageWaitsForItsDelay(t *testing.T) {
	c, q, _ := queue()
	q.Send("a", "1", "a1")
	c.pass(1900 * time.Millisecond)
	want(t, q.Receive(10))
	if next := q.Next(); !next.Equal(c.now.Add(100 * time.Millisecond)) {
		t.Errorf("next at %v", next)
	}
	c.pass(100 * time.Millisecond)
	want(t, q.Receive(10), "a1")
}

func TestAGroupGivesNothingWhileAMessageOfItIsInFlightAndOthersGoOn(t *testing.T) {
	c, q, _ := queue()
	for _, m := range []string{"a1", "a2", "b1"} {
		q.Send(m[:1], m, m)
	}
	c.pass(2 * time.Second)
	first := q.Receive(1)
	want(t, first, "a1")
	want(t, q.Receive(10), "b1")
	if err := q.Delete(first[0].Receipt); err != nil {
		t.Fatal(err)
	}
	want(t, q.Receive(10), "a2")
}

func TestAMessageThatIsNotDeletedComesAgainBeforeThoseBehindIt(t *testing.T) {
	c, q, _ := queue()
	q.Send("a", "1", "a1")
	q.Send("a", "2", "a2")
	c.pass(2 * time.Second)
	batch := q.Receive(10)
	want(t, batch, "a1", "a2")
	// A message that becomes visible sooner does not overtake: its group is in
	// flight.
	if err := q.Hide(batch[1].Receipt, time.Second); err != nil {
		t.Fatal(err)
	}
	c.pass(30 * time.Second)
	want(t, q.Receive(10))
	if next := q.Next(); !next.Equal(c.now.Add(30 * time.Second)) {
		t.Errorf("next at %v, now %v", next, c.now)
	}
	c.pass(30 * time.Second)
	again := q.Receive(10)
	want(t, again, "a1", "a2")
	if again[0].Receives != 2 {
		t.Errorf("received %d times", again[0].Receives)
	}
	if err := q.Delete(batch[0].Receipt); err == nil {
		t.Error("a receipt that was replaced removed the message")
	}
}

func TestTheSameDeduplicationIDIsOneMessageForFiveMinutesWithinItsGroup(t *testing.T) {
	c, q, _ := queue()
	first := q.Send("a", "1", "a1")
	c.pass(5*time.Minute - time.Second)
	if again := q.Send("a", "1", "a1 again"); again != first {
		t.Errorf("the repetition is message %s, not %s", again, first)
	}
	q.Send("b", "1", "b1")
	c.pass(time.Second)
	q.Send("a", "1", "a1 later")
	c.pass(2 * time.Second)
	want(t, q.Receive(10), "a1", "b1", "a1 later")
}

func TestAMessageReceivedTooOftenMovesToTheDeadLettersAndItsGroupGoesOn(t *testing.T) {
	c, q, dead := queue()
	q.Send("a", "1", "a1")
	q.Send("a", "2", "a2")
	c.pass(2 * time.Second)
	for range 3 {
		want(t, q.Receive(1), "a1")
		c.pass(time.Minute)
	}
	want(t, q.Receive(1), "a2")
	want(t, dead.Receive(10), "a1")
	if received, highest := q.Counts(); received != 4 || highest != 3 {
		t.Errorf("%d receipts, at most %d of one message", received, highest)
	}
}

func TestAMessageIsHiddenForTwelveHoursAtMostAndGoneAfterItsRetention(t *testing.T) {
	c, q, dead := queue()
	q.Send("a", "1", "a1")
	c.pass(2 * time.Second)
	m := q.Receive(1)[0]
	c.pass(time.Second)
	if err := q.Hide(m.Receipt, 12*time.Hour); err == nil {
		t.Error("hidden for longer than 12 hours from its receipt")
	}
	if err := q.Hide(m.Receipt, 11*time.Hour); err != nil {
		t.Error(err)
	}
	c.pass(14 * 24 * time.Hour)
	if left := len(q.Messages()) + len(dead.Messages()); left != 0 {
		t.Errorf("%d messages are left", left)
	}
}

func TestPollDeletesWhatTheHandlerDoesNotReportAndNothingWhenItDies(t *testing.T) {
	c, q, _ := queue()
	for i := range 3 {
		q.Send(fmt.Sprint(i), "d", fmt.Sprint(i))
	}
	c.pass(2 * time.Second)
	n, err := q.Poll(t.Context(), func(_ context.Context, e events.SQSEvent) (events.SQSEventResponse, error) {
		return events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{{ItemIdentifier: e.Records[1].MessageId}}}, nil
	})
	if err != nil || n != 3 {
		t.Fatalf("%d messages, error %v", n, err)
	}
	if diff := cmp.Diff([]string{"1"}, bodies(q.Messages())); diff != "" {
		t.Error(diff)
	}
	c.pass(time.Minute)
	if _, err := q.Poll(t.Context(), func(context.Context, events.SQSEvent) (events.SQSEventResponse, error) {
		return events.SQSEventResponse{}, context.DeadlineExceeded
	}); err == nil || len(q.Messages()) != 1 {
		t.Errorf("error %v, %d messages", err, len(q.Messages()))
	}
}

func TestTheClientReachesTheQueues(t *testing.T) {
	c, q, dead := queue()
	client := fakesqs.Client([]*fakesqs.Queue{q, dead})
	out, err := client.SendMessage(t.Context(), &awsapi.SendMessageInput{
		QueueURL: q.URL(), Body: "a1", GroupID: "a", DeduplicationID: "1",
	})
	if err != nil || out.MessageID != q.Messages()[0].ID {
		t.Fatalf("%v, error %v", out, err)
	}
	c.pass(2 * time.Second)
	m := q.Receive(1)[0]
	hide := &awsapi.ChangeMessageVisibilityInput{QueueURL: q.URL(), ReceiptHandle: m.Receipt, Timeout: 10}
	if _, err := client.ChangeMessageVisibility(t.Context(), hide); err != nil {
		t.Fatal(err)
	}
	c.pass(10 * time.Second)
	if _, err := client.ChangeMessageVisibility(t.Context(), hide); err == nil {
		t.Error("a message that is visible again was hidden")
	}
	if !slices.Equal(bodies(q.Receive(1)), []string{"a1"}) {
		t.Error("the message did not come back after 10 s")
	}
	if _, err := client.SendMessage(t.Context(), &awsapi.SendMessageInput{QueueURL: "https://elsewhere/x", Body: "b"}); err == nil {
		t.Error("a queue that does not exist took a message")
	}
}

func TestReceivableCountsWhatReceiveWouldHandOut(t *testing.T) {
	c, q, _ := queue()
	q.Send("a", "1", "a1")
	q.Send("b", "1", "b1")
	if n := q.Receivable(); n != 0 {
		t.Errorf("%d of the delayed", n)
	}
	c.pass(2 * time.Second)
	q.Send("a", "2", "a2")
	if n := q.Receivable(); n != 2 {
		t.Errorf("%d, want a1 and b1", n)
	}
	c.pass(2 * time.Second)
	if n := q.Receivable(); n != 3 {
		t.Errorf("%d, want all", n)
	}
	want(t, q.Receive(1), "a1")
	if n := q.Receivable(); n != 1 {
		t.Errorf("%d, want b1 only: a1 is in flight", n)
	}
}

func TestTakeHandsOutEverythingOnceWithItsAttributes(t *testing.T) {
	_, q, _ := queue()
	client := fakesqs.Client([]*fakesqs.Queue{q})
	for _, body := range []string{"a1", "a2"} {
		_, err := client.SendMessage(t.Context(), &awsapi.SendMessageInput{
			QueueURL: q.URL(), Body: body, GroupID: "a", DeduplicationID: body,
			Attributes: map[string]awsapi.MessageAttribute{"run": awsapi.TextAttribute("of " + body)},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	got := []string{}
	for _, record := range q.Take().Records { // though delayed
		got = append(got, record.Body, *record.MessageAttributes["run"].StringValue)
	}
	if diff := cmp.Diff([]string{"a1", "of a1", "a2", "of a2"}, got); diff != "" {
		t.Errorf("(-sent +taken):\n%s", diff)
	}
	if left := q.Take().Records; len(left) > 0 {
		t.Errorf("%d are left", len(left))
	}
}
