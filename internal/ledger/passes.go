package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/tables"
)

// Pass reads the project's running or last pass of the kind, strongly consistent. A
// project without one gives a pass that does not exist.
func (l *Ledger) Pass(ctx context.Context, projectID int64, kind surgical.PassKind) (surgical.Pass, error) {
	out, err := l.db.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &l.tables.Projects, Key: passKey(projectID, kind), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return surgical.Pass{}, fmt.Errorf("read the %s of project %d: %w", kind, projectID, err)
	}
	if out.Item == nil {
		return surgical.Pass{ProjectID: projectID, Kind: kind}, nil
	}
	return passOf(out.Item)
}

// Passes yields the running or last pass of every project and kind, strongly
// consistent, in no particular order. It reads the whole table, which has a few small
// items for each project.
func (l *Ledger) Passes(ctx context.Context) iter.Seq2[surgical.Pass, error] {
	return func(yield func(surgical.Pass, error) bool) {
		pages := dynamodb.NewScanPaginator(l.db, &dynamodb.ScanInput{TableName: &l.tables.Projects, ConsistentRead: aws.Bool(true)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(surgical.Pass{}, fmt.Errorf("list passes: %w", err))
				return
			}
			for _, item := range page.Items {
				if sk, ok := item["item"].(*types.AttributeValueMemberS); !ok || !strings.HasPrefix(sk.Value, passPrefix) {
					continue
				}
				p, err := passOf(item)
				if !yield(p, err) {
					return
				}
			}
		}
	}
}

// PassesOf lists the running or last pass of the kind of every project, ordered by
// project.
func (l *Ledger) PassesOf(ctx context.Context, kind surgical.PassKind) ([]surgical.Pass, error) {
	var passes []surgical.Pass
	for p, err := range l.Passes(ctx) {
		if err != nil {
			return nil, err
		}
		if p.Kind == kind {
			passes = append(passes, p)
		}
	}
	slices.SortFunc(passes, func(a, b surgical.Pass) int { return cmp.Compare(a.ProjectID, b.ProjectID) })
	return passes, nil
}

// PassesIn reads the running or last pass of the kind of each of these projects, strongly
// consistent, in no particular order. A project without one is left out.
func (l *Ledger) PassesIn(ctx context.Context, kind surgical.PassKind, projectIDs []int64) ([]surgical.Pass, error) {
	keys := make([]dynamo.Item, len(projectIDs))
	for i, id := range projectIDs {
		keys[i] = passKey(id, kind)
	}
	items, err := dynamo.GetAll(ctx, l.db, l.tables.Projects, keys)
	if err != nil {
		return nil, fmt.Errorf("read the %s of %d projects: %w", kind, len(projectIDs), err)
	}
	passes := make([]surgical.Pass, len(items))
	for i, item := range items {
		if passes[i], err = passOf(item); err != nil {
			return nil, err
		}
	}
	return passes, nil
}

// RequestReconcile makes the project's next reconcile due now, and returns the one
// before. A project that was never reconciled is added to the known ones, so that the
// crawler finds it.
func (l *Ledger) RequestReconcile(ctx context.Context, projectID int64) (surgical.Pass, error) {
	for range maxMoved {
		p, err := l.Pass(ctx, projectID, surgical.PassReconcile)
		if err != nil {
			return p, err
		}
		now := l.clock()
		if !p.Exists() {
			p.RequestedAt = now
			return p, l.AddProject(ctx, projectID)
		}
		p.RequestedAt, p.DueAt = now, now
		stored, err := l.SavePass(ctx, p, PassChange{})
		if !errors.Is(err, surgical.ErrMoved) {
			return stored, err
		}
	}
	return surgical.Pass{}, fmt.Errorf("request the reconcile of project %d: %w", projectID, surgical.ErrMoved)
}

// maxChange is how many windows and failures fit a transaction with the row of a pass.
const maxChange = 99

// PassChange is what is written together with the row of a pass.
type PassChange struct {
	// Put and Drop are windows to write and to delete. Of a pass that ended, a
	// transaction may not be able to delete all: nothing reads them, and they expire.
	Put, Drop []surgical.Window
	// DropOf, if set, is the pass that the dropped windows belong to, and that this one
	// takes the place of. A backfill is remembered as replaced.
	DropOf surgical.Pass
	// Failed are entities to record as failed, Retried such records to delete.
	Failed, Retried []surgical.PassFailure
}

// SavePass stores the pass in place of the row as it was read, together with the
// change, in one transaction, and returns it with its new revision. If the row has
// changed in the meantime, nothing is written and the error is [surgical.ErrMoved].
func (l *Ledger) SavePass(ctx context.Context, p surgical.Pass, change PassChange) (surgical.Pass, error) {
	read := p.Revision
	p.Revision++
	p.UpdatedAt = l.clock()
	row := itemOfPass(p)
	row.WriteToken = l.tokens()
	item, err := attributevalue.MarshalMap(row)
	if err != nil {
		return p, fmt.Errorf("encode pass %s: %w", p.ID, err)
	}
	expr, err := expression.NewBuilder().WithCondition(atRevision(read)).Build()
	if err != nil {
		return p, fmt.Errorf("save pass %s: %w", p.ID, err)
	}
	items := []types.TransactWriteItem{{Put: &types.Put{
		TableName: &l.tables.Projects, Item: item, ConditionExpression: expr.Condition(),
		ExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),
	}}}
	more, err := l.passChange(p, change)
	if err != nil {
		return p, err
	}
	err = dynamo.Transact(ctx, l.db, append(items, more...))
	if dynamo.Refusals(err) != nil {
		// Its own token says that the write was applied, and its response lost.
		own, ownErr := l.own(ctx, l.tables.Projects, passKey(p.ProjectID, p.Kind), row.WriteToken)
		if ownErr != nil {
			return p, ownErr
		}
		return passOf(own)
	}
	if err != nil {
		return p, fmt.Errorf("save pass %s: %w", p.ID, err)
	}
	return passOf(item)
}

// atRevision holds while the row has the revision that was read, or does not exist if
// none was.
func atRevision(read int64) expression.ConditionBuilder {
	if read == 0 {
		return expression.AttributeNotExists(expression.Name("item"))
	}
	return expression.Name("revision").Equal(expression.Value(read))
}

// passChange returns the items of the change.
func (l *Ledger) passChange(p surgical.Pass, change PassChange) ([]types.TransactWriteItem, error) {
	var items []types.TransactWriteItem
	for _, w := range change.Put {
		put, err := l.putWindow(p, w)
		if err != nil {
			return nil, err
		}
		items = append(items, put)
	}
	of := p
	if change.DropOf.Exists() {
		of = change.DropOf
	}
	if of.ID != p.ID && of.Kind == surgical.PassBackfill {
		remembered, err := l.replaced(of)
		if err != nil {
			return nil, err
		}
		items = append(items, remembered)
	}
	for _, w := range change.Drop {
		if len(items) == maxChange {
			break
		}
		items = append(items, types.TransactWriteItem{Delete: &types.Delete{TableName: &l.tables.Projects, Key: windowKey(of, w)}})
	}
	for _, f := range change.Failed {
		put, err := l.putFailure(p, f)
		if err != nil {
			return nil, err
		}
		items = append(items, put)
	}
	for _, f := range change.Retried {
		items = append(items, types.TransactWriteItem{Delete: &types.Delete{TableName: &l.tables.Projects, Key: failureKey(p, f.Target)}})
	}
	return items, nil
}

// Windows lists the windows of the pass, strongly consistent, in their order.
func (l *Ledger) Windows(ctx context.Context, p surgical.Pass) ([]surgical.Window, error) {
	var windows []surgical.Window
	for item, err := range l.itemsOfProject(ctx, p.ProjectID, windowItemsOf(p)) {
		if err != nil {
			return nil, fmt.Errorf("read the windows of pass %s: %w", p.ID, err)
		}
		w, err := windowOf(item)
		if err != nil {
			return nil, err
		}
		windows = append(windows, w)
	}
	return windows, nil
}

// WindowSent records that all runs of the window are queued. A window that is gone
// stays gone.
func (l *Ledger) WindowSent(ctx context.Context, p surgical.Pass, w surgical.Window) error {
	update, err := updateItem(l.tables.Projects, windowKey(p, w), expression.AttributeExists(expression.Name("item")),
		expression.Set(expression.Name("sent"), expression.Value(true)))
	if err != nil {
		return err
	}
	_, err = l.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: update.Update.TableName, Key: update.Update.Key,
		ConditionExpression: update.Update.ConditionExpression, UpdateExpression: update.Update.UpdateExpression,
		ExpressionAttributeNames: update.Update.ExpressionAttributeNames, ExpressionAttributeValues: update.Update.ExpressionAttributeValues,
	})
	if err != nil && !dynamo.IsConditionFailed(err) {
		return fmt.Errorf("record a window of pass %s as sent: %w", p.ID, err)
	}
	return nil
}

// PassFailures lists up to limit entities that the pass could not bring up to date,
// ordered by target, strongly consistent; all of them if limit is 0.
func (l *Ledger) PassFailures(ctx context.Context, p surgical.Pass, limit int) ([]surgical.PassFailure, error) {
	return l.PassFailuresAfter(ctx, p, "", limit)
}

// PassFailuresAfter is [Ledger.PassFailures] of those behind a target, as
// [surgical.Target.String] writes it; "" stands for all.
func (l *Ledger) PassFailuresAfter(ctx context.Context, p surgical.Pass, after string, limit int) ([]surgical.PassFailure, error) {
	if after != "" {
		after = failureItemsOf(p) + after
	}
	var failures []surgical.PassFailure
	for item, err := range l.itemsAfter(ctx, p.ProjectID, failureItemsOf(p), after) {
		if err != nil {
			return nil, fmt.Errorf("read the failures of pass %s: %w", p.ID, err)
		}
		f, err := failureOf(item)
		if err != nil {
			return nil, err
		}
		if failures = append(failures, f); len(failures) == limit {
			break
		}
	}
	return failures, nil
}

// itemsOfProject yields the items of the project whose sort key begins with the
// prefix, strongly consistent, in their order.
func (l *Ledger) itemsOfProject(ctx context.Context, projectID int64, prefix string) iter.Seq2[dynamo.Item, error] {
	return l.itemsAfter(ctx, projectID, prefix, "")
}

// itemsAfter is [Ledger.itemsOfProject] of those after the given sort key; "" stands for
// all.
func (l *Ledger) itemsAfter(ctx context.Context, projectID int64, prefix, after string) iter.Seq2[dynamo.Item, error] {
	return func(yield func(dynamo.Item, error) bool) {
		expr, err := expression.NewBuilder().WithKeyCondition(
			expression.Key("project_id").Equal(expression.Value(projectID)).And(expression.Key("item").BeginsWith(prefix))).Build()
		if err != nil {
			yield(nil, err)
			return
		}
		in := &dynamodb.QueryInput{
			TableName: &l.tables.Projects, ConsistentRead: aws.Bool(true), KeyConditionExpression: expr.KeyCondition(),
			ExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),
		}
		if after != "" {
			in.ExclusiveStartKey = projectKey(projectID, after)
		}
		dynamo.QueryAll(ctx, l.db, in)(yield)
	}
}

// Delivered reports whether a run of a delivery about the entity ended at the time or
// later. The index lags a little behind the rows.
func (l *Ledger) Delivered(ctx context.Context, ref surgical.EntityRef, since time.Time) (bool, error) {
	for place, err := range l.places(ctx, l.tables.SyncRunEntities, tables.EntitiesByEntity, "entity", ref.Key(), "updated_at", Span{Since: since}) {
		if err != nil {
			return false, fmt.Errorf("look for deliveries about %s: %w", ref, err)
		}
		if surgical.OriginOf(place.RunID) == surgical.OriginWebhook {
			return true, nil
		}
	}
	return false, nil
}

// crawlerItem, under project 0, is the lease of the one crawler that may be at work.
const crawlerItem = "crawler"

// LeaseCrawler takes the lease of the crawler, and returns how to give it back. While
// another invocation holds it, the error is [surgical.ErrMoved].
func (l *Ledger) LeaseCrawler(ctx context.Context, lease time.Duration) (release func(context.Context) error, err error) {
	now, token := l.clock(), l.tokens()
	until := expression.Name("lease_until")
	free := expression.AttributeNotExists(until).Or(until.LessThanEqual(expression.Value(dynamo.Micros(now))))
	key := projectKey(directory, crawlerItem)
	_, err = l.write(ctx, l.tables.Projects, key, token, free, expression.Set(until, expression.Value(dynamo.Micros(now.Add(lease)))))
	if dynamo.IsConditionFailed(err) {
		_, err = l.own(ctx, l.tables.Projects, key, token)
	}
	if err != nil {
		return nil, fmt.Errorf("lease the crawler: %w", err)
	}
	return func(ctx context.Context) error {
		mine := expression.Name(writeToken).Equal(expression.Value(token))
		_, err := l.write(ctx, l.tables.Projects, key, l.tokens(), mine, expression.Remove(until))
		if err != nil && !dynamo.IsConditionFailed(err) {
			return fmt.Errorf("give the crawler's lease back: %w", err)
		}
		return nil
	}, nil
}
