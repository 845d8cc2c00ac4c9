package content

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

const (
	// maxTransactItems is DynamoDB's limit of 100, less one for the check.
	maxTransactItems = 99
	// maxTransactBytes stays well below DynamoDB's limit of 4 MB.
	maxTransactBytes = 3 << 20
)

// transact writes the items in order, in as few transactions as possible, each
// with the check. If the check or a condition fails, the error is
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

// putBytes returns the total size of the items that are put.
func putBytes(items []types.TransactWriteItem) int {
	bytes := 0
	for _, item := range items {
		if item.Put != nil {
			bytes += dynamo.ItemSize(item.Put.Item)
		}
	}
	return bytes
}
