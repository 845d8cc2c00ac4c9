package main

import (
	"encoding/json"

	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"

	"gitlab.com/lorehook/lorehook/infra/access"
	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/tables"
)

// newFailures makes the queue to which Lambda sends what it gave up of the stream: the
// place of the records, not the records themselves.
func (st *stack) newFailures() awssqs.Queue {
	q := st.queue("FeedFailures", &awssqs.QueueProps{
		QueueName:         jsii.String(st.name(access.FeedFailures)),
		Encryption:        awssqs.QueueEncryption_SQS_MANAGED,
		EnforceSSL:        jsii.Bool(st.tls()),
		RetentionPeriod:   lasting(surgical.Retention),
		VisibilityTimeout: lasting(2 * surgical.FeedTimeout),
	})
	st.suppress(q, "AwsSolutions-SQS3", kept)
	st.suppress(q, "Serverless-SQSRedrivePolicy", kept)
	return q
}

// kept is why the queue has no dead-letter queue.
const kept = "A message restarts the change feeds, and is received again until it did; an alarm reports a function that fails."

// streamOf is the ARN of a table's stream. CloudFormation does not learn of the new stream
// of a content table that was restored under its name, so a setting names it.
func (st *stack) streamOf(schema tables.Table) *string {
	if given := st.settings.ContentStreamARN; given != "" && schema.Name == tables.Content().Name {
		return &given
	}
	return st.tables.of(schema).TableStreamArn()
}

// mapStream lets the stream of the content table start the function that writes the
// feeds, with the records that matter to readers. A batch that fails is repeated, in
// halves, until its records are too old. Then Lambda says so in a queue, which starts the
// same function: it restarts the feeds, because records were left out.
func (st *stack) mapStream() {
	var prefixes []map[string]string
	for _, prefix := range content.StreamPrefixes() {
		prefixes = append(prefixes, map[string]string{"prefix": prefix})
	}
	pattern, err := json.Marshal(map[string]any{"dynamodb": map[string]any{"Keys": map[string]any{"sk": map[string]any{"S": prefixes}}}})
	if err != nil {
		panic(err) // maps of strings always encode
	}
	stream := awslambda.NewEventSourceMapping(st.Stack, jsii.String("FeedMapping"), &awslambda.EventSourceMappingProps{
		Target:                  st.functions.feed.Function,
		EventSourceArn:          st.streamOf(tables.Content()),
		StartingPosition:        awslambda.StartingPosition_TRIM_HORIZON,
		BatchSize:               jsii.Number(surgical.FeedBatch),
		MaxBatchingWindow:       lasting(surgical.FeedWindow),
		BisectBatchOnError:      jsii.Bool(true),
		MaxRecordAge:            lasting(surgical.FeedGap),
		ReportBatchItemFailures: jsii.Bool(true),
	})
	template := stream.Node().DefaultChild().(awslambda.CfnEventSourceMapping)
	template.SetFilterCriteria(&awslambda.CfnEventSourceMapping_FilterCriteriaProperty{
		Filters: []any{&awslambda.CfnEventSourceMapping_FilterProperty{Pattern: jsii.String(string(pattern))}},
	})
	template.SetDestinationConfig(&awslambda.CfnEventSourceMapping_DestinationConfigProperty{
		OnFailure: &awslambda.CfnEventSourceMapping_OnFailureProperty{Destination: st.queues.feedFailures.QueueArn()},
	})
	failures := awslambda.NewEventSourceMapping(st.Stack, jsii.String("FeedFailuresMapping"), &awslambda.EventSourceMappingProps{
		Target:         st.functions.feed.Function,
		EventSourceArn: st.queues.feedFailures.QueueArn(),
		BatchSize:      jsii.Number(surgical.BatchSize),
	})
	st.mappings = append(st.mappings, mapping{stream, st.functions.feed}, mapping{failures, st.functions.feed})
	st.suppress(failures, "Serverless-LambdaEventSourceMappingDestination", kept)
}
