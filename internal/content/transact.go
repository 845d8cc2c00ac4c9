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
	// maxTransactUnits is the most write units of one transaction, unless a single
	// item takes more. All items of an entity share one partition key, which takes
	// 1,000 units a second, and a transaction is throttled as a whole. It also
	// keeps a transaction well below DynamoDB's limit of 4 MB.
	maxTransactUnits = 500
)

// transact writes the items in order, in as few transactions as possible, each
// with the check. If the check or a condition fails, the error is
// [surgical.ErrMoved].
func (s *Store) transact(ctx context.Context, check types.TransactWriteItem, writes []types.TransactWriteItem) error {
	for len(writes) > 0 {
		n, units := 0, 0
		for n < len(writes) && n < maxTransactItems {
			units += transactUnits(writes[n : n+1])
			if n > 0 && units > maxTransactUnits {
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

// checked are writes that depend on one check.
type checked struct {
	check  types.TransactWriteItem
	writes []types.TransactWriteItem
}

// transactTogether writes everything in the list in as few transactions as
// possible. Checks share a transaction, so that one of them that fails keeps
// others from being written.
func (s *Store) transactTogether(ctx context.Context, list []checked) error {
	var shared []types.TransactWriteItem
	units := 0
	flush := func() error {
		if len(shared) == 0 {
			return nil
		}
		err := s.transactOnce(ctx, shared)
		shared, units = nil, 0
		return err
	}
	for _, one := range list {
		if len(one.writes) == 0 {
			continue
		}
		cost := transactUnits(one.writes)
		if len(one.writes) > maxTransactItems || cost > maxTransactUnits {
			if err := s.transact(ctx, one.check, one.writes); err != nil {
				return err
			}
			continue
		}
		if len(shared)+len(one.writes) > maxTransactItems || units+cost > maxTransactUnits {
			if err := flush(); err != nil {
				return err
			}
		}
		shared, units = append(append(shared, one.check), one.writes...), units+cost
	}
	return flush()
}

func (s *Store) transactOnce(ctx context.Context, items []types.TransactWriteItem) error {
	err := dynamo.Transact(ctx, s.db, items)
	// A conflict that outlasts the tries says nothing about the conditions.
	if dynamo.Refusals(err) != nil {
		return surgical.ErrMoved
	}
	return err
}

// transactUnits returns the write units of the items within a transaction, which
// are twice those of single writes. What a delete removes is not known here: it
// counts as a small item.
func transactUnits(items []types.TransactWriteItem) int {
	units := 0
	for _, item := range items {
		size := 0
		if item.Put != nil {
			size = dynamo.ItemSize(item.Put.Item)
		}
		units += 2 * dynamo.WriteUnits(size)
	}
	return units
}
