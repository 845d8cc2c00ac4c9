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

// series says what of a metric is looked at.
type series struct {
	stat string
	// seconds is the period; 0 for five minutes.
	seconds int
	label   string
	color   string
	dims    map[string]*string
}

// own is one of Lorehook's metrics. The namespace is the stack's name, so that
// two stacks of one account do not mix.
func (st *stack) own(m metrics.Metric, s series) awscloudwatch.Metric {
	return metric(st.settings.StackName, m.Name, s)
}

// metric is any metric.
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

// dim is a set of one dimension.
func dim(name metrics.Dimension, value string) map[string]*string {
	return map[string]*string{string(name): &value}
}

// of is a function's metric as Lambda counts it.
func (f function) of(name string, s series) awscloudwatch.Metric {
	s.dims = map[string]*string{"FunctionName": f.FunctionName()}
	return metric("AWS/Lambda", name, s)
}

// queueMetric is a queue's metric as SQS counts it.
func queueMetric(q awssqs.Queue, name string, s series) awscloudwatch.Metric {
	s.dims = map[string]*string{"QueueName": q.QueueName()}
	return metric("AWS/SQS", name, s)
}

// of is a state machine's metric as Step Functions counts it.
func (m machineRef) of(name string, s series) awscloudwatch.Metric {
	s.dims = map[string]*string{"StateMachineArn": m.arn}
	return metric("AWS/States", name, s)
}

// of is a table's metric as DynamoDB counts it; index names one of its indexes,
// which are counted apart.
func (t table) of(name, index string, s series) awscloudwatch.Metric {
	s.dims = map[string]*string{"TableName": t.TableName()}
	if index != "" {
		s.dims["GlobalSecondaryIndexName"] = &index
	}
	return metric("AWS/DynamoDB", name, s)
}

// expression is an expression over metrics.
func expression(text, label string, using map[string]awscloudwatch.IMetric, seconds int) awscloudwatch.MathExpression {
	return awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
		Expression: &text, Label: &label, UsingMetrics: &using, Period: awscdk.Duration_Seconds(jsii.Number(seconds)),
	})
}
