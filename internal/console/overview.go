package console

import (
	"cmp"
	"context"

	"gitlab.com/lorehook/lorehook/internal/duration"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/parallel"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

const (
	// maxCounted limits the counts in the tiles. maxOfProject limits how many runs
	// of one project are read, because their index does not include the status.
	maxCounted   = 2000
	maxOfProject = 200
	// maxOpen is how many open runs of each status are read, and shownOpen how many
	// are shown.
	maxOpen   = 100
	shownOpen = 10
)

// overviewView shows open runs, failures and recent runs.
type overviewView struct {
	Period  string
	Periods []link
	// Project is set if the page shows only one project.
	Project     int64
	AllProjects link
	Open        []runRow
	OpenMore    string
	Failing     *failingView
	Recent      []runRow
	AllRuns     link
	Tiles       []tile
}

// tile is one number.
type tile struct {
	Name, Value, Note string
	Tone              string
	Link              *link
}

// overview reads everything concurrently.
func (r reader) overview(ctx context.Context, f frame, q Query) (*overviewView, error) {
	v := &overviewView{
		Period: f.period, Project: q.ProjectID, AllProjects: f.to("all projects", Query{View: ViewOverview, Period: q.Period}),
		AllRuns: f.to("All runs", Query{View: ViewRuns, ProjectID: q.ProjectID}),
	}
	for _, p := range periods() {
		l := f.to(p.Name, Query{View: ViewOverview, ProjectID: q.ProjectID, Period: p.Name}).titled(p.Words)
		v.Periods = append(v.Periods, l.current(p.phrase() == f.period))
	}
	var open []surgical.Run
	var more bool
	var s sample
	group, reads := parallel.WithContext(ctx)
	group.Go(func() (err error) {
		open, more, err = r.open(reads, q.ProjectID)
		return err
	})
	group.Go(func() (err error) {
		if q.ProjectID != 0 {
			s, err = r.ofProject(reads, f, q.ProjectID)
		} else {
			s, err = r.ofAll(reads, f, cmp.Or(q.Limit, overviewLimit))
		}
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var err error
	if v.Failing, err = r.failing(ctx, f, s.failures, s.partial); err != nil {
		return nil, err
	}
	shown, recent := open[:min(len(open), shownOpen)], s.recent[:min(len(s.recent), cmp.Or(q.Limit, overviewLimit))]
	v.Open, v.Recent = f.rows(shown, nil), f.rows(recent, nil)
	if len(open) > shownOpen {
		v.OpenMore = count(len(open)-shownOpen, more, "more open run")
	}
	v.Tiles = []tile{
		f.openTile(open, more), f.statusTile(q, "Failed", surgical.StatusFailed, s.failed), f.statusTile(q, "Succeeded", surgical.StatusSucceeded, s.succeeded),
		f.lastTile(s.last),
	}
	return v, nil
}

// sample is the part of the runs in the period that an overview is based on.
type sample struct {
	recent []surgical.Run
	// failures are the newest failed runs. partial means that older ones were not
	// read.
	failures []surgical.Run
	partial  bool
	// last is the newest successful run, or nil.
	last              *surgical.Run
	failed, succeeded counted
}

// counted is a number of runs; more means that there are more.
type counted struct {
	n    int
	more bool
}

// ofAll reads the runs of all projects, by status.
func (r reader) ofAll(ctx context.Context, f frame, recent int) (s sample, err error) {
	with := func(statuses ...surgical.RunStatus) ledger.RunFilter {
		return ledger.RunFilter{Statuses: statuses, Made: f.made}
	}
	group, ctx := parallel.WithContext(ctx)
	group.Go(func() (err error) {
		s.recent, _, err = r.ledger.List(ctx, with(), ledger.RunPlace{}, recent)
		return err
	})
	group.Go(func() error {
		runs, next, err := r.ledger.List(ctx, with(surgical.StatusFailed), ledger.RunPlace{}, maxFailedRuns)
		s.failures, s.partial = runs, !next.IsZero()
		return err
	})
	group.Go(func() error {
		runs, _, err := r.ledger.List(ctx, ledger.RunFilter{Statuses: []surgical.RunStatus{surgical.StatusSucceeded}}, ledger.RunPlace{}, 1)
		if len(runs) > 0 {
			s.last = &runs[0]
		}
		return err
	})
	group.Go(func() (err error) {
		s.failed.n, s.failed.more, err = r.ledger.Count(ctx, surgical.StatusFailed, f.made, maxCounted)
		return err
	})
	group.Go(func() (err error) {
		s.succeeded.n, s.succeeded.more, err = r.ledger.Count(ctx, surgical.StatusSucceeded, f.made, maxCounted)
		return err
	})
	return s, group.Wait()
}

// ofProject reads the newest runs of one project.
func (r reader) ofProject(ctx context.Context, f frame, projectID int64) (s sample, err error) {
	runs, next, err := r.ledger.List(ctx, ledger.RunFilter{ProjectID: projectID, Made: f.made}, ledger.RunPlace{}, maxOfProject)
	s.recent, s.partial = runs, !next.IsZero()
	for i, run := range runs {
		switch run.Status {
		case surgical.StatusFailed:
			s.failures = append(s.failures, run)
		case surgical.StatusSucceeded:
			s.succeeded.n++
			if s.last == nil {
				s.last = &runs[i]
			}
		}
	}
	s.failed = counted{len(s.failures), s.partial}
	s.succeeded.more = s.partial
	return s, err
}

// open returns the open runs, of one project unless projectID is 0.
func (r reader) open(ctx context.Context, projectID int64) ([]surgical.Run, bool, error) {
	runs, more, err := r.ledger.Open(ctx, maxOpen)
	if projectID == 0 || err != nil {
		return runs, more, err
	}
	var own []surgical.Run
	for _, run := range runs {
		if run.ProjectID == projectID {
			own = append(own, run)
		}
	}
	return own, more, nil
}

func (f frame) statusTile(q Query, name string, status surgical.RunStatus, c counted) tile {
	l := f.to(name, Query{View: ViewRuns, Status: status, ProjectID: q.ProjectID, Period: q.Period})
	t := tile{Name: name, Value: number(c.n, c.more), Note: f.period, Link: &l}
	if status == surgical.StatusFailed && c.n > 0 {
		t.Tone = "bad"
	}
	return t
}

func (f frame) openTile(open []surgical.Run, more bool) tile {
	t := tile{Name: "Open now", Value: number(len(open), more), Note: "no open runs"}
	if len(open) > 0 {
		t.Note, t.Tone = "oldest open for "+duration.Roughly(f.now.Sub(open[0].CreatedAt)), "busy"
	}
	return t
}

func (f frame) lastTile(last *surgical.Run) tile {
	if last == nil {
		return tile{Name: "Last success", Value: "none", Note: "in the runs that were read"}
	}
	l := f.to("Last success", Query{View: ViewRun, RunID: last.RunID})
	return tile{Name: l.Text, Value: f.moment(last.FinishedAt).Ago, Note: "took " + duration.Text(f.lasted(*last)), Link: &l}
}
