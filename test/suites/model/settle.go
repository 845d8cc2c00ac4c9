package model

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakesqs "gitlab.com/lorehook/lorehook/test/fake/sqs"
)

// calm runs everything to quiescence without further faults: late deliveries
// arrive, late writes land, messages are received, executions run, and the
// sweeper runs every minute.
func (x *explorer) calm(why string) {
	x.note("calm: %s", why)
	x.truth.down = none
	for round := range 400 {
		x.arrive(time.Now().Add(4 * time.Hour))
		x.finishAll()
		for len(x.late) > 0 {
			x.land(0)
		}
		for _, q := range x.queues() {
			for q.Receivable() > 0 {
				x.deliver(q, surgical.BatchSize, 0, surgical.WorkerTimeout)
				x.finishAll()
			}
		}
		for len(x.pending) > 0 {
			input := x.pending[0]
			x.pending = x.pending[1:]
			x.execute(input, 0)
			x.finishAll()
		}
		if x.rests() {
			return
		}
		x.sweep(0)
		x.finishAll()
		step := surgical.SweepInterval
		if round > 20 {
			step = time.Hour // for what only time ends
		}
		x.pass(step)
	}
	x.failf("not quiescent after %s: %d messages, open runs %v", why, x.messages(), x.open())
}

// finishAll runs every process to completion.
func (x *explorer) finishAll() { x.finishBehind(lags{}) }

// finishBehind runs every process to completion, on replicas that lag this much.
func (x *explorer) finishBehind(behind lags) {
	for len(x.procs) > 0 {
		ready := x.ready()
		if len(ready) == 0 {
			x.pass(100 * time.Millisecond) // they are asleep
			continue
		}
		c := x.calls(ready[0])[0]
		c.lags = behind
		x.step(c, none)
	}
}

func (x *explorer) rests() bool {
	return x.messages()+len(x.pending)+len(x.late)+len(x.arrivals) == 0 && len(x.open())+len(x.followUps())+len(x.erasing()) == 0
}

// erasing lists the erasures of entities that are still being removed.
func (x *explorer) erasing() []surgical.Erasure {
	open, err := x.oracle.ledger.OpenErasures(background())
	if err != nil {
		x.failf("%v", err)
	}
	return open
}

// followUps lists the entities with a follow-up that is pending.
func (x *explorer) followUps() []surgical.EntityRef {
	var refs []surgical.EntityRef
	for f, err := range x.oracle.ledger.FollowUps(background(), time.Now().Add(24*time.Hour)) {
		if err != nil {
			x.failf("%v", err)
			return nil
		}
		refs = append(refs, f.Ref)
	}
	return refs
}

// open lists the runs that have not ended.
func (x *explorer) open() []string {
	return slices.DeleteFunc(slices.Clone(x.oracle.runs), func(run string) bool { return x.oracle.ended[run] != "" })
}

// accounted checks that every acknowledged event is applied, or that a run with
// its request says why not, or that its message is a dead letter.
func (x *explorer) accounted() {
	for _, e := range x.acknowledged {
		id := surgical.RunID(surgical.OriginWebhook, e.key)
		run, err := x.oracle.ledger.Run(background(), id)
		for err == nil && run.RetriedBy != "" {
			run, err = x.oracle.ledger.Run(background(), run.RetriedBy)
		}
		dead := slices.ContainsFunc(x.dead.Messages(), func(m fakesqs.Message) bool { return requestOf(m.Body).RunID == id && !requestOf(m.Body).Hides })
		switch {
		case dead:
		case err != nil:
			x.failf("the event %s of %s has no run: %v", e.key, e.ref, err)
		case run.Status == surgical.StatusSucceeded:
			x.shown(e, run)
		case !run.Status.Terminal() || run.Error == nil:
			x.failf("the event %s of %s: run %s is %s, error %v", e.key, e.ref, run.RunID, run.Status, run.Error)
		case run.Status == surgical.StatusFailed && x.truth.has(e.ref) && missing(run) && x.lag < surgical.Confirmation:
			x.shown(e, run) // a follow-up found it
		}
	}
}

// missing reports whether the run failed because GitLab did not have its entity.
func missing(run surgical.Run) bool {
	return len(run.Error.Failures) == 1 && run.Error.Failures[0].Code == surgical.CodeGitLabNotFound
}

// appliedBy checks, when a run succeeds, that its event is visible. A retry has
// the event of the run that it retries.
func (x *explorer) appliedBy(run surgical.Run) {
	for root := run; ; {
		for _, e := range x.acknowledged {
			if surgical.RunID(surgical.OriginWebhook, e.key) == root.RunID {
				x.shown(e, run)
			}
		}
		if root.RetryOf == "" {
			return
		}
		var err error
		if root, err = x.oracle.ledger.Run(background(), root.RetryOf); err != nil {
			x.failf("%v", err)
			return
		}
	}
}

// shown checks that the event's change is visible, or that it is allowed to be
// missing: for as long as a follow-up of its entity is outstanding; and permanently if
// nothing in the older copy gives it away, or the follow-up ended in another way.
func (x *explorer) shown(e event, run surgical.Run) {
	if x.lag > 0 && (e.traceless || x.odd || x.lag > surgical.Confirmation) {
		return // the next event, or reconciling, corrects it
	}
	if x.oracle.forgets(e.ref, e.at) {
		return
	}
	why := ""
	entity, err := x.oracle.content.ForReaders(nil, surgical.Include).Read(background(), e.ref)
	if concealed(err) && x.truth.vanished(e.ref, e.state) {
		return // GitLab announces neither that it is gone nor that it is back
	}
	if err != nil {
		why = err.Error()
	} else if f := x.oracle.fetchOf(entity); f == nil {
		why = "what is visible equals no fetch"
	} else if n := x.stateOf(f, e); n < e.state {
		why = fmt.Sprintf("state %d is visible", n)
	}
	if why == "" {
		return
	}
	if outstanding := x.outstanding(e.ref); outstanding != "" {
		x.happened["events that were not shown yet: "+outstanding]++
		return
	}
	x.failf("the event %s of %s led to state %d, run %s is %s, and %s", e.key, e.ref, e.state, run.RunID, run.Status, why)
}

// stateOf is the state that the fetch shows of what the event changed. Replicas
// that lag beyond the settle time may each show another.
func (x *explorer) stateOf(f *fetch, e event) int {
	switch {
	case x.lag == 0:
		return f.oldest()
	case e.note:
		return f.notes.state
	}
	return f.entity.state
}

// outstanding says why a follow-up of the entity may still correct it, or could
// not; empty if there is none.
func (x *explorer) outstanding(ref surgical.EntityRef) string {
	if slices.Contains(x.followUps(), ref) {
		return "a follow-up is pending"
	}
	for _, id := range x.oracle.runs {
		run, err := x.oracle.ledger.Run(background(), id)
		if err != nil {
			x.failf("%v", err)
			return ""
		}
		if run.Origin != surgical.OriginFollowUp || run.Refs()[0] != ref {
			continue
		}
		switch {
		case !run.Status.Terminal():
			return "a follow-up is under way"
		case run.Status == surgical.StatusCancelled, run.Status == surgical.StatusFailed && !run.Committed() && !missing(run):
			return "a follow-up was cancelled, or failed"
		case run.Status == surgical.StatusFailed && !x.truth.has(ref):
			return "the entity was deleted before its follow-up"
		}
	}
	return ""
}

// reconcile syncs every entity once, and drains the backlog.
func (x *explorer) reconcile() {
	for _, ref := range x.refs {
		x.reconcileOf(ref, "reconcile-"+ref.Key())
	}
	x.calm("reconciling")
	for range 12 {
		if len(x.backlog()) == 0 {
			return
		}
		x.pass(2 * time.Hour)
		x.sweep(0)
		x.calm("draining")
	}
	x.failf("the backlog is not drained: %v", x.backlog())
}

func (x *explorer) reconcileOf(ref surgical.EntityRef, key string) {
	x.send(x.outside.ToBulk, surgical.Request{
		RunID: surgical.RunID(surgical.OriginReconcile, key), ProjectID: ref.ProjectID, Targets: []surgical.Target{ref.Target},
		Origin: surgical.OriginReconcile, IdempotencyKey: key, EventAt: time.Now().UTC(),
	})
}

func (x *explorer) backlog() []string {
	var list []string
	for _, ref := range x.refs {
		sources, err := x.oracle.ledger.DirtySources(background(), ref)
		if err != nil {
			x.failf("%v", err)
		}
		for _, source := range sources {
			list = append(list, ref.Key()+" "+source.ID)
		}
	}
	return list
}

// compare checks the final state: the content equals GitLab's, documents and
// embeddings match the rendered content, and nothing is left over.
func (x *explorer) compare() {
	for _, ref := range x.refs {
		entity, err := x.oracle.content.ForReaders(nil, surgical.Include).Read(background(), ref)
		if x.oracle.heads[ref].Erased() {
			x.removed(ref, err)
			continue
		}
		if concealed(err) && !x.truth.has(ref) {
			x.nothing(ref)
			continue
		}
		if err != nil {
			x.failf("%s at the end: %v", ref, err)
			return
		}
		if !x.truth.has(ref) {
			x.failf("GitLab does not show %s, and it is shown at the end", ref)
		}
		if f := x.oracle.fetchOf(entity); f == nil || f.oldest() != len(x.truth.states[ref])-1 {
			x.failf("%s does not show GitLab's truth at the end: %+v, want state %d", ref, f, len(x.truth.states[ref])-1)
		}
		x.rendered(entity)
	}
}

// removed checks that nothing is left of an erased entity, and that readers learn
// nothing of it.
func (x *explorer) removed(ref surgical.EntityRef, read error) {
	if surgical.CodeOf(read) != surgical.CodeEntityNotFound {
		x.failf("%s is erased, and reading it ends with %v", ref, read)
	}
	left, err := x.oracle.content.Collection(background(), ref)
	if err != nil || left.Total() > 0 {
		x.failf("%s is erased, and of it is left: %+v, error %v", ref, left, err)
	}
}

// lift lets everything that is erased be fetched again, and fetches it.
func (x *explorer) lift() {
	for _, ref := range x.refs {
		if !x.oracle.heads[ref].Erased() {
			continue
		}
		x.call(0, http.MethodDelete, erasurePath(ref), "", "")
		x.finishAll()
		if x.oracle.heads[ref].Erased() {
			x.failf("the erasing of %s cannot be undone", ref)
		}
		x.reconcileOf(ref, "again-"+ref.Key())
	}
	x.calm("undoing what was erased")
}

// nothing checks that no document and no embedding of an entity is left that is gone.
func (x *explorer) nothing(ref surgical.EntityRef) {
	documents, err := x.oracle.content.Documents(background(), ref)
	if err != nil {
		x.failf("%v", err)
	}
	embedded, err := x.oracle.content.Embedded(background(), ref)
	if err != nil {
		x.failf("%v", err)
	}
	if len(documents)+len(embedded) > 0 {
		x.failf("%s is gone, and %d documents and embeddings of %d are left", ref, len(documents), len(embedded))
	}
}

// unhidden checks that follow-ups, without reconciling, brought back what GitLab shows.
func (x *explorer) unhidden() {
	for _, ref := range x.refs {
		head, err := x.oracle.content.Head(background(), ref)
		if err != nil {
			x.failf("%v", err)
			return
		}
		last := len(x.truth.states[ref]) - 1
		_, why := surgical.Visible(head, surgical.Sight{Confidential: surgical.Include})
		x.happened[fmt.Sprintf("entities at rest that are %s", cmp.Or(string(why), "shown"))]++
		public := why == surgical.Hidden && !x.truth.confidential(ref, last) && x.truth.has(ref)
		shown := why == surgical.Gone && x.truth.shownSince(ref, head.FetchedAt.Add(-x.lag-maxLag))
		if (public || shown) && x.lag <= surgical.Confirmation && !x.odd && x.outstanding(ref) == "" {
			x.failf("%s stays %s: %+v", ref, why, head)
		}
	}
}

// rendered compares documents and embeddings with the rendered content.
func (x *explorer) rendered(entity content.Entity) {
	want, err := rendered(entity)
	if err != nil {
		x.failf("render %s: %v", entity.Ref, err)
		return
	}
	got := map[string]string{}
	for document, err := range x.oracle.content.DocumentsAfter(background(), entity.Ref, "") {
		if err != nil {
			x.failf("%v", err)
			return
		}
		if document.Revision >= entity.DocumentsVisibleFrom {
			got["doc#"+document.ID] = document.Hash + "\n" + document.Text
		}
	}
	embeddings, err := x.oracle.embeddings(entity.Head)
	if err != nil {
		x.failf("%v", err)
		return
	}
	maps.Copy(got, embeddings)
	for _, id := range slices.Sorted(maps.Keys(want)) {
		if got[id] != want[id] {
			x.failf("%s of %s (revision %d) in the end:\n got %.400q\nwant %.400q", id, entity.Ref, entity.Revision, got[id], want[id])
		}
	}
	for id := range got {
		if _, ok := want[id]; !ok {
			x.failf("%s of %s is left over", id, entity.Ref)
		}
	}
}

// swept checks that orphaned items are eventually removed.
func (x *explorer) swept() {
	for range 6 {
		x.pass(20 * time.Minute)
		x.sweep(0)
		x.finishAll()
	}
	x.calm("sweeping")
	for _, ref := range x.refs {
		orphans, err := x.oracle.content.Orphans(background(), ref)
		if err != nil || len(orphans) > 0 {
			x.failf("orphans of %s are left: %s, error %v", ref, strings.Join(orphans, ", "), err)
		}
	}
}

// expire expires everything that has an expiry: none of it may be visible.
func (x *explorer) expire() {
	if _, err := cloud.Expire(background(), x.world.db, x.world.tables.Content); err != nil {
		x.failf("expire: %v", err)
	}
}
