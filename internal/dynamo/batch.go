package dynamo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/parallel"
)

const (
	maxBatchWrite = 25
	maxBatchGet   = 100
	// maxBatchBytes keeps a batch well below DynamoDB's limit of 16 MB a request.
	maxBatchBytes = 4 << 20
	// parallelBatches hides latency without flooding a cold table.
	parallelBatches = 8
)

// PutAll puts the items, in no particular order and not atomically. A nil error
// means that all of them are written.
func PutAll(ctx context.Context, db *dynamodb.Client, table string, items []Item) error {
	return PutEach(ctx, db, table, slices.Values(items))
}

// PutEach is [PutAll] for items that are made when it is their turn: at most
// [parallelBatches] batches of them exist at a time, and one more. It begins no
// batch that its context leaves no time for: the error is [ErrNoTime] then.
func PutEach(ctx context.Context, db *dynamodb.Client, table string, items iter.Seq[Item]) error {
	reserve := reserveOf(ctx)
	group, ctx := parallel.WithContext(ctx)
	group.SetLimit(parallelBatches)
	var ended error
	for batch := range batches(items) {
		if ended = ctx.Err(); ended != nil {
			break
		}
		group.Go(func() error { return putBatch(ctx, db, table, batch, pace{reserve: reserve}) })
	}
	return cmp.Or(group.Wait(), ended)
}

// batches splits items by count and size.
func batches(items iter.Seq[Item]) iter.Seq[[]Item] {
	return func(yield func([]Item) bool) {
		var batch []Item
		bytes := 0
		for item := range items {
			size := ItemSize(item)
			if len(batch) == maxBatchWrite || len(batch) > 0 && bytes+size > maxBatchBytes {
				if !yield(batch) {
					return
				}
				batch, bytes = nil, 0
			}
			batch = append(batch, item)
			bytes += size
		}
		if len(batch) > 0 {
			yield(batch)
		}
	}
}

func putBatch(ctx context.Context, db *dynamodb.Client, table string, items []Item, p pace) error {
	pending := make([]types.WriteRequest, len(items))
	for i, item := range items {
		pending[i].PutRequest = &types.PutRequest{Item: item}
	}
	if err := spare(ctx, p.reserve); err != nil {
		return err
	}
	for {
		out, err := db.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{
			RequestItems: map[string][]types.WriteRequest{table: pending},
		})
		switch {
		case err != nil && !Throttled(err):
			return fmt.Errorf("write a batch of %d items: %w", len(pending), err)
		case err == nil:
			left := out.UnprocessedItems[table]
			if len(left) == 0 {
				return nil
			}
			if len(left) < len(pending) {
				p.progress()
			}
			pending, err = left, errUnprocessed
		}
		if ended := p.again(ctx); ended != nil {
			return fmt.Errorf("write a batch of %d items, %d tries: %w", len(pending), p.tries, errors.Join(err, ended))
		}
	}
}

// GetAll reads the items with the given keys with strong consistency, in no
// particular order. Keys without an item are left out.
func GetAll(ctx context.Context, db *dynamodb.Client, table string, keys []Item) ([]Item, error) {
	found := make([][]Item, (len(keys)+maxBatchGet-1)/maxBatchGet)
	group, ctx := parallel.WithContext(ctx)
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

func getBatch(ctx context.Context, db *dynamodb.Client, table string, keys []Item) (found []Item, err error) {
	pending := map[string]types.KeysAndAttributes{table: {Keys: keys, ConsistentRead: aws.Bool(true)}}
	err = get(ctx, db, pending, fmt.Sprintf("read a batch of %d items", len(keys)), func(got map[string][]Item) (bool, error) {
		found = append(found, got[table]...)
		// A response is cut at 16 MB: as long as items arrive, there is no need to
		// pause.
		return len(got[table]) > 0, nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// get reads the pending keys, and hands each response to take, until no key is left.
// If take returns true, it asks for the others at once, and otherwise after a pause.
func get(ctx context.Context, db *dynamodb.Client, pending map[string]types.KeysAndAttributes, what string, take func(map[string][]Item) (bool, error)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for p := paceOf(ctx); ; {
		out, err := db.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: pending})
		switch {
		case err != nil && !Throttled(err):
			return fmt.Errorf("%s: %w", what, err)
		case err == nil:
			atOnce, err := take(out.Responses)
			if err != nil {
				return err
			}
			if pending = maps.Clone(out.UnprocessedKeys); len(pending) == 0 {
				return nil
			}
			if atOnce {
				p.tries, p.idle = 0, 0
				continue
			}
		}
		if ended := p.again(ctx); ended != nil {
			return fmt.Errorf("%s, %d tries: %w", what, p.tries, errors.Join(cmp.Or(err, errUnprocessed), ended))
		}
	}
}
