package model

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestScheduler_ListsLateWritesInOneOrder kills a process that waits for several writes at
// once. Were it left to the Go scheduler which of them may land, and in which order, then
// no failing sequence could be repeated.
func TestScheduler_ListsLateWritesInOneOrder(t *testing.T) {
	t.Parallel()
	ends := map[string]func(*scheduler, *process){
		"killed":             func(s *scheduler, p *process) { s.kill(p) },
		"dies before a call": func(s *scheduler, p *process) { s.step(s.calls(p)[0], diesBefore) },
		"dies with a call":   func(s *scheduler, p *process) { s.step(s.calls(p)[0], flies) },
		"dies after a call":  func(s *scheduler, p *process) { s.step(s.calls(p)[0], diesAfter) },
		"timed out":          func(s *scheduler, _ *process) { s.pass(time.Minute) },
	}
	wants := map[string][]string{
		"killed":             {"put 0", "put 1", "put 2", "put 3", "put 4", "put 5"},
		"dies before a call": {"put 1", "put 2", "put 3", "put 4", "put 5"},
		"dies with a call":   {"put 0", "put 1", "put 2", "put 3", "put 4", "put 5"},
		"dies after a call":  {"put 1", "put 2", "put 3", "put 4", "put 5"},
		"timed out":          {"put 0", "put 1", "put 2", "put 3", "put 4", "put 5"},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range 100 {
				if diff := cmp.Diff(wants[name], lateAfter(t, end)); diff != "" {
					t.Fatalf("late writes (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// lateAfter returns the late writes of a process that ended while it waited for six
// writes, of which two outlive its context.
func lateAfter(t *testing.T, end func(*scheduler, *process)) (late []string) {
	synctest.Test(t, func(*testing.T) {
		s := &scheduler{applied: func(*call) {}}
		p := s.spawn("writer", 0, time.Minute, func(p *process) {
			var writes sync.WaitGroup
			for i := range 6 {
				ctx := p.ctx
				if i > 3 {
					ctx = context.WithoutCancel(ctx)
				}
				writes.Go(func() { _, _ = s.park(ctx, &call{what: fmt.Sprintf("put %d", i), write: true}) })
			}
			writes.Wait()
		}, nil)
		end(s, p)
		for _, w := range s.late {
			late = append(late, w.what)
		}
	})
	return late
}
