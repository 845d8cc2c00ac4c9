package main

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func TestQueuesKeepOrderAndLoseNothing(t *testing.T) {
	const fortnight = 1_209_600.0
	shared := map[string]any{
		"FifoQueue": true, "ContentBasedDeduplication": false, "DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId",
		"SqsManagedSseEnabled": true, "MessageRetentionPeriod": fortnight,
	}
	work := with(shared, map[string]any{
		"DelaySeconds": surgical.Settle.Seconds(), "VisibilityTimeout": 140.0,
		"RedrivePolicy": map[string]any{"deadLetterTargetArn": "DeadLetters.Arn", "maxReceiveCount": 1000.0},
	})
	immediate := maps.Clone(work)
	delete(immediate, "DelaySeconds")
	want := map[string]map[string]any{
		"Requests":    with(work, map[string]any{"QueueName": "lorehook-requests.fifo"}),
		"Hides":       with(immediate, map[string]any{"QueueName": "lorehook-hides.fifo"}),
		"Bulk":        with(work, map[string]any{"QueueName": "lorehook-bulk.fifo"}),
		"DeadLetters": with(shared, map[string]any{"QueueName": "lorehook-dead-letters.fifo", "VisibilityTimeout": 30.0}),
		// A message restarts the feeds: order and number do not matter.
		"FeedFailures": {"QueueName": "lorehook-feed-failures", "SqsManagedSseEnabled": true, "MessageRetentionPeriod": fortnight, "VisibilityTimeout": 120.0},
	}
	if diff := cmp.Diff(want, onAWS(t).ofType("AWS::SQS::Queue")); diff != "" {
		t.Errorf("queues (-want +got):\n%s", diff)
	}
}

// A message that shows up while its worker may still run, or while its lease
// still holds, would only wait; one hidden for much longer would freeze its
// entity after a crash.
func TestVisibilityOutlastsWorkerAndLeaseButLittle(t *testing.T) {
	everyVariant(t, func(t *testing.T, s stackTemplate) {
		worker := seconds(s.ofType("AWS::Lambda::Function")["WorkerFunction"]["Timeout"])
		if worker != 120*time.Second || surgical.Lease <= worker {
			t.Errorf("the worker has %s, its lease %s: want 120 s, and a lease a little longer", worker, surgical.Lease)
		}
		for _, name := range []string{"Requests", "Hides", "Bulk"} {
			visibility := seconds(s.ofType("AWS::SQS::Queue")[name]["VisibilityTimeout"])
			if visibility <= surgical.Lease || visibility > surgical.Lease+30*time.Second {
				t.Errorf("%s hides a message for %s, want a little more than the lease of %s", name, visibility, surgical.Lease)
			}
		}
	})
}

func TestQueuesRefusePlainHTTPOnEveryRealAccount(t *testing.T) {
	refusal := func(queue string) map[string]any {
		return map[string]any{
			"Queues": []any{queue},
			"PolicyDocument": map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
				"Effect": "Deny", "Principal": map[string]any{"AWS": "*"}, "Action": "sqs:*", "Resource": queue + ".Arn",
				"Condition": map[string]any{"Bool": map[string]any{"aws:SecureTransport": "false"}},
			}}},
		}
	}
	all := map[string]map[string]any{
		"RequestsPolicy": refusal("Requests"), "BulkPolicy": refusal("Bulk"), "HidesPolicy": refusal("Hides"), "DeadLettersPolicy": refusal("DeadLetters"),
		"FeedFailuresPolicy": refusal("FeedFailures"),
	}
	for name, c := range map[string]struct {
		got  stackTemplate
		want map[string]map[string]any
	}{
		"any account": {onAWS(t), all},
		"an account":  {onOpenAI(t), all},
		// Its emulator speaks plain HTTP only.
		"the local stack": {onLocal(t), map[string]map[string]any{}},
	} {
		if diff := cmp.Diff(c.want, c.got.ofType("AWS::SQS::QueuePolicy")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Partial failures, a share each, and no batching window: it would hold a
// webhook back, and AWS has none for FIFO queues.
func TestMappingsReportEachMessageAndShareTheWorker(t *testing.T) {
	mapping := func(queue string, concurrency int) map[string]any {
		return map[string]any{
			"EventSourceArn": queue + ".Arn", "FunctionName": "WorkerFunction", "BatchSize": 10.0,
			"FunctionResponseTypes": []any{"ReportBatchItemFailures"},
			"ScalingConfig":         map[string]any{"MaximumConcurrency": float64(concurrency)},
		}
	}
	// The stream gives nothing up before it is 20 hours old, says what it gives up, and
	// starts at the beginning.
	feeds := map[string]any{
		"EventSourceArn": "Content.StreamArn", "FunctionName": "FeedFunction", "BatchSize": 100.0, "MaximumBatchingWindowInSeconds": 5.0, "StartingPosition": "TRIM_HORIZON",
		"BisectBatchOnFunctionError": true, "MaximumRecordAgeInSeconds": 72_000.0, "FunctionResponseTypes": []any{"ReportBatchItemFailures"},
		"DestinationConfig": map[string]any{"OnFailure": map[string]any{"Destination": "FeedFailures.Arn"}},
		"FilterCriteria": map[string]any{"Filters": []any{map[string]any{
			"Pattern": `{"dynamodb":{"Keys":{"sk":{"S":[{"prefix":"head"},{"prefix":"doc#"},{"prefix":"emb#"},{"prefix":"beat"}]}}}}`,
		}}},
	}
	failures := map[string]any{"EventSourceArn": "FeedFailures.Arn", "FunctionName": "FeedFunction", "BatchSize": 10.0}
	for name, c := range map[string]struct {
		got      stackTemplate
		requests int
	}{
		"by default":               {onAWS(t), 4},
		"with workerConcurrency=5": {onOpenAI(t), 5},
	} {
		want := map[string]map[string]any{"RequestsMapping": mapping("Requests", c.requests), "BulkMapping": mapping("Bulk", 2), "HidesMapping": mapping("Hides", 2), "FeedMapping": feeds, "FeedFailuresMapping": failures}
		if diff := cmp.Diff(want, c.got.ofType("AWS::Lambda::EventSourceMapping")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// gitlab.com allows 2,000 requests a minute.
func TestWorkersOfBothQueuesStayWithinGitLabsBudget(t *testing.T) {
	s := onAWS(t)
	workers := 0.0
	for _, m := range s.ofType("AWS::Lambda::EventSourceMapping") {
		if scaling, ok := m["ScalingConfig"].(map[string]any); ok { // the others call no GitLab
			workers += scaling["MaximumConcurrency"].(float64)
		}
	}
	var perWorker float64
	if _, err := fmt.Sscan(environment(s, "Worker")["LOREHOOK_GITLAB_REQUESTS_PER_SECOND"], &perWorker); err != nil {
		t.Fatal(err)
	}
	if total := workers * perWorker * 60; total > 2000 {
		t.Errorf("%v workers ask %v times a second: %v requests a minute", workers, perWorker, total)
	}
}

// seconds reads a template's number of seconds.
func seconds(v any) time.Duration {
	n, _ := v.(float64)
	return time.Duration(n * float64(time.Second))
}
