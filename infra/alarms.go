package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatchactions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/jsii-runtime-go"

	"gitlab.com/lorehook/lorehook/internal/function/metrics"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Thresholds that also appear in a runbook and on the dashboard.
const (
	// freshSeconds is the limit for the 95th percentile of webhook freshness.
	freshSeconds = 60
	// queueAgeSeconds is how long the oldest webhook may wait. It is longer than
	// most pauses that GitLab asks for.
	queueAgeSeconds = 600
	// hideAgeSeconds is how long the oldest hide request may wait. Nothing that GitLab
	// does delays one.
	hideAgeSeconds = 60
	// feedBehindSeconds is how old a record of the stream may be when it is consumed.
	feedBehindSeconds = 3600
	// feedSilence is how long the stream may have no record. The sweeper writes one every
	// [surgical.FeedBeat], so a longer silence means that the stream is not read.
	feedSilence = 3 * surgical.FeedBeat
	// failedExecutions is how many workflow executions may fail within an hour.
	failedExecutions = 3
)

// alarmSpec is one alarm. It goes off at or above its threshold, and usually treats
// missing data as OK: most metrics have no data while nothing happens, and some
// have none while everything is fine.
type alarmSpec struct {
	// name is the last part of the alarm's name.
	name string
	// runbook is the file in docs/runbooks/, without its extension.
	runbook string
	says    string
	metric  awscloudwatch.IMetric
	atLeast float64
	// periods is how many periods are evaluated, and reach how many of them must
	// reach the threshold; 0 means 1.
	periods, reach int
	// silence inverts the alarm: it goes off at zero or missing data. For things
	// that must always run.
	silence bool
	// always makes missing data a reason to go off, for a metric that has data in every
	// period as long as everything works.
	always bool
}

// newAlarms creates all alarms and returns them in the order of their specs.
func (st *stack) newAlarms() []awscloudwatch.Alarm {
	var topic awssns.ITopic
	if st.settings.AlarmTopicARN != "" {
		topic = awssns.Topic_FromTopicArn(st.Stack, jsii.String("AlarmTopic"), &st.settings.AlarmTopicARN)
	}
	var alarms []awscloudwatch.Alarm
	for _, spec := range st.alarmSpecs() {
		alarms = append(alarms, st.alarm(spec, topic))
	}
	return alarms
}

func (st *stack) alarmSpecs() []alarmSpec {
	return append(st.eventAlarms(), st.serviceAlarms()...)
}

// serviceAlarms are the alarms on what functions run on. Each looks at one metric of all
// functions or tables, because AWS charges for every metric that an alarm looks at; which
// function or table it is shows on the dashboard.
func (st *stack) serviceAlarms() []alarmSpec {
	return []alarmSpec{
		{name: "lambda-errors", runbook: "lambda-errors",
			says:   "Invocations of a function failed in two of three five-minute periods.",
			metric: st.own(metrics.FailedInvocations(), series{stat: sum}), atLeast: 1, periods: 3, reach: 2},
		{name: "lambda-duration", runbook: "lambda-duration",
			says:   fmt.Sprintf("An invocation of a function took more than %.0f%% of the function's timeout.", surgical.NearTheLimit*100),
			metric: st.own(metrics.SlowInvocations(), series{stat: sum}), atLeast: 1},
		{name: "lambda-throttled", runbook: "lambda-throttled",
			says:   "Lambda refused again and again to start a function of the workflow, for lack of concurrency: runs are postponed.",
			metric: st.own(metrics.StagesThrottled(), series{stat: sum}), atLeast: 1},
		{name: "throttled-tables", runbook: "throttled-tables",
			says:   "Within five minutes, DynamoDB throttled ten requests to a table or its indexes.",
			metric: st.own(metrics.TablesThrottled(), series{stat: sum}), atLeast: 10},
	}
}

// eventAlarms are the alarms on event processing.
func (st *stack) eventAlarms() []alarmSpec {
	// A project counts what it missed once in each cycle.
	missedSeconds := max(300, 60*st.settings.ReconcileMinutes)
	behind := surgical.ReconcileBehind(time.Duration(st.settings.ReconcileMinutes) * time.Minute)
	return []alarmSpec{
		{name: "dead-letters", runbook: "dead-letters",
			says:   "Messages are in the dead-letter queue: their events are not in the copy.",
			metric: queueMetric(st.queues.deadLetters, "ApproximateNumberOfMessagesVisible", series{stat: maximum, seconds: 60}), atLeast: 1},
		{name: "queue-age", runbook: "queue-age",
			says:   fmt.Sprintf("For five minutes, the oldest message in requests.fifo has been more than %d s old.", queueAgeSeconds),
			metric: queueMetric(st.queues.requests, "ApproximateAgeOfOldestMessage", series{stat: maximum, seconds: 60}), atLeast: queueAgeSeconds, periods: 5, reach: 5},
		// SQS may leave out messages that are received again and again, as all are
		// while workers wait for GitLab. So also alarm on the age that workers see.
		{name: "queue-age-received", runbook: "queue-age",
			says:   fmt.Sprintf("Workers are receiving messages from requests.fifo that were sent more than %d s ago.", queueAgeSeconds),
			metric: st.own(metrics.QueueAge(), series{stat: maximum, dims: dim(metrics.Queue, "requests")}), atLeast: queueAgeSeconds * 1000, periods: 2, reach: 2},
		{name: "queue-age-hides", runbook: "queue-age",
			says:   fmt.Sprintf("For two minutes, the oldest message in hides.fifo has been more than %d s old: an issue that a delivery called confidential may still be readable.", hideAgeSeconds),
			metric: queueMetric(st.queues.hides, "ApproximateAgeOfOldestMessage", series{stat: maximum, seconds: 60}), atLeast: hideAgeSeconds, periods: 2, reach: 2},
		{name: "sweeper-silent", runbook: "sweeper-silent",
			says:   "The sweeper, which should run every minute, has not run for 15 minutes: lost runs are not closed, missing workflows not started, and backlogs not drained.",
			metric: st.functions.sweeper.of("Invocations", series{stat: sum}), periods: 3, reach: 3, silence: true},
		{name: "crawler-silent", runbook: "crawler-silent",
			says:   "The crawler, which should run every minute, has not run for 15 minutes: lost webhooks are not found, and backfills stand still.",
			metric: st.functions.crawler.of("Invocations", series{stat: sum}), periods: 3, reach: 3, silence: true},
		// Long before the stream drops records, after 24 h, and the feeds restart, after 19 to 20 h.
		{name: "feed-behind", runbook: "feed-behind",
			says:   fmt.Sprintf("The function that writes the change feeds receives changes of the copy more than an hour late, or has received none for %.0f minutes, so readers of the feeds, such as the search, are behind.", feedSilence.Minutes()),
			metric: st.functions.feed.of("IteratorAge", series{stat: maximum, seconds: int(feedSilence.Seconds())}), atLeast: feedBehindSeconds * 1000, always: true},
		{name: "missed-events", runbook: "missed-events",
			says:   fmt.Sprintf("In two of three periods of %d minutes, a reconcile found changes that no webhook announced: GitLab does not deliver, or Lorehook does not receive.", missedSeconds/60),
			metric: st.own(metrics.MissedEvents(), series{stat: sum, seconds: missedSeconds}), atLeast: 1, periods: 3, reach: 2},
		{name: "reconcile-behind", runbook: "reconcile-behind",
			says:   fmt.Sprintf("For more than %d minutes, a project has not been compared with GitLab's lists: changes that no webhook announced are missing. GitLab refuses a list, does not answer, or its rate limit is used up.", int(behind.Minutes())),
			metric: st.own(metrics.ReconcileAge(), series{stat: maximum}), atLeast: float64(behind.Milliseconds())},
		// A check finds it once an hour, for the second time in a row at the earliest.
		{name: "hooks-broken", runbook: "hooks-broken",
			says:   "Two checks in a row, an hour apart, found that a project has no working webhook: it is missing, incomplete or disabled, or GitLab sends nothing. Only reconciles keep its copy current.",
			metric: st.own(metrics.HooksBroken(), series{stat: sum, seconds: 3600}), atLeast: 1, periods: 2},
		// Three of six, because a period in which nothing became visible has no data
		// and would interrupt three in a row.
		{name: "freshness", runbook: "freshness",
			says:   fmt.Sprintf("In three of six five-minute periods, at least one change in 20 became visible later than %d s after its webhook.", freshSeconds),
			metric: st.own(metrics.Freshness(), series{stat: p95, dims: dim(metrics.Origin, string(surgical.OriginWebhook))}), atLeast: freshSeconds * 1000, periods: 6, reach: 3},
		{name: "webhook-answers", runbook: "webhook-answers",
			// GitLab counts consecutive failures, however far apart.
			says:   "Three webhooks within an hour got a non-2xx response. GitLab disables a hook after four consecutive failures.",
			metric: st.own(metrics.AnswersOtherThan2xx(), series{stat: sum, seconds: 3600}), atLeast: 3},
		{name: "refused-signatures", runbook: "refused-signatures",
			says:   "Three webhooks within an hour had no valid signature or token.",
			metric: st.own(metrics.RefusedSignatures(), series{stat: sum, seconds: 3600}), atLeast: 3},
		{name: "failed-runs", runbook: "failed-runs",
			says:   "Three or more runs failed within 15 minutes, not counting those of deleted entities.",
			metric: st.own(metrics.Runs(), series{stat: sum, seconds: 900, dims: dim(metrics.Status, string(surgical.StatusFailed))}), atLeast: 3},
		// A failed run aborts, and its execution succeeds: these are executions that
		// could not even do that.
		{name: "executions-failed", runbook: "executions",
			says:   fmt.Sprintf("Within an hour, %d workflow executions failed without closing their runs.", failedExecutions),
			metric: st.machine.of("ExecutionsFailed", series{stat: sum, seconds: 3600}), atLeast: failedExecutions},
		{name: "executions-timed-out", runbook: "executions",
			says:   fmt.Sprintf("A workflow execution did not end within %.0f s, the time that all its tries have together.", surgical.WorkflowTimeout.Seconds()),
			metric: st.machine.of("ExecutionsTimedOut", series{stat: sum}), atLeast: 1},
		{name: "secrets", runbook: "secrets",
			says:   fmt.Sprintf("A function cannot read a secret, or the secret contains a token that cannot be used. The last value is used for %.0f minutes while Secrets Manager is unreachable.", surgical.SecretOutage.Minutes()),
			metric: st.own(metrics.SecretFailures(), series{stat: sum}), atLeast: 1},
		{name: "gitlab-unauthorized", runbook: "gitlab-unauthorized",
			says:   "GitLab rejects the access token. All workers are waiting.",
			metric: st.own(metrics.GitLabUnauthorized(), series{stat: sum}), atLeast: 2},
		{name: "projects-unseen", runbook: "projects-unseen",
			says:   "GitLab does not show a project to the access token. If that lasts too long, all of the project's copies are hidden.",
			metric: st.own(metrics.ProjectsUnseen(), series{stat: sum, seconds: 900}), atLeast: 1},
	}
}

func (st *stack) alarm(spec alarmSpec, topic awssns.ITopic) awscloudwatch.Alarm {
	compares, missing := awscloudwatch.ComparisonOperator_GREATER_THAN_OR_EQUAL_TO_THRESHOLD, awscloudwatch.TreatMissingData_NOT_BREACHING
	if spec.silence || spec.always {
		missing = awscloudwatch.TreatMissingData_BREACHING
	}
	if spec.silence {
		spec.atLeast, compares = 1, awscloudwatch.ComparisonOperator_LESS_THAN_THRESHOLD
	}
	alarm := awscloudwatch.NewAlarm(st.Stack, jsii.String("Alarm"+pascal(strings.ReplaceAll(spec.name, "-", "_"))), &awscloudwatch.AlarmProps{
		AlarmName:          jsii.String(st.name(spec.name)),
		AlarmDescription:   jsii.String(spec.says + " What to do: " + st.runbook(spec.runbook)),
		Metric:             spec.metric,
		Threshold:          jsii.Number(spec.atLeast),
		ComparisonOperator: compares,
		EvaluationPeriods:  jsii.Number(max(spec.periods, 1)),
		DatapointsToAlarm:  jsii.Number(max(spec.reach, 1)),
		TreatMissingData:   missing,
	})
	if topic != nil {
		action := awscloudwatchactions.NewSnsAction(topic)
		alarm.AddAlarmAction(action)
		alarm.AddOkAction(action)
	}
	return alarm
}

// runbook returns a runbook's URL.
func (st *stack) runbook(name string) string { return st.settings.RunbooksURL + "/" + name + ".md" }
