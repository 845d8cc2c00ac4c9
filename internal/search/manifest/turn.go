package manifest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Turn lets one indexer work at a time. Every change starts one, and without turns all of
// them would read the same entities, and all but one in vain. Nothing is wrong if two work
// at once: the manifest is replaced under its version.
type Turn struct {
	store  *Store
	clock  func() time.Time
	holder string

	mu sync.Mutex // guards row
	// row is the item as this indexer wrote it last; nil if somebody may have changed it.
	row *turnItem
	// ranOut reports that the turn was taken from an indexer that had not given it back.
	ranOut bool
}

// Turn returns the turn of another indexer.
func (s *Store) Turn(clock func() time.Time) *Turn {
	return &Turn{store: s, clock: clock, holder: rand.Text()}
}

// turnName is the name of the item that says who works.
const turnName = "search_indexer"

type turnItem struct {
	Name string `dynamodbav:"name"`
	// Version is raised by every change, which is conditional on it.
	Version int64 `dynamodbav:"version"`
	// Holder works until Until (microseconds), unless it extends that; "" is nobody.
	Holder string `dynamodbav:"holder,omitempty"`
	Until  int64  `dynamodbav:"until,omitempty"`
	// Asked reports that another indexer was started in the meantime: what that one was
	// started for may have come after the holder looked.
	Asked bool `dynamodbav:"asked,omitempty"`
}

// Begin takes the turn. If another indexer has it, mine is false, and that one is asked to
// look once more before it ends. A holder that died has it for [surgical.IndexerTurn] at
// most.
func (t *Turn) Begin(ctx context.Context) (mine bool, err error) {
	t.forget()
	err = t.change(ctx, func(row turnItem) (turnItem, bool) {
		now := t.clock()
		if mine = row.Holder == "" || row.Holder == t.holder || row.Until <= now.UnixMicro(); mine {
			t.ranOut = row.Holder != "" && row.Holder != t.holder
			row.Holder, row.Until, row.Asked = t.holder, now.Add(surgical.IndexerTurn).UnixMicro(), false
			return row, true
		}
		ask := !row.Asked
		row.Asked = true
		return row, ask
	})
	return mine && err == nil, err
}

// RanOut reports whether Begin took the turn from an indexer that had neither extended it
// nor given it back: most likely it died.
func (t *Turn) RanOut() bool { return t.ranOut }

// forget lets the next change read the row.
func (t *Turn) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.row = nil
}

// Extend keeps the turn for longer.
func (t *Turn) Extend(ctx context.Context) error {
	return t.change(ctx, func(row turnItem) (turnItem, bool) {
		mine := row.Holder == t.holder
		row.Until = t.clock().Add(surgical.IndexerTurn).UnixMicro()
		return row, mine
	})
}

// End gives the turn back, unless it was asked for in the meantime: then again is true,
// and it is kept.
func (t *Turn) End(ctx context.Context) (again bool, err error) {
	err = t.change(ctx, func(row turnItem) (turnItem, bool) {
		mine := row.Holder == t.holder
		if again = mine && row.Asked; again {
			row.Asked = false
		} else {
			row.Holder, row.Until = "", 0
		}
		return row, mine
	})
	return again && err == nil, err
}

// Leave gives the turn back, even if another indexer asked.
func (t *Turn) Leave(ctx context.Context) error {
	return t.change(ctx, func(row turnItem) (turnItem, bool) {
		mine := row.Holder == t.holder
		row.Holder, row.Until, row.Asked = "", 0, false
		return row, mine
	})
}

// maxTurnChanges is how often a change of the row is tried.
const maxTurnChanges = 20

// change replaces the row by what next makes of it, unless it reports that nothing is to
// be changed. A row that this indexer wrote is not read again before.
func (t *Turn) change(ctx context.Context, next func(turnItem) (turnItem, bool)) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for range maxTurnChanges {
		if t.row == nil {
			t.row = &turnItem{}
			if err := t.store.read(ctx, turnName, t.row); err != nil {
				t.row = nil
				return err
			}
		}
		to, differs := next(*t.row)
		if !differs {
			return nil
		}
		replaced, err := t.replace(ctx, t.row.Version, &to)
		t.row = nil
		if replaced {
			t.row = &to
		}
		if replaced || err != nil {
			return err
		}
	}
	return errors.New("others keep changing whose turn it is to index")
}

// replace writes the row, and reports whether its version was still this one.
func (t *Turn) replace(ctx context.Context, version int64, row *turnItem) (replaced bool, err error) {
	row.Name, row.Version = turnName, version+1
	condition := absent()
	if version > 0 {
		condition = expression.Name("version").Equal(expression.Value(version))
	}
	replaced, err = t.store.putIf(ctx, row, condition)
	if err != nil {
		return false, fmt.Errorf("change whose turn it is to index: %w", err)
	}
	return replaced, nil
}
