package main

import (
	"fmt"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatchactions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/jsii-runtime-go"

	"gitlab.com/lorehook/lorehook/internal/function/metrics"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Thresholds that a runbook and the dashboard name too.
const (
	// freshSeconds is how late a change may be visible, for 19 of 20 webhooks.
	freshSeconds = 60
	// queueAgeSeconds is how long the oldest webhook may wait: longer than most
	// pauses that GitLab asks for.
	queueAgeSeconds = 600
	// nearTheLimit is the share of its timeout that a function may take. Workers
	// and stages stop on their own before: at 79% and 60%.
	nearTheLimit = 0.85
)

// alarmSpec is one alarm. It goes off at or above its threshold, and takes
// missing data for well: no such metric has data while nothing goes on, and
// some have none while all is well.
type alarmSpec struct {
	// name ends the alarm's name.
	name string
	// runbook is the file under docs/runbooks/ without its ending.
	runbook string
	says    string
	metric  awscloudwatch.IMetric
	atLeast float64
	// of so many periods, this many have to reach the threshold; 0 for one.
	periods, reach int
	// silence makes it go off where there is nothing, data or missing: for what
	// runs at any time.
	silence bool
}

// newAlarms makes every alarm and returns them in the order of their specs.
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
	specs := st.eventAlarms()
	for _, t := range st.tables {
		if st.settings.Account == localAccount {
			break // the emulator takes no alarm on an expression, and never throttles
		}
		specs = append(specs, alarmSpec{name: "throttled-" + strings.ReplaceAll(t.schema.Name, "_", "-"), runbook: "throttled-tables",
			says: fmt.Sprintf("DynamoDB throttled requests to the table %s or its indexes.", t.schema.Name), metric: t.throttled(), atLeast: 10})
	}
	for _, f := range st.functions.all() {
		specs = append(specs,
			alarmSpec{name: "lambda-errors-" + f.spec.name, runbook: "lambda-errors",
				says: "Invocations of the function failed, in two of three periods of five minutes.", metric: f.of("Errors", series{stat: sum}), atLeast: 1, periods: 3, reach: 2},
			alarmSpec{name: "lambda-duration-" + f.spec.name, runbook: "lambda-duration",
				says:   fmt.Sprintf("An invocation of the function took more than %.0f%% of its timeout of %d s.", nearTheLimit*100, f.spec.timeout),
				metric: f.of("Duration", series{stat: maximum}), atLeast: nearTheLimit * float64(f.spec.timeout) * 1000})
	}
	return specs
}

// eventAlarms are about the way of events.
func (st *stack) eventAlarms() []alarmSpec {
	return []alarmSpec{
		{name: "dead-letters", runbook: "dead-letters",
			says:   "Messages are in the dead-letter queue: their events are not in the copy.",
			metric: queueMetric(st.queues.deadLetters, "ApproximateNumberOfMessagesVisible", series{stat: maximum, seconds: 60}), atLeast: 1},
		{name: "queue-age", runbook: "queue-age",
			says:   fmt.Sprintf("For five minutes the oldest message of requests.fifo has waited for more than %d s.", queueAgeSeconds),
			metric: queueMetric(st.queues.requests, "ApproximateAgeOfOldestMessage", series{stat: maximum, seconds: 60}), atLeast: queueAgeSeconds, periods: 5, reach: 5},
		// SQS may leave messages out that are received again and again, as all are
		// while workers wait for GitLab: so the workers' own measure too.
		{name: "queue-age-received", runbook: "queue-age",
			says:   fmt.Sprintf("Workers receive messages of requests.fifo that were sent more than %d s ago.", queueAgeSeconds),
			metric: st.own(metrics.QueueAge(), series{stat: maximum, dims: dim(metrics.Queue, "requests")}), atLeast: queueAgeSeconds * 1000, periods: 2, reach: 2},
		{name: "sweeper-silent", runbook: "sweeper-silent",
			says:   "For 15 minutes the sweeper, which runs every minute, has not run: nobody ends lost runs, starts missing workflows or drains.",
			metric: st.functions.sweeper.of("Invocations", series{stat: sum}), periods: 3, reach: 3, silence: true},
		// Three of six: a period in which nothing became visible has no data, and
		// would break three in a row.
		{name: "freshness", runbook: "freshness",
			says:   fmt.Sprintf("In three of six periods of five minutes, at least one change in 20 became visible later than %d s after its webhook.", freshSeconds),
			metric: st.own(metrics.Freshness(), series{stat: p95, dims: dim(metrics.Origin, string(surgical.OriginWebhook))}), atLeast: freshSeconds * 1000, periods: 6, reach: 3},
		{name: "webhook-answers", runbook: "webhook-answers",
			// GitLab counts failures in a row, however far apart.
			says:   "Three webhooks within an hour were answered with something else than 2xx. GitLab disables a hook after four failures in a row.",
			metric: st.own(metrics.AnswersOtherThan2xx(), series{stat: sum, seconds: 3600}), atLeast: 3},
		{name: "refused-signatures", runbook: "refused-signatures",
			says:   "Three webhooks within an hour came without a valid signature or token.",
			metric: st.own(metrics.RefusedSignatures(), series{stat: sum, seconds: 3600}), atLeast: 3},
		{name: "failed-runs", runbook: "failed-runs",
			says:   "Three runs or more failed within 15 minutes.",
			metric: st.own(metrics.Runs(), series{stat: sum, seconds: 900, dims: dim(metrics.Status, string(surgical.StatusFailed))}), atLeast: 3},
		{name: "gitlab-unauthorized", runbook: "gitlab-unauthorized",
			says:   "GitLab refuses the access token. All workers wait.",
			metric: st.own(metrics.GitLabUnauthorized(), series{stat: sum}), atLeast: 2},
	}
}

// throttled adds up what was throttled of the table and of its indexes, reads
// and writes: at most ten metrics, which is the most an alarm takes.
func (t table) throttled() awscloudwatch.IMetric {
	using := map[string]awscloudwatch.IMetric{}
	var ids []string
	add := func(name, index string) {
		id := fmt.Sprintf("m%d", len(ids))
		using[id] = t.of(name, index, series{stat: sum})
		ids = append(ids, fmt.Sprintf("FILL(%s,0)", id))
	}
	add("ReadThrottleEvents", "")
	add("WriteThrottleEvents", "")
	for _, index := range t.schema.Indexes {
		add("ReadThrottleEvents", index.Name)
		add("WriteThrottleEvents", index.Name)
	}
	return expression(strings.Join(ids, "+"), "throttled", using, 300)
}

func (st *stack) alarm(spec alarmSpec, topic awssns.ITopic) awscloudwatch.Alarm {
	compares, missing := awscloudwatch.ComparisonOperator_GREATER_THAN_OR_EQUAL_TO_THRESHOLD, awscloudwatch.TreatMissingData_NOT_BREACHING
	if spec.silence {
		spec.atLeast, compares, missing = 1, awscloudwatch.ComparisonOperator_LESS_THAN_THRESHOLD, awscloudwatch.TreatMissingData_BREACHING
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

// runbook is a runbook's address.
func (st *stack) runbook(name string) string { return st.settings.RunbooksURL + "/" + name + ".md" }
