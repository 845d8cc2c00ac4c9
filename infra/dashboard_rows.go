package main

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"

	"gitlab.com/lorehook/lorehook/infra/prices"
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

func (st *stack) freshRows() [][]awscloudwatch.IWidget {
	webhook := dim(metrics.Origin, string(surgical.OriginWebhook))
	fresh := func(stat, label, color string) awscloudwatch.IMetric {
		return st.own(metrics.Freshness(), series{stat: stat, label: label, color: color, dims: webhook})
	}
	return [][]awscloudwatch.IWidget{
		st.question("Are we fresh?",
			"Freshness is the time from receiving a webhook until its change is visible, including the settle time of 2 s.", "freshness", "queue-age"),
		{
			number("Webhook freshness", 6, fresh(p50, "p50", green), fresh(p95, "p95", blue)),
			graph{title: "Webhook freshness", width: 9, unit: "ms", limit: freshSeconds * 1000, limitName: "alarm at p95",
				left: []awscloudwatch.IMetric{fresh(p50, "p50", green), fresh(p95, "p95", blue), fresh(maximum, "slowest", grey)}}.widget(),
			graph{title: "Latency by step (p95)", width: 9, unit: "ms", left: []awscloudwatch.IMetric{
				st.own(metrics.EnqueueLatency(), series{stat: p95, label: "enqueue"}),
				st.own(metrics.QueueAge(), series{stat: p95, label: "in requests.fifo", dims: dim(metrics.Queue, "requests")}),
				st.own(metrics.QueueAge(), series{stat: p95, label: "in bulk.fifo", dims: dim(metrics.Queue, "bulk")}),
				st.own(metrics.PreflightDuration(), series{stat: p95, label: "preflight"}),
				st.own(metrics.IngestDuration(), series{stat: p95, label: "ingest"}),
			}}.widget(),
		},
	}
}

func (st *stack) lossRows() [][]awscloudwatch.IWidget {
	delivered := func(outcome, color string) awscloudwatch.IMetric {
		return st.own(metrics.Deliveries(), series{stat: sum, label: outcome, color: color, dims: dim(metrics.Outcome, outcome)})
	}
	return [][]awscloudwatch.IWidget{
		st.question("Are we losing anything?",
			"Every event accepted with 202 ends up in the copy, in a failed run, or in the dead-letter queue. GitLab disables a hook after four consecutive non-2xx responses. A missed event is a change that only a reconcile found.",
			"dead-letters", "webhook-answers", "refused-signatures", "missed-events", "hooks-broken", "crawler-silent", "feed-behind"),
		{
			graph{title: "Webhooks", width: 9, stacked: true, unit: "webhooks", left: []awscloudwatch.IMetric{
				delivered(metrics.OutcomeQueued, green), delivered(metrics.OutcomeIgnored, grey), delivered(metrics.OutcomeRefused, orange), delivered(metrics.OutcomeFailed, red),
			}}.widget(),
			graph{title: "Non-2xx responses to webhooks, and missed events", width: 7, unit: "responses", left: []awscloudwatch.IMetric{
				st.own(metrics.AnswersOtherThan2xx(), series{stat: sum, label: "all", color: red}),
				st.own(metrics.RefusedSignatures(), series{stat: sum, label: "no valid signature", color: orange}),
			}, right: []awscloudwatch.IMetric{
				st.own(metrics.MissedEvents(), series{stat: sum, label: "missed events", color: blue}),
				st.own(metrics.HooksBroken(), series{stat: sum, label: "checks without a working hook", color: orange}),
				st.own(metrics.CensusFindings(), series{stat: sum, label: "found by censuses", color: grey}),
			}}.widget(),
			graph{title: "Waiting messages", width: 8, unit: "messages", left: []awscloudwatch.IMetric{
				queueMetric(st.queues.deadLetters, "ApproximateNumberOfMessagesVisible", series{stat: maximum, label: "dead letters", color: red}),
				queueMetric(st.queues.requests, "ApproximateNumberOfMessagesVisible", series{stat: maximum, label: "requests.fifo", color: blue}),
				queueMetric(st.queues.hides, "ApproximateNumberOfMessagesVisible", series{stat: maximum, label: "hides.fifo", color: green}),
				queueMetric(st.queues.bulk, "ApproximateNumberOfMessagesVisible", series{stat: maximum, label: "bulk.fifo", color: grey}),
			}, right: []awscloudwatch.IMetric{
				queueMetric(st.queues.requests, "ApproximateAgeOfOldestMessage", series{stat: maximum, label: "oldest in requests.fifo (s)", color: orange}),
				queueMetric(st.queues.hides, "ApproximateAgeOfOldestMessage", series{stat: maximum, label: "oldest in hides.fifo (s)", color: red}),
			}}.widget(),
		},
	}
}

func (st *stack) gitlabRows() [][]awscloudwatch.IWidget {
	return [][]awscloudwatch.IWidget{
		st.question("What is GitLab doing to us?",
			"A 429 or a 401 makes all workers wait. The remaining rate limit comes from GitLab's RateLimit-Remaining header, if present. The table lists 5xx responses, timeouts and everything else that makes an attempt fail.", "gitlab-unauthorized", "projects-unseen", "secrets", "queue-age"),
		{
			graph{title: "Requests", width: 12, unit: "requests", left: []awscloudwatch.IMetric{
				st.own(metrics.GitLabRequests(), series{stat: sum, label: "requests", color: blue}),
			}, right: []awscloudwatch.IMetric{
				st.own(metrics.GitLabRateLimited(), series{stat: sum, label: "429", color: orange}),
				st.own(metrics.GitLabUnauthorized(), series{stat: sum, label: "fetches rejected with 401", color: red}),
				st.own(metrics.ProjectsUnseen(), series{stat: sum, label: "projects not shown", color: orange}),
				st.own(metrics.SecretFailures(), series{stat: sum, label: "failed readings of secrets", color: grey}),
			}}.widget(),
			graph{title: "Rate limit remaining", width: 12, unit: "requests", left: []awscloudwatch.IMetric{
				st.own(metrics.GitLabBudgetLeft(), series{stat: minimum, label: "minimum", color: blue}),
			}}.widget(),
		},
		{
			graph{title: "Fetch duration", width: 12, unit: "ms", left: []awscloudwatch.IMetric{
				st.own(metrics.PreflightDuration(), series{stat: p50, label: "p50", color: green}),
				st.own(metrics.PreflightDuration(), series{stat: p95, label: "p95", color: blue}),
				st.own(metrics.PreflightDuration(), series{stat: maximum, label: "slowest", color: grey}),
			}}.widget(),
			st.waits(),
		},
	}
}

func (st *stack) failureRows() [][]awscloudwatch.IWidget {
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
		st.question("What fails and why?",
			"A failed run keeps its request: `lore sync-runs --run-id ID --retry-failed` retries the targets that can succeed.", "failed-runs", "executions", "lambda-errors", "lambda-duration", "lambda-throttled", "sweeper-silent", "throttled-tables"),
		{
			graph{title: "Finished runs", width: 8, stacked: true, unit: "runs", left: []awscloudwatch.IMetric{
				ended(string(surgical.StatusSucceeded), green), ended(string(surgical.StatusCancelled), grey), ended(metrics.StatusMissing, blue), ended(string(surgical.StatusFailed), red),
			}}.widget(),
			graph{title: "Failed runs by origin", width: 8, stacked: true, unit: "runs", left: failed}.widget(),
			graph{title: "Work skipped or aborted", width: 8, unit: "", left: []awscloudwatch.IMetric{
				st.own(metrics.BehindEvent(), series{stat: sum, label: "runs behind their event", color: orange}),
				st.own(metrics.Coalesced(), series{stat: sum, label: "coalesced runs", color: grey}),
				st.own(metrics.SkippedStale(), series{stat: sum, label: "targets skipped as stale", color: blue}),
				st.own(metrics.JobsAborted(), series{stat: sum, label: "jobs aborted", color: red}),
			}}.widget(),
		},
		{
			st.failuresByCode(), st.lastFailures(),
		},
		{
			st.refusedDeliveries(), st.lastErrors(),
		},
		{
			graph{title: "Failed invocations", width: 8, unit: "invocations", left: st.ofEach("Errors", sum)}.widget(),
			graph{title: "Throttled invocations", width: 8, unit: "invocations", left: st.ofEach("Throttles", sum)}.widget(),
			graph{title: "Longest invocation, % of timeout", width: 8, unit: "%", limit: nearTheLimit * 100, limitName: "alarm", left: st.shareOfTimeout()}.widget(),
		},
		{
			graph{title: "Failed workflow executions", width: 8, unit: "executions", left: []awscloudwatch.IMetric{
				st.machine.of("ExecutionsFailed", series{stat: sum, label: "failed", color: red}),
				st.machine.of("ExecutionsTimedOut", series{stat: sum, label: "timed out", color: orange}),
			}}.widget(),
			graph{title: "Throttled DynamoDB requests", width: 16, unit: "events", left: st.throttledRequests()}.widget(),
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

func (st *stack) costRows(logs []awslogs.LogGroup) [][]awscloudwatch.IWidget {
	return [][]awscloudwatch.IWidget{
		st.question("What does it cost?",
			fmt.Sprintf("Estimates at list prices (%s); [docs/cost.md](%s) has figures for a million events. They exclude stored data, SQS, Step Functions and embeddings. The current hour is still incomplete, so its estimate is too low.", prices.Of, costPage)),
		{
			graph{title: "Estimated cost per hour", width: 8, stacked: true, unit: "$", left: st.estimates(logs)}.widget(),
			graph{title: "Write units", width: 8, unit: "units", left: st.ofTablesAndIndexes("ConsumedWriteCapacityUnits", ""), right: []awscloudwatch.IMetric{
				st.own(metrics.ContentWriteUnits(), series{stat: sum, label: "commits, as counted by Lorehook", color: grey}),
			}}.widget(),
			graph{title: "Documents and embeddings", width: 8, unit: "", left: []awscloudwatch.IMetric{
				st.own(metrics.DocumentsRegenerated(), series{stat: sum, label: "documents regenerated", color: blue}),
				st.own(metrics.ChunksEmbedded(), series{stat: sum, label: "chunks embedded", color: green}),
			}}.widget(),
		},
	}
}
