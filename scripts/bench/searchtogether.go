package main

import (
	"context"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"gitlab.com/lorehook/lorehook/internal/search/embedded"
)

const (
	// searchers is how many queries are under way at a time, on as many processors.
	searchers = 2
	// leastAnswers is how many queries a second those are to be able to answer.
	leastAnswers = 20
)

// together asks one engine several queries at a time, and measures what one takes of the
// processors then. single is what one takes by itself. How many a second processors can
// answer follows from that, whatever else the machine does.
func (b *searchBench) together(ctx context.Context, reader *embedded.Engine, single time.Duration) error {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(searchers))
	var all [searchers][][]uint32
	for i := range all {
		for range queries {
			all[i] = append(all[i], b.wanted())
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	began := processor()
	for _, mine := range all {
		group.Go(func() error {
			for _, words := range mine {
				if err := b.query(ctx, reader, words); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	each := (processor() - began) / (searchers * queries)
	b.add("two queries at a time on two processors", milliseconds(each), "ms of processor each", milliseconds(single), searchers*1000./leastAnswers)
	return nil
}
