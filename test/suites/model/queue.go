package model

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

const (
	// visibility is how long a received message is hidden, as the stack has it.
	visibility = 140 * time.Second
	// deduplication is how long SQS knows a deduplication id.
	deduplication = 5 * time.Minute
	maxReceives   = 1000
	batchSize     = 10
)

// fifo is an SQS FIFO queue.
type fifo struct {
	name     string
	delay    time.Duration
	messages []*message
	seen     map[string]time.Time
	dead     *[]surgical.Request
}

type message struct {
	id, body, group string
	request         surgical.Request
	visibleAt       time.Time
	receipt         int
	receives        int
}

// send puts the request on the queue, unless its deduplication id was seen
// lately.
func (q *fifo) send(req surgical.Request, id string) {
	key := req.IdempotencyKey
	if key == "" {
		key = req.RunID
	}
	if at, ok := q.seen[key]; ok && time.Since(at) < deduplication {
		return
	}
	q.seen[key] = time.Now()
	body, err := json.Marshal(req)
	if err != nil {
		panic(err)
	}
	q.messages = append(q.messages, &message{id: id, body: string(body), group: req.Group(), request: req, visibleAt: time.Now().Add(q.delay)})
}

// receivable lists the messages that a receive would give: of each group the
// first ones, as long as none before them is hidden.
func (q *fifo) receivable() []*message {
	now, blocked := time.Now(), map[string]bool{}
	var list []*message
	for _, m := range q.messages {
		if blocked[m.group] {
			continue
		}
		if m.visibleAt.After(now) {
			blocked[m.group] = true
			continue
		}
		list = append(list, m)
	}
	return list[:min(len(list), batchSize)]
}

// receive hides the messages and hands them out.
func (q *fifo) receive(list []*message) (events.SQSEvent, []receipt) {
	var event events.SQSEvent
	var receipts []receipt
	for _, m := range list {
		m.receipt++
		if m.receives++; m.receives > maxReceives {
			q.remove(m)
			*q.dead = append(*q.dead, m.request)
			continue
		}
		m.visibleAt = time.Now().Add(visibility)
		event.Records = append(event.Records, events.SQSMessage{
			MessageId: m.id, Body: m.body, Attributes: map[string]string{"MessageGroupId": m.group},
		})
		receipts = append(receipts, receipt{m, m.receipt})
	}
	return event, receipts
}

// receipt is the right to hide or delete a message, until it is received anew.
type receipt struct {
	m      *message
	number int
}

func (r receipt) valid() bool {
	return r.m.receipt == r.number && r.m.visibleAt.After(time.Now())
}

func (q *fifo) remove(m *message) {
	q.messages = slices.DeleteFunc(q.messages, func(o *message) bool { return o == m })
}
