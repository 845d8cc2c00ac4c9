package model

import (
	"fmt"
	"math/bits"
	"net/http"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"gitlab.com/lorehook/lorehook/internal/queue"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
	fakesqs "gitlab.com/lorehook/lorehook/test/fake/sqs"
	"gitlab.com/lorehook/lorehook/test/fake/stepfunctions"
)

const (
	// maxLag and maxSkew together stay below the settle time, as the design
	// requires: a replica lags by up to maxLag, and two clocks differ by up to
	// 2*maxSkew.
	maxLag  = 1000 * time.Millisecond
	maxSkew = 400 * time.Millisecond
	// Lags beyond the settle time, short of the confirmation time and beyond it.
	shortOfConfirmation = 250 * time.Second
	beyondConfirmation  = 400 * time.Second
)

// explorer draws the next action.
type explorer struct {
	*world
	rt   *rapid.T
	refs []surgical.EntityRef
	// arrivals are deliveries in flight from GitLab.
	arrivals []arrival
	// acknowledged are the events that got a 2xx from the webhook.
	acknowledged []event
	events       int
	// lag is how far replicas lag at most, if it is beyond the settle time. Within
	// the confirmation time, follow-ups must make good for it; beyond, only what
	// comes later.
	lag time.Duration
	// odd sequences have dates that are set back or lie in the future.
	odd bool
	// erases is set in sequences in which an operator erases entities: not in all,
	// because nothing can go wrong any more with what is erased.
	erases bool
}

// event is a change that GitLab reports.
type event struct {
	ref surgical.EntityRef
	// at is when the change was made.
	at time.Time
	// state is the entity's state that the change led to.
	state int
	key   string
	// evidence is what its delivery says.
	evidence surgical.Evidence
	// note is set if the change is that of a note: the rest of the entity is then
	// as it was, and may be older.
	note bool
	// traceless changes leave nothing in a copy by which an older one is known: a
	// deleted note, and an internal note to a token that never saw one.
	traceless bool
}

type arrival struct {
	event
	at time.Time
}

// draw returns a number below n, uniformly distributed: rapid's own ranges
// prefer small numbers and would hardly ever reach the rare actions. It is
// composed of bits, which shrink to 0.
func (x *explorer) draw(n int, what string) int {
	drawn := 0
	for i := range bits.Len(uint(n-1)) + 3 {
		if n > 1 && rapid.Bool().Draw(x.rt, what) {
			drawn |= 1 << i
		}
	}
	return drawn % n
}

func pick[T any](x *explorer, what string, of ...T) T { return of[x.draw(len(of), what)] }

// entity is most often the same one, because concurrent work on one entity is
// what can go wrong.
func (x *explorer) entity() surgical.EntityRef {
	return pick(x, "entity", x.refs[0], x.refs[0], x.refs[1], x.refs[2])
}

func (x *explorer) skew() time.Duration {
	return pick(x, "skew", 0, 0, -maxSkew, maxSkew)
}

// setUp creates the entities, which have never been synced.
func (x *explorer) setUp() {
	x.refs = []surgical.EntityRef{fakegitlab.IssueRef(1), fakegitlab.IssueRef(2), fakegitlab.MergeRequestRef(3)}
	created := fakegitlab.Time{Time: time.Now().UTC().Add(-time.Hour)}
	switch x.draw(8, "replicas and dates") {
	case 4:
		x.odd = true
	case 5:
		x.lag = shortOfConfirmation
	case 6:
		x.lag, x.odd = shortOfConfirmation, true
	case 7:
		x.lag, x.odd = beyondConfirmation, x.draw(2, "odd dates") == 1
	}
	x.erases, x.leaves = x.draw(4, "erases") == 3, x.draw(2, "leaves to embed") == 1
	x.mayLag = max(x.lag, maxLag)
	x.happened[fmt.Sprintf("sequences with replicas that lag up to %s, odd dates %t", max(x.lag, maxLag), x.odd)]++
	x.truth.server.AddProject(fakegitlab.ProjectID, fakegitlab.ProjectPath)
	x.truth.server.SetIssue(fakegitlab.NewIssue(1, "One", "First text", created))
	x.truth.server.SetIssue(fakegitlab.NewIssue(2, "Two", "", created))
	x.truth.server.SetMergeRequest(fakegitlab.NewMergeRequest(3, "Three", "Third text", created))
	notes := 1
	if x.draw(8, "large") == 7 {
		notes = 52 // a manifest in parts
	}
	for _, ref := range x.refs {
		for i := range notes {
			x.truth.server.AddDiscussion(ref, fakegitlab.Note{Body: fmt.Sprintf("note %d", i)})
		}
		notes = 1
		if ref == x.refs[1] && x.lag > 0 {
			x.truth.absent(ref) // a replica may not have it yet
		}
		state := x.truth.changed(ref)
		if ref == x.refs[1] && x.lag > 0 {
			x.events++
			x.acknowledge(event{ref: ref, state: state, key: "created", evidence: surgical.Evidence{UpdatedAt: x.truth.server.UpdatedAt(ref)}})
		}
	}
	// A change in the millisecond of the first notes would leave no trace.
	time.Sleep(time.Second)
	if x.lag > 0 && x.draw(4, "nobody sees the new entity") == 3 {
		x.unseen()
	}
}

// unseen lets the run of the new entity fail, because each of its fetches reaches a
// replica that does not have the entity yet. A random walk hardly ever gets there.
func (x *explorer) unseen() {
	for len(x.requests.Messages()) > 0 {
		for x.requests.Receivable() == 0 {
			x.pass(time.Second)
		}
		x.deliver(x.requests, 1, 0, surgical.WorkerTimeout)
		x.finishBehind(lags{x.lag, x.lag})
	}
	x.happened["new entities that no replica had"]++
	x.accounted()
}

// action is a possible action, drawn in proportion to its weight.
type action struct {
	name   string
	weight int
	do     func(*explorer)
}

func actions() []action {
	return []action{
		{"run", 24, (*explorer).run},
		{"change", 5, (*explorer).change},
		{"receive", 6, (*explorer).receive},
		{"execute", 4, (*explorer).begin},
		{"wait", 5, (*explorer).wait},
		{"request", 3, (*explorer).request},
		{"reconcile", 3, (*explorer).another},
		{"sweep", 2, func(x *explorer) { x.sweep(x.skew()) }},
		{"land", 2, (*explorer).landLate},
		{"cancel", 1, (*explorer).cancel},
		{"erase", 4, (*explorer).erase},
		{"retry", 1, (*explorer).retry},
		{"resend", 1, (*explorer).resend},
		{"outage", 1, (*explorer).outage},
		{"time out", 1, (*explorer).timeOut},
	}
}

// explore draws a sequence of actions.
func (x *explorer) explore() {
	x.setUp()
	var names []action
	for _, a := range actions() {
		for range a.weight {
			names = append(names, a)
		}
	}
	for range 10 + x.draw(100, "actions") {
		a := names[x.draw(len(names), "action")]
		x.arrive(time.Now())
		a.do(x)
	}
}

// run lets one process make some calls; the last may fail.
func (x *explorer) run() {
	ready := x.ready()
	switch {
	case len(ready) > 0:
	case len(x.pending) > 0:
		x.begin()
		return
	case x.receivable() > 0:
		x.receive()
		return
	default:
		x.pass(3 * time.Second)
		return
	}
	racers := []*process{ready[x.draw(len(ready), "process")]}
	if len(ready) > 1 && x.draw(2, "race") == 1 {
		racers = append(racers, ready[x.draw(len(ready), "other")])
	}
	x.steps(racers, pick(x, "calls", 1, 2, 3, 5, 8, 13, 20, 30, 300, 300))
}

// steps lets the processes make n calls in turn; the last may fail. At a slow
// pace, fetches take long enough to overlap.
func (x *explorer) steps(racers []*process, n int) {
	goesWrong := x.draw(2, "goes wrong") == 1
	order := x.draw(5, "order")
	var beyond lags
	if x.lag > 0 {
		lag := func(what string) time.Duration {
			return pick(x, what, 0, 0, time.Second, 30*time.Second, 90*time.Second, x.lag)
		}
		beyond.entity = lag("lag of the entity")
		beyond.notes = pick(x, "lag of the notes", beyond.entity, lag("other lag"))
	}
	pace := pick(x, "pace", 0, 0, 250*time.Millisecond, time.Second)
	for i := range n {
		p := racers[i%len(racers)]
		calls := x.calls(p)
		if len(calls) == 0 {
			if len(racers) == 1 {
				return
			}
			racers = []*process{racers[(i+1)%len(racers)]}
			continue
		}
		c := calls[(order*i)%len(calls)]
		f := none
		if i == n-1 && goesWrong {
			f = x.fault(c)
		}
		c.lag, c.lags = pickLag(order, i), beyond
		if f != none {
			x.happened["faults: "+string(f)]++
			x.note("%s: %s %s", p, c.what, f)
		}
		x.step(c, f)
		if i < 40 {
			x.pass(pace)
		}
	}
}

// pickLag spreads responses over replicas without a draw for each request.
func pickLag(order, i int) time.Duration {
	if order < 2 {
		return 0
	}
	return time.Duration((i*order)%5) * maxLag / 4
}

func (x *explorer) fault(c *call) fault {
	switch {
	case strings.HasPrefix(c.what, "GET "):
		return pick(x, "fault", failsBefore, unavailable, limited, cutOff, expired, diesBefore)
	case c.write:
		return pick(x, "fault", failsBefore, failsAfter, failsAfter, throttled, conflicts, diesBefore, diesAfter, flies)
	default:
		return pick(x, "fault", failsBefore, throttled, diesBefore, diesAfter)
	}
}

// change changes an entity in GitLab, and may send an event to the webhook.
func (x *explorer) change() {
	ref := x.entity()
	if x.truth.outOfSight[ref] {
		x.sight(ref, true)
		return
	}
	if !x.truth.server.Has(ref) {
		return
	}
	if x.draw(10, "out of sight") == 9 {
		x.sight(ref, false)
		return
	}
	x.events++
	s, n := x.truth.server, x.events
	discussions := s.Discussions(ref)
	kinds := []string{"comment", "comment", "reply", "title", "text", "label", "state", "confidential", "confidential", "delete note", "internal", "delete"}
	if x.odd {
		kinds = append(kinds, "set back", "future")
	}
	what := pick(x, "change", kinds...)
	switch {
	case what == "reply" && len(discussions) > 0:
		s.AddNote(ref, discussions[n%len(discussions)].ID, fakegitlab.Note{Body: fmt.Sprintf("reply %d", n)})
	case what == "delete note" && len(discussions) > 0:
		s.DeleteDiscussion(ref, discussions[n%len(discussions)].ID)
	case what == "title":
		s.Edit(ref, func(c *fakegitlab.Common) { c.Title = fmt.Sprintf("Title %d", n) })
	case what == "text":
		s.Edit(ref, func(c *fakegitlab.Common) { c.Description = fmt.Sprintf("Text %d", n) })
	case what == "label":
		s.Relabel(ref, []string{fmt.Sprintf("label-%d", n)}, nil)
	case what == "state":
		s.SetState(ref, []string{"closed", "opened"}[n%2])
	case what == "confidential" && ref.Type == surgical.Issue:
		s.EditIssue(ref, func(i *fakegitlab.Issue) { i.Confidential = !i.Confidential })
	case what == "set back" || what == "future":
		s.Edit(ref, func(c *fakegitlab.Common) { c.Title = fmt.Sprintf("Title %d", n) })
		s.Redate(ref, time.Now().UTC().Add(pick(x, "date", -48*time.Hour, -time.Minute, time.Minute, 48*time.Hour)))
	case what == "internal":
		s.AddDiscussion(ref, fakegitlab.Note{Body: fmt.Sprintf("internal %d", n), Internal: true})
	case what == "delete" && x.draw(4, "really") == 3:
		s.Delete(ref)
	default:
		s.AddDiscussion(ref, fakegitlab.Note{Body: fmt.Sprintf("comment %d", n)})
	}
	e := event{ref: ref, at: time.Now(), state: x.truth.changed(ref), key: fmt.Sprintf("delivery-%d", n)}
	x.witness(&e, len(discussions))
	x.note("%s: %s (state %d)", ref, what, e.state)
	now := time.Now()
	switch pick(x, "delivery", "now", "now", "now", "now", "soon", "late", "twice", "lost") {
	case "now":
		x.acknowledge(e)
	case "soon":
		x.arrivals = append(x.arrivals, arrival{e, now.Add(7 * time.Second)})
	case "late":
		x.arrivals = append(x.arrivals, arrival{e, now.Add(3 * time.Hour)})
	case "twice":
		x.acknowledge(e)
		x.arrivals = append(x.arrivals, arrival{e, now.Add(1500 * time.Millisecond)})
	}
}

// sight moves the entity out of the token's sight, or back. GitLab announces neither.
func (x *explorer) sight(ref surgical.EntityRef, shown bool) {
	x.truth.outOfSight[ref] = !shown
	x.truth.server.HideEntity(ref, !shown)
	x.happened[fmt.Sprintf("entities in sight: %t", shown)]++
	x.note("%s: in sight %t (state %d)", ref, shown, x.truth.changed(ref))
}

// witness fills in what the event's delivery says; discussions is how many there
// were before.
func (x *explorer) witness(e *event, discussions int) {
	s := x.truth.server
	if !s.Has(e.ref) {
		e.traceless = true
		return
	}
	e.evidence.UpdatedAt = s.UpdatedAt(e.ref).Truncate(time.Millisecond)
	e.evidence.Confidential = x.truth.confidential(e.ref, e.state)
	var newest fakegitlab.Note
	list := s.Discussions(e.ref)
	e.traceless = len(list) < discussions
	for _, d := range list {
		for _, note := range d.Notes {
			if note.ID > newest.ID {
				newest = note
			}
		}
	}
	if !newest.CreatedAt.Time.Equal(time.Now()) { // it is not this event's
		return
	}
	at := newest.UpdatedAt.Truncate(time.Millisecond)
	if e.note = true; newest.Internal {
		e.traceless = true
		e.evidence.InternalNoteID, e.evidence.InternalNoteAt = newest.ID, at
	} else {
		e.evidence.NoteID, e.evidence.NoteAt = newest.ID, at
	}
}

// acknowledge is the webhook's 202: the request is enqueued.
func (x *explorer) acknowledge(e event) {
	x.acknowledged = append(x.acknowledged, e)
	req := surgical.Request{
		RunID: surgical.RunID(surgical.OriginWebhook, e.key), ProjectID: e.ref.ProjectID, Targets: []surgical.Target{e.ref.Target},
		Origin: surgical.OriginWebhook, IdempotencyKey: e.key, Evidence: e.evidence, EventAt: time.Now().UTC().Add(x.skew()).Truncate(time.Microsecond),
	}
	if e.evidence.Confidential {
		x.send(x.outside.ToHides, req.HideRequest())
		x.oracle.hideRequests[req.RunID] = append(x.oracle.hideRequests[req.RunID], hideRequest{e, req.EventAt})
	}
	x.send(x.outside.ToRequests, req)
}

// send enqueues the request without faults.
func (x *explorer) send(to *queue.Sender, req surgical.Request) {
	if err := to.Send(background(), req); err != nil {
		x.failf("send %s: %v", req.RunID, err)
	}
}

func (x *explorer) queues() []*fakesqs.Queue {
	return []*fakesqs.Queue{x.requests, x.hides, x.bulk}
}

// receivable is how many messages workers can receive now.
func (x *explorer) receivable() (n int) {
	for _, q := range x.queues() {
		n += q.Receivable()
	}
	return n
}

// messages is how many messages have not been deleted.
func (x *explorer) messages() (n int) {
	for _, q := range x.queues() {
		n += len(q.Messages())
	}
	return n
}

// arrive acknowledges the deliveries due by then.
func (x *explorer) arrive(until time.Time) {
	left := x.arrivals
	x.arrivals = nil
	for _, a := range left {
		if a.at.After(until) {
			x.arrivals = append(x.arrivals, a)
		} else {
			x.acknowledge(a.event)
		}
	}
}

// resend makes GitLab deliver an event again, as a user can request.
func (x *explorer) resend() {
	if len(x.acknowledged) > 0 {
		x.acknowledge(x.acknowledged[x.draw(len(x.acknowledged), "event")])
	}
}

// receive delivers a batch to a worker.
func (x *explorer) receive() {
	queues := slices.DeleteFunc(x.queues(), func(q *fakesqs.Queue) bool { return q.Receivable() == 0 })
	if len(queues) == 0 {
		return
	}
	q := queues[x.draw(len(queues), "queue")]
	limit := pick(x, "limit", surgical.WorkerTimeout, surgical.WorkerTimeout, frozen)
	x.deliver(q, 1+x.draw(min(q.Receivable(), surgical.BatchSize), "messages"), x.skew(), limit)
}

// begin starts a requested execution of the workflow.
func (x *explorer) begin() {
	if len(x.pending) == 0 {
		return
	}
	i := x.draw(len(x.pending), "execution")
	e := x.pending[i]
	if x.draw(5, "starts twice") < 4 {
		x.pending = append(x.pending[:i:i], x.pending[i+1:]...)
	}
	x.execute(e, x.skew())
}

// timeOut ends an execution as its timeout does: without a catch.
func (x *explorer) timeOut() {
	for _, e := range x.executing {
		if e.Status == stepfunctions.Running {
			e.TimeOut()
			x.note("execution %s times out", e.name)
			return
		}
	}
}

func (x *explorer) wait() {
	x.pass(pick(x, "time", 10*time.Millisecond, 700*time.Millisecond, 3*time.Second, 3*time.Second, 20*time.Second, 61*time.Second,
		131*time.Second, 150*time.Second, 150*time.Second, 6*time.Minute, 16*time.Minute, 7*time.Hour))
}

// another requests a run on the other queue, whose messages are not ordered
// relative to those of the first.
func (x *explorer) another() {
	x.reconcileOf(x.entity(), "other-"+x.newID())
}

// request requests a run through the API.
func (x *explorer) request() {
	var issues, mergeRequests []string
	first, n := slices.Index(x.refs, x.entity()), 1+x.draw(len(x.refs), "targets")
	for i := range n {
		ref := x.refs[(first+i)%len(x.refs)]
		if ref.Type == surgical.Issue {
			issues = append(issues, fmt.Sprint(ref.IID))
		} else {
			mergeRequests = append(mergeRequests, fmt.Sprint(ref.IID))
		}
	}
	options := pick(x, "options", "", "", "", `,"no_embed":true`, `,"no_docs":true,"no_embed":true`, `,"preflight_only":true`)
	body := fmt.Sprintf(`{"project_id":1,"issues":[%s],"merge_requests":[%s]%s}`, strings.Join(issues, ","), strings.Join(mergeRequests, ","), options)
	key := pick(x, "key", "", "key-1", "key-2")
	x.note("requested %s with key %q", body, key)
	x.call(x.skew(), "POST", "/v1/sync-runs", key, body)
}

func (x *explorer) landLate() {
	if len(x.late) > 0 {
		i := x.draw(len(x.late), "write")
		x.happened["late writes"]++
		x.note("late: %s", x.late[i].what)
		x.land(i)
	}
}

func (x *explorer) cancel() {
	if run, ok := x.someRun("cancelled run"); ok {
		x.call(x.skew(), "POST", "/v1/sync-runs/"+run+"/cancel", "", "")
	}
}

func (x *explorer) retry() {
	if run, ok := x.someRun("retried run"); ok {
		x.call(x.skew(), "POST", "/v1/sync-runs/"+run+"/retry-failed", "", "")
	}
}

// erase erases an entity, or lets one that is erased be fetched again.
func (x *explorer) erase() {
	if !x.erases {
		x.run()
		return
	}
	ref, method := x.entity(), http.MethodPost
	if x.oracle.heads[ref].Erased() && x.draw(4, "undo") > 0 {
		if open := x.erasing(); len(open) > 0 { // it cannot be undone yet
			x.pass(surgical.EraseSettle)
			x.sweep(x.skew())
			return
		}
		method = http.MethodDelete
	}
	x.call(x.skew(), method, erasurePath(ref), "", "")
}

func erasurePath(ref surgical.EntityRef) string {
	return strings.Replace(pathOf(ref), "/api/v4/", "/v1/", 1) + "/erasure"
}

func (x *explorer) someRun(what string) (string, bool) {
	if len(x.oracle.runs) == 0 {
		return "", false
	}
	return x.oracle.runs[x.draw(len(x.oracle.runs), what)], true
}

func (x *explorer) outage() {
	x.truth.down = pick(x, "outage", none, none, unavailable, limited, expired)
	x.note("GitLab responds %q", x.truth.down)
}
