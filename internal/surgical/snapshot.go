package surgical

import (
	"encoding/json"
	"time"
)

// ChildKind is the kind of a part of an entity that is stored as an item of
// its own.
type ChildKind string

// The kinds of child.
const (
	KindEntity         ChildKind = "entity"      // GitLab's JSON of the entity without its description
	KindDescription    ChildKind = "description" // the description's Markdown, as a JSON string
	KindDiscussion     ChildKind = "discussion"
	KindStateEvent     ChildKind = "resource_state_event"
	KindLabelEvent     ChildKind = "resource_label_event"
	KindMilestoneEvent ChildKind = "resource_milestone_event"
)

// Child is one part of an entity: GitLab's own JSON under GitLab's own id.
// The kinds entity and description occur once, under the id "0".
type Child struct {
	Kind ChildKind
	ID   string
	Raw  json.RawMessage
}

// Key identifies the child within its entity: "discussion#6a9c1750b37d".
func (c Child) Key() string { return string(c.Kind) + "#" + c.ID }

// Snapshot is what one preflight fetched of one entity.
type Snapshot struct {
	Ref EntityRef
	// Missing reports that GitLab does not show the entity, although it shows the
	// project. Only the times of the fetch are set then.
	Missing bool
	// UpdatedAt is GitLab's updated_at of the entity.
	UpdatedAt time.Time
	// FetchedAt and FetchedUntil enclose all requests of the fetch, on the
	// worker's clock, in whole microseconds.
	FetchedAt, FetchedUntil time.Time
	// Entity is the response to GET .../issues/:iid or .../merge_requests/:iid.
	Entity json.RawMessage
	// Children are the discussions and resource events.
	Children []Child
	// Notes are the marks of the discussions' notes, as [ReadNotes] returns them.
	Notes Notes
	// Comments is how many comments the discussions have.
	Comments int64
	// LeftOut describes records of the lists that are not objects, and are left out.
	LeftOut []string
	// Doubtful are the kinds whose list may lack records although nothing in the
	// fetch contradicts it: it is empty, or GitLab gave no total and counts more
	// comments than the list has. Such a list is compared with the copy.
	Doubtful []ChildKind
	// Requests counts the requests that were sent to GitLab.
	Requests int
	// RateLimit is the lowest that the fetch saw of GitLab's budget.
	RateLimit RateLimit
}
