package content_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// large is an entity whose manifest has parts.
func large(text string) gitlab {
	g := newIssue().with("description", text)
	for i := range 60 {
		id := fmt.Sprintf("d%d", i)
		g = g.and("discussion#"+id, note(id, text))
	}
	return g
}

func everyAttemptEnded(context.Context, surgical.AttemptID) (bool, error) { return true, nil }

func TestExpireOrphans_TakesOnlyWhatEndedAttemptsStagedAndNothingNames(t *testing.T) {
	w := newWorld(t)
	ref := issue(1)
	stage := func(g gitlab, by surgical.AttemptID) {
		w.now = w.now.Add(time.Minute)
		w.must(w.StageChildren(ctx(), []*content.Change{w.prepare(ref, g, by)}))
	}
	stage(large("lost before the first commit"), attempt("lost", 1))
	head, _ := w.commit(ref, large("visible"))
	visible := w.snapshot(ref, large("visible"))
	w.write(head, document("a", noise(700_000)))
	pieces, _ := w.keys(ref, "docpiece#")
	stage(large("lost"), attempt("lost", 2))
	stage(large("under way"), attempt("open", 3))
	// A docs job wrote pieces that no document names, one of an earlier version segments.
	orphaned, segment := "docpiece#a#job.d1.1.0#00ff", "doctext#a#job.d1.1.0#000"
	w.copyItem(ref, pieces[0], orphaned)
	w.copyItem(ref, pieces[0], segment)
	open := "docpiece#a#open.d1.1.0#00ff"
	w.copyItem(ref, pieces[0], open)

	orphans, err := w.Orphans(ctx(), ref)
	w.must(err)
	asked := map[surgical.AttemptID]int{}
	expired, err := w.ExpireOrphans(ctx(), ref, func(_ context.Context, attempt surgical.AttemptID) (bool, error) {
		asked[attempt]++
		return attempt.RunID != "open", nil
	})
	w.must(err)
	w.same("attempts, each once; a docs job has the number 0", map[surgical.AttemptID]int{
		attempt("lost", 1): 1, attempt("lost", 2): 1, attempt("open", 3): 1, attempt("r1", 1): 1,
		attempt("job", 0): 1, attempt("open", 0): 1, attempt("t", 0): 1,
	}, asked)
	_, expiring := w.keys(ref, "")
	if len(expiring) != expired || !slices.Contains(expiring, orphaned) || !slices.Contains(expiring, segment) {
		t.Errorf("%d items expire, %d are reported", len(expiring), expired)
	}
	left, err := w.Orphans(ctx(), ref)
	w.must(err)
	if len(left)+expired != len(orphans) || !slices.Contains(left, open) {
		t.Errorf("of %d orphans %d expired and %d are left", len(orphans), expired, len(left))
	}
	for _, sk := range expiring {
		if w.item(ref, sk)["expires_at"] != float64(w.now.Add(time.Hour).Unix()) {
			t.Errorf("%s expires at %v", sk, w.item(ref, sk)["expires_at"])
		}
	}
	w.expire(ref)
	w.shows(ref, visible)
	if got, err := w.Document(ctx(), ref, "a"); err != nil || got.Text != noise(700_000) {
		t.Errorf("the document: %d bytes, %v", len(got.Text), err)
	}
	// What was expired is not looked at again.
	if again, err := w.ExpireOrphans(ctx(), ref, everyAttemptEnded); err != nil || again != len(left) {
		t.Errorf("%d expired the second time, %v; want %d", again, err, len(left))
	}
	if third, err := w.ExpireOrphans(ctx(), ref, everyAttemptEnded); err != nil || third != 0 {
		t.Errorf("%d expired the third time, %v", third, err)
	}
}

// An attempt may commit until its run is read: what names its items must be
// read after that.
func TestExpireOrphans_NeverTakesWhatIsCommittedBeforeItsRunIsRead(t *testing.T) {
	for _, g := range []gitlab{newIssue().with("title", "U"), large("meanwhile")} {
		w := newWorld(t)
		ref := issue(1)
		w.commit(ref, newIssue())
		w.now = w.now.Add(time.Minute)
		change := w.prepare(ref, g, attempt("r2", 1))
		w.must(w.StageChildren(ctx(), []*content.Change{change}))
		committed := w.snapshot(ref, g)
		var once sync.Once
		_, err := w.ExpireOrphans(ctx(), ref, func(context.Context, surgical.AttemptID) (bool, error) {
			once.Do(func() { w.must(w.put(change)) })
			return true, nil
		})
		w.must(err)
		w.expire(ref)
		w.shows(ref, committed)
	}
}

// A commit happens before the first call of a sweep, before the second,
// and so on: nothing that it names may expire.
func TestExpireOrphans_NeverTakesWhatIsCommittedMeanwhile(t *testing.T) {
	w := newWorld(t)
	ref := issue(1)
	w.commit(ref, large("a"))
	for at := 1; ; at++ {
		var calls, slipped atomic.Int64
		w.around = func(_ any, send func() (any, error)) (any, error) {
			if calls.Add(1) == int64(at) && slipped.CompareAndSwap(0, 1) {
				w.commit(ref, large(fmt.Sprint("committed before call ", at)))
			}
			return send()
		}
		_, err := w.ExpireOrphans(ctx(), ref, everyAttemptEnded)
		w.must(err)
		w.around = nil
		if slipped.Load() == 0 {
			if at < 5 {
				t.Errorf("a sweep makes %d calls: this shows nothing", at-1)
			}
			return
		}
		w.expire(ref)
		w.shows(ref, w.snapshot(ref, large(fmt.Sprint("committed before call ", at))))
		// Leave something to sweep.
		w.now = w.now.Add(time.Minute)
		w.must(w.StageChildren(ctx(), []*content.Change{w.prepare(ref, large("lost"), attempt("lost", int64(at)))}))
	}
}

func TestExpireOrphans_ReportsWhatKeptItFromTheRest(t *testing.T) {
	w := newWorld(t)
	ref := issue(1)
	w.commit(ref, newIssue())
	broken := errors.New("broken")
	if n, err := w.ExpireOrphans(ctx(), ref, func(context.Context, surgical.AttemptID) (bool, error) { return false, broken }); n != 0 || !errors.Is(err, broken) {
		t.Errorf("%d expired, %v", n, err)
	}
	for _, sk := range []string{"child#x", "piece#x", "piece#discussion#d1#nobody#00ff", "docpiece#a#r1.1#00ff", "child#discussion#d1#nobody#000", "part#0001", "part#0001#r1", "doctext#a#r1.1#000", "doctext#a#.d1#000"} {
		w := newWorld(t)
		w.commit(ref, newIssue())
		w.copyItem(ref, "head", sk)
		if _, err := w.ExpireOrphans(ctx(), ref, everyAttemptEnded); err == nil {
			t.Errorf("%s is taken for a staged item", sk)
		}
	}
}
