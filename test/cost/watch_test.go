package cost

import (
	"testing"

	"gitlab.com/lorehook/lorehook/test/dashboard"
)

// A few minutes have the metrics of a few minutes of the recording; docs/images has a
// picture of it.
func TestWatch_RecordsWhatTheFunctionsUse(t *testing.T) {
	recorded, err := dashboard.Recorded()
	if err != nil {
		t.Fatal(err)
	}
	stack := Stack{Functions: map[string]Function{}}
	for _, name := range []string{"webhook", "worker", "docs", "embed", "finish", "feed", "indexer", "builder", "sweeper", "crawler"} {
		stack.Functions[name] = Function{MemoryMB: 512}
	}
	got := Watch(t, stack, 10)
	for key := range got.Series {
		if recorded.Series[key] == nil {
			t.Errorf("%s was not recorded: make dashboard RECORD=1", key)
		}
	}
	for _, key := range []string{
		dashboard.Key("lorehook", "Freshness", "Origin=webhook"), dashboard.Key("lorehook", "Runs", "Status=succeeded"),
		dashboard.Key("AWS/Lambda", "Duration", "FunctionName=lorehook-worker"), dashboard.Key("AWS/SQS", "NumberOfMessagesSent", "QueueName=lorehook-requests.fifo"),
		dashboard.Key("AWS/States", "ExpressExecutionBilledDuration", "StateMachineArn=lorehook-workflow"),
		dashboard.Key("AWS/DynamoDB", "ConsumedWriteCapacityUnits", "TableName=SyncRuns"), dashboard.Key("AWS/Bedrock", "InputTokenCount", "ModelId=amazon.titan-embed-text-v2:0"),
	} {
		total := 0.0
		for _, values := range got.Series[key] {
			for _, v := range values {
				total += v
			}
		}
		if total <= 0 {
			t.Errorf("%s is %g", key, total)
		}
	}
}
