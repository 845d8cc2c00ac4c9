package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/jsii-runtime-go"

	"gitlab.com/lorehook/lorehook/internal/function/metrics"
)

// countLines counts the lines of a log that match the pattern. It costs nothing while
// there are none.
func (st *stack) countLines(id string, logs awslogs.LogGroup, pattern string, m metrics.Metric) {
	awslogs.NewMetricFilter(st.Stack, &id, &awslogs.MetricFilterProps{
		LogGroup:        logs,
		FilterPattern:   awslogs.FilterPattern_Literal(&pattern),
		MetricNamespace: &st.settings.StackName,
		MetricName:      &m.Name,
		MetricValue:     jsii.String("1"),
		Unit:            awscloudwatch.Unit_COUNT,
	})
}

// countInvocations counts the invocations of a function that failed or timed out. Lambda
// writes a line about each of them at every log level, also of those that it ended or
// that died.
func (st *stack) countInvocations(id string, logs awslogs.LogGroup) {
	st.countLines(id+"Failed", logs, `{ ($.type = "platform.report") && ($.record.status != "success") }`, metrics.FailedInvocations())
	st.countLines(id+"TimedOut", logs, `{ ($.type = "platform.report") && ($.record.status = "timeout") }`, metrics.SlowInvocations())
}
