package surgical

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// PassKind is the reason for a pass.
type PassKind string

// The kinds of pass. A project has at most one pass of each kind at a time.
const (
	// PassBackfill lists everything that a project has.
	PassBackfill PassKind = "backfill"
	// PassReconcile lists what changed since the last one.
	PassReconcile PassKind = "reconcile"
	// PassCensus lists everything, and then fetches every copy again within days.
	PassCensus PassKind = "census"
)

// Origin is that of the runs that the pass requests.
func (k PassKind) Origin() Origin { return Origin(k) }

// Pass is one walk over a project's lists: it compares what they show with the heads,
// and requests a run for every entity that differs. Its unit of work is one page,
// after which its row is written on condition that nobody else has changed it. A pass
// of kind reconcile is one cycle; the next takes its place.
type Pass struct {
	ProjectID int64
	Kind      PassKind
	// ID names the pass; see [NewPassID]. It is stored before the first page, and part
	// of the keys of its runs: a page that is read again requests no second run.
	ID     string
	Status RunStatus
	// For are the requests that want the pass: its own id, and those of the group
	// requests that include the project.
	For []string
	// Revision counts the changes of the row. A change is conditional on it.
	Revision int64

	RequestedAt, StartedAt, UpdatedAt, FinishedAt time.Time
	// DueAt is the earliest time for the next step, or for the next cycle.
	DueAt time.Time

	// Legs are the lists to read, in this order, and Leg is the index of the first that
	// has not ended. Cursor is where it goes on, "" at its start; among failures, behind
	// which entity.
	Legs   []Leg
	Leg    int
	Cursor string
	// Windows is how many windows were made so far, and Outstanding how many runs in
	// them are not known to have ended.
	Windows     int64
	Outstanding int64

	Counts PassCounts
	// Found counts what a census found, by entities.
	Found map[Finding]int64
	// Checkpoints are the times from which the next cycle lists, by type.
	Checkpoints map[EntityType]time.Time
	// GivenUp are the entities that a reconcile fetches in no further cycle, although
	// their copies do not show what was listed; see [Pass.GiveUp]. MoreSince is when more
	// of them than that were given up, or zero.
	GivenUp   []Awaited
	MoreSince time.Time
	// ListedAt is when all lists of a reconcile were last compared; before that ever
	// happened, when its first cycle began.
	ListedAt time.Time
	// First marks the first cycle of a project: what it finds was not missed, because
	// there may have been no hook.
	First bool

	// Error is why the pass failed or, while it is running, why it waits. Tries counts
	// the failures in a row, and FailingSince is when the first of them happened.
	Error        *Error
	Tries        int64
	FailingSince time.Time
}

// Leg is one list of a pass.
type Leg struct {
	// Type is that of the entities listed. A leg without a type reads the failures of
	// the pass itself, to try them again.
	Type EntityType
	// Since lists what changed at this time or later; zero lists everything.
	Since time.Time
	// CatchUp marks a leg that begins only when every run of the legs before has ended.
	// It lists from the time at which the pass began, and finds what changed in between;
	// without a type, it reads the failures of all of them.
	CatchUp bool
	// Began is GitLab's clock at the start of the list. Newest is the greatest
	// updated_at that was compared.
	Began, Newest time.Time
	// Copies marks a leg that lists the project's copies instead, and fetches those
	// again that are older than the pass.
	Copies bool
	// Total is how many entities the list had at its start, -1 if GitLab did not say.
	Total int64
}

// PassCounts count what a pass did.
type PassCounts struct {
	// Listed counts entries of lists, Different the entities for which a run was
	// requested, Done and Failed those runs by how they ended.
	Listed, Different, Done, Failed int64
	// Unreadable counts records of lists that named no entity of the project.
	Unreadable int64
	// Missed counts the runs of a reconcile, so far, that changed something that no
	// delivery had announced.
	Missed int64
	// Pages counts the pages of lists, ListRequests the requests for them, and Requests
	// also those of the runs.
	Pages, ListRequests, Requests int64
	// Copies counts the copies that a census looked at.
	Copies int64
}

// Listed reports whether every list of the pass has ended.
func (p Pass) Listed() bool { return p.Leg >= len(p.Legs) }

// Exists reports whether the pass was ever stored.
func (p Pass) Exists() bool { return p.Revision > 0 }

// Continues reports whether the pass can go on from its checkpoint; an outdated one
// cannot.
func (p Pass) Continues() bool { return len(p.Legs) > 0 }

// Total is how many entities the pass has to look at, or -1 if GitLab did not say.
func (p Pass) Total() int64 {
	total := int64(0)
	for _, leg := range p.Legs {
		switch {
		case leg.CatchUp, leg.Copies:
		case leg.Total < 0:
			return -1
		default:
			total += leg.Total
		}
	}
	return total
}

// Wants reports whether the request with the id wants the pass.
func (p Pass) Wants(id string) bool { return slices.Contains(p.For, id) }

// NewPassID derives the id of a pass, or of a request for several (project 0), from
// what names it: the same name gives the same id.
func NewPassID(projectID int64, kind PassKind, name string) string {
	sum := sha256.Sum256([]byte(string(kind) + "\x00" + strconv.FormatInt(projectID, 10) + "\x00" + name))
	return strconv.FormatInt(projectID, 10) + "-" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:10]))
}

// ParsePassID returns the project of a pass, 0 for a request for several.
func ParsePassID(id string) (projectID int64, err error) {
	number, name, ok := strings.Cut(id, "-")
	projectID, numberErr := strconv.ParseInt(number, 10, 64)
	if !ok || len(name) != 16 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz234567") != "" || numberErr != nil || projectID < 0 || strconv.FormatInt(projectID, 10) != number {
		return 0, fmt.Errorf("%.40q is not the id of a backfill", id)
	}
	return projectID, nil
}

// Window is a part of a page: the runs that it requested.
type Window struct {
	PassID string
	Number int64
	// Sent reports that all of the runs were queued. A window is stored before any of
	// them is, so that a crash in between neither loses nor repeats one.
	Sent bool
	// Left marks runs of the pass before, which this one took the place of. They only
	// count as outstanding until they have ended.
	Left    bool
	Awaited []Awaited
}

// Awaited is a run that a pass requested, and what the list said about its entity.
type Awaited struct {
	Entry
	RunID string
	// ListedAt is when the page was requested that showed the entry.
	ListedAt time.Time
	// Tries counts the runs before this one that did not bring the entity up to date.
	Tries int64
	// Unseen reports that GitLab did not show the project when the run had ended: whatever
	// the run says may be about the project.
	Unseen bool
}

// PassFailure is an entity that a pass could not bring up to date.
type PassFailure struct {
	PassID string
	Awaited
	Code    Code
	Message string
}

// WithoutFailure returns the pass as it goes on once nothing fails any more.
func (p Pass) WithoutFailure() Pass {
	p.Error, p.Tries, p.FailingSince = nil, 0, time.Time{}
	return p
}

// AddListRequests counts requests to GitLab for lists, or for the project itself.
func (c *PassCounts) AddListRequests(n int) {
	c.ListRequests += int64(n)
	c.Requests += int64(n)
}

// Incomplete is the error of a backfill of which something is missing, given some of the
// entities that could not be brought up to date; nil if nothing is. If they are all, and
// none of them can succeed later, a retry of the backfill would only repeat them, and so
// it does with records that cannot be read.
func Incomplete(c PassCounts, failures []PassFailure) *Error {
	var missing []string
	if c.Failed > 0 {
		missing = append(missing, fmt.Sprintf("entities that could not be brought up to date: %d", c.Failed))
	}
	if c.Unreadable > 0 {
		missing = append(missing, fmt.Sprintf("records of GitLab's lists that name no issue or merge request of the project: %d; "+
			"everything else was listed; once GitLab lists them with project_id and iid, retry the backfill, which lists everything again", c.Unreadable))
	}
	if missing == nil {
		return nil
	}
	e := NewError(CodeBackfillIncomplete, strings.Join(missing, "; "))
	if int64(len(failures)) < c.Failed || slices.ContainsFunc(failures, func(f PassFailure) bool { return f.Code.CanSucceedLater() }) {
		return e
	}
	e.Action, e.Retryable = ActionContactOperator, false
	return e
}

// Entry is what a list of GitLab says about one entity.
type Entry struct {
	Target         Target
	UpdatedAt      time.Time
	UserNotesCount int64
}

// Differs reports whether the entry, which was listed at the time by our clock, shows
// that the head is not current: it is missing, older, has another number of comments,
// cannot be listed, or says that GitLab does not show the entity. An entry that is older than the head
// counts only if the head's fetch had ended the confirmation time before: until then
// the list may come from a lagging replica, or from before the head's fetch. What was
// erased is not fetched.
func (e Entry) Differs(h Head, hiddenAt, listedAt time.Time) bool {
	switch _, why := Visible(h, Sight{HiddenAt: hiddenAt, Confidential: Include}); {
	case why == Erased:
		return false
	case why != "" && why != Hidden: // a hidden copy has a follow-up of its own
		return true
	case why == "" && !h.Listed: // of an earlier version
		return true
	case e.UpdatedAt.Before(h.UpdatedAt):
		return !h.FetchedUntil.After(listedAt.Add(-Confirmation))
	}
	return e.UpdatedAt.After(h.UpdatedAt) || e.UserNotesCount != h.UserNotesCount
}

// Settled reports whether the head shows what the list did, or something newer. If a
// lagging replica answered the run, it does not. Nothing more comes of an entity that
// was erased.
func (a Awaited) Settled(h Head, hiddenAt time.Time) bool {
	switch {
	case h.Erased():
		return true
	case !h.FetchedAt.After(a.ListedAt), !h.FetchedAt.After(hiddenAt):
		return false
	case h.Gone, h.FetchedAt.After(a.ListedAt.Add(Confirmation)):
		return true
	}
	return !h.UpdatedAt.Before(a.UpdatedAt) && h.UserNotesCount >= a.UserNotesCount
}

// Await returns the run that brings the entry's entity up to date. Of one pass, one
// revision of the head and one try there is one run.
func (p Pass) Await(e Entry, revision int64, listedAt time.Time, tries int64) Awaited {
	key := fmt.Sprintf("%d %s %s %d", p.ProjectID, e.Target, p.ID, revision)
	if tries > 0 {
		key += fmt.Sprintf(" %d", tries)
	}
	return Awaited{Entry: e, RunID: RunID(p.Kind.Origin(), key), ListedAt: listedAt, Tries: tries}
}

// Request is the request for an awaited run.
func (p Pass) Request(a Awaited, now time.Time) Request {
	return Request{
		RunID: a.RunID, ProjectID: p.ProjectID, Targets: []Target{a.Target},
		Origin: p.Kind.Origin(), EventAt: now, IdempotencyKey: p.ID,
	}
}

// NextCheckpoint returns from when on the next cycle has to list, given where this one
// began. It is the smaller of what was seen last and GitLab's clock at the start less
// [ReconcileOverlap], so that neither a replica that lags nor a date in the future
// hides a change.
func (l Leg) NextCheckpoint() time.Time {
	next := l.Since
	if !l.Newest.IsZero() {
		// Lists have milliseconds: what was seen need not be listed again.
		next = l.Newest.Add(time.Millisecond)
	}
	if overlapped := l.Began.Add(-ReconcileOverlap); overlapped.Before(next) {
		return overlapped
	}
	return next
}

// Reached returns up to when a list that has not ended was compared. It is in the order
// of updated_at, unless it lists everything: then nothing is known. Others may have the
// date of the last record.
func (l Leg) Reached() time.Time {
	at := l.Newest
	if safe := l.Began.Add(-ReconcileOverlap); safe.Before(at) {
		at = safe
	}
	if l.Since.IsZero() || l.Newest.IsZero() || at.Before(l.Since) {
		return l.Since
	}
	return at
}

// Outdated is the pass as it was read from a row of another version: nothing
// continues it. A backfill has to be started again; a reconcile lists everything in
// its next cycle.
func (p Pass) Outdated(version int64) Pass {
	p.Legs, p.Leg, p.Cursor, p.Outstanding, p.Checkpoints = nil, 0, "", 0, nil
	if p.Status == StatusRunning {
		p.Status = StatusFailed
		p.Error = CheckpointOutdated(version)
	}
	return p
}

// CheckpointOutdated is the failure of a pass whose checkpoint has another format.
func CheckpointOutdated(version int64) *Error {
	return NewError(CodeCheckpointOutdated, fmt.Sprintf("the checkpoint was written by another version of Lorehook (format %d), and is not continued; nothing is lost, and the pass can be started again", version))
}

// ReconcileLate returns the [ReconcileAge] from which on it is reported as a metric, with
// this time from one reconcile of a project to the next.
func ReconcileLate(interval time.Duration) time.Duration { return 3 * interval }

// ReconcileBehind returns the [ReconcileAge] from which on someone should look: an hour,
// or three intervals if that is longer.
func ReconcileBehind(interval time.Duration) time.Duration {
	return max(reconcileBehind, ReconcileLate(interval))
}

// ReconcileAge returns for how long the project that has waited longest was not compared
// with its lists, and which one that is, 0 for none, given all passes; of several, the one
// with the smallest id. Projects that GitLab does not show are left out: they have an alarm
// of their own.
func ReconcileAge(passes []Pass, projects map[int64]Project, now time.Time) (oldest time.Duration, projectID int64) {
	for _, p := range passes {
		project, reconciled := projects[p.ProjectID]
		if p.Kind != PassReconcile || !reconciled || !project.UnseenSince.IsZero() || p.ListedAt.IsZero() {
			continue
		}
		if age := max(now.Sub(p.ListedAt), 0); projectID == 0 || age > oldest || age == oldest && p.ProjectID < projectID {
			oldest, projectID = age, p.ProjectID
		}
	}
	return oldest, projectID
}
