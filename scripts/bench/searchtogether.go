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
	// leastAnswers is how many queries a second are to be answered so.
	leastAnswers = 20
)

// together asks one engine several queries at a time, so that those that wait for each
// other show. single is the time of the processor that one takes by itself: without any
// waiting, and with the processors free, an answer comes after that time divided by
// their number.
func (b *searchBench) together(ctx context.Context, reader *embedded.Engine, single time.Duration) error {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(searchers))
	var all [searchers][][]uint32
	for i := range all {
		for range queries {
			all[i] = append(all[i], b.wanted())
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	began := time.Now()
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
	each := time.Since(began) / (searchers * queries)
	b.add("two queries at a time on two processors", milliseconds(each), "ms an answer", milliseconds(single/searchers), 1000./leastAnswers)
	return nil
}
