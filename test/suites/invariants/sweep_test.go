package invariants_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/engines"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// expireAll expires everything that has an expiry.
func expireAll(t *testing.T, e engines.Engine) int {
	t.Helper()
	n, err := cloud.Expire(t.Context(), e.DynamoDB, e.Tables.Content)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestInvariant4TheSweeperTakesNothingThatACommitNamesMeanwhile(t *testing.T) {
	engines.Run(t, func(t *testing.T, e engines.Engine) {
		calls, at := 0, 0
		var meanwhile func()
		db := cloud.Intercept(e.DynamoDB, func(_ context.Context, _ cloud.Call, send func() error) error {
			if calls++; calls == at && meanwhile != nil {
				do := meanwhile
				meanwhile = nil
				do()
			}
			return send()
		})
		w := cloud.NewWorld(t, db, e.Tables)
		ref := fakegitlab.IssueRef(7)
		w.Sync(w.Request(surgical.OriginManual, ref))
		// A commit happens before the first call of a sweep, before the second,
		// and so on.
		for {
			edited := fmt.Sprintf("Edited before call %d.", at+1)
			meanwhile = func() {
				w.GitLab.Edit(ref, func(c *fakegitlab.Common) { c.Description = edited })
				w.Sync(w.Request(surgical.OriginManual, ref))
			}
			calls, at = 0, at+1
			everyRunEnded := func(context.Context, surgical.AttemptID) (bool, error) { return true, nil }
			if _, err := w.Content.ExpireOrphans(t.Context(), ref, everyRunEnded); err != nil {
				t.Fatal(err)
			}
			if meanwhile != nil {
				break // the sweep makes fewer calls
			}
			want := w.Entity(ref)
			expireAll(t, e)
			if diff := cmp.Diff(want, w.Entity(ref)); diff != "" {
				t.Fatalf("the copy changed by a commit before call %d (-before +after):\n%s", at, diff)
			}
		}
		if meanwhile = nil; at < 5 {
			t.Errorf("a sweep makes %d calls: the test proves nothing", at-1)
		}
	})
}

func TestInvariant4TheSweeperTakesNothingThatAnOpenAttemptStaged(t *testing.T) {
	engines.Run(t, func(t *testing.T, e engines.Engine) {
		var w *cloud.World
		refuse, sweep, swept := true, false, 0
		db := cloud.Intercept(e.DynamoDB, func(_ context.Context, call cloud.Call, send func() error) error {
			tables := call.Tables()
			if call.Operation == "TransactWriteItems" && slices.Contains(tables, e.Tables.Content) && slices.Contains(tables, e.Tables.SyncRuns) {
				if refuse {
					refuse = false
					return errors.New("out of reach")
				}
				if sweep {
					sweep = false
					swept = w.Sweep().Swept
				}
			}
			return send()
		})
		w = cloud.NewWorld(t, db, e.Tables)
		ref := fakegitlab.IssueRef(7)
		req := w.Request(surgical.OriginManual, ref)
		if verdict, err := w.Deliver(req); cloud.Deleted(verdict) || err == nil {
			t.Fatalf("verdict %v, error %v", verdict, err)
		}
		w.Sync(req) // the sweeper expires the first attempt's leftovers
		w.Clock.Advance(time.Hour)
		w.GitLab.Edit(ref, func(c *fakegitlab.Common) { c.Description = "Edited." })
		sweep = true
		w.Sync(w.Request(surgical.OriginManual, ref))
		want := w.Entity(ref)
		if n := expireAll(t, e); n == 0 || swept != 1 {
			t.Errorf("%d runs were swept and %d items expire: the test proves nothing", swept, n)
		}
		if diff := cmp.Diff(want, w.Entity(ref)); diff != "" {
			t.Errorf("the copy changed (-before +after):\n%s", diff)
		}
	})
}
