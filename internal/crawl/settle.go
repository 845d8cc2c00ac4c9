package crawl

import (
	"context"
	"slices"

	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// settle takes the runs that have ended out of the windows of a backfill or census, and
// counts them. A run that failed is recorded and does not stop the pass. The pass and
// its windows change in one transaction, so no run is counted twice.
func (v *visit) settle(ctx context.Context) error {
	if len(v.windows) == 0 {
		return nil
	}
	runs, err := v.runs(ctx)
	if err != nil {
		return err
	}
	for _, w := range slices.Clone(v.windows) {
		next, left, change, found := v.pass, w, ledger.PassChange{}, map[surgical.Finding]int64{}
		left.Awaited = nil
		for _, a := range w.Awaited {
			run, known := runs[a.RunID]
			if known && !run.Status.Terminal() {
				if run.Status != surgical.StatusQueued || !w.Left && v.pass.Status != surgical.StatusCancelled {
					left.Awaited = append(left.Awaited, a)
					continue
				}
				if run, err = v.Ledger.Close(ctx, run, surgical.Cancelled{Error: surgical.NewError(surgical.CodeRunCancelled, "the backfill was cancelled")}); err != nil {
					return err
				}
			}
			if next.Outstanding--; w.Left {
				continue // this pass lists its entity itself
			}
			for _, f := range foundBy(next, a, run) {
				found[f]++
			}
			next.Counts.Requests += run.Counters.GitLabRequests
			if known && run.Status == surgical.StatusSucceeded || v.vanished(a, run) {
				next.Counts.Done++
				continue
			}
			next.Counts.Failed++
			change.Failed = append(change.Failed, failureOf(a, run))
		}
		if len(left.Awaited) == len(w.Awaited) {
			continue
		}
		v.windows = slices.DeleteFunc(v.windows, func(other surgical.Window) bool { return other.Number == w.Number })
		if len(left.Awaited) == 0 {
			change.Drop = []surgical.Window{w}
		} else {
			change.Put, v.windows = []surgical.Window{left}, append(v.windows, left)
		}
		if err := v.save(ctx, next.Find(found), change); err != nil {
			return err
		}
		v.Meter.Found(found)
	}
	return nil
}

// vanished reports whether GitLab did not have an entity that a backfill's list showed
// before, although it shows the project: it was deleted in between, and nothing is left
// to copy. A replica that does not have a new entity yet looks the same, so the lists of
// what changed since the backfill began request it once more.
func (v *visit) vanished(a surgical.Awaited, run surgical.Run) bool {
	return v.pass.Kind == surgical.PassBackfill && run.Status == surgical.StatusFailed && failureOf(a, run).Code == surgical.CodeGitLabNotFound
}

// runs reads the awaited runs, by their ids.
func (v *visit) runs(ctx context.Context) (map[string]surgical.Run, error) {
	var ids []string
	for _, w := range v.windows {
		for _, a := range w.Awaited {
			ids = append(ids, a.RunID)
		}
	}
	slices.Sort(ids)
	return v.Ledger.RunsByID(ctx, slices.Compact(ids))
}

// heads reads the heads of the entities that are awaited, or that were given up.
func (v *visit) heads(ctx context.Context) (map[surgical.EntityRef]surgical.Head, error) {
	targets, _ := v.pass.Except()
	for _, w := range v.windows {
		for _, a := range w.Awaited {
			targets = append(targets, a.Target)
		}
	}
	slices.SortFunc(targets, surgical.Target.Compare)
	var refs []surgical.EntityRef
	for _, t := range slices.Compact(targets) {
		refs = append(refs, v.ref(t))
	}
	return v.Content.Heads(ctx, refs)
}

func (v *visit) ref(t surgical.Target) surgical.EntityRef {
	return surgical.EntityRef{ProjectID: v.pass.ProjectID, Target: t}
}

// failureOf says why the awaited run did not bring its entity up to date. The zero run
// stands for one that is no longer in the ledger.
func failureOf(a surgical.Awaited, run surgical.Run) surgical.PassFailure {
	f := surgical.PassFailure{Awaited: a, Code: surgical.CodeRunNotFound, Message: "the run is no longer in the ledger"}
	if run.Error == nil {
		return f
	}
	f.Code, f.Message = run.Error.Code, run.Error.Message
	for _, failure := range run.Error.Failures {
		if failure.Target == a.Target {
			f.Code, f.Message = failure.Code, failure.Message
		}
	}
	return f
}

// again requests runs for entities that failed, once more. One that fails again lies
// behind the cursor, so that it is not fetched again and again.
func (v *visit) again(ctx context.Context) error {
	failures, err := v.Ledger.PassFailuresAfter(ctx, v.pass, v.pass.Cursor, surgical.MaxWindow)
	if err != nil {
		return err
	}
	next := v.pass
	refs := make([]surgical.EntityRef, len(failures))
	for i, f := range failures {
		refs[i] = v.ref(f.Target)
	}
	heads, err := v.Content.Heads(ctx, refs)
	if err != nil {
		return err
	}
	var awaited []surgical.Awaited
	for i, f := range failures {
		if !f.Settled(heads[refs[i]], v.project.HiddenAt) {
			awaited = append(awaited, next.Await(f.Entry, heads[refs[i]].Revision, f.ListedAt, f.Tries+1))
		}
	}
	next.Counts.Failed -= int64(len(failures))
	next.Counts.Different -= int64(len(failures) - len(awaited))
	if len(failures) < surgical.MaxWindow {
		next.Leg, next.Cursor = next.Leg+1, ""
	} else {
		next.Cursor = failures[len(failures)-1].Target.String()
	}
	return v.request(ctx, next, awaited, ledger.PassChange{Retried: failures})
}
