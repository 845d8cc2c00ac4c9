package ledger

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/tables"
)

// maxListed bounds how many runs one page looks at: a rare status among many
// runs costs several pages, not one that never ends.
const maxListed = 1000

// RunFilter selects runs. Zero fields select all.
type RunFilter struct {
	ProjectID int64
	Statuses  []surgical.RunStatus
	// Made is when the runs were created.
	Made Span
}

// Span is the time from Since to Until, both inclusive. A zero end is open.
type Span struct{ Since, Until time.Time }

// before is the span up to the time, if that is earlier than its end.
func (s Span) before(t time.Time) Span {
	if !t.IsZero() && (s.Until.IsZero() || t.Before(s.Until)) {
		s.Until = t
	}
	return s
}

// empty reports whether the span ends before it begins: DynamoDB refuses that.
func (s Span) empty() bool { return !s.Until.IsZero() && s.Until.Before(s.Since) }

// condition restricts the sort key, if the span is not open at both ends.
func (s Span) condition(hash expression.KeyConditionBuilder, name string) expression.KeyConditionBuilder {
	at, since, until := expression.Key(name), expression.Value(dynamo.Micros(s.Since)), expression.Value(dynamo.Micros(s.Until))
	switch {
	case s.Since.IsZero() && s.Until.IsZero():
		return hash
	case s.Since.IsZero():
		return hash.And(at.LessThanEqual(until))
	case s.Until.IsZero():
		return hash.And(at.GreaterThanEqual(since))
	}
	return hash.And(at.Between(since, until))
}

// RunPlace is a place in a list of runs, newest first: after the run that was
// created, or became terminal, at the time. The zero place is the beginning.
type RunPlace struct {
	At    time.Time
	RunID string
}

// IsZero reports whether p is the beginning of a list.
func (p RunPlace) IsZero() bool { return p.RunID == "" }

// List returns up to limit runs from the place on, newest first, and where the
// next page begins; a zero place means that there is none. A page may hold fewer
// runs than limit, even none, and still have a next page. The indexes lag a
// little behind the rows; the returned rows are current.
func (l *Ledger) List(ctx context.Context, filter RunFilter, from RunPlace, limit int) ([]surgical.Run, RunPlace, error) {
	var sources []iter.Seq2[RunPlace, error]
	if byStatus := l.indexStatuses(filter); byStatus == nil {
		sources = append(sources, l.places(ctx, l.tables.SyncRuns, tables.RunsByProject, "project_id", filter.ProjectID, "created_at", filter.Made.before(from.At)))
	} else {
		for _, status := range byStatus {
			sources = append(sources, l.places(ctx, l.tables.SyncRuns, tables.RunsByStatus, "status", status, "created_at", filter.Made.before(from.At)))
		}
	}
	return l.page(ctx, sources, from, limit, func(run surgical.Run) bool {
		return (filter.ProjectID == 0 || run.ProjectID == filter.ProjectID) &&
			(len(filter.Statuses) == 0 || slices.Contains(filter.Statuses, run.Status))
	})
}

// indexStatuses selects the index: nil for that of the project, else the
// statuses to query. Every project has few open runs.
func (l *Ledger) indexStatuses(filter RunFilter) []surgical.RunStatus {
	terminal := slices.ContainsFunc(filter.Statuses, surgical.RunStatus.Terminal)
	switch {
	case filter.ProjectID != 0 && (terminal || len(filter.Statuses) == 0):
		return nil
	case len(filter.Statuses) > 0:
		return filter.Statuses
	}
	return surgical.RunStatuses()
}

// ListOfEntity is [Ledger.List] for the terminal runs of one entity, ordered by
// the time at which they ended.
func (l *Ledger) ListOfEntity(ctx context.Context, ref surgical.EntityRef, from RunPlace, limit int) ([]surgical.Run, RunPlace, error) {
	source := l.places(ctx, l.tables.SyncRunEntities, tables.EntitiesByEntity, "entity", ref.Key(), "updated_at", Span{Until: from.At})
	return l.page(ctx, []iter.Seq2[RunPlace, error]{source}, from, limit, func(surgical.Run) bool { return true })
}

// page reads the rows of what the sources yield until it has enough.
func (l *Ledger) page(ctx context.Context, sources []iter.Seq2[RunPlace, error], from RunPlace, limit int, wanted func(surgical.Run) bool) ([]surgical.Run, RunPlace, error) {
	var runs []surgical.Run
	var ends []RunPlace // of each of runs
	var last RunPlace
	listed := 0
	next, stop := iter.Pull2(chunks(merged(sources, from), limit+1))
	defer stop()
	for listed < maxListed {
		places, err, ok := next()
		if err != nil {
			return nil, RunPlace{}, err
		}
		if !ok {
			return runs, RunPlace{}, nil
		}
		rows, err := l.rows(ctx, places)
		if err != nil {
			return nil, RunPlace{}, err
		}
		for _, place := range places {
			last = place
			listed++
			run, found := rows[place.RunID]
			if !found || !wanted(run) {
				continue
			}
			if len(runs) == limit {
				return runs, ends[limit-1], nil
			}
			runs, ends = append(runs, run), append(ends, place)
		}
	}
	return runs, last, nil
}

// rows reads runs, leaving out those that have expired.
func (l *Ledger) rows(ctx context.Context, places []RunPlace) (map[string]surgical.Run, error) {
	ids := make([]string, len(places))
	for i, place := range places {
		ids[i] = place.RunID
	}
	return l.RunsByID(ctx, ids)
}

// RunsByID reads runs, strongly consistent, leaving out those that are not in the
// ledger. ids must not repeat.
func (l *Ledger) RunsByID(ctx context.Context, ids []string) (map[string]surgical.Run, error) {
	keys := make([]dynamo.Item, len(ids))
	for i, id := range ids {
		keys[i] = runKey(id)
	}
	items, err := dynamo.GetAll(ctx, l.db, l.tables.SyncRuns, keys)
	if err != nil {
		return nil, fmt.Errorf("read runs: %w", err)
	}
	runs := make(map[string]surgical.Run, len(items))
	for _, item := range items {
		run, err := RunOf(item)
		if err != nil {
			return nil, err
		}
		runs[run.RunID] = run
	}
	return runs, nil
}

// places yields what an index holds under the hash within the span, newest
// first.
func (l *Ledger) places(ctx context.Context, table, index, hash string, value any, at string, span Span) iter.Seq2[RunPlace, error] {
	return func(yield func(RunPlace, error) bool) {
		if span.empty() {
			return
		}
		expr, err := expression.NewBuilder().WithKeyCondition(span.condition(expression.Key(hash).Equal(expression.Value(value)), at)).Build()
		if err != nil {
			yield(RunPlace{}, fmt.Errorf("list runs: %w", err))
			return
		}
		for item, err := range dynamo.QueryAll(ctx, l.db, &dynamodb.QueryInput{
			TableName: &table, IndexName: &index, ScanIndexForward: aws.Bool(false), Limit: aws.Int32(100),
			KeyConditionExpression: expr.KeyCondition(), ExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),
		}) {
			var row struct {
				RunID     string `dynamodbav:"run_id"`
				CreatedAt int64  `dynamodbav:"created_at"`
				UpdatedAt int64  `dynamodbav:"updated_at"`
			}
			if err == nil {
				err = attributevalue.UnmarshalMap(item, &row)
			}
			if err != nil {
				yield(RunPlace{}, fmt.Errorf("list runs: %w", err))
				return
			}
			if !yield(RunPlace{At: dynamo.FromMicros(cmp.Or(row.CreatedAt, row.UpdatedAt)), RunID: row.RunID}, nil) {
				return
			}
		}
	}
}

// newest orders places as lists show them: by time, then by id, so that runs
// of one instant have an order too.
func newest(a, b RunPlace) int {
	return cmp.Or(b.At.Compare(a.At), cmp.Compare(b.RunID, a.RunID))
}

// merged yields the places of all sources after from, newest first, each once.
func merged(sources []iter.Seq2[RunPlace, error], from RunPlace) iter.Seq2[RunPlace, error] {
	return func(yield func(RunPlace, error) bool) {
		heads := make([]*pulled, 0, len(sources))
		for _, source := range sources {
			head := &pulled{}
			var stop func()
			head.next, stop = iter.Pull2(source)
			defer stop()
			heads = append(heads, head)
			if err := head.advance(); err != nil {
				yield(RunPlace{}, err)
				return
			}
		}
		for {
			// An index does not order what shares an instant: take all of it.
			group, err := instant(heads)
			if err != nil {
				yield(RunPlace{}, err)
				return
			}
			if len(group) == 0 {
				return
			}
			slices.SortFunc(group, newest)
			for _, place := range slices.Compact(group) {
				if !from.IsZero() && newest(place, from) <= 0 {
					continue
				}
				if !yield(place, nil) {
					return
				}
			}
		}
	}
}

// pulled is the first place of a source that has not been consumed yet.
type pulled struct {
	next  func() (RunPlace, error, bool)
	place RunPlace
	ok    bool
}

func (p *pulled) advance() (err error) {
	p.place, err, p.ok = p.next()
	return err
}

// instant takes every place of the newest time that any source has.
func instant(heads []*pulled) ([]RunPlace, error) {
	var at time.Time
	for _, head := range heads {
		if head.ok && head.place.At.After(at) {
			at = head.place.At
		}
	}
	var group []RunPlace
	for _, head := range heads {
		for head.ok && head.place.At.Equal(at) {
			group = append(group, head.place)
			if err := head.advance(); err != nil {
				return nil, err
			}
		}
	}
	return group, nil
}

// chunks yields places by n.
func chunks(places iter.Seq2[RunPlace, error], n int) iter.Seq2[[]RunPlace, error] {
	return func(yield func([]RunPlace, error) bool) {
		var chunk []RunPlace
		for place, err := range places {
			if err != nil {
				yield(nil, err)
				return
			}
			if chunk = append(chunk, place); len(chunk) == n {
				if !yield(chunk, nil) {
					return
				}
				chunk = nil
			}
		}
		if len(chunk) > 0 {
			yield(chunk, nil)
		}
	}
}
