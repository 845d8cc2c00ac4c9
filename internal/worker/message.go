package worker

import (
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Message is a request as the queue delivered it.
type Message struct {
	surgical.Request
	// ID is the queue's id of the message: the same at every redelivery.
	ID string
	// NotBefore is the earliest time at which a fetch may begin. It covers every
	// event of the message's group in the batch, so that one fetch serves them
	// all.
	NotBefore time.Time
	// SharesFetch is set if another message of the group comes before this one in
	// the batch: the fetch made for that one serves this one too.
	SharesFetch bool
}

// Verdict decides what happens to a message. The implementations below are the
// complete list.
type Verdict interface {
	verdict()
	String() string
}

// Done deletes the message.
type Done struct{}

// DeadLetter moves the message to the dead-letter queue.
type DeadLetter struct{}

// Wait keeps the message, and all behind it in its group, until After has
// passed.
type Wait struct {
	After time.Duration
	// Cause is why the message waits; nil if it only waits for its time to come.
	Cause error
}

// Isolate processes the message again, with nothing else running in this
// process: nothing was done yet, or nothing that lasts.
type Isolate struct {
	// Deaths is how many workers died while they held the run.
	Deaths int64
}

func (Done) verdict()       {}
func (DeadLetter) verdict() {}
func (Wait) verdict()       {}
func (Isolate) verdict()    {}

func (Done) String() string       { return "done" }
func (DeadLetter) String() string { return "dead letter" }
func (w Wait) String() string     { return "wait " + w.After.String() }
func (Isolate) String() string    { return "isolate" }

// waitFor is a wait of at least a second, the shortest that SQS can express.
func waitFor(after time.Duration, cause error) Wait {
	return Wait{After: max(after, time.Second), Cause: cause}
}
