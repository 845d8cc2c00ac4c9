package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"

	"gitlab.com/lorehook/lorehook/internal/function/metrics"
)

// Statistics.
const (
	sum     = "Sum"
	maximum = "Maximum"
	minimum = "Minimum"
	p50     = "p50"
	p95     = "p95"
)

// series selects how a metric is displayed or evaluated.
type series struct {
	stat string
	// seconds is the period; 0 for five minutes.
	seconds int
	label   string
	color   string
	dims    map[string]*string
}

// own returns one of Lorehook's metrics. The namespace is the stack's name, so
// that two stacks in one account do not mix.
func (st *stack) own(m metrics.Metric, s series) awscloudwatch.Metric {
	return metric(st.settings.StackName, m.Name, s)
}

// metric returns any metric.
func metric(namespace, name string, s series) awscloudwatch.Metric {
	seconds := s.seconds
	if seconds == 0 {
		seconds = 300
	}
	props := &awscloudwatch.MetricProps{
		Namespace: &namespace, MetricName: &name, Statistic: &s.stat, Period: awscdk.Duration_Seconds(jsii.Number(seconds)),
	}
	if len(s.dims) > 0 {
		props.DimensionsMap = &s.dims
	}
	if s.label != "" {
		props.Label = &s.label
	}
	if s.color != "" {
		props.Color = &s.color
	}
	return awscloudwatch.NewMetric(props)
}

// dim returns a set of one dimension.
func dim(name metrics.Dimension, value string) map[string]*string {
	return map[string]*string{string(name): &value}
}

// of returns one of Lambda's metrics for the function.
func (f function) of(name string, s series) awscloudwatch.Metric {
	s.dims = map[string]*string{"FunctionName": f.FunctionName()}
	return metric("AWS/Lambda", name, s)
}

// queueMetric returns one of SQS's metrics for the queue.
func queueMetric(q awssqs.Queue, name string, s series) awscloudwatch.Metric {
	s.dims = map[string]*string{"QueueName": q.QueueName()}
	return metric("AWS/SQS", name, s)
}

// of returns one of Step Functions' metrics for the state machine.
func (m machineRef) of(name string, s series) awscloudwatch.Metric {
	s.dims = map[string]*string{"StateMachineArn": m.arn}
	return metric("AWS/States", name, s)
}

// of returns one of DynamoDB's metrics for the table, or for the index if one is
// named: DynamoDB counts indexes separately.
func (t table) of(name, index string, s series) awscloudwatch.Metric {
	s.dims = map[string]*string{"TableName": t.TableName()}
	if index != "" {
		s.dims["GlobalSecondaryIndexName"] = &index
	}
	return metric("AWS/DynamoDB", name, s)
}

// expression returns a math expression over metrics.
func expression(text, label string, using map[string]awscloudwatch.IMetric, seconds int) awscloudwatch.MathExpression {
	return awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
		Expression: &text, Label: &label, UsingMetrics: &using, Period: awscdk.Duration_Seconds(jsii.Number(seconds)),
	})
}
