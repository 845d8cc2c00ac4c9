package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Run reads a run, strongly consistent.
func (l *Ledger) Run(ctx context.Context, runID string) (surgical.Run, error) {
	out, err := l.db.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &l.tables.SyncRuns, Key: runKey(runID), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return surgical.Run{}, fmt.Errorf("read run %s: %w", runID, err)
	}
	if out.Item == nil {
		return surgical.Run{}, surgical.NewError(surgical.CodeRunNotFound, "run "+runID+" is not in the ledger")
	}
	return RunOf(out.Item)
}

// RunLookup names the row of the run, for [RunOf].
func (l *Ledger) RunLookup(runID string) dynamo.Lookup {
	return dynamo.Lookup{Table: l.tables.SyncRuns, Key: runKey(runID)}
}

func runKey(runID string) dynamo.Item {
	return dynamo.Item{"run_id": &types.AttributeValueMemberS{Value: runID}}
}

// Queue inserts a run that waits for a worker. An existing row stays unchanged,
// and the error is [surgical.ErrMoved].
func (l *Ledger) Queue(ctx context.Context, req surgical.Request) (surgical.Run, error) {
	return l.insert(ctx, newRunItem(req, surgical.StatusQueued, dynamo.Micros(l.clock())))
}

// QueueInBulk is [Ledger.Queue] for one of many runs, whose message is sent next. It
// counts as sent now: many runs wait for a while, and are not sent again each minute.
func (l *Ledger) QueueInBulk(ctx context.Context, req surgical.Request) (surgical.Run, error) {
	now := dynamo.Micros(l.clock())
	row := newRunItem(req, surgical.StatusQueued, now)
	row.ResentAt = now
	return l.insert(ctx, row)
}

func (l *Ledger) insert(ctx context.Context, row runItem) (surgical.Run, error) {
	row.WriteToken = l.tokens()
	item, err := row.marshal()
	if err != nil {
		return surgical.Run{}, err
	}
	_, err = l.db.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &l.tables.SyncRuns, Item: item, ConditionExpression: aws.String("attribute_not_exists(run_id)"),
	})
	if dynamo.IsConditionFailed(err) {
		return l.ownRun(ctx, row.RunID, row.WriteToken)
	}
	if err != nil {
		return surgical.Run{}, fmt.Errorf("insert run %s: %w", row.RunID, err)
	}
	return row.run()
}

// Claim takes the run for one attempt: it inserts the row, or moves one that is
// queued, given back or whose lease expired to running. seen is the row as it was
// read; an empty Status means that there was none. If the row is no longer as
// read, nothing is written and the error is [surgical.ErrMoved]; the same holds
// for every change of a run below.
func (l *Ledger) Claim(ctx context.Context, seen surgical.Run, claim surgical.Claim) (surgical.Run, error) {
	now := l.clock()
	if seen.Status == "" {
		row := newRunItem(claim.Request, surgical.StatusRunning, dynamo.Micros(now))
		row.Stage = string(surgical.StagePreflight)
		row.FirstClaimedAt, row.PreflightStarted = dynamo.Micros(now), dynamo.Micros(now)
		row.Attempt, row.LeaseUntil = 1, dynamo.Micros(now.Add(claim.Lease))
		row.MessageIDs = []string{claim.MessageID}
		return l.insert(ctx, row)
	}
	update := nextAttempt(seen, now, claim.Lease).
		Set(expression.Name("status"), expression.Value(surgical.StatusRunning)).
		Set(expression.Name("first_claimed_at"), expression.IfNotExists(expression.Name("first_claimed_at"), expression.Value(dynamo.Micros(now)))).
		Add(expression.Name("message_ids"), expression.Value(&types.AttributeValueMemberSS{Value: []string{claim.MessageID}}))
	if !seen.LeaseUntil.IsZero() {
		update = update.Add(expression.Name("lost_leases"), expression.Value(1))
	}
	return l.update(ctx, seen.RunID, asRead(seen), update)
}

// asRead holds while the run is in the attempt and lease that were read, open,
// and nothing is committed.
func asRead(run surgical.Run) expression.ConditionBuilder {
	attempt := expression.Name("attempt").Equal(expression.Value(run.Attempt))
	if run.Attempt == 0 {
		attempt = expression.AttributeNotExists(expression.Name("attempt"))
	}
	lease := expression.Name("lease_until").Equal(expression.Value(dynamo.Micros(run.LeaseUntil)))
	if run.LeaseUntil.IsZero() {
		lease = expression.AttributeNotExists(expression.Name("lease_until"))
	}
	return expression.Name("status").Equal(expression.Value(run.Status)).And(attempt, lease, uncommitted())
}

// held holds while the run is running, this attempt's, and nothing is committed.
func held(run surgical.Run) expression.ConditionBuilder {
	return running().And(expression.Name("attempt").Equal(expression.Value(run.Attempt)), uncommitted())
}

func running() expression.ConditionBuilder {
	return expression.Name("status").Equal(expression.Value(surgical.StatusRunning))
}

func uncommitted() expression.ConditionBuilder {
	return expression.AttributeNotExists(expression.Name("committed_by"))
}

// nextAttempt gives a lease to the run's next attempt, which begins with preflight.
func nextAttempt(run surgical.Run, now time.Time, lease time.Duration) expression.UpdateBuilder {
	return expression.Set(expression.Name("attempt"), expression.Value(run.Attempt+1)).
		Set(expression.Name("lease_until"), expression.Value(dynamo.Micros(now.Add(lease)))).
		Set(expression.Name("stage"), expression.Value(surgical.StagePreflight)).
		Set(expression.Name("preflight_started_at"), expression.Value(dynamo.Micros(now)))
}

// NextAttempt begins another attempt of the same worker under a fresh lease.
func (l *Ledger) NextAttempt(ctx context.Context, run surgical.Run, lease time.Duration) (surgical.Run, error) {
	return l.update(ctx, run.RunID, held(run), nextAttempt(run, l.clock(), lease))
}

// EnterIngest moves the run from preflight to ingest and counts the requests that
// preflight sent to GitLab. From here on children may be staged, so the run is
// marked for the orphan sweeper.
func (l *Ledger) EnterIngest(ctx context.Context, run surgical.Run, requests int64) (surgical.Run, error) {
	now := l.clock()
	return l.update(ctx, run.RunID, held(run),
		expression.Set(expression.Name("stage"), expression.Value(surgical.StageIngest)).
			Set(expression.Name("ingest_started_at"), expression.Value(dynamo.Micros(now))).
			Set(expression.Name("sweep"), expression.Value(sweepPending)).
			Set(expression.Name("sweep_after"), expression.Value(dynamo.Micros(now.Add(surgical.SweepDelay)))).
			Add(expression.Name("counters.gitlab_requests"), expression.Value(requests)))
}

// Release gives the lease back after an attempt that failed with why and sent
// the given number of requests to GitLab. It stores what the attempt found out: the
// run's Unfinished, Crowded and DoubtedSince.
func (l *Ledger) Release(ctx context.Context, run surgical.Run, why *surgical.Error, requests int64) error {
	update := expression.Remove(expression.Name("lease_until")).
		Set(expression.Name("error"), expression.Value(itemOfError(why))).
		Add(expression.Name("failed_attempts"), expression.Value(1)).
		Add(expression.Name("counters.gitlab_requests"), expression.Value(requests))
	if why.Code == surgical.CodeGitLabNotFound {
		update = update.Add(expression.Name("not_found"), expression.Value(1))
	}
	if run.Crowded {
		update = update.Set(expression.Name("crowded"), expression.Value(true))
	}
	if run.Unfinished > 0 {
		update = update.Set(expression.Name("unfinished"), expression.Value(run.Unfinished))
	}
	doubted := expression.Name("doubted_since")
	if len(run.DoubtedSince) > 0 {
		update = update.Set(doubted, expression.Value(itemOfDoubts(run.DoubtedSince)))
	} else {
		update = update.Remove(doubted)
	}
	_, err := l.update(ctx, run.RunID, held(run), update)
	return err
}

// WorkflowStarted records that the run's execution of this generation was
// started. clean reports that no staged child can be an orphan. An execution that
// was quicker, and recorded its generation or was postponed, keeps its record.
func (l *Ledger) WorkflowStarted(ctx context.Context, run surgical.Run, generation int64, clean bool) error {
	started := func() expression.UpdateBuilder {
		update := expression.Remove(expression.Name("lease_until"))
		if clean {
			update = update.Remove(expression.Name("sweep")).Remove(expression.Name("sweep_after"))
		}
		return update
	}
	_, err := l.update(ctx, run.RunID, running().And(olderThan(generation)), begun(started(), generation, l.clock()))
	if !errors.Is(err, surgical.ErrMoved) {
		return err
	}
	_, err = l.update(ctx, run.RunID, running().And(in(generation)), started())
	return err
}

// in holds while the generation is the newest that the row knows, olderThan while
// the row knows only older ones.
func in(generation int64) expression.ConditionBuilder {
	return expression.Name("generation").Equal(expression.Value(generation))
}

func olderThan(generation int64) expression.ConditionBuilder {
	known := expression.Name("generation")
	return expression.AttributeNotExists(known).Or(known.LessThan(expression.Value(generation)))
}

// begun adds to the update that this generation is the newest. resume_at belongs to
// the one before.
func begun(update expression.UpdateBuilder, generation int64, now time.Time) expression.UpdateBuilder {
	return update.Set(expression.Name("generation"), expression.Value(generation)).
		Set(expression.Name("generation_started_at"), expression.Value(dynamo.Micros(now))).
		Remove(expression.Name("resume_at"))
}

// Setback is why an execution ended before its run's jobs were done.
type Setback struct {
	Error *surgical.Error
	// Lost reports that a function died without an answer.
	Lost bool
	// ResumeAt is when the next generation is to be started.
	ResumeAt time.Time
}

// Postpone records that the execution of this generation ended too early and when
// the sweeper starts the next one. A generation counts once, however often this is
// repeated: of one that is postponed already, the row is returned as it is. A run
// that is not running, or is in a newer generation, gives [surgical.ErrMoved].
func (l *Ledger) Postpone(ctx context.Context, run surgical.Run, generation int64, s Setback) (surgical.Run, error) {
	lost := 0
	if s.Lost {
		lost = 1
	}
	resume := expression.Name("resume_at")
	after, err := l.update(ctx, run.RunID, running().And(olderThan(generation).Or(in(generation).And(expression.AttributeNotExists(resume)))),
		expression.Set(resume, expression.Value(dynamo.Micros(s.ResumeAt))).
			Set(expression.Name("generation"), expression.Value(generation)).
			Set(expression.Name("error"), expression.Value(itemOfError(s.Error))).
			Add(expression.Name("failed_stages"), expression.Value(1)).
			Add(expression.Name("lost_stages"), expression.Value(lost)))
	if !errors.Is(err, surgical.ErrMoved) {
		return after, err
	}
	if run, err = l.Run(ctx, run.RunID); err == nil && !run.Postponed(generation) {
		err = surgical.ErrMoved
	}
	return run, err
}

// update changes a row under a condition and returns it as it is then.
func (l *Ledger) update(ctx context.Context, runID string, condition expression.ConditionBuilder, update expression.UpdateBuilder) (surgical.Run, error) {
	token := l.tokens()
	out, err := l.write(ctx, l.tables.SyncRuns, runKey(runID), token, condition, update)
	if dynamo.IsConditionFailed(err) {
		return l.ownRun(ctx, runID, token)
	}
	if err != nil {
		return surgical.Run{}, fmt.Errorf("update run %s: %w", runID, err)
	}
	return RunOf(out)
}

// write updates a row and stores its token in it. The SDK repeats a write that
// got no response: one that finds its own token is not applied twice.
func (l *Ledger) write(ctx context.Context, table string, key dynamo.Item, token string, condition expression.ConditionBuilder, update expression.UpdateBuilder) (dynamo.Item, error) {
	mark := expression.Name(writeToken)
	fresh := expression.AttributeNotExists(mark).Or(mark.NotEqual(expression.Value(token)))
	expr, err := expression.NewBuilder().
		WithCondition(condition.And(fresh)).
		WithUpdate(update.Set(mark, expression.Value(token))).
		Build()
	if err != nil {
		return nil, err
	}
	out, err := l.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &table, Key: key, ReturnValues: types.ReturnValueAllNew,
		ConditionExpression: expr.Condition(), UpdateExpression: expr.Update(),
		ExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),
	})
	if err != nil {
		return nil, err
	}
	return out.Attributes, nil
}

const writeToken = "write_token"

// ownRun handles a rejected write of a run. If the row holds the write's own
// token, the write was applied and its response was lost; otherwise the row has
// moved.
func (l *Ledger) ownRun(ctx context.Context, runID, token string) (surgical.Run, error) {
	item, err := l.own(ctx, l.tables.SyncRuns, runKey(runID), token)
	if err != nil {
		return surgical.Run{}, err
	}
	return RunOf(item)
}

func (l *Ledger) own(ctx context.Context, table string, key dynamo.Item, token string) (dynamo.Item, error) {
	out, err := l.db.GetItem(ctx, &dynamodb.GetItemInput{TableName: &table, Key: key, ConsistentRead: aws.Bool(true)})
	if err != nil {
		return nil, fmt.Errorf("read the result of a write: %w", err)
	}
	if mark, ok := out.Item[writeToken].(*types.AttributeValueMemberS); !ok || mark.Value != token {
		return nil, surgical.ErrMoved
	}
	return out.Item, nil
}
