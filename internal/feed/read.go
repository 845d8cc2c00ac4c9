package feed

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// blocksAtOnce is how many blocks a query reads at most. A page may need all of them, or
// only a part of the first.
const blocksAtOnce = 16

// End returns the position after all entries. What a reader reads afterwards of the copy
// itself, together with the entries from there on, leaves out no change.
func (s *Store) End(ctx context.Context, name Name) (Position, error) {
	now := s.clock()
	c, err := s.counter(ctx, name)
	if err != nil {
		return Position{}, err
	}
	last, err := s.last(ctx, name, c)
	return Position{Epoch: c.Epoch, Number: last, At: now}, err
}

// Read returns up to limit entries after the position, at least one if there is any. The
// error is [surgical.CodeFeedRestarted] if that may leave out changes: the feed was
// restarted since, or the position is older than [surgical.FeedRetention]. Then read
// everything, from [Store.End] on.
func (s *Store) Read(ctx context.Context, name Name, from Position, limit int) (Page, error) {
	now := s.clock()
	c, err := s.counter(ctx, name)
	switch {
	case err != nil:
		return Page{}, err
	case from.Epoch != c.Epoch || from.Number < 0 || from.Offset < 0:
		return Page{}, restarted(lostMemory)
	case now.Sub(from.At) > surgical.FeedRetention:
		return Page{}, restarted(fmt.Sprintf("the last read was at %s, and the feed keeps entries for %.0f days", from.At.UTC().Format(time.RFC3339), surgical.FeedRetention.Hours()/24))
	}
	p := pager{from: from, limit: limit, page: Page{Next: from}, reached: from.Number <= c.Last && from.Offset == 0}
	for b, err := range s.blocksFrom(ctx, name, max(1, from.Number)) {
		if err != nil {
			return Page{}, err
		}
		if !p.take(b) {
			break
		}
	}
	if !p.reached {
		return Page{}, restarted(lostMemory)
	}
	p.page.Next.At = now
	if p.page.More {
		p.page.Next.At = p.page.Entries[len(p.page.Entries)-1].At
	}
	return p.page, nil
}

// pager makes a page of blocks.
type pager struct {
	from  Position
	limit int
	page  Page
	// reached reports whether the feed has been as far as the position: one from before a
	// restored backup may be ahead of it.
	reached bool
}

// take adds the entries of the next block, and reports whether it needs further ones. A
// query is not a snapshot: while others append, it may see a block and not the one before.
// Such a hole is the end of the feed, until the next read.
func (p *pager) take(b block) (more bool) {
	next := &p.page.Next
	switch {
	case b.Number == p.from.Number:
		p.reached = p.reached || p.from.Offset == 0
		return true
	case b.Number != next.Number+1 || next.Offset > int64(len(b.Entries)):
		return false
	}
	p.reached = true
	left := b.Entries[next.Offset:]
	n := min(len(left), p.limit-len(p.page.Entries))
	p.page.Entries = append(p.page.Entries, left[:n]...)
	if n < len(left) {
		p.page.More = true
		next.Offset += int64(n)
		return false
	}
	next.Number, next.Offset = b.Number, 0
	return true
}

// blocksFrom reads the blocks with the number and above, in order.
func (s *Store) blocksFrom(ctx context.Context, name Name, number int64) iter.Seq2[block, error] {
	return func(yield func(block, error) bool) {
		query, err := s.query(name, expression.Key("number").GreaterThanEqual(expression.Value(number)))
		if err != nil {
			yield(block{}, err)
			return
		}
		query.Limit = aws.Int32(blocksAtOnce)
		for item, err := range dynamo.QueryAll(ctx, s.db, query) {
			var b block
			if err == nil {
				b, err = blockOf(item)
			}
			if err != nil {
				err = fmt.Errorf("read %s: %w", name, err)
			}
			if !yield(b, err) || err != nil {
				return
			}
		}
	}
}

const lostMemory = "the feed was restarted since: changes may have been lost"

func restarted(why string) error {
	return surgical.NewError(surgical.CodeFeedRestarted, why+". Begin again: ask without a place, then read everything, then go on from the place that you received first")
}
