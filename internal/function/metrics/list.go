package metrics

// Unit is a unit that CloudWatch knows.
type Unit string

// The units in use.
const (
	Count        Unit = "Count"
	Milliseconds Unit = "Milliseconds"
)

// Dimension is the name of a dimension. Each of them has few values: every
// combination of values is a metric of its own, and is paid for as such.
type Dimension string

// The dimensions.
const (
	// Outcome is how a delivery ended: queued, ignored, refused or failed.
	Outcome Dimension = "Outcome"
	// Queue is the queue that a message came from: requests or bulk.
	Queue Dimension = "Queue"
	// Origin is who asked for a run.
	Origin Dimension = "Origin"
	// Status is how a run ended: succeeded, failed or cancelled.
	Status Dimension = "Status"
)

// Metric is one metric. It is published under each of its sets of dimensions;
// the empty set stands for the metric without any.
type Metric struct {
	Name string
	Unit Unit
	Sets [][]Dimension
	// Means says, for people, what is counted or measured.
	Means string
	// FromAccessLog tells that no function emits the metric: a filter over the
	// gateway's access log does.
	FromAccessLog bool
}

func plain() [][]Dimension { return [][]Dimension{{}} }

func by(dimensions ...Dimension) [][]Dimension { return [][]Dimension{dimensions} }

// All lists every metric: dashboards and alarms name no other.
func All() []Metric {
	return []Metric{
		Deliveries(), RefusedSignatures(), EnqueueLatency(), AnswersOtherThan2xx(),
		QueueAge(), Freshness(), PreflightDuration(), IngestDuration(), SkippedStale(), ContentWriteUnits(),
		GitLabRequests(), GitLabRateLimited(), GitLabUnauthorized(), GitLabBudgetLeft(),
		DocumentsRegenerated(), ChunksEmbedded(),
		Runs(), Coalesced(), JobsAborted(),
	}
}

// Deliveries counts webhooks.
func Deliveries() Metric {
	return Metric{Name: "Deliveries", Unit: Count, Sets: by(Outcome),
		Means: "webhooks by what became of them: queued and ignored ones were answered with 2xx, refused ones with 4xx, failed ones with 503"}
}

// RefusedSignatures counts deliveries without a valid signature or token.
func RefusedSignatures() Metric {
	return Metric{Name: "RefusedSignatures", Unit: Count, Sets: plain(), Means: "webhooks without a valid signature or token"}
}

// EnqueueLatency is the time that a queued delivery took.
func EnqueueLatency() Metric {
	return Metric{Name: "EnqueueLatency", Unit: Milliseconds, Sets: plain(),
		Means: "from the receipt of a webhook until SQS had taken it"}
}

// AnswersOtherThan2xx counts what GitLab takes for a failure.
func AnswersOtherThan2xx() Metric {
	return Metric{Name: "AnswersOtherThan2xx", Unit: Count, Sets: plain(), FromAccessLog: true,
		Means: "answers to webhooks that GitLab takes for a failure, the gateway's own among them"}
}

// QueueAge is how long messages waited.
func QueueAge() Metric {
	return Metric{Name: "QueueAge", Unit: Milliseconds, Sets: by(Queue),
		Means: "from the sending of a message until a worker received it, the settle time included; told at each reception"}
}

// Freshness is the headline.
func Freshness() Metric {
	return Metric{Name: "Freshness", Unit: Milliseconds, Sets: by(Origin),
		Means: "from the receipt of an event until its change was visible, of runs that committed"}
}

// PreflightDuration is the time of fetching.
func PreflightDuration() Metric {
	return Metric{Name: "PreflightDuration", Unit: Milliseconds, Sets: plain(), Means: "fetching all targets of an attempt, well or not"}
}

// IngestDuration is the time of writing.
func IngestDuration() Metric {
	return Metric{Name: "IngestDuration", Unit: Milliseconds, Sets: plain(), Means: "staging and committing an attempt, well or not"}
}

// SkippedStale counts targets that a newer copy came before.
func SkippedStale() Metric {
	return Metric{Name: "SkippedStale", Unit: Count, Sets: plain(), Means: "targets that were skipped because a newer copy was visible already"}
}

// ContentWriteUnits counts what commits cost.
func ContentWriteUnits() Metric {
	return Metric{Name: "ContentWriteUnits", Unit: Count, Sets: plain(), Means: "write units of the content table that commits cost"}
}

// GitLabRequests counts requests.
func GitLabRequests() Metric {
	return Metric{Name: "GitLabRequests", Unit: Count, Sets: plain(), Means: "requests to GitLab, redirected ones too"}
}

// GitLabRateLimited counts answers of 429.
func GitLabRateLimited() Metric {
	return Metric{Name: "GitLabRateLimited", Unit: Count, Sets: plain(), Means: "answers of GitLab with 429"}
}

// GitLabUnauthorized counts fetches that the token did not open.
func GitLabUnauthorized() Metric {
	return Metric{Name: "GitLabUnauthorized", Unit: Count, Sets: plain(),
		Means: "fetches that ended with 401, also after the token was read again"}
}

// GitLabBudgetLeft is what GitLab says is left.
func GitLabBudgetLeft() Metric {
	return Metric{Name: "GitLabBudgetLeft", Unit: Count, Sets: plain(),
		Means: "the least RateLimit-Remaining of a fetch, if GitLab says it"}
}

// DocumentsRegenerated counts documents whose embeddings are not current.
func DocumentsRegenerated() Metric {
	return Metric{Name: "DocumentsRegenerated", Unit: Count, Sets: plain(), Means: "documents whose embeddings were not current after a docs job"}
}

// ChunksEmbedded counts chunks.
func ChunksEmbedded() Metric {
	return Metric{Name: "ChunksEmbedded", Unit: Count, Sets: plain(), Means: "chunks that an embed job embedded"}
}

// Runs counts ended runs. A second set without the origin is there for the
// alarm, which would have to add up all origins otherwise.
func Runs() Metric {
	return Metric{Name: "Runs", Unit: Count, Sets: [][]Dimension{{Status, Origin}, {Status}}, Means: "runs that ended, by status and origin"}
}

// Coalesced counts runs that needed no fetch.
func Coalesced() Metric {
	return Metric{Name: "Coalesced", Unit: Count, Sets: plain(), Means: "runs whose event another run's fetch covered"}
}

// JobsAborted counts jobs that the end of their run aborted.
func JobsAborted() Metric {
	return Metric{Name: "JobsAborted", Unit: Count, Sets: plain(), Means: "jobs of documents and embeddings that the end of their run aborted"}
}
