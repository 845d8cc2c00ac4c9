// Package prices holds the list prices that estimates are made with, in US
// dollars of the region us-east-1. They are assumptions: taken from AWS's
// pricing pages in February 2026, before free tiers, discounts and taxes, and
// other regions cost more. Whoever changes one runs the tests, which compare
// docs/cost.md.
package prices

// Of says when and where the prices were taken.
const Of = "us-east-1, February 2026"

// CloudWatch.
const (
	// LogsIngestedGB is a GB of logs that functions and the gateway write;
	// LogsStoredGBMonth keeps a GB for a month, after compression.
	LogsIngestedGB    = 0.50
	LogsStoredGBMonth = 0.03
	// LogsCompression is what CloudWatch's compression leaves of such logs, as
	// its pricing page assumes.
	LogsCompression = 0.15
	// LogsScannedGB is a GB that a query of Logs Insights reads.
	LogsScannedGB = 0.005
	// MetricMonth is one custom metric for a month; an hour in which it has no
	// data costs nothing.
	MetricMonth = 0.30
	// AlarmMetricMonth is one metric of an alarm for a month.
	AlarmMetricMonth = 0.10
	// DashboardMonth is one dashboard for a month.
	DashboardMonth = 3.00
)

// X-Ray.
const (
	// TraceRecorded is one trace that is recorded.
	TraceRecorded = 5.00 / 1e6
	// TracesSampled is the share of requests that Lambda samples beyond the first
	// one each second. It cannot be changed for a function.
	TracesSampled = 0.05
)

// DynamoDB on demand.
const (
	WriteUnit = 0.625 / 1e6
	ReadUnit  = 0.125 / 1e6
)

// Lambda on arm64.
const (
	LambdaRequest  = 0.20 / 1e6
	LambdaGBSecond = 0.0000133334
)
