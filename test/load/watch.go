package load

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

const (
	// lookInterval is how often the stack is polled, countInterval how often
	// all its runs are counted, which costs it more.
	lookInterval  = 2 * time.Second
	countInterval = 10 * time.Second
	// lookAt is the number of runs read at a time.
	lookAt = 200
	// rateWindow is the time over which rates are measured.
	rateWindow = time.Minute
)

var errStandsStill = errors.New("the stack makes no progress")

// Progress is the progress of a load.
type Progress struct {
	// Phase is sending, draining or comparing.
	Phase   string
	Elapsed time.Duration
	Sent    Sent
	// Events and Changes are those of the whole load: each change is one run.
	Events, Changes int
	// Messages is the number of messages in the queues.
	Messages int
	// Runs counts the load's runs by status, as far as they have been read.
	Runs map[surgical.RunStatus]int
	// PerSecond is the rate at which runs ended within the last minute, Left
	// the time that the rest takes at this rate; 0 until there is a rate.
	PerSecond float64
	Left      time.Duration
	Worker    Sample
}

// Ended is the number of terminal runs.
func (p Progress) Ended() int {
	return p.Runs[surgical.StatusSucceeded] + p.Runs[surgical.StatusFailed] + p.Runs[surgical.StatusCancelled]
}

// watcher observes the stack during the load. It makes as few requests as
// possible, because each costs the local AWS time.
type watcher struct {
	target  *Target
	sender  *sender
	sampler *sampler
	options Options
	began   time.Time
	counted time.Time
	// open are the load's runs that are not known to have ended, oldest first;
	// known is the number of the sender's runs that are or were in it.
	open     []string
	known    int
	progress Progress
	history  []mark
}

// mark is the number of runs that had ended at a time.
type mark struct {
	at    time.Time
	ended int
}

func (t *Target) watch(o Options, s *sender, m *sampler) *watcher {
	return &watcher{
		target: t, sender: s, sampler: m, options: o, began: time.Now(),
		progress: Progress{Events: o.Events, Changes: o.changes(), Runs: map[surgical.RunStatus]int{}},
	}
}

// during observes the stack until the work is done.
func (w *watcher) during(ctx context.Context, phase string, work func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- work(ctx) }()
	tick := time.NewTicker(lookInterval)
	defer tick.Stop()
	for {
		if err := w.look(ctx, phase); err != nil {
			cancel()
			return errors.Join(err, <-done)
		}
		select {
		case err := <-done:
			return err
		case <-tick.C:
		}
	}
}

// look reads the figures and reports them.
func (w *watcher) look(ctx context.Context, phase string) error {
	messages, err := w.target.messages(ctx)
	if err != nil {
		return err
	}
	now := time.Now()
	p := &w.progress
	p.Phase, p.Elapsed, p.Sent, p.Messages = phase, now.Sub(w.began), w.sender.sent(), messages
	p.Worker = w.sampler.now(w.target.stack.Outputs["WorkerFunctionName"])
	if now.Sub(w.counted) >= countInterval {
		if _, err := w.count(ctx, false); err != nil {
			return err
		}
		w.counted = now
		w.rate(now)
	}
	if w.options.Progress != nil {
		w.options.Progress(*p)
	}
	return nil
}

// count reads open runs: all of them, or the oldest for as long as many of
// these have ended, because runs end roughly in the order of their events. It
// returns how many of the runs it read are unclaimed.
func (w *watcher) count(ctx context.Context, all bool) (unclaimed int, err error) {
	fresh := w.sender.since(w.known)
	w.open, w.known = append(w.open, fresh...), w.known+len(fresh)
	running := 0
	var kept []string
	rest := w.open
	for len(rest) > 0 {
		batch := rest[:min(len(rest), lookAt)]
		rest = rest[len(batch):]
		statuses, err := w.target.statuses(ctx, batch)
		if err != nil {
			return 0, err
		}
		ended := 0
		for _, id := range batch {
			status, claimed := statuses[id]
			if status.Terminal() {
				w.progress.Runs[status]++
				ended++
				continue
			}
			kept = append(kept, id)
			if status == surgical.StatusRunning {
				running++
			}
			if !claimed {
				unclaimed++
			}
		}
		if !all && ended < len(batch)/4 {
			break
		}
	}
	w.open = append(kept, rest...)
	w.progress.Runs[surgical.StatusRunning] = running
	return unclaimed, nil
}

func (w *watcher) rate(now time.Time) {
	p := &w.progress
	w.history = append(w.history, mark{now, p.Ended()})
	for len(w.history) > 2 && now.Sub(w.history[0].at) > rateWindow {
		w.history = w.history[1:]
	}
	first := w.history[0]
	if elapsed := now.Sub(first.at).Seconds(); elapsed > 0 {
		p.PerSecond = float64(p.Ended()-first.ended) / elapsed
	}
	p.Left = 0
	if p.PerSecond > 0 {
		p.Left = time.Duration(float64(max(0, p.Changes-p.Ended())) / p.PerSecond * float64(time.Second))
	}
}

// rest waits until no work is in progress.
func (w *watcher) rest(ctx context.Context) error {
	var last Left
	moved := time.Now()
	tick := time.NewTicker(lookInterval)
	defer tick.Stop()
	for {
		if err := w.look(ctx, "draining"); err != nil {
			return err
		}
		left, err := w.left(ctx)
		if err != nil {
			return err
		}
		if left == (Left{}) {
			return nil
		}
		if left != last {
			last, moved = left, time.Now()
		}
		if time.Since(moved) > w.options.Patience {
			return fmt.Errorf("%w: %s for %s", errStandsStill, left, w.options.Patience)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Left counts the work that is in progress or was left behind.
type Left struct {
	Messages     int `json:"messages"`
	OpenRuns     int `json:"open_runs"`
	DirtySources int `json:"dirty_sources"`
	OpenJobs     int `json:"open_jobs"`
}

// String lists it.
func (l Left) String() string {
	return fmt.Sprintf("%d messages, %d open runs, %d dirty sources, %d open jobs", l.Messages, l.OpenRuns, l.DirtySources, l.OpenJobs)
}

func (t *Target) messages(ctx context.Context) (int, error) {
	sum := 0
	for _, output := range []string{"RequestsQueueUrl", "BulkQueueUrl"} {
		n, err := t.waiting(ctx, t.stack.Outputs[output])
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// left counts in the order in which work progresses, so that nothing is missed:
// a message is deleted only after its run is stored. Counts that cost the local
// AWS more are made only if all earlier ones are zero.
func (w *watcher) left(ctx context.Context) (Left, error) {
	var l Left
	for _, step := range []struct {
		into  *int
		count func(context.Context) (int, error)
	}{
		{&l.Messages, w.target.messages},
		{&l.OpenRuns, w.stillOpen},
		{&l.OpenRuns, w.target.openRuns},
		{&l.DirtySources, w.target.dirty},
		{&l.OpenJobs, w.target.openJobs},
	} {
		n, err := step.count(ctx)
		if *step.into = n; err != nil || n > 0 {
			return l, err
		}
	}
	return l, nil
}

// stillOpen is the number of the load's runs that are open. An unclaimed run
// does not count: its message is gone, so it never will be claimed.
func (w *watcher) stillOpen(ctx context.Context) (int, error) {
	unclaimed, err := w.count(ctx, true)
	return len(w.open) - unclaimed, err
}
