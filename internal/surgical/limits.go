package surgical

import "time"

// Times and bounds of the engine. Every one of them is stated here only;
// infra, the tests and docs/architecture.md follow.
const (
	// MaxTargets is how many entities one request may name: the heads, dirty
	// sources and jobs of that many fit one DynamoDB transaction (100 items).
	MaxTargets = 25
	// MaxNamedChildren is the longest list of children in a scope; beyond it the
	// scope is everything, so that a row that holds it stays small.
	MaxNamedChildren = 400

	// Settle is the settle time M: a fetch covers an event only if it began later
	// than the event's receipt plus M. It must exceed GitLab's replica lag plus
	// the difference between the clocks.
	Settle = 2 * time.Second
	// RefetchInterval keeps webhooks from fetching one busy entity over and over.
	RefetchInterval = 5 * time.Second

	// Lease is how long an attempt holds its run: a little longer than a worker
	// may run.
	Lease = 130 * time.Second
	// MaxLostLeases is how many workers may die while they hold one run.
	MaxLostLeases = 5
	// MaxAttempts bounds the attempts that one worker makes at one message.
	MaxAttempts = 6
	// IngestReserve is the time that an attempt reserves for its commit, and
	// MinAttempt the least time worth beginning an attempt with.
	IngestReserve = 25 * time.Second
	MinAttempt    = IngestReserve + 10*time.Second

	// GiveUpAfter is the age, counted from the first claim, at which a run whose
	// attempt failed is given up.
	GiveUpAfter = 6 * time.Hour
	// Delays between attempts double from FirstDelay to MaxDelay.
	FirstDelay = 2 * time.Second
	MaxDelay   = 2 * time.Minute
	// MaxRetryAfter is the longest delay that a message can be given: SQS hides it
	// for at most 12 hours.
	MaxRetryAfter = 11 * time.Hour
	// DefaultPause is how long all workers wait if GitLab does not say.
	DefaultPause = time.Minute
	// UnknownDelay is the delay after a failure of one of Lorehook's own parts.
	UnknownDelay = 5 * time.Second
	// NotFoundTries is how often a webhook's entity must be missing before that
	// counts: the event may be ahead of the replica that answers.
	NotFoundTries = 3

	// ParallelFetches bounds how many targets of one run are fetched at a time;
	// each of them sends at least five requests at once.
	ParallelFetches = 4
)
