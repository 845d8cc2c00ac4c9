package main

import (
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// queueSet is the queues. All but one are FIFO queues.
type queueSet struct {
	requests, hides, bulk, deadLetters awssqs.Queue
	// feedFailures says what Lambda gave up of the content table's stream.
	feedFailures awssqs.Queue
}

// newQueues makes the queues. Their names are fixed, because a FIFO queue's
// name must end in .fifo.
func newQueues(st *stack) queueSet {
	var q queueSet
	dead := st.fifo("dead-letters.fifo")
	dead.VisibilityTimeout = lasting(surgical.DeadLetterVisibility)
	q.deadLetters = st.queue("DeadLetters", dead)
	st.suppress(q.deadLetters, "Serverless-SQSRedrivePolicy", "This is the dead-letter queue of the others: nothing consumes it, so nothing can fail.")
	work := func(id, name string, delay time.Duration) awssqs.Queue {
		props := st.fifo(name)
		if delay > 0 {
			props.DeliveryDelay = lasting(delay)
		}
		props.VisibilityTimeout = lasting(surgical.Visibility)
		props.DeadLetterQueue = &awssqs.DeadLetterQueue{Queue: q.deadLetters, MaxReceiveCount: jsii.Number(surgical.MaxReceives)}
		return st.queue(id, props)
	}
	q.requests = work("Requests", "requests.fifo", surgical.Settle)
	q.hides = work("Hides", "hides.fifo", 0) // no fetch has to wait until GitLab has settled
	q.bulk = work("Bulk", "bulk.fifo", surgical.Settle)
	q.feedFailures = st.newFailures()
	return q
}

// fifo is what all queues share: TLS only, encrypted, high throughput, and no
// deduplication by content: two events with one body are two events.
func (st *stack) fifo(name string) *awssqs.QueueProps {
	return &awssqs.QueueProps{
		QueueName:                 jsii.String(st.name(name)),
		Fifo:                      jsii.Bool(true),
		ContentBasedDeduplication: jsii.Bool(false),
		DeduplicationScope:        awssqs.DeduplicationScope_MESSAGE_GROUP,
		FifoThroughputLimit:       awssqs.FifoThroughputLimit_PER_MESSAGE_GROUP_ID,
		Encryption:                awssqs.QueueEncryption_SQS_MANAGED,
		EnforceSSL:                jsii.Bool(st.tls()),
		RetentionPeriod:           lasting(surgical.Retention),
	}
}

// plainHTTP is why resources of the local stack do not enforce TLS.
const plainHTTP = "The local stack's emulator speaks plain HTTP only; every other account gets TLS only."

// tls says whether queues and the bucket refuse plain HTTP. They always do, but the
// emulator speaks nothing else, and with IAM enforced it would refuse all.
func (st *stack) tls() bool { return st.settings.Account != localAccount }

func (st *stack) queue(id string, props *awssqs.QueueProps) awssqs.Queue {
	q := awssqs.NewQueue(st.Stack, &id, props)
	if !st.tls() {
		st.suppress(q, "AwsSolutions-SQS4", plainHTTP)
	}
	return q
}

// mapQueues lets the queues start the worker. bulk.fifo has a small share of its own,
// so that a backfill never takes a worker from a webhook, and so does hides.fifo, so that
// a hide request never waits for one that waits for GitLab.
func (st *stack) mapQueues() {
	start := func(id string, q awssqs.Queue, concurrency int) {
		m := awslambda.NewEventSourceMapping(st.Stack, &id, &awslambda.EventSourceMappingProps{
			Target:                  st.functions.worker.Function,
			EventSourceArn:          q.QueueArn(),
			BatchSize:               jsii.Number(surgical.BatchSize),
			ReportBatchItemFailures: jsii.Bool(true),
			MaxConcurrency:          jsii.Number(concurrency),
		})
		st.mappings = append(st.mappings, mapping{m, st.functions.worker})
		st.suppress(m, "Serverless-LambdaEventSourceMappingDestination", "SQS sources have no failure destination: the queue's redrive policy moves failed messages to the dead-letter queue.")
	}
	start("RequestsMapping", st.queues.requests, st.settings.WorkerConcurrency)
	start("HidesMapping", st.queues.hides, surgical.HideConcurrency)
	start("BulkMapping", st.queues.bulk, surgical.BulkConcurrency)
}
