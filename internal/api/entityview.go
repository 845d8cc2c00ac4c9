package api

import (
	"encoding/json"
	"time"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// EntityView is one snapshot of an entity, or a page of it.
type EntityView struct {
	ProjectID       int64               `json:"project_id" example:"1" doc:"GitLab's id of the project."`
	Type            surgical.EntityType `json:"type" enum:"issue,merge_request" doc:"Which kind of entity."`
	IID             int64               `json:"iid" example:"7" doc:"The entity's number within its project."`
	Revision        int64               `json:"revision" example:"3" doc:"Incremented by every commit of the entity."`
	UpdatedAt       time.Time           `json:"updated_at" doc:"GitLab's updated_at."`
	FetchedAt       time.Time           `json:"fetched_at" doc:"When the fetch of this copy began."`
	FetchedUntil    time.Time           `json:"fetched_until" doc:"When that fetch ended."`
	RunID           string              `json:"run_id" doc:"The run that committed the copy."`
	Title           string              `json:"title" doc:"GitLab's title."`
	State           string              `json:"state" example:"opened" doc:"GitLab's state: opened, closed, merged or locked."`
	Confidential    bool                `json:"confidential" doc:"Whether GitLab shows it only to members."`
	WebURL          string              `json:"web_url,omitempty" doc:"The URL of its page in GitLab."`
	Labels          []string            `json:"labels" nullable:"false" doc:"GitLab's labels."`
	MovedTo         int64               `json:"moved_to,omitempty" example:"4711" doc:"GitLab's id (not the iid) of the issue that this one was moved to; absent if it was not. A moved issue stays, closed."`
	Entity          json.RawMessage     `json:"entity,omitempty" doc:"GitLab's JSON of the entity; on the first page only."`
	Discussions     []json.RawMessage   `json:"discussions" nullable:"false" doc:"GitLab's JSON of the discussions, ordered by the time of their first note."`
	Events          EventsView          `json:"events" doc:"GitLab's resource events."`
	Documents       []DocumentInfo      `json:"documents" nullable:"false" doc:"The entity's current documents, ordered by id; hidden ones are omitted."`
	DocumentsBehind *BehindView         `json:"documents_behind,omitempty" doc:"Set if documents or embeddings are older than the copy; on the first page only."`
	Omitted         []OmittedPart       `json:"omitted,omitempty" nullable:"false" doc:"Parts too large for any response."`
	NextCursor      string              `json:"next_cursor,omitempty" doc:"The cursor of the next page; absent on the last page."`

	fields []string
}

// MarshalJSON encodes the selected fields.
func (v EntityView) MarshalJSON() ([]byte, error) {
	type whole EntityView
	return only(whole(v), v.fields)
}

// BehindView says since when and why documents or their embeddings are older than the
// copy, and what happens next.
type BehindView struct {
	Since     time.Time            `json:"since" doc:"When the oldest change that they do not show was committed."`
	Changes   int                  `json:"changes,omitempty" example:"3" doc:"How many parts of the entity changed; absent if all_documents is set."`
	All       bool                 `json:"all_documents,omitempty" doc:"Whether any document may be behind."`
	State     surgical.BehindState `json:"state" enum:"running,postponed,waiting,held_back" doc:"running: the run is making them. postponed: the run could not make them yet and is resumed at next_try_at. waiting: the run has ended; a drain makes them at next_try_at, or a run of the entity before that. held_back: the embedder failed for a reason that only an operator can remove; a drain makes them once it works again."`
	RunID     string               `json:"run_id" doc:"The run that is to make them, or left them undone."`
	Code      surgical.Code        `json:"code,omitempty" doc:"The code of the failure for which they wait."`
	Reason    string               `json:"reason" doc:"Why they are behind."`
	NextTryAt *time.Time           `json:"next_try_at,omitempty" doc:"When the next attempt is due; in the past: within a minute."`
}

func newBehindView(b *surgical.Behind) *BehindView {
	if b == nil {
		return nil
	}
	v := &BehindView{Since: b.Since, Changes: b.Changes, All: b.All, State: b.State, RunID: b.RunID, Code: b.Code, Reason: b.Reason}
	if b.All {
		v.Changes = 0
	}
	if !b.NextAt.IsZero() {
		v.NextTryAt = &b.NextAt
	}
	return v
}

// EventsView is GitLab's JSON of resource events, ordered by creation time.
type EventsView struct {
	State     []json.RawMessage `json:"state" nullable:"false" doc:"Closed, reopened, merged."`
	Label     []json.RawMessage `json:"label" nullable:"false" doc:"Labels added and removed."`
	Milestone []json.RawMessage `json:"milestone" nullable:"false" doc:"Milestones set and removed."`
}

// DocumentInfo is a document without its text.
type DocumentInfo struct {
	ID           string `json:"id" example:"entity" doc:"entity, or discussion# and the discussion's id."`
	Title        string `json:"title" doc:"GitLab's title of the entity, the same in all its documents."`
	URL          string `json:"url,omitempty" doc:"The URL of its page in GitLab."`
	Confidential bool   `json:"confidential" doc:"Whether it contains text that only members may read."`
	Revision     int64  `json:"revision" doc:"The revision that the document was rendered from."`
	Hash         string `json:"hash" doc:"SHA-256 of title, link, confidentiality and text."`
	Chunks       int    `json:"chunks" doc:"Number of embedded chunks; 0 unless embedded."`
	Embedded     bool   `json:"embedded" doc:"Whether the embeddings are current."`
	Visible      bool   `json:"visible" doc:"Always true: hidden documents are omitted."`
	BeginningView
	Begins string `json:"begins,omitempty" example:"I can reproduce it. The tombstones are dropped when two…" doc:"The first words of the first comment, or of the description."`
}

// BeginningView says who began a discussion or opened an entity, and when.
type BeginningView struct {
	Author    string    `json:"author,omitempty" example:"jonas.falk" doc:"User name of who began the discussion, or created the entity."`
	CreatedAt time.Time `json:"created_at,omitzero" doc:"When that was, in whole seconds."`
}

// OmittedPart describes a part that is too large for any response.
type OmittedPart struct {
	Kind  surgical.ChildKind `json:"kind" example:"discussion" doc:"The kind of part."`
	ID    string             `json:"id,omitempty" doc:"GitLab's id, or that of the document."`
	Bytes int                `json:"bytes" doc:"Its size."`
}

func newEntityView(head surgical.Head) EntityView {
	a := head.Attributes
	labels := a.Labels
	if labels == nil {
		labels = []string{}
	}
	return EntityView{
		ProjectID: head.Ref.ProjectID, Type: head.Ref.Type, IID: head.Ref.IID,
		Revision: head.Revision, UpdatedAt: head.UpdatedAt, FetchedAt: head.FetchedAt, FetchedUntil: head.FetchedUntil, RunID: head.RunID,
		Title: a.Title, State: a.State, Confidential: a.Confidential, WebURL: a.WebURL, Labels: labels, MovedTo: a.MovedTo,
		Discussions: []json.RawMessage{}, Documents: []DocumentInfo{},
		Events: EventsView{State: []json.RawMessage{}, Label: []json.RawMessage{}, Milestone: []json.RawMessage{}},
	}
}

func documentInfo(d content.Document, e content.Embeddings, head surgical.Head) DocumentInfo {
	b := d.Beginning
	info := DocumentInfo{
		ID: d.ID, Title: d.Title, URL: d.URL, Confidential: d.Confidential, Revision: d.Revision, Hash: d.Hash,
		Embedded: e.Current(head, d.Hash), Visible: true, BeginningView: BeginningView{b.Author, b.At}, Begins: b.Words,
	}
	if info.Embedded {
		info.Chunks = len(e.Chunks)
	}
	return info
}
