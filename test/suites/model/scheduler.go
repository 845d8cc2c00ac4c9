package model

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
	"time"
)

// tick is how long a step of the scheduler takes: two steps never happen at
// one instant.
const tick = time.Millisecond

// errDead is what a dead process is answered, whatever it asks for.
var errDead = errors.New("the process is dead")

// scheduler lets the calls of all processes go, one at a time.
type scheduler struct {
	mu     sync.Mutex
	parked []*call
	procs  []*process
	// late are writes whose caller died or gave up before they were applied.
	late  []lateWrite
	nextP int
	// applied is called after each call that may have changed something.
	applied func(c *call)
}

// process is one invocation of a function.
type process struct {
	id   int
	name string
	// skew is how far the clock of its machine is ahead.
	skew    time.Duration
	ctx     context.Context
	cancel  context.CancelFunc
	started time.Time
	// limit is when it is killed; a frozen process outlives its leases by far.
	limit time.Duration
	// ended is called once by the scheduler when the process has returned alive.
	ended func()

	mu       sync.Mutex
	dead     bool
	returned bool
}

// call is one call on its way out of a process.
type call struct {
	by   *process
	what string
	// write tells that it changes something; such a call may land late.
	write bool
	// input is the SDK's, of a call to DynamoDB.
	input any
	// land applies a write that nobody waits for any more.
	land func()
	// lag is how old the answer of GitLab is.
	lag time.Duration
	go_ chan fault
}

// lateWrite is a write on its way that nobody waits for.
type lateWrite struct {
	what  string
	until time.Time
	c     *call
}

type processKey struct{}

func processOf(ctx context.Context) *process {
	p, _ := ctx.Value(processKey{}).(*process)
	return p
}

// now is the time on the process's own clock.
func (p *process) now() time.Time {
	return time.Now().Add(p.skew).UTC().Truncate(time.Microsecond)
}

func (p *process) isDead() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dead
}

func (p *process) isReturned() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.returned
}

// spawn starts a process. It runs to its first call.
func (s *scheduler) spawn(name string, skew, timeout time.Duration, run func(p *process), ended func()) *process {
	s.nextP++
	p := &process{id: s.nextP, name: name, skew: skew, started: time.Now(), limit: timeout, ended: ended}
	ctx := context.WithValue(context.Background(), processKey{}, p)
	p.ctx, p.cancel = context.WithTimeout(ctx, timeout)
	s.procs = append(s.procs, p)
	go func() {
		defer p.cancel()
		run(p)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.returned = true
	}()
	s.settle()
	return p
}

// park stops the caller until the scheduler lets its call go; what it is told
// is how the call goes wrong.
func (s *scheduler) park(ctx context.Context, c *call) (fault, error) {
	c.by = processOf(ctx)
	c.go_ = make(chan fault, 1)
	if c.by.isDead() {
		return none, errDead
	}
	s.mu.Lock()
	s.parked = append(s.parked, c)
	s.mu.Unlock()
	select {
	case f := <-c.go_:
		if f == died {
			return none, errDead
		}
		return f, nil
	case <-ctx.Done():
		s.mu.Lock()
		s.parked = slices.DeleteFunc(s.parked, func(o *call) bool { return o == c })
		if c.write {
			// It was on its way already, perhaps.
			s.late = append(s.late, lateWrite{what: c.what, until: time.Now().Add(longestFlight), c: c})
		}
		s.mu.Unlock()
		return none, ctx.Err()
	}
}

// settle waits until every process is stopped at a call, asleep, or done, and
// sees to those that are done.
func (s *scheduler) settle() {
	synctest.Wait()
	var ended []*process
	s.procs = slices.DeleteFunc(s.procs, func(p *process) bool {
		returned := p.isReturned()
		if returned {
			ended = append(ended, p)
		}
		return returned
	})
	for _, p := range ended {
		if p.ended != nil && !p.isDead() {
			p.ended() // which may start others
		}
	}
}

// calls lists the parked calls of a process, in an order that is the same each
// time the sequence runs.
func (s *scheduler) calls(p *process) []*call {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*call
	for _, c := range s.parked {
		if c.by == p {
			list = append(list, c)
		}
	}
	slices.SortStableFunc(list, func(a, b *call) int { return strings.Compare(a.what, b.what) })
	return list
}

// ready lists the processes that have a call to make.
func (s *scheduler) ready() []*process {
	var list []*process
	for _, p := range s.procs {
		if len(s.calls(p)) > 0 {
			list = append(list, p)
		}
	}
	return list
}

// step lets one call go, and everything that follows from it up to the next
// calls.
func (s *scheduler) step(c *call, f fault) {
	s.mu.Lock()
	s.parked = slices.DeleteFunc(s.parked, func(o *call) bool { return o == c })
	s.mu.Unlock()
	if f == flies && c.write {
		// The caller dies while the write is on its way.
		s.late = append(s.late, lateWrite{what: c.what, until: time.Now().Add(longestFlight), c: c})
		c.go_ <- died
		s.kill(c.by)
		return
	}
	dies := f == diesAfter
	if f == diesBefore || f == flies {
		c.go_ <- died
		s.kill(c.by)
		return
	}
	if dies {
		f = none
		// Nothing after this call has an effect: the process is dead before it
		// sees the answer.
		c.by.mu.Lock()
		c.by.dead = true
		c.by.mu.Unlock()
	}
	c.go_ <- f
	s.settle()
	s.applied(c)
	if dies {
		s.kill(c.by)
	}
	s.pass(tick)
}

// kill ends a process: none of its calls has an effect any more.
func (s *scheduler) kill(p *process) {
	p.mu.Lock()
	p.dead = true
	p.mu.Unlock()
	p.cancel()
	for {
		calls := s.calls(p)
		for _, c := range calls {
			s.mu.Lock()
			s.parked = slices.DeleteFunc(s.parked, func(o *call) bool { return o == c })
			s.mu.Unlock()
			c.go_ <- died
		}
		s.settle()
		if len(calls) == 0 {
			return
		}
	}
}

// pass lets time go by. Functions beyond their time are killed.
func (s *scheduler) pass(d time.Duration) {
	time.Sleep(d)
	s.settle()
	for _, p := range slices.Clone(s.procs) {
		if time.Since(p.started) >= p.limit {
			s.kill(p)
		}
	}
	s.mu.Lock()
	s.late = slices.DeleteFunc(s.late, func(w lateWrite) bool { return time.Now().After(w.until) })
	s.mu.Unlock()
}

// land lets a late write arrive.
func (s *scheduler) land(i int) {
	w := s.late[i]
	s.late = slices.Delete(s.late, i, i+1)
	w.c.land()
	s.settle()
	s.applied(w.c)
	s.pass(tick)
}

// stop ends everything that still runs.
func (s *scheduler) stop() {
	for len(s.procs) > 0 {
		for _, p := range slices.Clone(s.procs) {
			s.kill(p)
		}
		time.Sleep(time.Minute)
		s.settle()
	}
}

func (p *process) String() string { return fmt.Sprintf("%s %d", p.name, p.id) }
