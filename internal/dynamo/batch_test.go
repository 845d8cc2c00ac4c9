package dynamo_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/tables"
	fakedynamodb "gitlab.com/lorehook/lorehook/test/fake/dynamodb"
)

// table is an empty content table behind a hook around every call.
type table struct {
	name   string
	client *dynamodb.Client
	db     *fakedynamodb.DB

	mu     sync.Mutex
	calls  []any
	around func(input any, send func() (any, error)) (any, error)
}

func newTable() *table {
	tb := &table{name: tables.Content().Name}
	tb.db, _ = fakedynamodb.New()
	tb.client = tb.db.Around(func(_ context.Context, input any, send func() (any, error)) (any, error) {
		tb.mu.Lock()
		defer tb.mu.Unlock()
		tb.calls = append(tb.calls, input)
		if tb.around != nil {
			return tb.around(input, send)
		}
		return send()
	})
	return tb
}

func str(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func keyOf(i int) dynamo.Item {
	return dynamo.Item{"pk": str("P#1#issue#1"), "sk": str(fmt.Sprintf("doc#%04d", i))}
}

// items are n items with a text of so many bytes each.
func items(n, bytes int) []dynamo.Item {
	list := make([]dynamo.Item, n)
	for i := range list {
		list[i] = keyOf(i)
		list[i]["text"] = str(strings.Repeat("x", bytes))
	}
	return list
}

func keys(n int) []dynamo.Item {
	list := make([]dynamo.Item, n)
	for i := range list {
		list[i] = keyOf(i)
	}
	return list
}

// sizes are the numbers of items of each batch that was written, the largest
// first.
func (tb *table) sizes() (sizes []int) {
	for _, call := range tb.calls {
		if in, ok := call.(*dynamodb.BatchWriteItemInput); ok {
			sizes = append(sizes, len(in.RequestItems[tb.name]))
		}
	}
	slices.Sort(sizes)
	slices.Reverse(sizes)
	return sizes
}

func TestPutAll_SplitsByCountAndByBytes(t *testing.T) {
	for name, c := range map[string]struct {
		n, bytes int
		want     []int
	}{
		"nothing":          {0, 0, nil},
		"one":              {1, 10, []int{1}},
		"a full batch":     {25, 10, []int{25}},
		"one more":         {26, 10, []int{25, 1}},
		"many":             {60, 10, []int{25, 25, 10}},
		"large items":      {25, 390 << 10, []int{10, 10, 5}}, // 4 MB a batch
		"largest possible": {12, 400<<10 - 40, []int{10, 2}},
	} {
		tb := newTable()
		if err := dynamo.PutAll(t.Context(), tb.client, tb.name, items(c.n, c.bytes)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := tb.sizes(); !slices.Equal(got, c.want) {
			t.Errorf("%s: batches of %v, want %v", name, got, c.want)
		}
		if got := len(tb.db.Items(tb.name)); got != c.n {
			t.Errorf("%s: %d items are stored", name, got)
		}
	}
}

// leave answers that only the first n of a batch were written, times times.
func (tb *table) leave(n, times int) {
	tb.around = func(input any, send func() (any, error)) (any, error) {
		in, ok := input.(*dynamodb.BatchWriteItemInput)
		if !ok || times == 0 {
			return send()
		}
		times--
		all := in.RequestItems[tb.name]
		done := all[:min(n, len(all))]
		for _, request := range done {
			if _, err := tb.db.Client().PutItem(context.Background(), &dynamodb.PutItemInput{TableName: &tb.name, Item: request.PutRequest.Item}); err != nil {
				return nil, err
			}
		}
		return &dynamodb.BatchWriteItemOutput{UnprocessedItems: map[string][]types.WriteRequest{tb.name: all[len(done):]}}, nil
	}
}

func TestPutAll_SendsUnprocessedItemsAgainWithGrowingPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tb := newTable()
		tb.leave(5, 4)
		began := time.Now()
		if err := dynamo.PutAll(t.Context(), tb.client, tb.name, items(23, 10)); err != nil {
			t.Fatal(err)
		}
		if got, want := tb.sizes(), []int{23, 18, 13, 8, 3}; !slices.Equal(got, want) {
			t.Errorf("batches of %v, want %v: only what was left", got, want)
		}
		if got := len(tb.db.Items(tb.name)); got != 23 {
			t.Errorf("%d items are stored", got)
		}
		if took, longest := time.Since(began), (20+40+80+160)*time.Millisecond; !paused(took, longest) {
			t.Errorf("it took %v, want half to all of %v", took, longest)
		}
	})
}

func TestPutAll_GivesUpAfterTenTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tb := newTable()
		tb.leave(0, 1000)
		began := time.Now()
		if err := dynamo.PutAll(t.Context(), tb.client, tb.name, items(3, 10)); err == nil {
			t.Error("three items that were never written count as written")
		}
		if n := len(tb.calls); n != 10 {
			t.Errorf("%d tries", n)
		}
		// 20 ms doubled, but never more than 2 s.
		if took, longest := time.Since(began), (20+40+80+160+320+640+1280+2000+2000)*time.Millisecond; !paused(took, longest) {
			t.Errorf("it took %v, want half to all of %v", took, longest)
		}
	})
}

func TestPutAll_EndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tb := newTable()
		tb.leave(0, 1000)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(25*time.Millisecond, cancel)
		if err := dynamo.PutAll(ctx, tb.client, tb.name, items(3, 10)); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if n := len(tb.calls); n != 2 {
			t.Errorf("%d tries in 25 ms, want 2", n)
		}
		tb.calls = nil
		if err := dynamo.PutAll(ctx, tb.client, tb.name, items(3, 10)); !errors.Is(err, context.Canceled) || len(tb.calls) > 0 {
			t.Errorf("after a cancellation: %v, %d calls", err, len(tb.calls))
		}
	})
}

// Half of a time that is shorter than the reserve is waited for.
func TestPutAllTransactAndGetTogether_KeepHalfOfAShortTime(t *testing.T) {
	for name, send := range map[string]func(ctx context.Context, tb *table) error{
		"PutAll": func(ctx context.Context, tb *table) error {
			return dynamo.PutAll(ctx, tb.client, tb.name, items(3, 10))
		},
		"Transact": func(ctx context.Context, tb *table) error { return dynamo.Transact(ctx, tb.client, put(tb)) },
		"GetAll": func(ctx context.Context, tb *table) error {
			_, err := dynamo.GetAll(ctx, tb.client, tb.name, keys(3))
			return err
		},
		"GetTogether": func(ctx context.Context, tb *table) error {
			_, err := dynamo.GetTogether(ctx, tb.client, dynamo.Lookup{Table: tb.name, Key: keyOf(1)})
			return err
		},
	} {
		for _, short := range []time.Duration{50 * time.Millisecond, surgical.ClosingTimeout, surgical.ThrottleReserve} {
			synctest.Test(t, func(t *testing.T) {
				tb := newTable()
				tb.around = func(any, func() (any, error)) (any, error) {
					return nil, answered("X", &types.ProvisionedThroughputExceededException{})
				}
				ctx, cancel := context.WithTimeout(t.Context(), short)
				defer cancel()
				began := time.Now()
				if err := send(ctx, tb); !dynamo.Throttled(err) || ctx.Err() != nil {
					t.Errorf("%s in %v: %v", name, short, err)
				}
				if took := time.Since(began); took > short/2 || len(tb.calls) < 2 {
					t.Errorf("%s in %v: %d tries in %v", name, short, len(tb.calls), took)
				}
			})
		}
	}
}

// A partition that takes a little of every try must not keep a function until it is
// killed.
func TestPutAll_KeepsTheReserveWhileItGetsOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tb := newTable()
		tb.leave(1, 1000)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		began := time.Now()
		err := dynamo.PutAll(ctx, tb.client, tb.name, items(10_000, 10))
		took := time.Since(began)
		if !errors.Is(err, dynamo.ErrNoTime) || !dynamo.Throttled(err) || took > 2*time.Minute-surgical.ThrottleReserve || took < time.Minute {
			t.Errorf("%v after %v", err, took)
		}
	})
}

func TestPutAll_BeginsNoBatchThatThereIsNoTimeFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tb := newTable()
		var began atomic.Int64
		slow := tb.db.Around(func(_ context.Context, _ any, send func() (any, error)) (any, error) {
			began.Add(1)
			time.Sleep(11 * time.Second)
			return send()
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		// Eight batches at a time begin after 0, 11, 22, 33 and 44 s. After 55 s, five
		// seconds are left.
		err := dynamo.PutAll(ctx, slow, tb.name, items(100*25, 10))
		if n := began.Load(); !errors.Is(err, dynamo.ErrNoTime) || n != 40 {
			t.Errorf("%d batches began, %v", n, err)
		}
	})
}

func TestPutAllAndGetAll_ReportAFailure(t *testing.T) {
	broken := errors.New("broken")
	tb := newTable()
	tb.around = func(any, func() (any, error)) (any, error) { return nil, broken }
	if err := dynamo.PutAll(t.Context(), tb.client, tb.name, items(60, 10)); !errors.Is(err, broken) {
		t.Errorf("PutAll: %v", err)
	}
	if found, err := dynamo.GetAll(t.Context(), tb.client, tb.name, keys(250)); !errors.Is(err, broken) || found != nil {
		t.Errorf("GetAll: %d items, %v", len(found), err)
	}
}

func TestGetAll_ReadsEverythingStronglyConsistentByHundreds(t *testing.T) {
	for _, c := range []struct{ stored, asked, calls int }{{0, 0, 0}, {0, 10, 1}, {100, 100, 1}, {101, 101, 2}, {230, 250, 3}} {
		tb := newTable()
		if err := dynamo.PutAll(t.Context(), tb.client, tb.name, items(c.stored, 10)); err != nil {
			t.Fatal(err)
		}
		tb.calls = nil
		found, err := dynamo.GetAll(t.Context(), tb.client, tb.name, keys(c.asked))
		if err != nil || len(found) != c.stored || len(tb.calls) != c.calls {
			t.Errorf("%d of %d stored: %d found in %d calls, %v", c.asked, c.stored, len(found), len(tb.calls), err)
		}
		for _, call := range tb.calls {
			in := call.(*dynamodb.BatchGetItemInput).RequestItems[tb.name]
			if in.ConsistentRead == nil || !*in.ConsistentRead || len(in.Keys) > 100 {
				t.Errorf("a batch of %d, consistent %v", len(in.Keys), in.ConsistentRead)
			}
		}
	}
}

// DynamoDB ends an answer at 16 MB: as long as something comes, going on at
// once is right, however often.
func TestGetAll_GoesOnAtOnceWhileSomethingComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tb := newTable()
		if err := dynamo.PutAll(t.Context(), tb.client, tb.name, items(60, 300<<10)); err != nil { // 18 MB
			t.Fatal(err)
		}
		tb.calls = nil
		began := time.Now()
		found, err := dynamo.GetAll(t.Context(), tb.client, tb.name, keys(60))
		if err != nil || len(found) != 60 || len(tb.calls) != 2 {
			t.Errorf("%d found in %d calls, %v", len(found), len(tb.calls), err)
		}
		tb.around = one(tb)
		if found, err = dynamo.GetAll(t.Context(), tb.client, tb.name, keys(30)); err != nil || len(found) != 30 {
			t.Errorf("one item an answer: %d found, %v", len(found), err)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("it paused for %v", took)
		}
	})
}

// one answers with one item at a time.
func one(tb *table) func(any, func() (any, error)) (any, error) {
	return func(input any, send func() (any, error)) (any, error) {
		in := input.(*dynamodb.BatchGetItemInput)
		keys := in.RequestItems[tb.name]
		rest := keys
		rest.Keys = keys.Keys[1:]
		out, err := tb.db.Client().BatchGetItem(context.Background(), &dynamodb.BatchGetItemInput{
			RequestItems: map[string]types.KeysAndAttributes{tb.name: {Keys: keys.Keys[:1], ConsistentRead: keys.ConsistentRead}},
		})
		if err == nil && len(rest.Keys) > 0 {
			out.UnprocessedKeys = map[string]types.KeysAndAttributes{tb.name: rest}
		}
		return out, err
	}
}

func TestGetAll_GivesUpAfterTenEmptyAnswersInARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tb := newTable()
		if err := dynamo.PutAll(t.Context(), tb.client, tb.name, items(3, 10)); err != nil {
			t.Fatal(err)
		}
		// Nine empty answers, one item, nine empty answers, …
		n := 0
		nothing := func(input any) (any, error) {
			return &dynamodb.BatchGetItemOutput{UnprocessedKeys: input.(*dynamodb.BatchGetItemInput).RequestItems}, nil
		}
		tb.around = func(input any, send func() (any, error)) (any, error) {
			if n++; n%10 != 0 {
				return nothing(input)
			}
			return one(tb)(input, send)
		}
		if found, err := dynamo.GetAll(t.Context(), tb.client, tb.name, keys(3)); err != nil || len(found) != 3 {
			t.Errorf("%d found, %v", len(found), err)
		}
		tb.calls = nil
		tb.around = func(input any, _ func() (any, error)) (any, error) { return nothing(input) }
		if found, err := dynamo.GetAll(t.Context(), tb.client, tb.name, keys(3)); err == nil || found != nil || len(tb.calls) != 10 {
			t.Errorf("%d found in %d calls, %v", len(found), len(tb.calls), err)
		}
	})
}

func TestQueryAll_YieldsEveryPageAndStopsWhenToldTo(t *testing.T) {
	tb := newTable()
	if err := dynamo.PutAll(t.Context(), tb.client, tb.name, items(25, 100<<10)); err != nil { // 2.5 MB: three pages
		t.Fatal(err)
	}
	query := func() *dynamodb.QueryInput {
		return &dynamodb.QueryInput{
			TableName: &tb.name, KeyConditionExpression: new("#pk = :pk"), ExpressionAttributeNames: map[string]string{"#pk": "pk"},
			ExpressionAttributeValues: dynamo.Item{":pk": str("P#1#issue#1")},
		}
	}
	for _, c := range []struct{ most, want, calls int }{{100, 25, 3}, {10, 10, 1}, {11, 11, 2}} {
		tb.calls = nil
		n := 0
		for item, err := range dynamo.QueryAll(t.Context(), tb.client, query()) {
			if err != nil {
				t.Fatal(err)
			}
			if got, want := item["sk"].(*types.AttributeValueMemberS).Value, fmt.Sprintf("doc#%04d", n); got != want {
				t.Errorf("item %d is %s", n, got)
			}
			if n++; n == c.most {
				break
			}
		}
		if n != c.want || len(tb.calls) != c.calls {
			t.Errorf("up to %d: %d items in %d calls, want %d in %d", c.most, n, len(tb.calls), c.want, c.calls)
		}
	}
	broken := errors.New("broken")
	calls := 0
	tb.around = func(_ any, send func() (any, error)) (any, error) {
		if calls++; calls == 2 {
			return nil, broken
		}
		return send()
	}
	n, failures := 0, 0
	for item, err := range dynamo.QueryAll(t.Context(), tb.client, query()) {
		if err != nil {
			if failures++; !errors.Is(err, broken) || item != nil {
				t.Errorf("got %v, %v", item, err)
			}
			continue
		}
		n++
	}
	if n != 10 || failures != 1 {
		t.Errorf("%d items and %d failures; the first failure ends it", n, failures)
	}
}
