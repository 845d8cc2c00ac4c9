package feed_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gitlab.com/lorehook/lorehook/internal/feed"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// model is a copy that changes, its stream of two shards with a consumer each, and a
// reader. Every call of a consumer to DynamoDB may fail, with or without having been
// applied, and anything else may happen before and after it.
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
	// known is what the reader knows, and at where it goes on.
	known map[string]int
	at    feed.Position
	depth int
}

// streamed is a record of the stream.
type streamed struct {
	id     int
	entity string
}

var errDied = errors.New("the consumer died")

func (m *model) entities() []string { return []string{"1#issue#1", "1#issue#2", "2#merge_request#3"} }

// commit changes an entity.
func (m *model) commit() {
	entity := rapid.SampledFrom(m.entities()).Draw(m.T, "entity")
	m.copy[entity]++
	m.records++
	m.late = append(m.late, streamed{m.records, entity})
}

// appear lets a record appear in the stream, in the order of each entity's changes: all
// records of an entity are in one shard.
func (m *model) appear() {
	if len(m.late) == 0 {
		return
	}
	i := rapid.IntRange(0, len(m.late)-1).Draw(m.T, "late")
	record := m.late[i]
	m.late = slices.Delete(m.late, i, i+1)
	shard := slices.Index(m.entities(), record.entity) % 2
	m.shards[shard] = append(m.shards[shard], record)
}

// consume delivers a batch of a shard. It is delivered again until it is consumed.
func (m *model) consume() {
	shard := rapid.IntRange(0, 1).Draw(m.T, "shard")
	n := min(len(m.shards[shard]), rapid.IntRange(1, 3).Draw(m.T, "records"))
	delivered := slices.Clone(m.shards[shard][:n])
	if m.deliver(delivered) == nil {
		m.shards[shard] = slices.DeleteFunc(m.shards[shard], func(r streamed) bool { return slices.Contains(delivered, r) })
	}
}

func (m *model) deliver(records []streamed) error {
	items := []string{"0#issue#1 heartbeat"}
	for _, r := range records {
		items = append(items, r.entity+" head")
	}
	_, err := m.consumer.Handle(context.Background(), batch(items...))
	return err
}

// call stands between a consumer and DynamoDB.
func (m *model) call(_ any, send func() (any, error)) (any, error) {
	m.depth++
	defer func() { m.depth-- }()
	if m.depth > 2 {
		return send()
	}
	m.inBetween()
	switch rapid.IntRange(0, 9).Draw(m.T, "fault") {
	case 0:
		return nil, errDied
	case 1:
		_, err := send()
		return nil, errors.Join(err, errDied)
	}
	out, err := send()
	m.inBetween()
	return out, err
}

// inBetween lets something else happen, or nothing.
func (m *model) inBetween() {
	switch rapid.IntRange(0, 7).Draw(m.T, "in between") {
	case 0:
		m.commit()
	case 1:
		m.appear()
	case 2:
		m.consume()
	case 3:
		m.read()
	}
}

// read lets the reader read one page. What it reads of the copy is what that has then.
func (m *model) read() {
	page, err := m.store.Read(context.Background(), feed.Entities, m.at, rapid.IntRange(1, 4).Draw(m.T, "limit"))
	if surgical.CodeOf(err) == surgical.CodeFeedRestarted && err != nil {
		m.readAll()
		return
	}
	if err != nil {
		m.Fatalf("read: %v", err)
	}
	for i, e := range page.Entries {
		if e.Number != m.at.Number+int64(i)+1 {
			m.Fatalf("entry %d after %d", e.Number, m.at.Number)
		}
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
	m.now = m.now.Add(surgical.FeedGap + time.Hour)
	for i := range m.shards {
		if n := len(m.shards[i]); n > 0 {
			m.shards[i] = m.shards[i][rapid.IntRange(0, n).Draw(m.T, "lost"):]
		}
	}
}

// giveUp lets Lambda give up a batch of a shard, and say so later.
func (m *model) giveUp() {
	shard := rapid.IntRange(0, 1).Draw(m.T, "shard")
	m.shards[shard] = nil
	around := m.around
	m.around = nil
	if _, err := m.consumer.Handle(context.Background(), givenUp()); err != nil {
		m.Fatalf("%v", err)
	}
	m.around = around
}

// Once everything was consumed, a reader knows every change, whatever happened before.
func TestFeed_SkipsNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{T: t, world: newWorld(), copy: map[string]int{}}
		m.around = m.call
		m.readAll()
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			switch rapid.IntRange(0, 20).Draw(t, "step") {
			case 0:
				m.outage()
			case 1:
				m.giveUp()
			case 2, 3, 4, 5:
				m.commit()
			case 6, 7, 8:
				m.appear()
			case 9, 10, 11:
				m.read()
			default:
				m.consume()
			}
		}
		m.around = nil
		for len(m.late) > 0 {
			m.appear()
		}
		for i := range m.shards {
			if err := m.deliver(m.shards[i]); err != nil {
				t.Fatal(err)
			}
		}
		for last := int64(-1); m.at.Number != last; {
			last = m.at.Number
			m.read()
		}
		if diff := cmp.Diff(fmt.Sprint(m.copy), fmt.Sprint(m.known)); diff != "" {
			t.Fatalf("what the reader knows (-copy +known):\n%s", diff)
		}
	})
}
