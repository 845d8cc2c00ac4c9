package model

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// oracle checks what every reader may rely on, after each call that changed
// something. Its reads bypass the scheduler.
type oracle struct {
	w       *world
	content *content.Store
	ledger  *ledger.Ledger
	heads   map[surgical.EntityRef]surgical.Head
	ended   map[string]surgical.RunStatus
	// dirty are the dirty sources that exist, by entity and id.
	dirty map[string]surgical.DirtySource
	// runs are the ids of all runs, in the order in which they appeared.
	runs []string
	// hideRequests are those that were sent, by the id of their delivery's run.
	hideRequests map[string][]hideRequest
	// carriedOut has the keys of the deliveries whose hide requests are done.
	carriedOut map[string]bool
	// erasedAt is when an entity was erased last, by the clock that erased it, and
	// liftedAt when that was lifted.
	erasedAt, liftedAt map[surgical.EntityRef]time.Time
	// steps counts the checks.
	steps int
	// succeeded is called with each run that has just succeeded.
	succeeded func(run surgical.Run)
}

func newOracle(w *world) oracle {
	clock := func() time.Time { return time.Now().UTC() }
	return oracle{
		w: w, content: content.NewStore(w.db, w.tables.Content, clock), ledger: ledger.New(w.db, w.tables, clock),
		heads: map[surgical.EntityRef]surgical.Head{}, hideRequests: map[string][]hideRequest{}, carriedOut: map[string]bool{}, erasedAt: map[surgical.EntityRef]time.Time{}, liftedAt: map[surgical.EntityRef]time.Time{}, succeeded: func(surgical.Run) {}, ended: map[string]surgical.RunStatus{}, dirty: map[string]surgical.DirtySource{},
	}
}

// background is a context outside of any process: its calls are applied
// immediately.
func background() context.Context { return context.Background() }

// after checks everything that the call may have changed.
func (o *oracle) after(c *call) {
	o.steps++
	if !c.write || c.input == nil {
		return
	}
	items, _ := itemsOf(c.input)
	entities, runs := map[surgical.EntityRef]bool{}, map[string]bool{}
	for _, item := range items {
		switch item.table {
		case o.w.tables.Content:
			if sk := str(item.key["sk"]); sk == "head" || strings.HasPrefix(sk, "doc#") {
				entities[refOf(str(item.key["pk"]))] = true
			}
		case o.w.tables.SyncRuns:
			runs[str(item.key["run_id"])] = true
		case o.w.tables.DependentQueue:
			runs[str(item.key["scope_run_id"])] = true
		}
	}
	o.dirtySources(items, runs)
	for _, ref := range slices.SortedFunc(maps.Keys(entities), func(a, b surgical.EntityRef) int { return strings.Compare(a.Key(), b.Key()) }) {
		o.visible(ref, c)
	}
	for _, run := range slices.Sorted(maps.Keys(runs)) {
		o.closed(run, c)
	}
}

func str(v types.AttributeValue) string {
	if s, ok := v.(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

func refOf(pk string) surgical.EntityRef {
	ref, err := surgical.ParseEntityRef(strings.TrimPrefix(pk, "P#"))
	if err != nil {
		panic(err)
	}
	return ref
}

// visible checks what a reader of the entity now sees.
func (o *oracle) visible(ref surgical.EntityRef, c *call) {
	head, err := o.content.Head(background(), ref)
	if err != nil {
		o.w.failf("after %s: the head of %s cannot be read: %v", c.what, ref, err)
		return
	}
	if !head.Exists() {
		return
	}
	before := o.heads[ref]
	o.heads[ref] = head
	o.erased(before, head, c)
	o.hidden(before, head, c)
	switch {
	case head.Revision < before.Revision:
		o.w.failf("after %s: the revision of %s went back from %d to %d", c.what, ref, before.Revision, head.Revision)
	case head.UpdatedAt.Before(before.UpdatedAt) && head.FetchedAt.Before(before.FetchedUntil.Add(surgical.Confirmation)):
		o.w.failf("after %s: updated_at of %s went back from %v to %v without a confirmation", c.what, ref, before.UpdatedAt, head.UpdatedAt)
	case head.FetchedAt.Before(before.FetchedAt) && !head.Erased():
		o.w.failf("after %s: fetched_at of %s went back from %v to %v", c.what, ref, before.FetchedAt, head.FetchedAt)
	}
	o.documents(head, c)
	entity, err := o.content.ForReaders(nil, surgical.Include).Read(background(), ref)
	if concealed(err) {
		return
	}
	if err != nil {
		o.w.failf("after %s: %s cannot be read: %v", c.what, ref, err)
		return
	}
	if head.Revision != before.Revision && o.fetchOf(entity) == nil {
		o.w.failf("after %s: what is visible of %s at revision %d equals no fetch", c.what, ref, head.Revision)
	}
}

// concealed reports whether the error says that the entity is not shown.
func concealed(err error) bool {
	code := surgical.CodeOf(err)
	return err != nil && (code == surgical.CodeEntityNotFound || code == surgical.CodeEntityGone)
}

// fetchOf finds the fetch whose content the entity shows.
func (o *oracle) fetchOf(entity content.Entity) *fetch {
	o.w.mu.Lock()
	defer o.w.mu.Unlock()
	seen := visibleParts(entity)
	for _, f := range o.w.fetches {
		if f.ref == entity.Ref && f.from.Equal(entity.FetchedAt) && f.until.Equal(entity.FetchedUntil) && maps.Equal(f.parts, seen) {
			return f
		}
	}
	return nil
}

// documents checks that nothing hidden is visible.
func (o *oracle) documents(head surgical.Head, c *call) {
	if !head.Attributes.Confidential && !head.Gone && !head.Erased() {
		return
	}
	documents, err := o.content.Documents(background(), head.Ref)
	if err != nil {
		o.w.failf("after %s: %v", c.what, err)
		return
	}
	for _, d := range documents {
		switch {
		case d.Revision < head.DocumentsVisibleFrom:
		case head.Erased():
			o.w.failf("after %s: %s is erased, and its document %s of revision %d is visible", c.what, head.Ref, d.ID, d.Revision)
		case head.Gone:
			o.w.failf("after %s: %s is gone, and its document %s of revision %d is visible", c.what, head.Ref, d.ID, d.Revision)
		case !d.Confidential:
			o.w.failf("after %s: %s is confidential, and its document %s of revision %d is visible without the mark", c.what, head.Ref, d.ID, d.Revision)
		}
	}
}

// erased checks that nothing is shown or stored of an erased head, that only an undo
// lifts it, and that what comes back then was fetched later.
func (o *oracle) erased(before, head surgical.Head, c *call) {
	ref := head.Ref
	if head.Erased() {
		o.erasedAt[ref] = head.ErasedAt
	}
	switch shown, why := surgical.Visible(head, surgical.Sight{Confidential: surgical.Include}); {
	case head.Erased() && (shown || why != surgical.Erased || head.HasCopy()):
		o.w.failf("after %s: %s is erased, and has a copy, or is %s", c.what, ref, why)
	case head.Erased() && before.Erased() && head.Revision != before.Revision:
		o.w.failf("after %s: %s is erased, and its head moved from revision %d to %d", c.what, ref, before.Revision, head.Revision)
	case before.Erased() && !head.Erased():
		if !strings.HasPrefix(c.by.name, "api") || head.Revision != before.Revision {
			o.w.failf("after %s of %s: %s is not erased any more, at revision %d after %d", c.what, c.by.name, ref, head.Revision, before.Revision)
		}
		o.liftedAt[ref] = time.Now()
		o.w.happened["erasures lifted"]++
	case !before.Erased() && head.Erased():
		o.w.happened["entities erased"]++
	}
	if head.HasCopy() && head.FetchedAt.Before(o.erasedAt[ref]) {
		o.w.failf("after %s: %s shows a fetch of %v, before it was erased, %v", c.what, ref, head.FetchedAt, o.erasedAt[ref])
	}
}

// forgets reports whether an erasing may have kept out what happened to the entity at
// the time.
func (o *oracle) forgets(ref surgical.EntityRef, at time.Time) bool {
	return o.heads[ref].Erased() || !o.liftedAt[ref].Before(at)
}

// hideRequest asks to hide what the event's delivery called confidential.
type hideRequest struct {
	event
	eventAt time.Time
}

// since is when the request hides its entity.
func (r hideRequest) since() time.Time { return r.eventAt.Add(surgical.Settle) }

// hidden checks that nothing is shown that must not be.
func (o *oracle) hidden(before, head surgical.Head, c *call) {
	ref := head.Ref
	if before.Gone && !head.Gone && !head.Erased() && head.FetchedAt.Before(before.FetchedUntil) {
		o.w.failf("after %s: %s is back by a fetch of %v that began before its tombstone's had ended, %v", c.what, ref, head.FetchedAt, before.FetchedUntil)
	}
	if head.Gone && before.HasCopy() && o.w.mayLag <= surgical.Confirmation && o.w.truth.shownSince(ref, before.FetchedAt.Add(-2*maxSkew)) {
		o.w.failf("after %s: %s is gone, although GitLab has shown it ever since its copy was fetched, %v", c.what, ref, before.FetchedAt)
	}
	if shown, _ := surgical.Visible(head, surgical.Sight{Confidential: surgical.Include}); !shown || head.Attributes.Confidential {
		return
	}
	for _, requests := range o.hideRequests {
		for _, r := range requests {
			if r.ref == ref && o.carriedOut[r.key] && o.w.mayLag <= surgical.Confirmation && o.w.truth.confidentialSince(ref, r.state) {
				o.w.failf("after %s: %s is shown as public, although delivery %s hid it at %v and it is confidential ever since", c.what, ref, r.key, r.at)
			}
		}
	}
}

// handled checks that a hide request whose message is deleted has hidden its entity,
// unless a fetch confirmed long after the event what the entity is.
func (o *oracle) handled(req surgical.Request) {
	head, err := o.content.Head(background(), req.Refs()[0])
	if err != nil {
		o.w.failf("%v", err)
		return
	}
	for _, r := range o.hideRequests[req.RunID] {
		if !r.eventAt.Equal(req.EventAt) || head.Erased() {
			continue // an erased entity is hidden anyway, and remembers nothing
		}
		o.carriedOut[r.key] = true
		if head.HiddenSince.Before(r.since()) && (!head.HasCopy() || head.FetchedAt.Before(r.since().Add(surgical.Confirmation))) {
			o.w.failf("the hide request of %s for %s is done, and the head is hidden since %v, fetched at %v", r.key, r.ref, head.HiddenSince, head.FetchedAt)
		}
	}
}

// closed checks that an ended run does not change and has no open jobs.
func (o *oracle) closed(id string, c *call) {
	run, err := o.ledger.Run(background(), id)
	if surgical.CodeOf(err) == surgical.CodeRunNotFound {
		return
	}
	if err != nil {
		o.w.failf("after %s: %v", c.what, err)
		return
	}
	if !slices.Contains(o.runs, id) {
		o.runs = append(o.runs, id)
	}
	if was, ok := o.ended[id]; ok && was != run.Status {
		o.w.failf("after %s: run %s had ended as %s and is %s", c.what, id, was, run.Status)
	}
	if !run.Status.Terminal() {
		return
	}
	if o.ended[id] == "" && run.Status == surgical.StatusSucceeded {
		defer o.succeeded(run)
	}
	o.ended[id] = run.Status
	jobs, err := o.ledger.Jobs(background(), id)
	if err != nil {
		o.w.failf("after %s: %v", c.what, err)
		return
	}
	for _, job := range jobs {
		if job.Open() {
			o.w.failf("after %s: run %s is %s and its job %s is %s", c.what, id, run.Status, job.ID, job.Status)
		}
		if run.Status == surgical.StatusFailed && run.Error != nil && job.Status != surgical.JobDone && !slices.ContainsFunc(run.Error.Failures, func(f surgical.TargetFailure) bool {
			return f.Target == job.Ref.Target && f.Code != "" && f.Action != ""
		}) {
			o.w.failf("after %s: run %s failed, its job %s is %s and no failure says so: %+v", c.what, id, job.ID, job.Status, run.Error)
		}
		if job.Type == surgical.JobEmbed && (run.Options.NoEmbed || run.Options.NoDocs) {
			o.w.failf("after %s: run %s must not embed but has an embed job", c.what, id)
		}
	}
	if run.Status == surgical.StatusFailed && (run.Error == nil || run.Error.Code == "" || run.Error.Code == surgical.CodeInternal || run.Error.Action == "") {
		o.w.failf("after %s: run %s failed without a typed error: %+v", c.what, id, run.Error)
	}
	rows, err := o.ledger.Entities(background(), id)
	if err != nil || len(rows) != len(run.Targets) {
		o.w.failf("after %s: run %s ended with %d rows for %d targets, error %v", c.what, id, len(rows), len(run.Targets), err)
	}
}

// dirtySources checks that a run deletes only its own dirty sources, and those of
// ended runs whose scope it makes its own: a drain any, another run those of runs that
// did not succeed.
func (o *oracle) dirtySources(items []touchedItem, runs map[string]bool) {
	for _, item := range items {
		if item.table != o.w.tables.DirtySources {
			continue
		}
		key := str(item.key["entity"]) + " " + str(item.key["dirty_id"])
		if !item.delete {
			if source := o.source(item.key); source != nil {
				o.dirty[key] = *source
			}
			continue
		}
		old, known := o.dirty[key]
		if !known || o.source(item.key) != nil {
			continue // the write was rejected, or it was gone before
		}
		delete(o.dirty, key)
		for run := range runs {
			if run != old.RunID && !o.mayTakeOver(run, old) {
				o.w.failf("run %s deleted the dirty source %s of run %s", run, key, old.RunID)
			}
		}
	}
}

// mayTakeOver reports whether the run may replace the dirty source, and has one that
// covers it.
func (o *oracle) mayTakeOver(runID string, old surgical.DirtySource) bool {
	run, err := o.ledger.Run(background(), runID)
	if surgical.CodeOf(err) == surgical.CodeRunNotFound {
		return true // the hash key of the follow-ups
	}
	if err != nil {
		o.w.failf("%v", err)
		return false
	}
	status, ended := o.ended[old.RunID]
	if !ended || run.Origin != surgical.OriginDrain && status == surgical.StatusSucceeded {
		return false
	}
	return slices.ContainsFunc(o.sources(old.Ref), func(own surgical.DirtySource) bool {
		return own.RunID == runID && reflect.DeepEqual(own.Scope, own.Scope.Union(old.Scope))
	})
}

// source returns the dirty source as it is, or nil.
func (o *oracle) source(key dynamo.Item) *surgical.DirtySource {
	for _, source := range o.sources(refOf(str(key["entity"]))) {
		if source.ID == str(key["dirty_id"]) {
			return &source
		}
	}
	return nil
}

func (o *oracle) sources(ref surgical.EntityRef) []surgical.DirtySource {
	sources, err := o.ledger.DirtySources(background(), ref)
	if err != nil {
		o.w.failf("%v", err)
	}
	return sources
}
