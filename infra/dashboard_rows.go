package main

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"

	"gitlab.com/lorehook/lorehook/internal/function/metrics"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Colours: green for good, blue for neutral, orange for a warning, red for bad,
// grey for context.
const (
	green  = "#2ca02c"
	blue   = "#1f77b4"
	orange = "#ff7f0e"
	red    = "#d62728"
	grey   = "#7f7f7f"
)

// lossRows come first after the alarms: what is lost is nowhere else.
func (st *stack) lossRows() [][]awscloudwatch.IWidget {
	delivered := func(outcome, color string) awscloudwatch.IMetric {
		return st.own(metrics.Deliveries(), series{stat: sum, label: outcome, color: color, dims: dim(metrics.Outcome, outcome)})
	}
	return [][]awscloudwatch.IWidget{
		st.question("Is anything lost?",
			"Every event accepted with 202 ends up in the copy, in a failed run, or in the dead-letter queue. A missed event is a change that only a reconcile found. GitLab disables a hook after four consecutive non-2xx responses.",
			"dead-letters", "missed-events", "webhook-answers", "refused-signatures", "hooks-broken", "reconcile-behind", "sweeper-silent", "crawler-silent", "feed-behind"),
		{
			graph{title: "Missed events", width: 8, unit: "changes", left: []awscloudwatch.IMetric{
				st.own(metrics.MissedEvents(), series{stat: sum, label: "found by reconciles", color: red}),
				st.own(metrics.CensusFindings(), series{stat: sum, label: "found by censuses", color: orange}),
			}}.widget(),
			graph{title: "Dead letters", width: 8, unit: "messages", left: []awscloudwatch.IMetric{
				queueMetric(st.queues.deadLetters, "ApproximateNumberOfMessagesVisible", series{stat: maximum, label: "dead letters", color: red}),
			}}.widget(),
			graph{title: "Non-2xx responses to webhooks", width: 8, unit: "responses", left: []awscloudwatch.IMetric{
				st.own(metrics.AnswersOtherThan2xx(), series{stat: sum, label: "all", color: red}),
				st.own(metrics.RefusedSignatures(), series{stat: sum, label: "no valid signature", color: orange}),
			}}.widget(),
		},
		{
			graph{title: "Webhooks", width: 12, stacked: true, unit: "webhooks", left: []awscloudwatch.IMetric{
				delivered(metrics.OutcomeQueued, green), delivered(metrics.OutcomeIgnored, grey), delivered(metrics.OutcomeRefused, orange), delivered(metrics.OutcomeFailed, red),
			}}.widget(),
			st.refusedDeliveries(),
		},
		{
			graph{title: "Checks without a working hook", width: 6, unit: "checks", left: []awscloudwatch.IMetric{
				st.own(metrics.HooksBroken(), series{stat: sum, label: "checks", color: red}),
			}}.widget(),
			graph{title: "Age of the oldest reconcile", width: 6, unit: "minutes", per: perMinute, left: []awscloudwatch.IMetric{
				st.own(metrics.ReconcileAge(), series{stat: maximum, label: "shown once it is late", color: orange}),
			}}.widget(),
			graph{title: "Starts of sweeper and crawler", width: 6, unit: "starts", left: []awscloudwatch.IMetric{
				st.functions.sweeper.of("Invocations", series{stat: sum, label: "sweeper", color: blue}),
				st.functions.crawler.of("Invocations", series{stat: sum, label: "crawler", color: green}),
			}}.widget(),
			graph{title: "Lag of the change feeds", width: 6, unit: "minutes", per: perMinute, limit: feedBehindSeconds / 60, limitName: "alarm", left: []awscloudwatch.IMetric{
				st.functions.feed.of("IteratorAge", series{stat: maximum, label: "slowest", color: blue}),
			}}.widget(),
		},
	}
}

// runRows show how runs end, and the run ledger.
func (st *stack) runRows() [][]awscloudwatch.IWidget {
	ended := func(status, color string) awscloudwatch.IMetric {
		return st.own(metrics.Runs(), series{stat: sum, label: status, color: color, dims: dim(metrics.Status, status)})
	}
	var failed []awscloudwatch.IMetric
	for _, name := range metrics.Origin.Values() {
		dims := dim(metrics.Status, string(surgical.StatusFailed))
		dims[string(metrics.Origin)] = &name
		failed = append(failed, st.own(metrics.Runs(), series{stat: sum, label: name, dims: dims}))
	}
	return [][]awscloudwatch.IWidget{
		st.question("Which runs fail?",
			"A failed run keeps its request: `lore runs retry ID` retries the targets that can succeed. A missing entity is one that GitLab no longer shows, usually because it was deleted.", "failed-runs", "executions"),
		{
			graph{title: "Finished runs", width: 8, stacked: true, unit: "runs", left: []awscloudwatch.IMetric{
				ended(string(surgical.StatusSucceeded), green), ended(string(surgical.StatusCancelled), grey), ended(metrics.StatusMissing, blue), ended(string(surgical.StatusFailed), red),
			}}.widget(),
			graph{title: "Failed runs by origin", width: 8, stacked: true, unit: "runs", left: failed}.widget(),
			graph{title: "Failed workflow executions", width: 8, unit: "executions", left: []awscloudwatch.IMetric{
				st.machine.of("ExecutionsFailed", series{stat: sum, label: "failed", color: red}),
				st.machine.of("ExecutionsTimedOut", series{stat: sum, label: "timed out", color: orange}),
			}}.widget(),
		},
		{
			st.failuresByCode(), st.lastFailures(),
		},
		customWidgetRow(st.functions.widget),
		{
			graph{title: "Runs coalesced or behind their event", width: 8, unit: "runs", left: []awscloudwatch.IMetric{
				st.own(metrics.BehindEvent(), series{stat: sum, label: "behind, fetched again later", color: orange}),
				st.own(metrics.Coalesced(), series{stat: sum, label: "coalesced", color: grey}),
			}}.widget(),
			graph{title: "Targets skipped as stale", width: 8, unit: "targets", left: []awscloudwatch.IMetric{
				st.own(metrics.SkippedStale(), series{stat: sum, label: "targets", color: blue}),
			}}.widget(),
			graph{title: "Aborted jobs", width: 8, unit: "jobs", left: []awscloudwatch.IMetric{
				st.own(metrics.JobsAborted(), series{stat: sum, label: "jobs", color: red}),
			}}.widget(),
		},
	}
}

func (st *stack) freshRows() [][]awscloudwatch.IWidget {
	webhook := dim(metrics.Origin, string(surgical.OriginWebhook))
	fresh := func(stat, label, color string) awscloudwatch.IMetric {
		return st.own(metrics.Freshness(), series{stat: stat, label: label, color: color, dims: webhook})
	}
	waiting := func(q awssqs.Queue, label, color string) awscloudwatch.IMetric {
		return queueMetric(q, "ApproximateNumberOfMessagesVisible", series{stat: maximum, label: label, color: color})
	}
	oldest := func(q awssqs.Queue, label, color string) awscloudwatch.IMetric {
		return queueMetric(q, "ApproximateAgeOfOldestMessage", series{stat: maximum, label: label, color: color})
	}
	return [][]awscloudwatch.IWidget{
		st.question("Are we fresh?",
			"Freshness is the time from receiving a webhook until its change is visible, including the settle time of 2 s. A backfill may wait in bulk.fifo for as long as it takes.", "freshness", "queue-age"),
		{
			number("Webhook freshness, s", 6, divided([]awscloudwatch.IMetric{fresh(p50, "p50", green), fresh(p95, "p95", blue)}, perSecond)...),
			graph{title: "Webhook freshness over time", width: 9, unit: "s", per: perSecond, limit: freshSeconds, limitName: "alarm at p95",
				left: []awscloudwatch.IMetric{fresh(p50, "p50", green), fresh(p95, "p95", blue), fresh(maximum, "slowest", grey)}}.widget(),
			graph{title: "Latency by step (p95)", width: 9, unit: "s", per: perSecond, left: []awscloudwatch.IMetric{
				st.own(metrics.EnqueueLatency(), series{stat: p95, label: "enqueue"}),
				st.own(metrics.QueueAge(), series{stat: p95, label: "in requests.fifo", dims: dim(metrics.Queue, "requests")}),
				st.own(metrics.QueueAge(), series{stat: p95, label: "in bulk.fifo", dims: dim(metrics.Queue, "bulk")}),
				st.own(metrics.PreflightDuration(), series{stat: p95, label: "preflight"}),
				st.own(metrics.IngestDuration(), series{stat: p95, label: "ingest"}),
			}}.widget(),
		},
		{
			graph{title: "Waiting messages", width: 12, unit: "messages", left: []awscloudwatch.IMetric{
				waiting(st.queues.requests, "requests.fifo", blue), waiting(st.queues.hides, "hides.fifo", green), waiting(st.queues.bulk, "bulk.fifo", grey),
			}}.widget(),
			graph{title: "Age of the oldest message", width: 12, unit: "s", limit: queueAgeSeconds, limitName: "alarm of requests.fifo", left: []awscloudwatch.IMetric{
				oldest(st.queues.requests, "requests.fifo", blue), oldest(st.queues.hides, "hides.fifo", green),
			}}.widget(),
		},
	}
}

func (st *stack) gitlabRows() [][]awscloudwatch.IWidget {
	return [][]awscloudwatch.IWidget{
		st.question("Does GitLab answer?",
			"A 429 or a 401 makes all workers wait. The remaining rate limit comes from GitLab's RateLimit-Remaining header, if present, and is shown while less than half of it is left. The crawler's requests are not counted. The table lists 5xx responses, timeouts and everything else that makes an attempt fail.", "gitlab-unauthorized", "projects-unseen", "secrets", "queue-age"),
		{
			graph{title: "Requests to GitLab", width: 8, unit: "requests", left: []awscloudwatch.IMetric{
				st.own(metrics.GitLabRequests(), series{stat: sum, label: "requests", color: blue}),
			}}.widget(),
			graph{title: "Requests that GitLab refused", width: 8, unit: "requests", left: []awscloudwatch.IMetric{
				st.own(metrics.GitLabRateLimited(), series{stat: sum, label: "429", color: orange}),
				st.own(metrics.GitLabUnauthorized(), series{stat: sum, label: "401, even with the token read again", color: red}),
				st.own(metrics.ProjectsUnseen(), series{stat: sum, label: "project not shown", color: grey}),
			}}.widget(),
			graph{title: "Rate limit remaining", width: 8, unit: "requests", left: []awscloudwatch.IMetric{
				st.own(metrics.GitLabBudgetLeft(), series{stat: minimum, label: "minimum", color: blue}),
			}}.widget(),
		},
		{
			graph{title: "Fetch duration", width: 6, unit: "s", per: perSecond, left: []awscloudwatch.IMetric{
				st.own(metrics.PreflightDuration(), series{stat: p50, label: "p50", color: green}),
				st.own(metrics.PreflightDuration(), series{stat: p95, label: "p95", color: blue}),
				st.own(metrics.PreflightDuration(), series{stat: maximum, label: "slowest", color: grey}),
			}}.widget(),
			graph{title: "Failed readings of secrets", width: 6, unit: "readings", left: []awscloudwatch.IMetric{
				st.own(metrics.SecretFailures(), series{stat: sum, label: "readings", color: red}),
			}}.widget(),
			st.waits(),
		},
	}
}

// serviceRows show what functions run on.
func (st *stack) serviceRows() [][]awscloudwatch.IWidget {
	return [][]awscloudwatch.IWidget{
		st.question("Do functions and tables keep up?",
			"The alarms look at all functions and tables at once; these graphs show which one it is.", "lambda-errors", "lambda-duration", "lambda-throttled", "throttled-tables"),
		{
			graph{title: "Failed invocations", width: 8, unit: "invocations", left: append(st.ofEach("Errors", sum),
				st.own(metrics.FailedInvocations(), series{stat: sum, label: "all, as the alarm counts them", color: grey}))}.widget(),
			graph{title: "Throttled invocations", width: 8, unit: "invocations", left: st.ofEach("Throttles", sum)}.widget(),
			graph{title: "Longest invocation, % of timeout", width: 8, unit: "%", limit: surgical.NearTheLimit * 100, limitName: "alarm", left: st.shareOfTimeout()}.widget(),
		},
		{
			graph{title: "Slow invocations", width: 6, unit: "invocations", left: []awscloudwatch.IMetric{
				st.own(metrics.SlowInvocations(), series{stat: sum, label: "invocations", color: orange}),
			}}.widget(),
			graph{title: "Runs postponed by throttling", width: 6, unit: "runs", left: []awscloudwatch.IMetric{
				st.own(metrics.StagesThrottled(), series{stat: sum, label: "runs", color: orange}),
			}}.widget(),
			st.lastErrors(),
		},
		{
			graph{title: "Throttled DynamoDB requests", width: gridWidth, unit: "requests", left: append(st.throttledRequests(),
				st.own(metrics.TablesThrottled(), series{stat: sum, label: "all, as functions saw them", color: grey}))}.widget(),
		},
	}
}

// ofEach returns one metric for every function.
func (st *stack) ofEach(name, stat string) []awscloudwatch.IMetric {
	var all []awscloudwatch.IMetric
	for _, f := range st.functions.all() {
		all = append(all, f.of(name, series{stat: stat, label: f.spec.name}))
	}
	return all
}

func (st *stack) shareOfTimeout() []awscloudwatch.IMetric {
	var all []awscloudwatch.IMetric
	for _, f := range st.functions.all() {
		id := "longest_" + f.spec.name
		all = append(all, expression(fmt.Sprintf("100*%s/%d", id, f.spec.timeout.Milliseconds()), f.spec.name,
			map[string]awscloudwatch.IMetric{id: f.of("Duration", series{stat: maximum})}, 300))
	}
	return all
}

func (st *stack) throttledRequests() []awscloudwatch.IMetric {
	return append(st.ofTablesAndIndexes("ReadThrottleEvents", " reads"), st.ofTablesAndIndexes("WriteThrottleEvents", " writes")...)
}

// ofTablesAndIndexes returns one metric for every table and for each of its
// indexes, which DynamoDB counts separately.
func (st *stack) ofTablesAndIndexes(name, what string) []awscloudwatch.IMetric {
	var all []awscloudwatch.IMetric
	for _, t := range st.tables {
		all = append(all, t.of(name, "", series{stat: sum, label: t.schema.Name + what}))
		for _, index := range t.schema.Indexes {
			all = append(all, t.of(name, index.Name, series{stat: sum, label: index.Name + " of " + t.schema.Name + what}))
		}
	}
	return all
}
