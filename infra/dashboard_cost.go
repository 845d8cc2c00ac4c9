package main

import (
	"fmt"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"

	"gitlab.com/lorehook/lorehook/infra/prices"
)

// estimates are costs in dollars per hour, by service. logs are the log groups
// that do not belong to a function.
func (st *stack) estimates(logs []awslogs.LogGroup) []awscloudwatch.IMetric {
	return []awscloudwatch.IMetric{st.dynamoEstimate(), st.lambdaEstimate(), st.logsEstimate(logs)}
}

// hourly sums terms, each a metric multiplied by a price.
type hourly struct {
	prefix string
	terms  []string
	using  map[string]awscloudwatch.IMetric
}

func newHourly(prefix string) *hourly {
	return &hourly{prefix: prefix, using: map[string]awscloudwatch.IMetric{}}
}

func (h *hourly) add(m awscloudwatch.IMetric, price float64) {
	id := fmt.Sprintf("%s%d", h.prefix, len(h.terms))
	h.using[id] = m
	h.terms = append(h.terms, fmt.Sprintf("FILL(%s,0)*%.12f", id, price))
}

func (h *hourly) metric(label string) awscloudwatch.IMetric {
	return expression(strings.Join(h.terms, "+"), label, h.using, 3600)
}

func hourlySum() series { return series{stat: sum, seconds: 3600} }

func (st *stack) dynamoEstimate() awscloudwatch.IMetric {
	h := newHourly("d")
	for _, t := range st.tables {
		h.add(t.of("ConsumedWriteCapacityUnits", "", hourlySum()), prices.WriteUnit)
		h.add(t.of("ConsumedReadCapacityUnits", "", hourlySum()), prices.ReadUnit)
		for _, index := range t.schema.Indexes {
			h.add(t.of("ConsumedWriteCapacityUnits", index.Name, hourlySum()), prices.WriteUnit)
			h.add(t.of("ConsumedReadCapacityUnits", index.Name, hourlySum()), prices.ReadUnit)
		}
	}
	return h.metric("DynamoDB")
}

func (st *stack) lambdaEstimate() awscloudwatch.IMetric {
	h := newHourly("l")
	for _, f := range st.functions.all() {
		h.add(f.of("Duration", hourlySum()), prices.LambdaGBSecond*float64(f.spec.memory)/1024/1000)
		h.add(f.of("Invocations", hourlySum()), prices.LambdaRequest)
	}
	return h.metric("Lambda")
}

func (st *stack) logsEstimate(groups []awslogs.LogGroup) awscloudwatch.IMetric {
	h := newHourly("b")
	for _, f := range st.functions.all() {
		groups = append(groups, f.logs)
	}
	for _, g := range groups {
		s := hourlySum()
		s.dims = map[string]*string{"LogGroupName": g.LogGroupName()}
		h.add(metric("AWS/Logs", "IncomingBytes", s), prices.LogsIngestedGB/1e9)
	}
	return h.metric("logs and metrics")
}
