package gitlab

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"

	"gitlab.com/lorehook/lorehook/internal/room"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// budget is what one fetch may take: so many bytes and records of one entity, and
// so many bytes as the process has room for. A page of a list has a budget of its
// own, which is not part of a run's.
type budget struct {
	ref surgical.EntityRef
	// limit is in bytes, and limited says what it is the limit of.
	limit          int64
	what, limited  string
	share          *room.Share
	bytes, records atomic.Int64
}

type budgetKey struct{}

func withBudget(ctx context.Context, ref surgical.EntityRef) (context.Context, *budget) {
	b := &budget{ref: ref, limit: surgical.MaxEntityBytes, what: ref.String(), limited: "entity", share: room.From(ctx)}
	return context.WithValue(ctx, budgetKey{}, b), b
}

// withPageBudget bounds the response of one request for a page of a list.
func withPageBudget(ctx context.Context, what string) context.Context {
	return context.WithValue(ctx, budgetKey{}, &budget{limit: surgical.MaxListPageBytes, what: what + ": a response", limited: "response"})
}

// budgetOf returns the budget of the context's fetch.
func budgetOf(ctx context.Context) *budget {
	return ctx.Value(budgetKey{}).(*budget) // every request belongs to a fetch, which has set it
}

// takeBytes returns an error if the entity or page, or everything that this process
// holds, becomes too large.
func (b *budget) takeBytes(n int64) error {
	if total := b.bytes.Add(n); total > b.limit {
		b.bytes.Add(-n) // it is not taken from the share
		return tooLarge("%s has more than %d bytes, the limit of one %s", b.what, b.limit, b.limited)
	}
	if !b.share.Take(n) {
		b.bytes.Add(-n)
		return surgical.RunTooLarge()
	}
	return nil
}

// takeRecords returns an error if the entity's lists have too many records
// together.
func (b *budget) takeRecords(n int) error {
	if total := b.records.Add(int64(n)); total > surgical.MaxEntityRecords {
		return tooLarge("%s has %d or more discussions and events; the limit of one entity is %d", b.ref, total, surgical.MaxEntityRecords)
	}
	return nil
}

// giveBack returns what a page took that is not kept.
func (b *budget) giveBack(p page) {
	b.bytes.Add(-p.bytes)
	b.records.Add(-int64(p.records))
	b.share.Return(p.bytes)
}

// drop gives back what the fetch took, because it failed.
func (b *budget) drop() { b.share.Return(b.bytes.Load()) }

func tooLarge(format string, args ...any) *surgical.Error {
	return surgical.NewError(surgical.CodeEntityTooLarge, fmt.Sprintf(format, args...))
}

// pieces collects a body without copying what it has already read.
type pieces struct {
	list [][]byte
	size int
}

const (
	firstPiece = 16 << 10
	largePiece = 1 << 20
)

// Write implements [io.Writer].
func (p *pieces) Write(data []byte) (int, error) {
	p.size += len(data)
	for rest := data; len(rest) > 0; {
		last := len(p.list) - 1
		if last < 0 || len(p.list[last]) == cap(p.list[last]) {
			p.list = append(p.list, make([]byte, 0, min(max(firstPiece, p.size), largePiece)))
			last++
		}
		n := min(len(rest), cap(p.list[last])-len(p.list[last]))
		p.list[last] = append(p.list[last], rest[:n]...)
		rest = rest[n:]
	}
	return len(data), nil
}

// join returns the body, and forgets its pieces as it copies them.
func (p *pieces) join() []byte {
	if len(p.list) == 1 {
		return p.list[0]
	}
	whole := make([]byte, 0, p.size)
	for i, piece := range p.list {
		whole = append(whole, piece...)
		p.list[i] = nil
	}
	return whole
}

// recordsOf returns the elements of a JSON list as parts of it, without copying
// them; false for what is not a JSON list.
func recordsOf(raw []byte) ([]json.RawMessage, bool) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if opening, err := decoder.Token(); err != nil || opening != json.Delim('[') {
		return nil, false
	}
	var records []json.RawMessage
	var element json.RawMessage // its memory is used again
	for decoder.More() {
		if decoder.Decode(&element) != nil {
			return nil, false
		}
		end := int(decoder.InputOffset())
		records = append(records, raw[end-len(element):end:end])
	}
	if closing, err := decoder.Token(); err != nil || closing != json.Delim(']') {
		return nil, false
	}
	return records, len(bytes.TrimLeft(raw[decoder.InputOffset():], " \t\r\n")) == 0
}
