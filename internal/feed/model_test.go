package feed_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/feed"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// model is a copy that changes, its stream of two shards with a consumer each, and a
// reader. Every call of a consumer to DynamoDB may fail, with or without having been
// applied, or be applied later, and anything else may happen before and after it.
type model struct {
	*rapid.T
	*world
	// copy is the version of each entity that readers of the copy see.
	copy map[string]int
	// shards are the records that were not consumed yet. A record appears some time after
	// its change: late are those that have not yet.
	shards [2][]streamed
	late   []streamed
	// records counts them.
	records int
	// parked are writes of consumers that died. They may still be applied.
	parked []func() (any, error)
	// known is what the reader knows, and at where it goes on.
	known map[string]int
	at    feed.Position
	depth int
	// calm reports whether nothing else happens between the calls of a consumer, and
	// reads whether the reader is at work.
	calm, reads bool
	// mixed reports whether some batches are delivered to the version before, and absences
	// whether consumers are often away.
	mixed, absences bool
}

// streamed is a record of the stream.
type streamed struct {
	id     int
	entity string
}

var errDied = errors.New("the consumer died")

func (m *model) entities() []string {
	return []string{"1#issue#1", "1#issue#2", "1#issue#3", "1#issue#4", "2#merge_request#1", "2#merge_request#2"}
}

// shardOf returns the shard that has all records of the entity.
func (m *model) shardOf(entity string) int { return slices.Index(m.entities(), entity) % 2 }

// commit changes an entity.
func (m *model) commit() {
	entity := rapid.SampledFrom(m.entities()).Draw(m.T, "entity")
	m.copy[entity]++
	m.records++
	m.late = append(m.late, streamed{m.records, entity})
}

// appear lets a record appear in the stream.
func (m *model) appear() {
	if len(m.late) == 0 {
		return
	}
	record := drawn(m.T, "late", &m.late)
	shard := m.shardOf(record.entity)
	m.shards[shard] = append(m.shards[shard], record)
}

// consume delivers a batch of a shard. It is delivered again until it is consumed.
func (m *model) consume() {
	shard := rapid.IntRange(0, 1).Draw(m.T, "shard")
	n := min(len(m.shards[shard]), rapid.IntRange(1, 3).Draw(m.T, "records"))
	m.consumeFirst(shard, n)
}

func (m *model) consumeFirst(shard, n int) {
	delivered := slices.Clone(m.shards[shard][:n])
	if m.deliver(delivered) == nil {
		m.shards[shard] = slices.DeleteFunc(m.shards[shard], func(r streamed) bool { return slices.Contains(delivered, r) })
	}
}

func (m *model) deliver(records []streamed) error {
	if m.mixed && rapid.Bool().Draw(m.T, "version before") {
		return m.deliverBefore(records)
	}
	items := []string{"0#issue#1 heartbeat"}
	for _, r := range records {
		items = append(items, r.entity+" head")
	}
	_, err := m.consumer.Handle(context.Background(), batch(items...))
	return err
}

// call stands between a consumer and DynamoDB.
func (m *model) call(input any, send func() (any, error)) (any, error) {
	m.depth++
	defer func() { m.depth-- }()
	if m.depth > 2 || m.calm && !writes(input) {
		return send()
	}
	m.inBetween()
	switch m.uniform(12, "fault") {
	case 0:
		return nil, errDied
	case 1:
		_, err := send()
		return nil, errors.Join(err, errDied)
	case 2:
		m.parked = append(m.parked, send)
		return nil, errDied
	case 3:
		if _, err := send(); err != nil { // the SDK lost the response
			return nil, err
		}
	}
	out, err := send()
	m.inBetween()
	return out, err
}

func writes(input any) bool {
	switch input.(type) {
	case *dynamodb.GetItemInput, *dynamodb.QueryInput:
		return false
	}
	return true
}

// uniform draws a number below n. Ranges of rapid prefer small ones.
func (m *model) uniform(n int, label string) int {
	number := 0
	for _, bit := range rapid.SliceOfN(rapid.Bool(), 10, 10).Draw(m.T, label) {
		number *= 2
		if bit {
			number++
		}
	}
	return number % n
}

// inBetween lets something else happen, or nothing.
func (m *model) inBetween() {
	if m.calm {
		return
	}
	switch m.uniform(10, "in between") {
	case 0:
		m.commit()
	case 1:
		m.appear()
	case 2, 3:
		m.change()
	case 4:
		m.read()
	case 5:
		m.land()
	}
}

// change commits, and delivers a record that appeared in the stream, maybe of this change.
func (m *model) change() {
	m.commit()
	m.appear()
	m.consume()
}

// land applies a write of a consumer that died, if its condition holds now.
func (m *model) land() {
	if len(m.parked) == 0 {
		return
	}
	_, _ = drawn(m.T, "parked", &m.parked)()
}

// drawn removes one of the elements, of which there are some.
func drawn[E any](t *rapid.T, label string, all *[]E) E {
	i := rapid.IntRange(0, len(*all)-1).Draw(t, label)
	one := (*all)[i]
	*all = slices.Delete(*all, i, i+1)
	return one
}

// settle applies what is still under way, or drops it. AWS refuses a request 15 minutes
// after it was signed.
func (m *model) settle() {
	for len(m.parked) > 0 {
		if rapid.Bool().Draw(m.T, "lands") {
			m.land()
		} else {
			m.parked = m.parked[1:]
		}
	}
}

// tear stands between the reader and DynamoDB. A query is not a snapshot: what it reads
// of later blocks is of a later time.
func (m *model) tear(input any, send func() (any, error)) (any, error) {
	out, err := send()
	query, ok := input.(*dynamodb.QueryInput)
	if !ok || err != nil || query.ScanIndexForward != nil || m.calm || m.depth > 1 {
		return out, err
	}
	for range m.uniform(4, "appended") {
		m.change()
	}
	later, err := send()
	if err != nil {
		return nil, err
	}
	first, second := out.(*dynamodb.QueryOutput), later.(*dynamodb.QueryOutput)
	if first.LastEvaluatedKey != nil || second.LastEvaluatedKey != nil || len(second.Items) == 0 {
		return first, nil
	}
	cut := numberOf(second.Items[0]) - 1 + int64(m.uniform(len(second.Items)+1, "torn after"))
	items := slices.DeleteFunc(slices.Clone(first.Items), func(item dynamo.Item) bool { return numberOf(item) > cut })
	second.Items = append(items, slices.DeleteFunc(second.Items, func(item dynamo.Item) bool { return numberOf(item) <= cut })...)
	return second, nil
}

func numberOf(item dynamo.Item) int64 {
	number, _ := strconv.ParseInt(item["number"].(*types.AttributeValueMemberN).Value, 10, 64)
	return number
}

// read lets the reader read one page. What it reads of the copy is what that has then.
func (m *model) read() {
	if m.reads {
		return
	}
	m.reads = true
	defer func() { m.reads = false }()
	page, err := m.store.Read(context.Background(), feed.Entities, m.at, rapid.IntRange(1, 4).Draw(m.T, "limit"))
	if surgical.CodeOf(err) == surgical.CodeFeedRestarted && err != nil {
		m.readAll()
		return
	}
	if err != nil {
		m.Fatalf("read: %v", err)
	}
	for _, e := range page.Entries {
		m.known[e.Ref.Key()] = m.copy[e.Ref.Key()]
	}
	m.at = page.Next
}

// readAll begins anew: the position first, then the copy.
func (m *model) readAll() {
	var err error
	if m.at, err = m.store.End(context.Background(), feed.Entities); err != nil {
		m.Fatalf("%v", err)
	}
	m.known = maps.Clone(m.copy)
}

// outage lets the stream lose the oldest records of all shards while its consumers are away.
func (m *model) outage() {
	m.settle()
	m.now = m.now.Add(surgical.FeedGap + time.Hour)
	for i := range m.shards {
		if n := len(m.shards[i]); n > 0 {
			m.shards[i] = m.shards[i][rapid.IntRange(0, n).Draw(m.T, "lost"):]
		}
	}
}

// twoAbsences lets the consumers be away, try to consume what waits, and be away again.
// The stream keeps a record for 24 hours.
func (m *model) twoAbsences() {
	m.commit()
	shard := m.shardOf(m.late[0].entity)
	m.appear()
	first := m.away()
	m.calmly(func() { m.consumeFirst(shard, 1) })
	if first+m.away() >= 24*time.Hour {
		m.shards[shard] = nil
	}
}

// calmly runs consumers whose writes fail, while nothing else happens.
func (m *model) calmly(do func()) {
	m.calm = true
	do()
	m.calm = false
	m.settle()
}

func (m *model) away() time.Duration {
	absence := time.Duration((10 + m.uniform(10, "hours"))) * time.Hour
	m.now = m.now.Add(absence)
	return absence
}

// catchUp consumes everything.
func (m *model) catchUp() {
	m.settle()
	mixed := m.mixed
	m.mixed = false
	m.undisturbed(func() {
		for len(m.late) > 0 {
			m.appear()
		}
		for i := range m.shards {
			if err := m.deliver(m.shards[i]); err != nil {
				m.Fatal(err)
			}
			m.shards[i] = nil
		}
	})
	m.mixed = mixed
}

func (m *model) undisturbed(do func()) {
	around := m.around
	m.around = nil
	do()
	m.around = around
}

// quiet is more than the time for which blocks are kept, in which the reader and the
// consumers have nothing to do.
func (m *model) quiet() {
	m.calmly(func() {
		m.consumeFirst(0, 0)
		m.undisturbed(func() {
			for range 40 {
				m.now = m.now.Add(surgical.FeedGap - time.Hour)
				m.consumeFirst(0, 0)
				m.read()
			}
		})
	})
	m.expireSome()
}

func (m *model) expireSome() {
	m.expire(m, func(int64) bool { return rapid.Bool().Draw(m.T, "expires") })
}

// abandoned is the same without consumers, until one comes back that has nothing to append.
func (m *model) abandoned() {
	m.settle()
	m.now = m.now.Add(surgical.FeedRetention + 48*time.Hour)
	m.shards = [2][]streamed{}
	m.calmly(func() { m.consumeFirst(0, 0) })
	m.read()
	m.expireSome()
}

// giveUp lets Lambda give up a batch of a shard, and say so later.
func (m *model) giveUp() {
	shard := rapid.IntRange(0, 1).Draw(m.T, "shard")
	m.shards[shard] = nil
	m.undisturbed(func() {
		if _, err := m.consumer.Handle(context.Background(), givenUp()); err != nil {
			m.Fatalf("%v", err)
		}
	})
}

// Once everything was consumed, a reader knows every change, whatever happened before.
func TestFeed_SkipsNothing(t *testing.T) {
	explore(t, model{})
}

func TestFeed_SkipsNothingAfterAbsences(t *testing.T) {
	explore(t, model{absences: true})
}

// explore checks models like the given one, in a bubble, because consumers pause.
func explore(t *testing.T, like model) {
	// A failure is made smaller for this long on the bubble's clock, on which only pauses take time.
	if err := flag.Set("rapid.shrinktime", "2s"); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		// A T of a bubble has no deadline, so rapid must not see that this is one.
		rapid.Check(struct{ testing.TB }{t}, func(t *rapid.T) {
			m := like
			m.T = t
			skipsNothing(&m)
		})
	})
}

func skipsNothing(m *model) {
	m.world, m.copy = newWorld(), map[string]int{}
	if rapid.Bool().Draw(m.T, "consumed before") {
		m.catchUp()
	}
	m.around, m.reading = m.call, m.tear
	m.readAll()
	most := 32
	if m.absences {
		most = 8
	}
	for range 1 + m.uniform(most, "steps") {
		m.step()
	}
	m.check()
}

// check lets the consumers and then the reader catch up.
func (m *model) check() {
	m.catchUp()
	reading := m.reading
	m.reading = nil
	for last := (feed.Position{Epoch: -1}); m.at.Number != last.Number || m.at.Offset != last.Offset || m.at.Epoch != last.Epoch; {
		last = m.at
		m.read()
	}
	m.reading = reading
	if diff := cmp.Diff(fmt.Sprint(m.copy), fmt.Sprint(m.known)); diff != "" {
		m.Fatalf("what the reader knows (-copy +known):\n%s", diff)
	}
}

// step lets anything happen.
func (m *model) step() {
	if m.absences && m.uniform(5, "absence") == 0 {
		m.change()
		m.check()
		[]func(){m.twoAbsences, m.quiet, m.abandoned}[m.uniform(3, "kind of absence")]()
		m.change()
		m.check()
		return
	}
	switch m.uniform(24, "step") {
	case 23:
		m.check()
	case 0:
		m.outage()
	case 1:
		m.giveUp()
	case 2:
		m.now = m.now.Add(40 * time.Minute)
	case 3, 4:
		m.land()
	case 5, 6, 7, 8:
		m.commit()
	case 9, 10, 11:
		m.appear()
	case 12, 13, 14:
		m.read()
	default:
		m.consume()
	}
}

// 0.1.0 wrote the entries of a batch as items of their own, in one transaction with the
// counter. While a deployment is under way, its function still works beside this one.
func TestFeed_SkipsNothingBesideTheVersionBefore(t *testing.T) {
	explore(t, model{mixed: true})
}

// deliverBefore hands records to the function of 0.1.0. Its way to restart the feeds is
// left out: it leaves a gap to this version.
func (m *model) deliverBefore(records []streamed) error {
	db, table := m.behind(&m.around), &m.tables.Feed
	key := func(number int64) dynamo.Item {
		return dynamo.Item{"feed": &types.AttributeValueMemberS{Value: string(feed.Entities)}, "number": number64(number)}
	}
	out, err := db.GetItem(context.Background(), &dynamodb.GetItemInput{TableName: table, Key: key(0), ConsistentRead: aws.Bool(true)})
	if err != nil || out.Item["consumed_at"] == nil {
		return errors.Join(err, errDied)
	}
	consumed, _ := strconv.ParseInt(out.Item["consumed_at"].(*types.AttributeValueMemberN).Value, 10, 64)
	if m.now.Sub(dynamo.FromMicros(consumed)) > surgical.FeedGap {
		return errDied
	}
	last := int64(0)
	count := &types.Update{
		TableName: table, Key: key(0), UpdateExpression: aws.String("SET #last = :last, consumed_at = :now"), ConditionExpression: aws.String("attribute_not_exists(#last)"),
		ExpressionAttributeNames: map[string]string{"#last": "last"}, ExpressionAttributeValues: dynamo.Item{":now": number64(dynamo.Micros(m.now))},
	}
	if read, ok := out.Item["last"].(*types.AttributeValueMemberN); ok {
		last, _ = strconv.ParseInt(read.Value, 10, 64)
		count.ConditionExpression, count.ExpressionAttributeValues[":read"] = aws.String("#last = :read"), read
	}
	count.ExpressionAttributeValues[":last"] = number64(last + int64(len(records)))
	writes := []types.TransactWriteItem{{Update: count}}
	for i, r := range records {
		item := key(last + int64(i) + 1)
		item["entity"], item["at"] = &types.AttributeValueMemberS{Value: r.entity}, number64(dynamo.Micros(m.now))
		item["expires_at"] = number64(m.now.Add(surgical.FeedRetention + 24*time.Hour).Unix())
		writes = append(writes, types.TransactWriteItem{Put: &types.Put{TableName: table, Item: item, ConditionExpression: aws.String("attribute_not_exists(feed)")}})
	}
	return dynamo.Transact(context.Background(), db, writes)
}

func number64(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}
