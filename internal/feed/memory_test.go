package feed_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/memory"
)

func TestMain(m *testing.M) {
	os.Exit(memory.Main((*testing.M).Run, m, map[string]memory.Task{"feed": feedLargest}))
}

// feedLargest handles ten batches of as many records as Lambda passes on at a time, each
// of another document, whose keys are as long as DynamoDB allows.
func feedLargest(ctx context.Context, _ json.RawMessage) error {
	w := newWorld()
	for n := range 10 {
		var records []json.RawMessage
		for i := range surgical.FeedBatch {
			records = append(records, record(fmt.Sprintf("1#issue#%d doc#%s", n*surgical.FeedBatch+i, strings.Repeat("d", 1000))))
		}
		event, err := json.Marshal(map[string]any{"Records": records})
		if err != nil {
			return err
		}
		if _, err := w.consumer.Handle(ctx, event); err != nil {
			return err
		}
	}
	return nil
}

func TestConsumer_StaysWithinItsMemoryWithTheLargestBatches(t *testing.T) {
	memory.Within(t, "feed", surgical.SmallMemory, nil)
}
