package manifest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Batch is an object of changes, and an item of the state table. The manifest names it by
// its number only. From then on it never changes, until it expires.
type Batch struct {
	Object
	// Number counts the batches of a journal, from 1.
	Number int64 `dynamodbav:"number"`
	// AsOf and At are what Manifest.AsOf became, and when (microseconds).
	AsOf int64 `dynamodbav:"as_of"`
	At   int64 `dynamodbav:"at"`
	// Documents is how many it puts or removes.
	Documents int `dynamodbav:"documents"`
	// Removes reports whether it removes or replaces text that an older object has.
	Removes bool `dynamodbav:"removes,omitempty"`
}

// Pending sums up batches.
type Pending struct {
	Documents int   `dynamodbav:"documents,omitempty"`
	Bytes     int64 `dynamodbav:"bytes,omitempty"`
	// Since is when the first one was written, and RemovedAt since when there has been
	// text that one of them removed (microseconds); 0 for never.
	Since     int64 `dynamodbav:"since,omitempty"`
	RemovedAt int64 `dynamodbav:"removed_at,omitempty"`
}

// PendingOf sums up the batches.
func PendingOf(batches []Batch) (p Pending) {
	for _, b := range batches {
		p = p.With(b)
	}
	return p
}

// With adds a later batch.
func (p Pending) With(b Batch) Pending {
	p.Documents, p.Bytes = p.Documents+b.Documents, p.Bytes+b.Bytes
	if p.Since == 0 {
		p.Since = b.At
	}
	if p.RemovedAt == 0 && b.Removes {
		p.RemovedAt = b.At
	}
	return p
}

// batchName is the name of a batch's item.
func batchName(journal string, number int64) string {
	return fmt.Sprintf("search_batch#%s#%d", journal, number)
}

// batchItem is a batch as it is stored. Version is that of the manifest that its writer
// had read.
type batchItem struct {
	Name string `dynamodbav:"name"`
	Batch
	Version   int64  `dynamodbav:"version"`
	By        string `dynamodbav:"by"`
	ExpiresAt int64  `dynamodbav:"expires_at"`
}

// Append replaces the manifest that was read by one with one more batch, which gets the
// next number. It returns the new one, or [ErrMoved].
//
// The batch is written first, and counts once the manifest has its number. If the writer
// dies in between, the next one writes another batch under that number, and can, because
// its manifest is a later one. A batch that the manifest names is never replaced: a writer
// that still takes its number for free has read a manifest that is not later than the one
// that the batch's writer had read.
func (s *Store) Append(ctx context.Context, read, next Manifest, b Batch) (Manifest, error) {
	b.Number = read.Last + 1
	next.Last, next.Pending = b.Number, next.Pending.With(b)
	row := batchItem{
		Name: batchName(read.Journal, b.Number), Batch: b, Version: read.Version, By: rand.Text(),
		ExpiresAt: time.UnixMicro(b.At).Add(surgical.IndexBatchExpires).Unix(),
	}
	mine, err := s.writeBatch(ctx, read.Journal, row)
	if err != nil {
		return read, err
	}
	if !mine {
		return read, s.free(ctx, read)
	}
	named, err := s.Swap(ctx, read, next)
	if errors.Is(err, ErrMoved) {
		return s.namedMeanwhile(ctx, read, row)
	}
	return named, err
}

// free makes the number behind the last batch usable, which somebody took that had read
// this manifest: that writer may have died, or it may be about to name its batch. After
// this, it cannot.
func (s *Store) free(ctx context.Context, read Manifest) error {
	if _, err := s.Swap(ctx, read, read); err != nil {
		return err
	}
	return ErrMoved
}

// namedMeanwhile returns the manifest if it names the batch although the swap seems to have
// failed: the response to an earlier try of the SDK may have been lost, and others may have
// changed the manifest since. Otherwise the error is [ErrMoved].
func (s *Store) namedMeanwhile(ctx context.Context, read Manifest, row batchItem) (Manifest, error) {
	now, err := s.Read(ctx)
	if err != nil {
		return read, err
	}
	if now.Journal != read.Journal || now.Last < row.Number {
		return read, ErrMoved
	}
	mine, err := s.wrote(ctx, read.Journal, row)
	if err == nil && !mine {
		err = ErrMoved
	}
	return now, err
}

// writeBatch writes the batch, unless the number was taken by a writer that had read the
// same manifest, or a later one.
func (s *Store) writeBatch(ctx context.Context, journal string, row batchItem) (mine bool, err error) {
	mine, err = s.putIf(ctx, row, absent().Or(expression.Name("version").LessThan(expression.Value(row.Version))))
	switch {
	case err != nil:
		return false, fmt.Errorf("write a batch of the index: %w", err)
	case mine:
		return true, nil
	}
	// The response to an earlier try of the SDK may have been lost.
	return s.wrote(ctx, journal, row)
}

// wrote reports whether this is the batch with its number.
func (s *Store) wrote(ctx context.Context, journal string, row batchItem) (bool, error) {
	rows, err := s.batchItems(ctx, journal, row.Number-1, row.Number)
	return len(rows) == 1 && rows[0].By == row.By, err
}

// Batches reads the batches of a journal with the numbers after one up to another, in
// order, each strongly consistent. Those that do not exist are left out.
func (s *Store) Batches(ctx context.Context, journal string, after, last int64) ([]Batch, error) {
	rows, err := s.batchItems(ctx, journal, after, last)
	batches := make([]Batch, len(rows))
	for i, row := range rows {
		batches[i] = row.Batch
	}
	return batches, err
}

func (s *Store) batchItems(ctx context.Context, journal string, after, last int64) ([]batchItem, error) {
	var keys []dynamo.Item
	for number := after + 1; number <= last; number++ {
		keys = append(keys, keyOf(batchName(journal, number)))
	}
	if len(keys) == 0 {
		return nil, nil
	}
	items, err := dynamo.GetAll(ctx, s.db, s.table, keys)
	if err != nil {
		return nil, fmt.Errorf("read batches of the index: %w", err)
	}
	rows := make([]batchItem, len(items))
	for i, item := range items {
		if err := attributevalue.UnmarshalMap(item, &rows[i]); err != nil {
			return nil, fmt.Errorf("decode a batch of the index: %w", err)
		}
	}
	slices.SortFunc(rows, func(a, b batchItem) int { return int(a.Number - b.Number) })
	return rows, nil
}

// keysOf returns what has to be deleted of something that retired: the object or index, or
// the objects of the batches. The items of batches expire by themselves.
func (s *Store) keysOf(ctx context.Context, r Retired) ([]string, error) {
	if r.Journal == "" {
		return []string{r.Key}, nil
	}
	batches, err := s.Batches(ctx, r.Journal, r.After, r.Last)
	keys := make([]string, len(batches))
	for i, b := range batches {
		keys[i] = b.Key
	}
	return keys, err
}

// RetiredKeys returns the keys of the objects and indexes that retired.
func (s *Store) RetiredKeys(ctx context.Context, m Manifest) (map[string]bool, error) {
	retired := map[string]bool{}
	for _, r := range m.Retired {
		keys, err := s.keysOf(ctx, r)
		if err != nil {
			return nil, err
		}
		for _, key := range keys {
			retired[key] = true
		}
	}
	return retired, nil
}

// Due returns the keys of what retired [surgical.IndexUnnamed] ago and is to be deleted,
// and the rest of what retired.
func (s *Store) Due(ctx context.Context, m Manifest, now time.Time) (due []string, kept []Retired, err error) {
	for _, r := range m.Retired {
		if !Older(now, r.At, surgical.IndexUnnamed) {
			kept = append(kept, r)
			continue
		}
		keys, err := s.keysOf(ctx, r)
		if err != nil {
			return nil, m.Retired, err
		}
		due = append(due, keys...)
	}
	return due, kept, nil
}
