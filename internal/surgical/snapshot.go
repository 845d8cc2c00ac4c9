package surgical

import (
	"encoding/json"
	"fmt"
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
	// UpdatedAt is GitLab's updated_at of the entity.
	UpdatedAt time.Time
	// FetchedAt and FetchedUntil enclose all requests of the fetch, on the
	// worker's clock, in whole microseconds.
	FetchedAt, FetchedUntil time.Time
	// Entity is the response to GET .../issues/:iid or .../merge_requests/:iid.
	Entity json.RawMessage
	// Children are the discussions and resource events.
	Children []Child
	// Requests counts the requests that were sent to GitLab.
	Requests int
}

// Attributes are the fields of an entity that the head carries and documents
// are rendered from. Times are as GitLab wrote them.
type Attributes struct {
	Title        string   `json:"title"`
	State        string   `json:"state"`
	WebURL       string   `json:"web_url"`
	Confidential bool     `json:"confidential"`
	IssueType    string   `json:"issue_type"`
	Labels       []string `json:"labels"`
	Author       *User    `json:"author"`
	Assignees    []User   `json:"assignees"`
	Reviewers    []User   `json:"reviewers"`
	Milestone    *struct {
		Title string `json:"title"`
	} `json:"milestone"`
	CreatedAt    string `json:"created_at"`
	UpdatedAt    string `json:"updated_at"`
	ClosedAt     string `json:"closed_at"`
	MergedAt     string `json:"merged_at"`
	DueDate      string `json:"due_date"`
	Draft        bool   `json:"draft"`
	SourceBranch string `json:"source_branch"`
	TargetBranch string `json:"target_branch"`
	Description  string `json:"description"`
}

// User is a person as GitLab shows them.
type User struct {
	Username string `json:"username"`
	Name     string `json:"name"`
}

// ParseAttributes decodes GitLab's JSON of an issue or merge request. JSON
// null leaves a field empty.
func ParseAttributes(raw json.RawMessage) (Attributes, error) {
	var a Attributes
	if err := json.Unmarshal(raw, &a); err != nil {
		return Attributes{}, fmt.Errorf("decode entity: %w", err)
	}
	return a, nil
}

// Document is deterministic Markdown rendered from an entity or one of its
// discussions, ready for search.
type Document struct {
	// ID is "entity" or "discussion#<id>"; it is unique within the entity.
	ID    string
	Title string
	URL   string
	// Confidential marks documents of confidential entities and of
	// discussions that hold an internal note.
	Confidential bool
	// Text is the Markdown.
	Text string
	// Hash is the hex SHA-256 of all of the above.
	Hash string
}
