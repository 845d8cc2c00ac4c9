package content

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

const (
	// maxTransactItems leaves room for the check among DynamoDB's 100.
	maxTransactItems = 99
	// maxTransactBytes stays well below DynamoDB's 4 MB.
	maxTransactBytes = 3 << 20
)

// transact writes the items in as few transactions as they fit into, in their
// order, each under the check. A check or condition that fails gives
// [surgical.ErrMoved].
func (s *Store) transact(ctx context.Context, check types.TransactWriteItem, writes []types.TransactWriteItem) error {
	for len(writes) > 0 {
		n, bytes := 0, 0
		for n < len(writes) && n < maxTransactItems {
			bytes += putBytes(writes[n : n+1])
			if n > 0 && bytes > maxTransactBytes {
				break
			}
			n++
		}
		if err := s.transactOnce(ctx, append([]types.TransactWriteItem{check}, writes[:n]...)); err != nil {
			return err
		}
		writes = writes[n:]
	}
	return nil
}

func (s *Store) transactOnce(ctx context.Context, items []types.TransactWriteItem) error {
	err := dynamo.Transact(ctx, s.db, items)
	if dynamo.Contended(err) {
		return surgical.ErrMoved
	}
	return err
}

// putBytes is the size of the items that are put.
func putBytes(items []types.TransactWriteItem) int {
	bytes := 0
	for _, item := range items {
		if item.Put != nil {
			bytes += dynamo.ItemSize(item.Put.Item)
		}
	}
	return bytes
}
