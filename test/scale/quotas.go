package scale

import "time"

// Quotas of AWS and GitLab are defaults, by the pages named here, which were read in
// November 2026 as copies that others keep: none was compared with an account. New
// accounts may have less.
const (
	// GitLab.com: https://docs.gitlab.com/user/gitlab_com/#rate-limits-on-gitlabcom
	//
	// EventsAMinute is how many webhooks GitLab.com sends at most for a top-level
	// namespace, RequestsAMinute how many requests of one user it answers.
	EventsAMinute   = 13_000
	RequestsAMinute = 2_000
	// budgetInterval is the time for which GitLab counts requests.
	budgetInterval = time.Minute

	// Lambda: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
	//
	// concurrency is how many invocations an account may run at a time in a Region,
	// newConcurrency what new accounts often have.
	concurrency    = 1_000
	newConcurrency = 10

	// API Gateway, requests a second of an account in a Region, 2,500 in some:
	// https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
	gatewayRequests = 10_000

	// SQS, FIFO queues:
	// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
	// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-fifo.html
	//
	// fifoCalls is how many calls of each kind a queue takes a second; with high
	// throughput, a partition does, which is where a message group is, and a queue up to
	// 70,000 in the largest Regions.
	fifoCalls = 300
	// inFlight is how many messages of a queue may be received and not deleted; older
	// copies of the page have 20,000.
	inFlight = 120_000
	// looked is how many of the first messages of a queue SQS looks at for a group that may
	// be received ("Avoid large message backlogs with the same message group ID").
	looked = 120_000

	// DynamoDB: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html
	// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
	// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html
	// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/gsi-throttling.html
	//
	// partitionReads is units a second of a partition; its write units are
	// surgical.PartitionWriteUnits. An index has partitions of its own, and throttles the
	// writes of its table. tableWrites is what a table takes at most, newTableWrites what a
	// new one takes at once.
	partitionReads = 3_000
	tableWrites    = 40_000
	newTableWrites = 4_000

	// Step Functions, starts of express executions a second, with a bucket of as many;
	// their transitions are not limited:
	// https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
	starts = 6_000

	// Secrets Manager, readings a second:
	// https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
	secretReads = 10_000

	// Bedrock, requests a minute for Titan Text Embeddings V2. Embedding models are
	// limited by requests ("Embedding models on Amazon Bedrock are throttled by Requests
	// Per Minute"): https://docs.aws.amazon.com/bedrock/latest/userguide/titan-embedding-models.html
	//
	// That page has no number: this is the smallest quota that surgical's
	// DefaultEmbedderConcurrency is made for. The account's own is in Service Quotas.
	bedrockRequests = 600
)
