// Package prices holds the list prices used for estimates, in US dollars, for
// us-east-1, before free tiers, discounts and taxes; other regions may cost more. They
// are assumptions of February 2026: check them before you rely on them. Each group names
// AWS's page about it. Tests compare docs/cost.md with them.
//
// Pages that quote the prices of CloudWatch, standard and express workflows, secrets, KMS
// and stored tables were found in November 2026, and agree. None was found for those of
// point-in-time recovery, temporary storage, standard queues, HTTP APIs, S3 and Titan.
package prices

// Of states the region and date of the prices.
const Of = "us-east-1, February 2026"

// HoursOfMonth is AWS's month, for prices by the month.
const HoursOfMonth = 730.0

// CloudWatch: https://aws.amazon.com/cloudwatch/pricing/
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

// X-Ray: https://aws.amazon.com/xray/pricing/
const (
	// TraceRecorded is the price of one recorded trace.
	TraceRecorded = 5.00 / 1e6
	// TracesSampled is the share of requests that Lambda samples beyond the first
	// in each second. It cannot be configured per function.
	TracesSampled = 0.05
)

// DynamoDB on demand, with tables of the class Standard:
// https://aws.amazon.com/dynamodb/pricing/on-demand/
const (
	WriteUnit = 0.625 / 1e6
	ReadUnit  = 0.125 / 1e6
	// TableGBMonth is the price of a stored GB, and RecoveryGBMonth of one in
	// point-in-time recovery.
	TableGBMonth    = 0.25
	RecoveryGBMonth = 0.20
)

// Lambda on arm64, with 512 MB of temporary storage:
// https://aws.amazon.com/lambda/pricing/
const (
	LambdaRequest  = 0.20 / 1e6
	LambdaGBSecond = 0.0000133334
	// StorageGBSecond is the price of temporary storage beyond FreeStorageMB, which
	// every function has.
	StorageGBSecond = 0.0000000309
	FreeStorageMB   = 512
)

// SQS, per request of up to 64 KB: https://aws.amazon.com/sqs/pricing/
const (
	FIFORequest     = 0.50 / 1e6
	StandardRequest = 0.40 / 1e6
)

// Step Functions: https://aws.amazon.com/step-functions/pricing/
const (
	ExpressRequest  = 1.00 / 1e6
	ExpressGBSecond = 0.00001667
	// ExpressMemoryGB is what an execution is charged for at least.
	ExpressMemoryGB = 64.0 / 1024
	// StandardTransition is the price of entering a state of a standard workflow.
	StandardTransition = 25.00 / 1e6
)

// API Gateway, HTTP APIs, per request of up to 512 KB:
// https://aws.amazon.com/api-gateway/pricing/
const GatewayRequest = 1.00 / 1e6

// S3, storage class Standard: https://aws.amazon.com/s3/pricing/
const (
	// ObjectPut is the price of a PUT or LIST, ObjectGet of a GET or HEAD. Deletes
	// are free.
	ObjectPut     = 5.00 / 1e6
	ObjectGet     = 0.40 / 1e6
	ObjectGBMonth = 0.023
)

// Secrets Manager: https://aws.amazon.com/secrets-manager/pricing/
const (
	SecretMonth = 0.40
	SecretRead  = 5.00 / 1e6
)

// KMS: https://aws.amazon.com/kms/pricing/
const KeyRequest = 3.00 / 1e6

// Bedrock, Titan Text Embeddings V2: https://aws.amazon.com/bedrock/pricing/
const EmbeddedToken = 0.02 / 1e6
