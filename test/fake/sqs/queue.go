// Package sqs simulates SQS FIFO queues and Lambda's polling of them, for
// tests: groups, delays, visibility, receive counts, a dead-letter queue and
// deduplication, as AWS documents them, on a clock that the test moves and
// without goroutines.
//
// It omits attributes other than strings, content-based deduplication, size and
// throughput limits, and the duplicates and best-effort ordering of standard
// queues. Messages of a group are delivered in the order in which they were
// sent. Across groups, where AWS promises no order, the oldest comes first.
package sqs

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	// deduplication is how long a deduplication id is remembered.
	deduplication = 5 * time.Minute
	// maxVisibility is the longest time for which a message can be hidden after
	// its receipt.
	maxVisibility = 12 * time.Hour
)

// Errors of calls with a receipt.
var (
	ErrReceiptExpired = errors.New("the receipt handle has expired")
	ErrNotInFlight    = errors.New("the message is not in flight")
)

// Options are a queue's settings. Clock is required.
type Options struct {
	Name  string
	Clock func() time.Time
	// Delay is how long a new message is delayed, Visibility how long a
	// received one is hidden, and Retention how long a message is kept; 0 means
	// forever.
	Delay, Visibility, Retention time.Duration
	// DeadLetters receives a message that has been received MaxReceives times
	// and would be received again.
	DeadLetters *Queue
	MaxReceives int
}

// Queue is one FIFO queue. It is safe for concurrent use.
type Queue struct {
	Options

	mu       sync.Mutex
	messages []*Message // in the order in which they were sent
	seen     map[string]remembered
	sent     int
	receipts int
	// receipts in total, and of the message that was received most often
	received, highest int
}

// Message is one message.
type Message struct {
	ID, Group, Deduplication, Body string
	// Attributes are the message attributes, all of type String.
	Attributes              map[string]string
	SentAt, FirstReceivedAt time.Time
	// Receives counts how often it was received.
	Receives int
	// Receipt is the newest receipt's handle.
	Receipt string

	visibleAt, receivedAt time.Time
	inFlight              bool
}

type remembered struct {
	id    string
	until time.Time
}

// New returns an empty queue.
func New(o Options) *Queue { return &Queue{Options: o, seen: map[string]remembered{}} }

// Send adds a message and returns its id. If its deduplication id was used in
// its group less than five minutes ago, the message is accepted and dropped,
// and the first one's id is returned.
func (q *Queue) Send(group, deduplicationID, body string) string {
	return q.SendWith(group, deduplicationID, body, nil)
}

// SendWith is [Queue.Send] with message attributes.
func (q *Queue) SendWith(group, deduplicationID, body string, attributes map[string]string) string {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.Clock()
	key := group + "\x00" + deduplicationID
	if first, ok := q.seen[key]; ok && now.Before(first.until) {
		return first.id
	}
	q.sent++
	id := fmt.Sprintf("%s-%06d", q.Name, q.sent)
	q.seen[key] = remembered{id, now.Add(deduplication)}
	q.messages = append(q.messages, &Message{ID: id, Group: group, Deduplication: deduplicationID, Body: body, Attributes: attributes, SentAt: now, visibleAt: now.Add(q.Delay)})
	return id
}

// Receive returns visible messages, at most the given number, and hides them.
// While a message of a group is in flight, or hidden again, the group's other
// messages are not delivered. A message that has been received too often moves
// to the dead-letter queue instead.
func (q *Queue) Receive(most int) []Message {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.Clock()
	q.expire(now)
	blocked := q.inFlight()
	var out []Message
	for _, m := range slices.Clone(q.messages) {
		// A delayed message holds back those behind it.
		blocked[m.Group] = blocked[m.Group] || now.Before(m.visibleAt)
		if blocked[m.Group] || len(out) == most {
			continue
		}
		if q.DeadLetters != nil && m.Receives >= q.MaxReceives {
			q.remove(m)
			q.DeadLetters.adopt(*m)
			continue
		}
		q.receipts++
		q.received++
		m.Receives++
		q.highest = max(q.highest, m.Receives)
		if m.FirstReceivedAt.IsZero() {
			m.FirstReceivedAt = now
		}
		m.Receipt = fmt.Sprintf("%s-receipt-%d", q.Name, q.receipts)
		m.receivedAt, m.visibleAt, m.inFlight = now, now.Add(q.Visibility), true
		out = append(out, *m)
	}
	return out
}

// Receivable is the number of messages that Receive would return now, without a
// limit.
func (q *Queue) Receivable() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.Clock()
	q.expire(now)
	blocked, n := q.inFlight(), 0
	for _, m := range q.messages {
		if blocked[m.Group] = blocked[m.Group] || now.Before(m.visibleAt); !blocked[m.Group] {
			n++
		}
	}
	return n
}

// Depth returns how many messages are neither delayed nor hidden, though others of their
// group may block them; and how many were received and are hidden.
func (q *Queue) Depth() (visible, received int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.Clock()
	q.expire(now)
	for _, m := range q.messages {
		switch {
		case !now.Before(m.visibleAt):
			visible++
		case m.Receives > 0:
			received++
		}
	}
	return visible, received
}

// inFlight returns the groups with a message in flight.
func (q *Queue) inFlight() map[string]bool {
	groups := map[string]bool{}
	for _, m := range q.messages {
		groups[m.Group] = groups[m.Group] || m.inFlight
	}
	return groups
}

// expire drops messages older than the retention. A message that is visible
// again is no longer in flight.
func (q *Queue) expire(now time.Time) {
	q.messages = slices.DeleteFunc(q.messages, func(m *Message) bool {
		return q.Retention > 0 && !now.Before(m.SentAt.Add(q.Retention))
	})
	for _, m := range q.messages {
		if m.inFlight && !now.Before(m.visibleAt) {
			m.inFlight = false
		}
	}
}

// adopt adds a dead letter unchanged.
func (q *Queue) adopt(m Message) {
	q.mu.Lock()
	defer q.mu.Unlock()
	m.visibleAt, m.inFlight, m.Receives = q.Clock(), false, 0
	q.messages = append(q.messages, &m)
}

func (q *Queue) remove(m *Message) {
	q.messages = slices.DeleteFunc(q.messages, func(o *Message) bool { return o == m })
}

// byReceipt finds the message in flight with the receipt.
func (q *Queue) byReceipt(receipt string) (*Message, error) {
	now := q.Clock()
	for _, m := range q.messages {
		switch {
		case m.Receipt != receipt:
		case !m.inFlight || !now.Before(m.visibleAt):
			return nil, ErrReceiptExpired
		default:
			return m, nil
		}
	}
	return nil, ErrNotInFlight
}

// Delete removes the message. With an expired receipt it removes nothing and
// returns an error.
func (q *Queue) Delete(receipt string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	m, err := q.byReceipt(receipt)
	if err != nil {
		return err
	}
	q.remove(m)
	return nil
}

// Hide makes a message in flight visible again after the given time from now,
// but no later than 12 hours after its receipt.
func (q *Queue) Hide(receipt string, d time.Duration) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	m, err := q.byReceipt(receipt)
	if err != nil {
		return err
	}
	until := q.Clock().Add(d)
	if until.After(m.receivedAt.Add(maxVisibility)) {
		return fmt.Errorf("message %s: the total visibility timeout is beyond the maximum", m.ID)
	}
	m.visibleAt = until
	return nil
}

// Drop removes a message whatever its state, as if it had been lost, and
// reports whether it existed.
func (q *Queue) Drop(id string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	before := len(q.messages)
	q.messages = slices.DeleteFunc(q.messages, func(m *Message) bool { return m.ID == id })
	return len(q.messages) < before
}

// Messages returns all messages, hidden ones included, in the order in which
// they were sent.
func (q *Queue) Messages() []Message {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.expire(q.Clock())
	out := make([]Message, len(q.messages))
	for i, m := range q.messages {
		out[i] = *m
	}
	return out
}

// Next returns when the queue can next deliver a message, so that a test can
// move its clock there; zero if the queue is empty.
func (q *Queue) Next() time.Time {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.expire(q.Clock())
	ready := map[string]time.Time{}
	for _, m := range q.messages {
		// The first message of a group that is not visible holds back the
		// others.
		if at, ok := ready[m.Group]; !ok || m.inFlight && m.visibleAt.After(at) {
			ready[m.Group] = m.visibleAt
		}
	}
	var next time.Time
	for _, at := range ready {
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	return next
}

// Counts returns the total number of receipts, and the number for the message
// that was received most often.
func (q *Queue) Counts() (received, highest int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.received, q.highest
}
