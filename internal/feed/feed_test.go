package feed_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/feed"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakedynamodb "gitlab.com/lorehook/lorehook/test/fake/dynamodb"
)

// world is the feeds on the in-memory DynamoDB, with a clock that stands still unless it
// is moved.
type world struct {
	db       *fakedynamodb.DB
	tables   config.Tables
	store    *feed.Store
	consumer *feed.Consumer
	now      time.Time
	// around, if set, stands between the consumer and DynamoDB, and reading between the
	// store's readers and DynamoDB.
	around, reading func(input any, send func() (any, error)) (any, error)
}

func newWorld() *world {
	w := &world{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	w.db, w.tables = fakedynamodb.New()
	clock := func() time.Time { return w.now }
	w.store = feed.NewStore(w.behind(&w.reading), w.tables.Feed, clock)
	w.consumer = &feed.Consumer{Store: feed.NewStore(w.behind(&w.around), w.tables.Feed, clock), Clock: clock, Log: slog.New(slog.DiscardHandler)}
	return w
}

// behind is a client whose calls go through what the variable has then.
func (w *world) behind(around *func(input any, send func() (any, error)) (any, error)) *dynamodb.Client {
	return w.db.Around(func(_ context.Context, input any, send func() (any, error)) (any, error) {
		if *around != nil {
			return (*around)(input, send)
		}
		return send()
	})
}

// started is a world whose consumer has begun to work.
func started(t *testing.T) *world {
	w := newWorld()
	w.consume(t, batch("0#issue#1 heartbeat"))
	return w
}

// record is a record of the stream: an item that changed, as "1#issue#7 head".
func record(item string) json.RawMessage {
	pk, sk, _ := strings.Cut(item, " ")
	return json.RawMessage(fmt.Sprintf(`{"eventID":"1","eventName":"MODIFY","eventSource":"aws:dynamodb","dynamodb":{"Keys":{"pk":{"S":"P#%s"},"sk":{"S":%q}},"SequenceNumber":"1","StreamViewType":"KEYS_ONLY"}}`, pk, sk))
}

// batch is an event with records of the stream.
func batch(items ...string) json.RawMessage {
	records := make([]json.RawMessage, len(items))
	for i, item := range items {
		records[i] = record(item)
	}
	raw, err := json.Marshal(map[string]any{"Records": records})
	if err != nil {
		panic(err)
	}
	return raw
}

// givenUp is what Lambda sends to the queue of batches that it gave up.
func givenUp() json.RawMessage {
	return json.RawMessage(`{"Records":[{"messageId":"1","eventSource":"aws:sqs","body":"{\"requestContext\":{\"condition\":\"MaximumRecordAgeExceeded\"}}"}]}`)
}

// consume consumes a batch that must succeed.
func (w *world) consume(t *testing.T, event json.RawMessage) {
	t.Helper()
	response, err := w.consumer.Handle(t.Context(), event)
	if err != nil || response.BatchItemFailures == nil || len(response.BatchItemFailures) > 0 {
		t.Fatal(response, err)
	}
}

// read reads everything after the position, limit entries at a time, as texts.
func (w *world) read(t *testing.T, name feed.Name, from feed.Position, limit int) (entries []string, next feed.Position) {
	t.Helper()
	for more := true; more; {
		page, err := w.store.Read(t.Context(), name, from, limit)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Entries {
			entries = append(entries, strings.TrimSpace(e.Ref.Key()+" "+e.Document))
		}
		from, more = page.Next, page.More
	}
	return entries, from
}

func end(t *testing.T, w *world, name feed.Name) feed.Position {
	t.Helper()
	at, err := w.store.End(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestHandle_AppendsWhatReadersMaySee(t *testing.T) {
	for _, limit := range []int{1, 2, 100} {
		w := started(t)
		entities, documents := end(t, w, feed.Entities), end(t, w, feed.Documents)
		w.consume(t, batch("1#issue#7 head", "1#issue#7 doc#entity", "1#issue#7 emb#entity", "1#issue#7 child#entity#0#a.1#000", "1#issue#7 vec#entity#x", "1#issue#7 docpiece#entity#t#x"))
		w.consume(t, batch("2#merge_request#3 doc#discussion#d1", "1#issue#7 head", "1#issue#7 head", "x y"))
		got, next := w.read(t, feed.Entities, entities, limit)
		if diff := cmp.Diff([]string{"1#issue#7", "1#issue#7"}, got); diff != "" {
			t.Errorf("entities (-want +got):\n%s", diff)
		}
		if got, _ := w.read(t, feed.Entities, next, limit); len(got) > 0 {
			t.Errorf("read again: %v", got)
		}
		got, _ = w.read(t, feed.Documents, documents, limit)
		if diff := cmp.Diff([]string{"1#issue#7", "1#issue#7 entity", "2#merge_request#3 discussion#d1", "1#issue#7"}, got); diff != "" {
			t.Errorf("documents (-want +got):\n%s", diff)
		}
	}
}

func TestHandle_WritesABatchAsOneBlockOfEachFeed(t *testing.T) {
	w := started(t)
	var writes []any
	w.around = func(input any, send func() (any, error)) (any, error) {
		switch input.(type) {
		case *dynamodb.GetItemInput, *dynamodb.QueryInput:
		default:
			writes = append(writes, input)
		}
		return send()
	}
	w.consume(t, batch("1#issue#7 head", "1#issue#7 doc#entity", "1#issue#8 head", "1#issue#8 doc#entity"))
	var blocks []string
	for _, write := range writes {
		put, ok := write.(*dynamodb.PutItemInput)
		if !ok {
			t.Fatalf("it sent %T", write)
		}
		blocks = append(blocks, fmt.Sprint(put.Item["feed"].(*types.AttributeValueMemberS).Value, " ", dynamo.WriteUnits(dynamo.ItemSize(put.Item))))
	}
	if diff := cmp.Diff([]string{"entities 1", "documents 1"}, blocks); diff != "" {
		t.Errorf("blocks and their write units (-want +got):\n%s", diff)
	}
}

// The documents' keys are as long as DynamoDB allows.
func TestHandle_KeepsABlockOfALargestBatchFarBelowTheLimitOfAnItem(t *testing.T) {
	w := started(t)
	from := end(t, w, feed.Documents)
	const longest = 1024
	var items []string
	for i := range 5 * surgical.FeedBatch / 2 {
		items = append(items, fmt.Sprintf("9007199254740991#merge_request#%d doc#%s", 9007199254740000+i, strings.Repeat("d", longest-len("doc#"))))
	}
	w.consume(t, batch(items...))
	if got, _ := w.read(t, feed.Documents, from, 1000); len(got) != len(items) {
		t.Errorf("%d of %d entries", len(got), len(items))
	}
	blocks := 0
	for _, item := range w.db.Items(w.tables.Feed) {
		if item["entries"] == nil {
			continue
		}
		blocks++
		if size := dynamo.ItemSize(item); size > surgical.MaxItemBytes/3 {
			t.Errorf("a block has %d bytes", size)
		}
	}
	if blocks != 3 {
		t.Errorf("%d blocks", blocks)
	}
}

// Two shards have two consumers. One of them is stopped just before it writes.
func TestHandle_OfTwoConsumersThatFoundTheSameLastBlock(t *testing.T) {
	w := started(t)
	from := end(t, w, feed.Documents)
	other := &feed.Consumer{Store: w.store, Clock: func() time.Time { return w.now }, Log: slog.New(slog.DiscardHandler)}
	w.around = func(input any, send func() (any, error)) (any, error) {
		if _, writes := input.(*dynamodb.PutItemInput); writes {
			w.around = nil
			if _, err := other.Handle(t.Context(), batch("1#issue#8 doc#entity", "1#issue#9 doc#entity")); err != nil {
				t.Error(err)
			}
		}
		return send()
	}
	w.consume(t, batch("1#issue#7 doc#entity"))
	got, _ := w.read(t, feed.Documents, from, 10)
	if diff := cmp.Diff([]string{"1#issue#8 entity", "1#issue#9 entity", "1#issue#7 entity"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The second try of the SDK finds the number taken, by its first one.
func TestHandle_AppendsTwiceWhatItDoesNotKnowToBeWritten(t *testing.T) {
	w := started(t)
	from := end(t, w, feed.Documents)
	w.around = func(input any, send func() (any, error)) (any, error) {
		if _, writes := input.(*dynamodb.PutItemInput); writes {
			w.around = nil
			if _, err := send(); err != nil {
				t.Error(err)
			}
		}
		return send()
	}
	w.consume(t, batch("1#issue#7 doc#entity"))
	got, _ := w.read(t, feed.Documents, from, 10)
	if diff := cmp.Diff([]string{"1#issue#7 entity", "1#issue#7 entity"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func wantRestarted(t *testing.T, w *world, from feed.Position) {
	t.Helper()
	if _, err := w.store.Read(t.Context(), feed.Entities, from, 10); surgical.CodeOf(err) != surgical.CodeFeedRestarted {
		t.Errorf("read on from %+v: %v", from, err)
	}
}

func TestHandle_RestartsTheFeedsOnceAfterAGap(t *testing.T) {
	w := newWorld()
	from := end(t, w, feed.Entities)
	w.consume(t, batch("1#issue#7 head"))
	wantRestarted(t, w, from) // of what was before, nothing is known
	from = end(t, w, feed.Entities)
	w.now = w.now.Add(surgical.FeedGap)
	w.consume(t, batch("1#issue#7 heartbeat")) // not yet
	w.read(t, feed.Entities, from, 10)
	w.now = w.now.Add(surgical.FeedGap + time.Microsecond)
	w.consume(t, batch("1#issue#8 head"))
	wantRestarted(t, w, from)
	from = end(t, w, feed.Entities)
	if from.Number != 2 || from.Epoch != 2 {
		t.Errorf("the numbers go on at %+v", from)
	}
	w.consume(t, batch("1#issue#9 head"))
	if got, _ := w.read(t, feed.Entities, from, 10); len(got) != 1 {
		t.Errorf("after the restart: %v", got)
	}
}

func TestHandle_RestartsTheFeedsIfRecordsWereGivenUp(t *testing.T) {
	w := started(t)
	from, documents := end(t, w, feed.Entities), end(t, w, feed.Documents)
	w.consume(t, givenUp())
	wantRestarted(t, w, from)
	if _, err := w.store.Read(t.Context(), feed.Documents, documents, 10); surgical.CodeOf(err) != surgical.CodeFeedRestarted {
		t.Errorf("documents: %v", err)
	}
}

func TestRead_RefusesAPositionThatMayMissSomething(t *testing.T) {
	w := started(t)
	from := end(t, w, feed.Entities)
	w.consume(t, batch("1#issue#7 head"))
	for name, wrong := range map[string]feed.Position{
		"of another epoch": {Epoch: 2, At: w.now}, "of the future": {Epoch: 1, Number: 2, At: w.now}, "before the first": {Epoch: 1, Number: -1, At: w.now}, "zero": {},
		"within a block of the future": {Epoch: 1, Number: 1, Offset: 1, At: w.now}, "behind the end of a block": {Epoch: 1, Offset: 2, At: w.now}, "before the first of a block": {Epoch: 1, Offset: -1, At: w.now},
	} {
		if _, err := w.store.Read(t.Context(), feed.Entities, wrong, 10); surgical.CodeOf(err) != surgical.CodeFeedRestarted {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.now = w.now.Add(surgical.FeedRetention)
	w.read(t, feed.Entities, from, 10)
	w.now = w.now.Add(time.Microsecond)
	wantRestarted(t, w, from)
}

// Whatever a reader is at, the entries after it are kept for as long as it may come back.
func TestRead_IsNeverAheadOfTheExpiryOfAnEntry(t *testing.T) {
	w := newWorld()
	w.consume(t, batch("1#issue#1 head"))
	w.now = w.now.Add(15 * 24 * time.Hour)
	w.consume(t, batch("1#issue#2 heartbeat")) // a gap
	from := end(t, w, feed.Entities)
	written := w.now
	w.consume(t, batch("1#issue#1 head", "1#issue#2 head"))
	w.now = w.now.Add(time.Hour)
	page, err := w.store.Read(t.Context(), feed.Entities, from, 1)
	if err != nil || !page.More || page.Next.At.After(written) {
		t.Fatal(page, err)
	}
	for _, item := range w.db.Items(w.tables.Feed) {
		if item["expires_at"] == nil && item["epoch"] == nil {
			t.Errorf("a block does not expire: %v", item)
		}
	}
}

// While others append, a query may see what came last and not what came before.
func TestRead_EndsBeforeABlockThatIsMissing(t *testing.T) {
	w := started(t)
	from := end(t, w, feed.Entities)
	for i := range 3 {
		w.consume(t, batch(fmt.Sprintf("1#issue#%d head", i+1)))
	}
	w.reading = func(input any, send func() (any, error)) (any, error) {
		out, err := send()
		if query, ok := out.(*dynamodb.QueryOutput); ok {
			query.Items = slices.Delete(query.Items, 1, 2)
		}
		return out, err
	}
	page, err := w.store.Read(t.Context(), feed.Entities, from, 10)
	if err != nil || len(page.Entries) != 1 || page.More || page.Next.Number != 1 {
		t.Errorf("%+v, %v", page, err)
	}
	w.reading = nil
	if got, _ := w.read(t, feed.Entities, page.Next, 10); len(got) != 2 {
		t.Errorf("later it reads %v", got)
	}
}

// No block of a quiet feed is left, and the counter has the number of the last.
func TestHandle_GoesOnAfterTheLastBlockHasExpired(t *testing.T) {
	w := started(t)
	w.consume(t, batch("1#issue#1 head"))
	w.consume(t, batch("1#issue#2 head"))
	for range 40 {
		w.now = w.now.Add(surgical.FeedGap - time.Hour)
		w.consume(t, batch("0#issue#1 heartbeat"))
	}
	w.expire(t, func(int64) bool { return true })
	from := end(t, w, feed.Entities)
	if from.Number != 2 {
		t.Fatalf("the end is %+v", from)
	}
	w.consume(t, batch("1#issue#3 head"))
	if got, _ := w.read(t, feed.Entities, from, 10); fmt.Sprint(got) != "[1#issue#3]" {
		t.Errorf("it reads %v", got)
	}
}

// expire lets DynamoDB delete expired blocks: those that it chooses, in no order.
func (w *world) expire(t interface{ Fatal(...any) }, chosen func(number int64) bool) {
	for _, item := range w.db.Items(w.tables.Feed) {
		var block struct {
			Number    int64 `dynamodbav:"number"`
			ExpiresAt int64 `dynamodbav:"expires_at"`
		}
		if err := attributevalue.UnmarshalMap(item, &block); err != nil {
			t.Fatal(err)
		}
		if block.ExpiresAt == 0 || block.ExpiresAt >= w.now.Unix() || !chosen(block.Number) {
			continue
		}
		_, err := w.db.Client().DeleteItem(context.Background(), &dynamodb.DeleteItemInput{
			TableName: &w.tables.Feed, Key: dynamo.Item{"feed": item["feed"], "number": item["number"]},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// It was away when it had consumed for the last time, however often it came back without
// writing anything.
func TestHandle_WasAwayUntilItHasWritten(t *testing.T) {
	w := started(t)
	from := end(t, w, feed.Entities)
	w.now = w.now.Add(surgical.FeedGap - time.Hour)
	w.around = func(input any, send func() (any, error)) (any, error) {
		if _, ok := input.(*dynamodb.PutItemInput); ok {
			return nil, errDied
		}
		return send()
	}
	if _, err := w.consumer.Handle(t.Context(), batch("1#issue#7 head")); !errors.Is(err, errDied) {
		t.Fatal(err)
	}
	w.around = nil
	w.now = w.now.Add(surgical.FeedGap - time.Hour)
	w.consume(t, batch("1#issue#8 head"))
	wantRestarted(t, w, from)
}

func TestHandle_RecordsOnceAnHourThatItWorks(t *testing.T) {
	w := started(t)
	updates := 0
	w.around = func(input any, send func() (any, error)) (any, error) {
		if _, ok := input.(*dynamodb.UpdateItemInput); ok {
			updates++
		}
		return send()
	}
	for range 13 {
		w.now = w.now.Add(surgical.FeedBeat)
		w.consume(t, batch("0#issue#1 heartbeat"))
	}
	if updates != 2 {
		t.Errorf("%d updates in 130 minutes", updates)
	}
}

func TestHandle_FailsAsAWholeIfTheFeedCannotBeWritten(t *testing.T) {
	w := started(t)
	down := errors.New("DynamoDB is out of reach")
	w.around = func(input any, send func() (any, error)) (any, error) {
		if _, ok := input.(*dynamodb.PutItemInput); ok {
			return nil, down
		}
		return send()
	}
	if _, err := w.consumer.Handle(t.Context(), batch("1#issue#7 head")); !errors.Is(err, down) {
		t.Errorf("answered %v", err)
	}
	if _, err := w.consumer.Handle(t.Context(), json.RawMessage(`{"Records":7}`)); err == nil {
		t.Error("it understood rubbish")
	}
}
