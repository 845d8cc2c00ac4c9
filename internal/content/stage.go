package content

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/parallel"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/tables"
)

// readerGrace is how long superseded items are kept: longer than any reader that
// started before the commit can run (a Lambda runs for at most 15 minutes).
const readerGrace = time.Hour

// parallelExpiries bounds concurrent updates of superseded items.
const parallelExpiries = 16

// StageChildren writes the children and manifest parts of the changes. They are
// invisible until a head names them.
func (s *Store) StageChildren(ctx context.Context, changes []*Change) error {
	n := 0
	items := func(yield func(dynamo.Item) bool) {
		for _, c := range changes {
			for _, staged := range c.staged {
				if n++; !yield(staged.item()) {
					return
				}
			}
		}
	}
	if err := dynamo.PutEach(ctx, s.db, s.table, items); err != nil {
		return fmt.Errorf("stage items, %d so far: %w", n, err)
	}
	return nil
}

// ExpireSuperseded lets superseded items expire: after the commit, the heads of
// the changes no longer name them. They are kept as long as a reader may still
// need them. If not all of them are known, it fails after those that are: the sweeper
// finds the others, because nothing names them.
func (s *Store) ExpireSuperseded(ctx context.Context, changes []*Change) error {
	for _, c := range changes {
		if err := s.expireAll(ctx, c.Ref, c.superseded); err != nil {
			return err
		}
		if c.unknown != nil {
			return c.unknown
		}
	}
	return nil
}

func (s *Store) expireAll(ctx context.Context, ref surgical.EntityRef, sks []string) error {
	group, ctx := parallel.WithContext(ctx)
	group.SetLimit(parallelExpiries)
	for _, sk := range sks {
		group.Go(func() error { return s.expire(ctx, ref, sk) })
	}
	return group.Wait()
}

// expire sets the TTL of an item, unless it is set already. It does not recreate
// an item that no longer exists.
func (s *Store) expire(ctx context.Context, ref surgical.EntityRef, sk string) error {
	ttl := expression.Name(tables.ExpiresAt)
	expr, err := expression.NewBuilder().
		WithCondition(expression.AttributeExists(expression.Name("pk"))).
		WithUpdate(expression.Set(ttl, ttl.IfNotExists(expression.Value(s.clock().Add(readerGrace).Unix())))).
		Build()
	if err != nil {
		return fmt.Errorf("expire %s: %w", sk, err)
	}
	_, err = s.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.table, Key: key(ref, sk),
		ConditionExpression: expr.Condition(), UpdateExpression: expr.Update(),
		ExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),
	})
	if err != nil && !dynamo.IsConditionFailed(err) {
		return fmt.Errorf("expire %s of %s: %w", sk, ref, err)
	}
	return nil
}
