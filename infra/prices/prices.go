// Package prices holds the list prices used for estimates, in US dollars, for
// us-east-1. They are assumptions, taken from AWS's pricing pages in February
// 2026, before free tiers, discounts and taxes; other regions may cost more.
// Tests compare docs/cost.md with them.
package prices

// Of states the region and date of the prices.
const Of = "us-east-1, February 2026"

// CloudWatch.
const (
	// LogsIngestedGB is the price of ingesting a GB of logs; LogsStoredGBMonth of
	// storing a GB for a month, after compression.
	LogsIngestedGB    = 0.50
	LogsStoredGBMonth = 0.03
	// LogsCompression is the compressed size of logs as a fraction of their
	// original size, as assumed on CloudWatch's pricing page.
	LogsCompression = 0.15
	// LogsScannedGB is the price of a GB scanned by Logs Insights.
	LogsScannedGB = 0.005
	// MetricMonth is the price of a custom metric for a month; hours without data
	// are free.
	MetricMonth = 0.30
	// AlarmMetricMonth is the price of one metric in an alarm for a month.
	AlarmMetricMonth = 0.10
	// DashboardMonth is the price of a dashboard for a month.
	DashboardMonth = 3.00
)

// X-Ray.
const (
	// TraceRecorded is the price of one recorded trace.
	TraceRecorded = 5.00 / 1e6
	// TracesSampled is the share of requests that Lambda samples beyond the first
	// in each second. It cannot be configured per function.
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

// SQS, FIFO queues.
const FIFORequest = 0.50 / 1e6

// Step Functions, express workflows, and the memory that they are charged for at least.
const (
	ExpressRequest  = 1.00 / 1e6
	ExpressGBSecond = 0.00001667
	ExpressMemoryGB = 64.0 / 1024
)
