// Package erasure removes entities permanently: it hides an entity and keeps it out by one
// transaction, deletes everything that is stored of it, and lists what is left as proof.
//
//	dies after              leaves behind                       cleaned up by
//	the transaction         hidden items, and an open erasure   the sweeper, or a repetition of the request
//	some of the deletions   fewer of them, and the same         the same
//	the last deletion       an open erasure                     the sweeper
//
// A function that read the entity before may still write parts of it that nothing names.
// So an erasure stays open for [surgical.EraseSettle], and the sweeper completes it once
// it has listed the entity again after that and found nothing.
package erasure

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Eraser erases entities.
type Eraser struct {
	db      *dynamodb.Client
	content *content.Store
	ledger  *ledger.Ledger
	clock   func() time.Time
}

// New returns an eraser of what the content table has. It is for callers that read
// content as readers do as well, and get no Store.
func New(db *dynamodb.Client, contentTable string, rows *ledger.Ledger, clock func() time.Time) *Eraser {
	return &Eraser{db, content.NewStore(db, contentTable, clock), rows, clock}
}

// Result is how far an erasure has come.
type Result struct {
	surgical.Erasure
	// Found is what was stored before it was erased just now, Left what is.
	Found, Left content.Collection
}

// Look returns what is stored of the entity, in Left, and whether it is erased. It writes
// nothing.
func (e *Eraser) Look(ctx context.Context, ref surgical.EntityRef) (Result, error) {
	result := Result{Erasure: surgical.Erasure{Ref: ref}}
	listed, err := e.ledger.Erasure(ctx, ref)
	if err != nil {
		return result, err
	}
	if listed != nil {
		result.Erasure = *listed
	}
	result.Left, err = e.content.Collection(ctx, ref)
	return result, err
}

// Erase erases the entity and removes what is stored of it, as far as the time of the
// context goes. It can be repeated: the entity stays erased since the first time.
func (e *Eraser) Erase(ctx context.Context, ref surgical.EntityRef) (Result, error) {
	head, erasure, err := e.open(ctx, ref)
	if err != nil {
		return Result{}, err
	}
	return e.remove(ctx, head, erasure)
}

// Resume goes on with an open erasure, and completes it if nothing is left and nothing
// can come any more.
func (e *Eraser) Resume(ctx context.Context, open surgical.Erasure) (Result, error) {
	head, err := e.content.Head(ctx, open.Ref)
	if err == nil && !head.Erased() { // the table was restored
		head, open, err = e.open(ctx, open.Ref)
	}
	if err != nil {
		return Result{}, err
	}
	settled := !e.clock().Before(open.SettlesAt()) // before it is listed
	result, err := e.remove(ctx, head, open)
	if err != nil || !settled || result.Left.Total() > 0 {
		return result, err
	}
	if err := e.ledger.CompleteErasure(ctx, open); err != nil {
		return result, err
	}
	result.OpenSince = time.Time{}
	return result, nil
}

// open erases the head, unless it is erased already, and opens the erasure.
func (e *Eraser) open(ctx context.Context, ref surgical.EntityRef) (surgical.Head, surgical.Erasure, error) {
	var erasure surgical.Erasure
	head, err := e.change(ctx, ref, func(head surgical.Head) ([]types.TransactWriteItem, error) {
		now := e.clock().UTC().Truncate(time.Microsecond)
		erasure = surgical.Erasure{Ref: ref, ErasedAt: head.ErasedAt, OpenSince: now}
		write := e.content.StaysErased
		if !head.Erased() {
			erasure.ErasedAt = now
			write = func(head surgical.Head) (types.TransactWriteItem, error) { return e.content.Erase(head, now) }
		}
		first, err := write(head)
		if err != nil {
			return nil, err
		}
		rows, err := e.ledger.OpenErasure(erasure)
		return append([]types.TransactWriteItem{first}, rows...), err
	})
	if err == nil && !head.Erased() {
		head, err = e.content.Head(ctx, ref)
	}
	return head, erasure, err
}

// change makes the writes that follow from the head in one transaction, again if the head
// moved. It returns the head as it was; without writes, nothing changes.
func (e *Eraser) change(ctx context.Context, ref surgical.EntityRef, writes func(surgical.Head) ([]types.TransactWriteItem, error)) (surgical.Head, error) {
	var failure error
	for range surgical.MaxAttempts {
		head, err := e.content.Head(ctx, ref)
		if err != nil {
			return head, err
		}
		items, err := writes(head)
		if err != nil || len(items) == 0 {
			return head, err
		}
		if failure = dynamo.Transact(ctx, e.db, items); failure == nil {
			return head, nil
		}
		if !dynamo.Contended(failure) {
			break
		}
	}
	return surgical.Head{}, fmt.Errorf("change the erasure of %s: %w", ref, failure)
}

// remove deletes what is stored of the entity of an erased head.
func (e *Eraser) remove(ctx context.Context, head surgical.Head, erasure surgical.Erasure) (Result, error) {
	result := Result{Erasure: erasure}
	var err error
	if result.Found, err = e.content.Collection(ctx, head.Ref); err != nil {
		return result, err
	}
	if result.Found.Total() == 0 {
		return result, nil
	}
	if _, err := e.content.RemoveErased(ctx, head, func() bool { return hasTime(ctx) }); err != nil {
		return result, err
	}
	result.Left, err = e.content.Collection(ctx, head.Ref)
	return result, err
}

// hasTime reports whether there is time for more deletions.
func hasTime(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return !ok || time.Until(deadline) > surgical.EraseReserve
}

// Lift lets the entity be fetched again; it stays without a copy until then. It changes
// nothing if the entity is not erased. The error is [surgical.CodeConflict] if it is
// still being removed.
func (e *Eraser) Lift(ctx context.Context, ref surgical.EntityRef) error {
	_, err := e.change(ctx, ref, func(head surgical.Head) ([]types.TransactWriteItem, error) {
		if !head.Erased() {
			return nil, nil
		}
		switch listed, err := e.ledger.Erasure(ctx, ref); {
		case err != nil:
			return nil, err
		case listed != nil && !listed.Complete():
			return nil, listed.Unsettled(e.clock())
		}
		lift, err := e.content.LiftErasure(head)
		if err != nil {
			return nil, err
		}
		rows, err := e.ledger.DropErasure(ref)
		return append([]types.TransactWriteItem{lift}, rows...), err
	})
	return err
}
