package ledger

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// followUps is the hash key, in the table of jobs, of all follow-ups that are
// pending. No run has it as its id. The sort key is the entity, so that an entity
// has at most one.
const followUps = "follow_ups"

// followUpItem is the row of a pending follow-up.
type followUpItem struct {
	Hash        string    `dynamodbav:"scope_run_id"`
	Entity      string    `dynamodbav:"job_id"`
	NotBefore   int64     `dynamodbav:"not_before"`
	ConfirmAt   int64     `dynamodbav:"confirm_at,omitempty"`
	EventAt     int64     `dynamodbav:"event_at"`
	Evidence    *evidence `dynamodbav:"evidence,omitempty"`
	By          string    `dynamodbav:"by"`
	TraceParent string    `dynamodbav:"traceparent,omitempty"`
}

func itemOfFollowUp(f surgical.FollowUp) followUpItem {
	return followUpItem{
		Hash: followUps, Entity: f.Ref.Key(), NotBefore: dynamo.Micros(f.NotBefore), ConfirmAt: dynamo.Micros(f.ConfirmAt),
		EventAt: dynamo.Micros(f.EventAt), Evidence: itemOfEvidence(f.Evidence), By: f.By.String(), TraceParent: f.TraceParent,
	}
}

func followUpOf(item dynamo.Item) (surgical.FollowUp, error) {
	var row followUpItem
	if err := attributevalue.UnmarshalMap(item, &row); err != nil {
		return surgical.FollowUp{}, fmt.Errorf("decode a follow-up: %w", err)
	}
	ref, err := surgical.ParseEntityRef(row.Entity)
	if err != nil {
		return surgical.FollowUp{}, fmt.Errorf("decode a follow-up: %w", err)
	}
	by, err := surgical.ParseAttemptID(row.By)
	if err != nil {
		return surgical.FollowUp{}, fmt.Errorf("decode the follow-up of %s: %w", ref, err)
	}
	return surgical.FollowUp{
		Ref: ref, NotBefore: dynamo.FromMicros(row.NotBefore), ConfirmAt: dynamo.FromMicros(row.ConfirmAt),
		EventAt: dynamo.FromMicros(row.EventAt), Evidence: row.Evidence.evidence(), By: by, TraceParent: row.TraceParent,
	}, nil
}

// AddFollowUp returns the write that makes the follow-up pending, merged with the
// one that is pending already. It belongs in the transaction that commits or ends
// the attempt: what the copy may lack is then on record as soon as anybody can see
// it. The transaction is refused if the pending follow-up moves in the meantime.
func (l *Ledger) AddFollowUp(ctx context.Context, by surgical.AttemptID, added surgical.FollowUp) (types.TransactWriteItem, error) {
	pending, err := l.FollowUp(ctx, added.Ref)
	if err != nil {
		return types.TransactWriteItem{}, err
	}
	added.By = by
	if pending == nil {
		return putItem(l.tables.DependentQueue, "job_id", itemOfFollowUp(added))
	}
	return l.replaceFollowUp(*pending, pending.Merge(added))
}

// FollowUp reads the entity's pending follow-up; nil if there is none.
func (l *Ledger) FollowUp(ctx context.Context, ref surgical.EntityRef) (*surgical.FollowUp, error) {
	out, err := l.db.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &l.tables.DependentQueue, Key: jobKey(followUps, ref.Key()), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return nil, fmt.Errorf("read the follow-up of %s: %w", ref, err)
	}
	if out.Item == nil {
		return nil, nil
	}
	pending, err := followUpOf(out.Item)
	return &pending, err
}

// replaceFollowUp puts next in place of the pending follow-up as it was read.
func (l *Ledger) replaceFollowUp(pending, next surgical.FollowUp) (types.TransactWriteItem, error) {
	item, err := attributevalue.MarshalMap(itemOfFollowUp(next))
	if err != nil {
		return types.TransactWriteItem{}, fmt.Errorf("encode the follow-up of %s: %w", next.Ref, err)
	}
	expr, err := expression.NewBuilder().WithCondition(unmoved(pending)).Build()
	if err != nil {
		return types.TransactWriteItem{}, fmt.Errorf("replace the follow-up of %s: %w", next.Ref, err)
	}
	return types.TransactWriteItem{Put: &types.Put{
		TableName: &l.tables.DependentQueue, Item: item, ConditionExpression: expr.Condition(),
		ExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),
	}}, nil
}

// unmoved holds while the follow-up is pending as it was read.
func unmoved(f surgical.FollowUp) expression.ConditionBuilder {
	return expression.Name("by").Equal(expression.Value(f.By.String())).
		And(expression.Name("not_before").Equal(expression.Value(dynamo.Micros(f.NotBefore))))
}

// FollowUps yields the pending follow-ups that are due by the time.
func (l *Ledger) FollowUps(ctx context.Context, due time.Time) iter.Seq2[surgical.FollowUp, error] {
	return func(yield func(surgical.FollowUp, error) bool) {
		for item, err := range l.under(ctx, l.tables.DependentQueue, "scope_run_id", followUps) {
			var f surgical.FollowUp
			if err == nil {
				f, err = followUpOf(item)
			}
			if (err != nil || !f.NotBefore.After(due)) && !yield(f, err) {
				return
			}
		}
	}
}

// BeginFollowUp turns a follow-up that is due into a queued run, in one
// transaction; a confirmation that is still ahead stays pending. If the follow-up
// is no longer as it was read, the error is [surgical.ErrMoved].
func (l *Ledger) BeginFollowUp(ctx context.Context, f surgical.FollowUp) (surgical.Run, error) {
	now := l.clock()
	req, rest := f.Begin(now)
	row := newRunItem(req, surgical.StatusQueued, dynamo.Micros(now))
	insert, err := putItem(l.tables.SyncRuns, "run_id", row)
	if err != nil {
		return surgical.Run{}, err
	}
	pending, err := l.settleFollowUp(f, rest)
	if err != nil {
		return surgical.Run{}, err
	}
	err = dynamo.Transact(ctx, l.db, []types.TransactWriteItem{insert, pending})
	if dynamo.Refusals(err) != nil {
		return surgical.Run{}, surgical.ErrMoved
	}
	if err != nil {
		return surgical.Run{}, fmt.Errorf("begin the follow-up of %s: %w", f.Ref, err)
	}
	return row.run()
}

func (l *Ledger) settleFollowUp(f surgical.FollowUp, rest *surgical.FollowUp) (types.TransactWriteItem, error) {
	if rest != nil {
		return l.replaceFollowUp(f, *rest)
	}
	expr, err := expression.NewBuilder().WithCondition(unmoved(f)).Build()
	if err != nil {
		return types.TransactWriteItem{}, fmt.Errorf("settle the follow-up of %s: %w", f.Ref, err)
	}
	return types.TransactWriteItem{Delete: &types.Delete{
		TableName: &l.tables.DependentQueue, Key: jobKey(followUps, f.Ref.Key()), ConditionExpression: expr.Condition(),
		ExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),
	}}, nil
}

// internalNotes is the prefix of the row, in the state table, that tells that the
// token was shown an internal note of the project.
const internalNotes = "internal_notes#"

// ShowsInternalNotes reports whether GitLab ever showed the token an internal note
// of the project.
func (l *Ledger) ShowsInternalNotes(ctx context.Context, projectID int64) (bool, error) {
	out, err := l.db.GetItem(ctx, &dynamodb.GetItemInput{TableName: &l.tables.State, Key: stateKey(fmt.Sprint(internalNotes, projectID))})
	if err != nil {
		return false, fmt.Errorf("read whether internal notes are shown: %w", err)
	}
	return out.Item != nil, nil
}

// SawInternalNote records that GitLab showed the token an internal note of the
// project.
func (l *Ledger) SawInternalNote(ctx context.Context, projectID int64) error {
	expr, err := expression.NewBuilder().WithUpdate(expression.Set(expression.Name("seen_at"), expression.Value(dynamo.Micros(l.clock())))).Build()
	if err != nil {
		return fmt.Errorf("record an internal note: %w", err)
	}
	_, err = l.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &l.tables.State, Key: stateKey(fmt.Sprint(internalNotes, projectID)),
		UpdateExpression: expr.Update(), ExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),
	})
	if err != nil {
		return fmt.Errorf("record an internal note: %w", err)
	}
	return nil
}
