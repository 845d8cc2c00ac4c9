package content

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Erase returns the write that puts a head without a copy in place of the head as it
// was read, if there is one. From then on no reader sees anything of the entity, and
// no commit passes the guard. Everything else of the entity is left to
// [Store.RemoveErased].
//
// fetched_until is the time of the erasing: once that is lifted, only a fetch that
// began later is stored.
func (s *Store) Erase(head surgical.Head, at time.Time) (types.TransactWriteItem, error) {
	ref, revision := head.Ref, head.Revision+1
	erased := headItem{
		PK: partition(ref), SK: headKey, ProjectID: ref.ProjectID, Entity: ref.Target.String(),
		Revision: revision, ChangedRevision: revision, DocumentsVisibleFrom: revision,
		FetchedUntil: at.UnixMicro(), HiddenSince: dynamo.Micros(head.HiddenSince), Erased: at.UnixMicro(),
	}
	asRead := expression.AttributeNotExists(expression.Name("pk"))
	if head.Exists() {
		erased.UpdatedAt, asRead = head.UpdatedAt.UnixMicro(), unmoved(head)
	}
	item, err := attributevalue.MarshalMap(erased)
	if err != nil {
		return types.TransactWriteItem{}, fmt.Errorf("erase %s: %w", ref, err)
	}
	expr, err := expression.NewBuilder().WithCondition(asRead).Build()
	if err != nil {
		return types.TransactWriteItem{}, fmt.Errorf("erase %s: %w", ref, err)
	}
	return types.TransactWriteItem{Put: &types.Put{
		TableName: &s.table, Item: item, ConditionExpression: expr.Condition(),
		ExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),
	}}, nil
}

// StaysErased returns the check that the head is still that of the erasing.
func (s *Store) StaysErased(head surgical.Head) (types.TransactWriteItem, error) {
	return s.check(key(head.Ref, headKey), erasedAt(head))
}

// LiftErasure returns the write that lets the entity be fetched again. The head stays
// without a copy until then.
func (s *Store) LiftErasure(head surgical.Head) (types.TransactWriteItem, error) {
	expr, err := expression.NewBuilder().WithCondition(erasedAt(head)).WithUpdate(expression.Remove(expression.Name("erased"))).Build()
	if err != nil {
		return types.TransactWriteItem{}, fmt.Errorf("lift the erasure of %s: %w", head.Ref, err)
	}
	return types.TransactWriteItem{Update: &types.Update{
		TableName: &s.table, Key: key(head.Ref, headKey),
		ConditionExpression: expr.Condition(), UpdateExpression: expr.Update(),
		ExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),
	}}, nil
}

func erasedAt(head surgical.Head) expression.ConditionBuilder {
	return expression.Name("erased").Equal(expression.Value(dynamo.Micros(head.ErasedAt))).
		And(expression.Name("revision").Equal(expression.Value(head.Revision)))
}

// Collection counts the items that the table has of one entity, besides its head,
// visible or not.
type Collection struct {
	// Parts are children, pieces of texts, and parts of manifests.
	Parts, Documents, Embeddings int
}

// Total counts all items.
func (c Collection) Total() int { return c.Parts + c.Documents + c.Embeddings }

// Collection lists the entity's items, strongly consistent, and counts them.
func (s *Store) Collection(ctx context.Context, ref surgical.EntityRef) (Collection, error) {
	var all Collection
	for sk, err := range s.sortKeys(ctx, ref, "") {
		switch {
		case err != nil:
			return Collection{}, err
		case sk == headKey:
		case strings.HasPrefix(sk, docPrefix):
			all.Documents++
		case strings.HasPrefix(sk, embPrefix), strings.HasPrefix(sk, vecPrefix):
			all.Embeddings++
		default:
			all.Parts++
		}
	}
	return all, nil
}

// sortKeys yields those of the entity's sort keys that begin with the prefix, strongly
// consistent; "" is for all.
func (s *Store) sortKeys(ctx context.Context, ref surgical.EntityRef, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		in, err := s.collection(ref, prefix, expression.Name("sk"))
		if err != nil {
			yield("", err)
			return
		}
		for item, err := range dynamo.QueryAll(ctx, s.db, in) {
			if err != nil {
				err = fmt.Errorf("list what is stored of %s: %w", ref, err)
			}
			if !yield(sortKey(item), err) || err != nil {
				return
			}
		}
	}
}

// RemoveErased deletes every item of an erased entity but its head, until none is left
// or more returns false. It returns whether none is left. An item whose key a later
// commit may use again is deleted on the condition that it is older than the erasing;
// the keys of all others are never used again.
func (s *Store) RemoveErased(ctx context.Context, head surgical.Head, more func() bool) (bool, error) {
	done, err := s.RemoveHidden(ctx, head, more)
	if err != nil || !done {
		return false, err
	}
	exists, err := expression.NewBuilder().WithCondition(expression.AttributeExists(expression.Name("pk"))).Build()
	if err != nil {
		return false, fmt.Errorf("remove what %s consisted of: %w", head.Ref, err)
	}
	for _, prefix := range []string{childPrefix, piecePrefix, partPrefix} {
		var keys []string
		for sk, err := range s.sortKeys(ctx, head.Ref, prefix) {
			if err != nil {
				return false, err
			}
			keys = append(keys, sk)
		}
		for some := range slices.Chunk(keys, 10*parallelRemovals) {
			if !more() {
				return false, nil
			}
			if err := s.removeAll(ctx, head.Ref, some, exists); err != nil {
				return false, err
			}
		}
	}
	return true, nil
}
