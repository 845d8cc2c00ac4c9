package gitlab

import (
	"encoding/json"
	"time"
)

// Time is a time as GitLab's REST API formats it: UTC, in milliseconds.
type Time struct{ time.Time }

// MarshalJSON implements [json.Marshaler]; the zero time is null.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return json.Marshal(t.UTC().Format("2006-01-02T15:04:05.000Z"))
}

// User is a person.
type User struct {
	ID        int64  `json:"id"`
	Username  string `json:"username"`
	Name      string `json:"name"`
	State     string `json:"state"`
	Locked    bool   `json:"locked"`
	AvatarURL string `json:"avatar_url"`
	WebURL    string `json:"web_url"`
}

// Milestone is a project milestone.
type Milestone struct {
	ID          int64  `json:"id"`
	IID         int64  `json:"iid"`
	ProjectID   int64  `json:"project_id"`
	Title       string `json:"title"`
	Description string `json:"description"`
	State       string `json:"state"`
	CreatedAt   Time   `json:"created_at"`
	UpdatedAt   Time   `json:"updated_at"`
	DueDate     string `json:"due_date"`
	WebURL      string `json:"web_url"`
}

// Label is a label as it appears in an event.
type Label struct {
	ID          int64  `json:"id"`
	Name        string `json:"name"`
	Color       string `json:"color"`
	Description string `json:"description"`
}

// References are an entity's short references.
type References struct {
	Short    string `json:"short"`
	Relative string `json:"relative"`
	Full     string `json:"full"`
}

// TimeStats are the estimates, in seconds.
type TimeStats struct {
	TimeEstimate   int64 `json:"time_estimate"`
	TotalTimeSpent int64 `json:"total_time_spent"`
}

// Tasks counts the check boxes of a description.
type Tasks struct {
	Count          int `json:"count"`
	CompletedCount int `json:"completed_count"`
}

// Common holds the attributes that issues and merge requests share.
type Common struct {
	ID             int64      `json:"id"`
	IID            int64      `json:"iid"`
	ProjectID      int64      `json:"project_id"`
	Title          string     `json:"title"`
	Description    string     `json:"description"`
	State          string     `json:"state"` // opened, closed, merged
	CreatedAt      Time       `json:"created_at"`
	UpdatedAt      Time       `json:"updated_at"`
	ClosedAt       Time       `json:"closed_at"`
	ClosedBy       *User      `json:"closed_by"`
	Labels         []string   `json:"labels"`
	Milestone      *Milestone `json:"milestone"`
	Author         User       `json:"author"`
	Assignees      []User     `json:"assignees"`
	Assignee       *User      `json:"assignee"`
	UserNotesCount int        `json:"user_notes_count"`
	Upvotes        int        `json:"upvotes"`
	Downvotes      int        `json:"downvotes"`
	WebURL         string     `json:"web_url"`
	References     References `json:"references"`
	TimeStats      TimeStats  `json:"time_stats"`
	Tasks          Tasks      `json:"task_completion_status"`
	Locked         *bool      `json:"discussion_locked"`
	Imported       bool       `json:"imported"`
	ImportedFrom   string     `json:"imported_from"`
}

// Issue is the response to GET /projects/:id/issues/:iid.
type Issue struct {
	Common
	Type               string            `json:"type"`       // ISSUE, INCIDENT, TASK
	IssueType          string            `json:"issue_type"` // issue, incident, task
	Confidential       bool              `json:"confidential"`
	DueDate            *string           `json:"due_date"`
	Weight             *int              `json:"weight"`
	Severity           string            `json:"severity"`
	HasTasks           bool              `json:"has_tasks"`
	MergeRequestsCount int               `json:"merge_requests_count"`
	BlockingCount      int               `json:"blocking_issues_count"`
	MovedToID          *int64            `json:"moved_to_id"`
	ServiceDeskReplyTo *string           `json:"service_desk_reply_to"`
	Subscribed         bool              `json:"subscribed"`
	Links              map[string]string `json:"_links"`
}

// DiffRefs are the commits that a merge request compares.
type DiffRefs struct {
	BaseSHA  string `json:"base_sha"`
	HeadSHA  string `json:"head_sha"`
	StartSHA string `json:"start_sha"`
}

// MergeRequest is the response to GET /projects/:id/merge_requests/:iid.
type MergeRequest struct {
	Common
	Draft               bool            `json:"draft"`
	WorkInProgress      bool            `json:"work_in_progress"`
	SourceBranch        string          `json:"source_branch"`
	TargetBranch        string          `json:"target_branch"`
	SourceProjectID     int64           `json:"source_project_id"`
	TargetProjectID     int64           `json:"target_project_id"`
	Reviewers           []User          `json:"reviewers"`
	SHA                 string          `json:"sha"`
	MergeCommitSHA      *string         `json:"merge_commit_sha"`
	SquashCommitSHA     *string         `json:"squash_commit_sha"`
	MergeStatus         string          `json:"merge_status"`
	DetailedMergeStatus string          `json:"detailed_merge_status"`
	MergedAt            Time            `json:"merged_at"`
	MergeUser           *User           `json:"merge_user"`
	MergedBy            *User           `json:"merged_by"`
	PreparedAt          Time            `json:"prepared_at"`
	HasConflicts        bool            `json:"has_conflicts"`
	DiscussionsResolved bool            `json:"blocking_discussions_resolved"`
	Squash              bool            `json:"squash"`
	ForceRemoveBranch   bool            `json:"force_remove_source_branch"`
	ChangesCount        string          `json:"changes_count"`
	DiffRefs            DiffRefs        `json:"diff_refs"`
	HeadPipeline        *Pipeline       `json:"head_pipeline"`
	User                map[string]bool `json:"user"`
	Reference           string          `json:"reference"`
	Subscribed          bool            `json:"subscribed"`
}

// Pipeline is the newest pipeline of a merge request's branch.
type Pipeline struct {
	ID        int64  `json:"id"`
	IID       int64  `json:"iid"`
	ProjectID int64  `json:"project_id"`
	SHA       string `json:"sha"`
	Ref       string `json:"ref"`
	Status    string `json:"status"`
	Source    string `json:"source"`
	CreatedAt Time   `json:"created_at"`
	UpdatedAt Time   `json:"updated_at"`
	WebURL    string `json:"web_url"`
}

// Discussion is a thread of notes.
type Discussion struct {
	ID             string `json:"id"`
	IndividualNote bool   `json:"individual_note"`
	Notes          []Note `json:"notes"`
}

// Note is a comment or a system note. [State.AddDiscussion] and [State.AddNote]
// fill in empty fields.
type Note struct {
	ID           int64     `json:"id"`
	Type         *string   `json:"type"` // nil, DiscussionNote, DiffNote
	Body         string    `json:"body"`
	Author       User      `json:"author"`
	CreatedAt    Time      `json:"created_at"`
	UpdatedAt    Time      `json:"updated_at"`
	System       bool      `json:"system"`
	NoteableID   int64     `json:"noteable_id"`
	NoteableType string    `json:"noteable_type"`
	ProjectID    int64     `json:"project_id"`
	NoteableIID  int64     `json:"noteable_iid"`
	CommitID     *string   `json:"commit_id"`
	Position     *Position `json:"position,omitempty"`
	Resolvable   bool      `json:"resolvable"`
	Resolved     *bool     `json:"resolved,omitempty"`
	ResolvedBy   *User     `json:"resolved_by,omitempty"`
	ResolvedAt   *Time     `json:"resolved_at,omitempty"`
	Confidential bool      `json:"confidential"`
	Internal     bool      `json:"internal"`
	Imported     bool      `json:"imported"`
	ImportedFrom string    `json:"imported_from"`
}

// Position is the line of a diff that a note is attached to.
type Position struct {
	BaseSHA      string `json:"base_sha"`
	StartSHA     string `json:"start_sha"`
	HeadSHA      string `json:"head_sha"`
	OldPath      string `json:"old_path"`
	NewPath      string `json:"new_path"`
	PositionType string `json:"position_type"`
	OldLine      *int   `json:"old_line"`
	NewLine      *int   `json:"new_line"`
}

// ResourceEvent is a change of state, label or milestone. Exactly one of State,
// Label and Milestone is set.
type ResourceEvent struct {
	ID           int64      `json:"id"`
	User         User       `json:"user"`
	CreatedAt    Time       `json:"created_at"`
	ResourceType string     `json:"resource_type"`
	ResourceID   int64      `json:"resource_id"`
	State        string     `json:"state,omitempty"`
	Action       string     `json:"action,omitempty"` // add, remove
	Label        *Label     `json:"label,omitempty"`
	Milestone    *Milestone `json:"milestone,omitempty"`
}
