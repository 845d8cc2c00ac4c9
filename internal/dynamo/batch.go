package dynamo

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"
)

const (
	maxBatchWrite = 25
	maxBatchGet   = 100
	// maxBatchBytes keeps a batch well below DynamoDB's limit of 16 MB a request.
	maxBatchBytes = 4 << 20
	// parallelBatches hides latency without flooding a cold table.
	parallelBatches = 8
	// maxBatchTries bounds how often a batch with unprocessed items is sent.
	maxBatchTries = 10
)

// PutAll puts the items, in no particular order and not atomically. A nil error
// means that all of them are written.
func PutAll(ctx context.Context, db *dynamodb.Client, table string, items []Item) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelBatches)
	for _, batch := range batches(items) {
		group.Go(func() error { return putBatch(ctx, db, table, batch) })
	}
	return group.Wait()
}

// batches splits items by count and size.
func batches(items []Item) [][]Item {
	var out [][]Item
	bytes := 0
	for _, item := range items {
		size := ItemSize(item)
		if len(out) == 0 || len(out[len(out)-1]) == maxBatchWrite || bytes+size > maxBatchBytes {
			out, bytes = append(out, nil), 0
		}
		out[len(out)-1] = append(out[len(out)-1], item)
		bytes += size
	}
	return out
}

func putBatch(ctx context.Context, db *dynamodb.Client, table string, items []Item) error {
	pending := make([]types.WriteRequest, len(items))
	for i, item := range items {
		pending[i].PutRequest = &types.PutRequest{Item: item}
	}
	for try := range maxBatchTries {
		if err := pause(ctx, try); err != nil {
			return err
		}
		out, err := db.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{
			RequestItems: map[string][]types.WriteRequest{table: pending},
		})
		if err != nil {
			return fmt.Errorf("write a batch of %d items: %w", len(pending), err)
		}
		if pending = out.UnprocessedItems[table]; len(pending) == 0 {
			return nil
		}
	}
	return fmt.Errorf("%d items were left unprocessed %d times", len(pending), maxBatchTries)
}

// GetAll reads the items with the given keys with strong consistency, in no
// particular order. Keys without an item are left out.
func GetAll(ctx context.Context, db *dynamodb.Client, table string, keys []Item) ([]Item, error) {
	found := make([][]Item, (len(keys)+maxBatchGet-1)/maxBatchGet)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelBatches)
	next := 0
	for batch := range slices.Chunk(keys, maxBatchGet) {
		i := next
		next++
		group.Go(func() (err error) {
			found[i], err = getBatch(ctx, db, table, batch)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return slices.Concat(found...), nil
}

func getBatch(ctx context.Context, db *dynamodb.Client, table string, keys []Item) ([]Item, error) {
	var found []Item
	pending := map[string]types.KeysAndAttributes{table: {Keys: keys, ConsistentRead: aws.Bool(true)}}
	for empty := 0; empty < maxBatchTries; {
		if err := pause(ctx, empty); err != nil {
			return nil, err
		}
		out, err := db.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: pending})
		if err != nil {
			return nil, fmt.Errorf("read a batch of %d items: %w", len(keys), err)
		}
		got := out.Responses[table]
		found = append(found, got...)
		if pending = maps.Clone(out.UnprocessedKeys); len(pending[table].Keys) == 0 {
			return found, nil
		}
		// A response is cut at 16 MB: as long as items arrive, there is no need to
		// pause.
		if len(got) == 0 {
			empty++
		} else {
			empty = 0
		}
	}
	return nil, fmt.Errorf("keys were left unprocessed %d times", maxBatchTries)
}

// pause waits before a retry: 0, 20, 40, 80 ms and so on, up to 2 s.
func pause(ctx context.Context, try int) error {
	if try == 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(min(2*time.Second, 10*time.Millisecond<<try))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
