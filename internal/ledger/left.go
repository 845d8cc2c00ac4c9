package ledger

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// leftBehind is the prefix of the row, in the state table, that marks an entity of
// which a run that failed or was cancelled left documents or embeddings undone. The
// row is only a hint that dirty sources are worth reading: it may be missing (runs of
// earlier versions wrote none) and may outlive them.
const leftBehind = "left_behind#"

// leftItem is a mark. By is the run that wrote it last.
type leftItem struct {
	Name string `dynamodbav:"name"`
	By   string `dynamodbav:"by"`
	At   int64  `dynamodbav:"at"`
}

func leftKey(ref surgical.EntityRef) string { return leftBehind + ref.Key() }

// LeftLookup names the row that exists if runs that failed or were cancelled may have
// left documents or embeddings of the entity undone.
func (l *Ledger) LeftLookup(ref surgical.EntityRef) dynamo.Lookup {
	return dynamo.Lookup{Table: l.tables.State, Key: stateKey(leftKey(ref))}
}

// markLeft marks the entity in the transaction that ends the run.
func (l *Ledger) markLeft(ref surgical.EntityRef, runID string, now time.Time) (types.TransactWriteItem, error) {
	item, err := attributevalue.MarshalMap(leftItem{Name: leftKey(ref), By: runID, At: dynamo.Micros(now)})
	if err != nil {
		return types.TransactWriteItem{}, fmt.Errorf("encode the mark of %s: %w", ref, err)
	}
	return types.TransactWriteItem{Put: &types.Put{TableName: &l.tables.State, Item: item}}, nil
}

// leaves lists the entities of which the run, as it ends, leaves a job that is not done.
func (c closing) leaves(run surgical.Run) []surgical.EntityRef {
	return slices.DeleteFunc(run.Refs(), func(ref surgical.EntityRef) bool {
		_, undone := c.undone[ref.Target]
		return !undone
	})
}

// Left is what runs that have ended left undone of one entity.
type Left struct {
	Ref  surgical.EntityRef
	Rows []surgical.Leftover
	// by is the run that wrote the entity's mark, as it was before the rows were read;
	// empty if there was none.
	by string
}

// Unintended returns what was not left on purpose: by runs that failed or were
// cancelled.
func (l Left) Unintended() Left {
	l.Rows = slices.DeleteFunc(slices.Clone(l.Rows), func(row surgical.Leftover) bool { return row.OnPurpose })
	return l
}

// LeftBehind reads what runs that have ended left undone of the entity.
func (l *Ledger) LeftBehind(ctx context.Context, ref surgical.EntityRef) (Left, error) {
	// The mark comes first: a run that ends after it was read replaces it, and the
	// removal of the mark as it was read is refused.
	out, err := l.db.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &l.tables.State, Key: stateKey(leftKey(ref)), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return Left{}, fmt.Errorf("read the mark of %s: %w", ref, err)
	}
	var mark leftItem
	if err := attributevalue.UnmarshalMap(out.Item, &mark); err != nil {
		return Left{}, fmt.Errorf("decode the mark of %s: %w", ref, err)
	}
	rows, err := l.leftRows(ctx, ref)
	return Left{Ref: ref, Rows: rows, by: mark.By}, err
}

// leftRows lists the entity's dirty sources whose run has ended.
func (l *Ledger) leftRows(ctx context.Context, ref surgical.EntityRef) ([]surgical.Leftover, error) {
	sources, err := l.DirtySources(ctx, ref)
	if err != nil {
		return nil, err
	}
	var old []surgical.Leftover
	for _, source := range sources {
		run, ended, err := l.ended(ctx, source.RunID)
		if err != nil {
			return nil, err
		}
		if ended {
			old = append(old, source.LeftBy(run))
		}
	}
	return old, nil
}

// ended reads the run and reports whether it is terminal; one that expired ended
// long ago.
func (l *Ledger) ended(ctx context.Context, runID string) (surgical.Run, bool, error) {
	run, err := l.Run(ctx, runID)
	if surgical.CodeOf(err) == surgical.CodeRunNotFound {
		return surgical.Run{}, true, nil
	}
	return run, run.Status.Terminal(), err
}

// TakeOver removes what was left of the entities, within the transaction that
// inserts dirty sources which cover it, in at most room items. Rows come before
// marks, and a mark goes only with all rows of its entity: what does not fit is found
// again. The transaction is refused if another run took a row over first, or if
// another run has left something since.
func (l *Ledger) TakeOver(left []Left, room int) ([]types.TransactWriteItem, error) {
	var rows, marks []types.TransactWriteItem
	for _, of := range left {
		taken := of.Rows[:min(len(of.Rows), room-len(rows))]
		for _, row := range taken {
			gone, err := l.deleteExistingDirty(of.Ref, row.ID)
			if err != nil {
				return nil, err
			}
			rows = append(rows, gone)
		}
		if of.by == "" || len(taken) < len(of.Rows) {
			continue
		}
		unmark, err := l.unmark(of)
		if err != nil {
			return nil, err
		}
		marks = append(marks, unmark)
	}
	return append(rows, marks[:min(len(marks), room-len(rows))]...), nil
}

// deleteExistingDirty fails if another run took the row over first.
func (l *Ledger) deleteExistingDirty(ref surgical.EntityRef, id string) (types.TransactWriteItem, error) {
	expr, err := expression.NewBuilder().WithCondition(expression.AttributeExists(expression.Name("dirty_id"))).Build()
	if err != nil {
		return types.TransactWriteItem{}, fmt.Errorf("take over dirty source %s: %w", id, err)
	}
	item := l.deleteDirty(ref, id)
	item.Delete.ConditionExpression, item.Delete.ExpressionAttributeNames = expr.Condition(), expr.Names()
	return item, nil
}

// unmark fails if another run has marked the entity since, or if the mark is gone.
func (l *Ledger) unmark(of Left) (types.TransactWriteItem, error) {
	expr, err := expression.NewBuilder().WithCondition(expression.Name("by").Equal(expression.Value(of.by))).Build()
	if err != nil {
		return types.TransactWriteItem{}, fmt.Errorf("clear the mark of %s: %w", of.Ref, err)
	}
	return types.TransactWriteItem{Delete: &types.Delete{
		TableName: &l.tables.State, Key: stateKey(leftKey(of.Ref)), ConditionExpression: expr.Condition(),
		ExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),
	}}, nil
}
