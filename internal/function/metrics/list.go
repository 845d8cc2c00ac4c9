package metrics

import "gitlab.com/lorehook/lorehook/internal/surgical"

// Unit is a CloudWatch unit.
type Unit string

// The units in use.
const (
	Count        Unit = "Count"
	Milliseconds Unit = "Milliseconds"
)

// Dimension is the name of a dimension. Each has few values, because CloudWatch
// charges for every combination of values as a separate metric.
type Dimension string

// The dimensions.
const (
	// Outcome is how a delivery ended.
	Outcome Dimension = "Outcome"
	// Queue is the queue that a message came from.
	Queue Dimension = "Queue"
	// Origin is what started a run: a [surgical.Origin].
	Origin Dimension = "Origin"
	// Status is how a run ended: a [surgical.RunStatus], or [StatusMissing].
	Status Dimension = "Status"
	// Finding is what a census found: a [surgical.Finding].
	Finding Dimension = "Finding"
)

// The values of [Outcome].
const (
	OutcomeQueued  = "queued"
	OutcomeIgnored = "ignored"
	// OutcomeRefused: answered with 4xx.
	OutcomeRefused = "refused"
	// OutcomeFailed: answered with 5xx.
	OutcomeFailed = "failed"
)

// StatusMissing is the [Status] of a run that failed only because GitLab does not show
// its entities. That is what an ordinary deletion looks like, so no alarm counts it.
const StatusMissing = "missing"

// Values returns every value of a dimension. Dashboards draw these, and each
// combination is a metric that is paid for. An origin that nothing produces is
// not among them.
func (d Dimension) Values() []string {
	switch d {
	case Outcome:
		return []string{OutcomeQueued, OutcomeIgnored, OutcomeRefused, OutcomeFailed}
	case Queue:
		return []string{"requests", "bulk"}
	case Origin:
		return texts(surgical.Origins()...)
	case Status:
		return append(texts(surgical.StatusSucceeded, surgical.StatusFailed, surgical.StatusCancelled), StatusMissing)
	case Finding:
		return texts(surgical.Findings()...)
	default:
		return nil
	}
}

func texts[T ~string](values ...T) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}

// Metric is one metric. It is published with each of its sets of dimensions; an
// empty set means no dimensions.
type Metric struct {
	Name string
	Unit Unit
	Sets [][]Dimension
	// FromLog means that no function emits the metric: CloudWatch Logs derives it with
	// metric filters, from API Gateway's access log or from Lambda's own lines.
	FromLog bool
}

func plain() [][]Dimension { return [][]Dimension{{}} }

func by(dimensions ...Dimension) [][]Dimension { return [][]Dimension{dimensions} }

// All returns every metric. Dashboards and alarms use no others.
func All() []Metric {
	return []Metric{
		Deliveries(), RefusedSignatures(), EnqueueLatency(), AnswersOtherThan2xx(),
		QueueAge(), Freshness(), PreflightDuration(), IngestDuration(), SkippedStale(), ContentWriteUnits(),
		GitLabRequests(), GitLabRateLimited(), GitLabUnauthorized(), GitLabBudgetLeft(),
		DocumentsRegenerated(), ChunksEmbedded(),
		ProjectsUnseen(), SecretFailures(),
		Runs(), Coalesced(), BehindEvent(), JobsAborted(),
		HooksBroken(), MissedEvents(), ReconcileAge(), CensusFindings(),
		FailedInvocations(), SlowInvocations(), StagesThrottled(), TablesThrottled(),
	}
}

// FailedInvocations counts invocations of all functions that failed: that returned an
// error, crashed, or ran out of memory or time.
func FailedInvocations() Metric {
	return Metric{Name: "FailedInvocations", Unit: Count, Sets: plain(), FromLog: true}
}

// SlowInvocations counts invocations of all functions that took more than
// [surgical.NearTheLimit] of their function's timeout. Of one that timed out,
// CloudWatch Logs counts it.
func SlowInvocations() Metric {
	return Metric{Name: "SlowInvocations", Unit: Count, Sets: plain()}
}

// StagesThrottled counts runs that were postponed because Lambda refused, again and
// again, to start one of the workflow's functions.
func StagesThrottled() Metric {
	return Metric{Name: "StagesThrottled", Unit: Count, Sets: plain()}
}

// TablesThrottled counts calls that DynamoDB throttled, each attempt of the SDK as one.
func TablesThrottled() Metric {
	return Metric{Name: "TablesThrottled", Unit: Count, Sets: plain()}
}

// Deliveries counts webhooks by outcome: queued and ignored ones get a 2xx response,
// refused ones a 4xx and failed ones a 5xx.
func Deliveries() Metric {
	return Metric{Name: "Deliveries", Unit: Count, Sets: by(Outcome)}
}

// RefusedSignatures counts webhooks without a valid signature or token.
func RefusedSignatures() Metric {
	return Metric{Name: "RefusedSignatures", Unit: Count, Sets: plain()}
}

// EnqueueLatency is the time from the receipt of a webhook until SQS has accepted
// its message.
func EnqueueLatency() Metric {
	return Metric{Name: "EnqueueLatency", Unit: Milliseconds, Sets: plain()}
}

// AnswersOtherThan2xx counts responses to webhooks that GitLab treats as failures,
// including those of API Gateway itself.
func AnswersOtherThan2xx() Metric {
	return Metric{Name: "AnswersOtherThan2xx", Unit: Count, Sets: plain(), FromLog: true}
}

// QueueAge is the time from sending a message until a worker received it, including
// the settle time. It is emitted on every receive.
func QueueAge() Metric {
	return Metric{Name: "QueueAge", Unit: Milliseconds, Sets: by(Queue)}
}

// Freshness is the time from the receipt of an event until its change is visible, for
// runs that commit. It is the headline metric.
func Freshness() Metric {
	return Metric{Name: "Freshness", Unit: Milliseconds, Sets: by(Origin)}
}

// PreflightDuration is the time spent fetching the targets of an attempt, successful
// or not.
func PreflightDuration() Metric {
	return Metric{Name: "PreflightDuration", Unit: Milliseconds, Sets: plain()}
}

// IngestDuration is the time spent staging and committing an attempt, successful or
// not.
func IngestDuration() Metric {
	return Metric{Name: "IngestDuration", Unit: Milliseconds, Sets: plain()}
}

// SkippedStale counts targets that were skipped because a newer copy was already
// visible.
func SkippedStale() Metric {
	return Metric{Name: "SkippedStale", Unit: Count, Sets: plain()}
}

// ContentWriteUnits counts the write units that commits consume in the content table.
func ContentWriteUnits() Metric {
	return Metric{Name: "ContentWriteUnits", Unit: Count, Sets: plain()}
}

// GitLabRequests counts the requests that fetches send to GitLab, including redirects.
// The crawler's are not counted: it sends some in every hour, and a metric is paid for
// by the hours that have it.
func GitLabRequests() Metric {
	return Metric{Name: "GitLabRequests", Unit: Count, Sets: plain()}
}

// GitLabRateLimited counts responses of GitLab with status 429.
func GitLabRateLimited() Metric {
	return Metric{Name: "GitLabRateLimited", Unit: Count, Sets: plain()}
}

// GitLabUnauthorized counts fetches that ended with a 401, even after the token was
// read again.
func GitLabUnauthorized() Metric {
	return Metric{Name: "GitLabUnauthorized", Unit: Count, Sets: plain()}
}

// GitLabBudgetLeft is the lowest RateLimit-Remaining of a fetch, if GitLab sends it and
// less than half of the limit remains.
func GitLabBudgetLeft() Metric {
	return Metric{Name: "GitLabBudgetLeft", Unit: Count, Sets: plain()}
}

// ProjectsUnseen counts answers with which GitLab refused to show a project itself.
func ProjectsUnseen() Metric {
	return Metric{Name: "ProjectsUnseen", Unit: Count, Sets: plain()}
}

// SecretFailures counts readings of a secret that failed, or that found a token which
// cannot be used.
func SecretFailures() Metric {
	return Metric{Name: "SecretFailures", Unit: Count, Sets: plain()}
}

// DocumentsRegenerated counts documents whose embeddings are outdated after a docs job.
func DocumentsRegenerated() Metric {
	return Metric{Name: "DocumentsRegenerated", Unit: Count, Sets: plain()}
}

// ChunksEmbedded counts chunks that jobs embedded.
func ChunksEmbedded() Metric {
	return Metric{Name: "ChunksEmbedded", Unit: Count, Sets: plain()}
}

// Runs counts runs that ended, by status and origin. It is also published without the
// origin, for an alarm that would otherwise have to add up all origins.
func Runs() Metric {
	return Metric{Name: "Runs", Unit: Count, Sets: [][]Dimension{{Status, Origin}, {Status}}}
}

// BehindEvent counts runs whose fetch contradicted what was known of an entity, so
// that it is fetched again later.
func BehindEvent() Metric {
	return Metric{Name: "BehindEvent", Unit: Count, Sets: plain()}
}

// Coalesced counts runs whose event was covered by another run's fetch.
func Coalesced() Metric {
	return Metric{Name: "Coalesced", Unit: Count, Sets: plain()}
}

// JobsAborted counts docs and embed jobs that were aborted when their run ended.
func JobsAborted() Metric {
	return Metric{Name: "JobsAborted", Unit: Count, Sets: plain()}
}

// HooksBroken counts checks of a project's hook that found, at least for the second time
// in a row, that none works.
func HooksBroken() Metric {
	return Metric{Name: "HooksBroken", Unit: Count, Sets: plain()}
}

// MissedEvents counts runs of a reconcile whose commit changed something although no
// delivery about the entity had arrived by the next reconcile: the one metric that says
// whether the hook works.
func MissedEvents() Metric {
	return Metric{Name: "MissedEvents", Unit: Count, Sets: plain()}
}

// ReconcileAge is for how long the project that has waited longest was not compared with
// GitLab's lists, leaving out those that GitLab does not show. It is emitted with every
// start of the crawler, unless it is less than [surgical.ReconcileLate].
func ReconcileAge() Metric {
	return Metric{Name: "ReconcileAge", Unit: Milliseconds, Sets: plain()}
}

// CensusFindings counts what censuses found that no webhook and no list announced, by
// what it was. An entity counts once for each [surgical.Finding]. It is also published
// without the finding, for a graph that would otherwise have to add them up.
func CensusFindings() Metric {
	return Metric{Name: "CensusFindings", Unit: Count, Sets: [][]Dimension{{Finding}, {}}}
}
