package model

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
	"time"
)

// tick is the duration of a scheduler step, so that no two steps happen at the
// same time.
const tick = time.Millisecond

// errDead is the error of every call of a dead process.
var errDead = errors.New("the process is dead")

// scheduler releases the calls of all processes, one at a time.
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
	// skew is how far its machine's clock is ahead.
	skew    time.Duration
	ctx     context.Context
	cancel  context.CancelFunc
	started time.Time
	// limit is when it is killed; a frozen process far outlives its leases.
	limit time.Duration
	// ended is called once by the scheduler when the process has returned
	// without being killed.
	ended func()

	mu       sync.Mutex
	dead     bool
	returned bool
}

// call is one outgoing call of a process.
type call struct {
	by   *process
	what string
	// write marks a call that changes something, which may land late.
	write bool
	// input is the SDK's input, for a call to DynamoDB.
	input any
	// land applies a write whose caller no longer waits for it.
	land func()
	// lag is how old GitLab's response is.
	lag time.Duration
	// lags, if set, are those of the replicas that answer the whole fetch which the
	// call begins.
	lags lags
	go_  chan fault
}

// lateWrite is a write in flight whose caller no longer waits for it.
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

// now returns the time on the process's own clock.
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

// spawn starts a process and runs it up to its first call.
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

// park blocks the caller until the scheduler releases its call, and returns the
// call's fault.
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
		return released(f)
	case <-ctx.Done():
	}
	select {
	case f := <-c.go_: // it was released before its caller gave up
		return released(f)
	default:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parked = slices.DeleteFunc(s.parked, func(o *call) bool { return o == c })
	if c.write {
		s.fly(c) // it may already have left
	}
	return none, ctx.Err()
}

func released(f fault) (fault, error) {
	if f == died {
		return none, errDead
	}
	return f, nil
}

// fly keeps a write whose caller no longer waits for it. Callers that give up together do
// so in any order, and are listed in one.
func (s *scheduler) fly(c *call) {
	s.late = append(s.late, lateWrite{what: c.what, until: time.Now().Add(longestFlight), c: c})
	slices.SortStableFunc(s.late, func(a, b lateWrite) int {
		return cmp.Or(a.until.Compare(b.until), cmp.Compare(a.c.by.id, b.c.by.id), strings.Compare(a.what, b.what))
	})
}

// settle waits until every process is stopped at a call, asleep, or done, and
// cleans up those that are done.
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

// calls lists the parked calls of a process, in the same order each time the
// sequence runs.
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

// ready lists the processes with a parked call.
func (s *scheduler) ready() []*process {
	var list []*process
	for _, p := range s.procs {
		if len(s.calls(p)) > 0 {
			list = append(list, p)
		}
	}
	return list
}

// step releases one call and runs everything up to the next calls.
func (s *scheduler) step(c *call, f fault) {
	s.mu.Lock()
	s.parked = slices.DeleteFunc(s.parked, func(o *call) bool { return o == c })
	s.mu.Unlock()
	if f == flies && c.write {
		// The caller dies while the write is in flight.
		s.mu.Lock()
		s.fly(c)
		s.mu.Unlock()
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
		// Nothing after this call has an effect: the process dies before it
		// gets the response.
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

// kill ends a process: none of its further calls has an effect. Its parked writes may
// already have left.
func (s *scheduler) kill(p *process) {
	p.mu.Lock()
	p.dead = true
	p.mu.Unlock()
	p.cancel()
	s.settle()
	for {
		calls := s.calls(p) // whose contexts outlive that of the process
		s.mu.Lock()
		for _, c := range calls {
			s.parked = slices.DeleteFunc(s.parked, func(o *call) bool { return o == c })
			if c.write {
				s.fly(c)
			}
			c.go_ <- died
		}
		s.mu.Unlock()
		s.settle()
		if len(calls) == 0 {
			return
		}
	}
}

// pass lets time pass. Functions that exceed their timeout are killed.
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

// land applies a late write.
func (s *scheduler) land(i int) {
	w := s.late[i]
	s.late = slices.Delete(s.late, i, i+1)
	w.c.land()
	s.settle()
	s.applied(w.c)
	s.pass(tick)
}

// stop ends everything that is still running.
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
