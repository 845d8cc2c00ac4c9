package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"golang.org/x/time/rate"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// Options configure how a load is sent.
type Options struct {
	Shape
	// Lanes is the number of concurrent deliveries.
	Lanes int
	// Rate is the maximum number of events per second; 0 for as many as the
	// endpoint acknowledges.
	Rate float64
	// Patience is how long to wait without progress before giving up.
	Patience time.Duration
	// Progress, if not nil, is called with the load's progress every few
	// seconds.
	Progress func(Progress)
}

// Run puts the entities into GitLab, sends the load, waits until the stack is
// idle, and compares. An error means that the load could not be completed;
// problems of the stack are in the report.
func (t *Target) Run(ctx context.Context, o Options) (Report, error) {
	if err := o.Validate(); err != nil {
		return Report{}, fmt.Errorf("load: %w", err)
	}
	r := Report{Shape: o.Shape}
	refs := t.create(o.Shape)
	steps := plan(o.Shape)
	s := &sender{
		url: t.stack.Endpoints.WebhookURL, signingToken: t.stack.Endpoints.SigningToken, gitlab: t.gitlab.State, shape: o.Shape,
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: o.Lanes}, Timeout: 30 * time.Second},
		limit:  rate.NewLimiter(limit(o.Rate), 1), events: map[int]event{}, runs: map[int]string{},
	}
	m := newSampler(t.stack)
	watched, stop := context.WithCancel(ctx)
	defer stop()
	go m.run(watched)
	before := total(t.gitlab.Requests())
	disturbed := t.gitlab.Disturbed()
	t.gitlab.Disturb(fakegitlab.Disturbance{Seed: o.Seed, Share: o.Faults, Faults: faults()})
	defer t.gitlab.Disturb(fakegitlab.Disturbance{})

	if o.lost() > 0 {
		// The crawler knows the projects, as it would have for long, and then rests:
		// otherwise it would find in between what was lost.
		if err := t.reconcile(ctx, refs); err != nil {
			return r, fmt.Errorf("load: %w", err)
		}
		if err := t.stack.Rest(ctx, "crawler"); err != nil {
			return r, fmt.Errorf("load: %w", err)
		}
	}
	w := t.watch(o, s, m)
	began := time.Now()
	if err := w.during(ctx, "sending", func(ctx context.Context) error { return s.run(ctx, steps, max(1, o.Lanes)) }); err != nil {
		return r, fmt.Errorf("load: send: %w", err)
	}
	r.Seconds.Sending = time.Since(began).Seconds()
	err := w.rest(ctx)
	r.Seconds.Draining = time.Since(began).Seconds() - r.Seconds.Sending
	if err != nil && !errors.Is(err, errStandsStill) {
		return r, fmt.Errorf("load: %w", err)
	}
	stop()
	t.gitlab.Disturb(fakegitlab.Disturbance{})
	r.Sent, r.Refused = s.counts, append([]string{}, s.refused...)
	r.GitLabRequests = total(t.gitlab.Requests()) - before
	r.GitLabFaults = since(t.gitlab.Disturbed(), disturbed)
	if r.Memory, r.LocalAWS, err = m.sum(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return r, fmt.Errorf("load: memory: %w", err)
	}
	if o.lost() > 0 {
		recovery, err := t.recover(ctx, o.lost(), refs, w)
		if err != nil {
			return r, fmt.Errorf("load: recover: %w", err)
		}
		r.Recovery = &recovery
	}
	r.Worker = memoryNamed(r.Memory, t.stack.Outputs["WorkerFunctionName"])
	return r, t.judge(ctx, &r, s, steps, refs, w)
}

// judge checks everything once the stack is idle.
func (t *Target) judge(ctx context.Context, r *Report, s *sender, steps []step, refs []surgical.EntityRef, w *watcher) error {
	began := time.Now()
	of := map[int]surgical.EntityRef{}
	for _, step := range steps {
		of[step.change] = Entity(step.entity)
	}
	return w.during(ctx, "comparing", func(ctx context.Context) error {
		var err error
		if r.Left, err = w.left(ctx); err != nil {
			return fmt.Errorf("load: %w", err)
		}
		if r.Account, err = t.account(ctx, s.runs, func(change int) surgical.EntityRef { return of[change] }); err != nil {
			return fmt.Errorf("load: account for the events: %w", err)
		}
		if r.Comparison, err = t.Compare(ctx, refs); err != nil {
			return fmt.Errorf("load: %w", err)
		}
		r.Seconds.Comparing = time.Since(began).Seconds()
		return nil
	})
}

// create puts the entities of the load into GitLab.
func (t *Target) create(s Shape) []surgical.EntityRef {
	random, now := rand.New(rand.NewPCG(s.Seed, 0)), fakegitlab.Time{Time: time.Now()}
	refs := make([]surgical.EntityRef, s.Entities)
	for i := range refs {
		refs[i] = Entity(i)
		create(t.gitlab.State, random, refs[i], now)
	}
	return refs
}

// faults returns the faults that GitLab produces: rate limits, internal errors,
// an unreachable backend, truncated bodies, and slow responses.
func faults() []fakegitlab.Fault {
	wait := func(seconds string) http.Header { return http.Header{"Retry-After": {seconds}} }
	return []fakegitlab.Fault{
		{Status: http.StatusTooManyRequests, Header: wait("1")},
		{Status: http.StatusInternalServerError, Body: `{"message":"500 Internal Server Error"}`},
		{Status: http.StatusBadGateway, Body: "<html>502 Bad Gateway</html>"},
		{Status: http.StatusServiceUnavailable, Header: wait("2")},
		{Status: http.StatusGatewayTimeout, Body: "upstream request timeout"},
		{Truncate: true},
		{Latency: time.Second},
	}
}

func limit(perSecond float64) rate.Limit {
	if perSecond <= 0 {
		return rate.Inf
	}
	return rate.Limit(perSecond)
}

func total(counts map[string]int) int {
	sum := 0
	for _, n := range counts {
		sum += n
	}
	return sum
}

func since(now, before map[string]int) map[string]int {
	for name, n := range before {
		if now[name] -= n; now[name] == 0 {
			delete(now, name)
		}
	}
	return now
}

func memoryNamed(all []Memory, function string) Memory {
	for _, m := range all {
		if m.Function == function {
			return m
		}
	}
	return Memory{Function: function}
}
