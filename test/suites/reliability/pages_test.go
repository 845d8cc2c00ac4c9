package reliability_test

import (
	"context"
	"testing"

	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/faults"
)

// These are not failures: DynamoDB may respond like this at any time.
func TestPagesThatAlwaysEndEarlyAndBatchesThatAreNeverProcessedWholeChangeNothing(t *testing.T) {
	for _, s := range scenarios() {
		for _, kind := range []faults.Kind{faults.PartialPage, faults.EmptyPage, faults.UnprocessedItems, faults.UnprocessedKeys} {
			t.Run(s.name+" "+string(kind), func(t *testing.T) {
				want := s.baseline(t)
				s.play(t, func(*cloud.Cloud) *boundary {
					return &boundary{at: func(ctx context.Context, _ point, call cloud.Call, send func() error) error {
						if kind.Hits(call) {
							return kind.Do(ctx, call, send)
						}
						return send()
					}}
				}, func(c *cloud.Cloud, b *boundary) {
					if failed := unsuccessful(c); failed != want {
						t.Errorf("%d runs did not succeed; otherwise, %d", failed, want)
					}
					s.recovered(c, b, true)
				})
			})
		}
	}
}
