package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"gitlab.com/lorehook/lorehook/internal/feed"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Feed is what the API needs of the change feeds: [feed.Store].
type Feed interface {
	// End returns the position after all changes.
	End(ctx context.Context, name feed.Name) (feed.Position, error)
	// Read returns the changes after the position. The error is
	// [surgical.CodeFeedRestarted] if that may leave out changes.
	Read(ctx context.Context, name feed.Name, from feed.Position, limit int) (feed.Page, error)
}

// ChangeView is an entity that changed, as it is now.
type ChangeView struct {
	ProjectID int64               `json:"project_id" example:"1" doc:"GitLab's id of the project."`
	Type      surgical.EntityType `json:"type" enum:"issue,merge_request" doc:"Which kind of entity."`
	IID       int64               `json:"iid" example:"7" doc:"The entity's number within its project."`
	ChangedAt time.Time           `json:"changed_at" doc:"When the change was numbered, within seconds of the commit."`
	Gone      bool                `json:"gone" doc:"Whether the entity is no longer shown: it was deleted, hidden, or erased. Forget what you have of it."`
	Entity    *EntitySummary      `json:"entity,omitempty" doc:"The entity as it is now, which may be newer than the change; absent if it is gone."`
}

// ChangeList is a page of the change feed.
type ChangeList struct {
	Changes []ChangeView `json:"changes" nullable:"false" doc:"In the order in which they happened, each entity once per page. A page may hold fewer than limit, even none, and still have more."`
	Next    string       `json:"next" doc:"Where to go on: the value for since. It is valid for 30 days."`
	More    bool         `json:"more" doc:"Whether there were more changes. If not, ask again later."`
}

type changesInput struct {
	Since   string     `query:"since" maxLength:"1024" doc:"The next of an earlier response. Without it, the response has no changes, and a next from which on no change will be left out."`
	Project projectRef `query:"project" example:"group/project" doc:"Only changes of this project, named by its id or path."`
	Limit   int        `query:"limit" minimum:"1" maximum:"100" default:"50" doc:"Maximum number of changes."`
}

func (s *server) addChanges(to *routes) {
	to.add(operationOf(huma.Operation{
		OperationID: "list-changes", Method: http.MethodGet, Path: "/v1/changes", Tags: []string{"changes"},
		Summary: "List what changed",
		Description: "Follows the copies of all allowed projects: which entities changed since an earlier call, each as it is now. Nothing is left out; an entity may be listed although nothing that readers see has changed.\n\n" +
			"To begin, call without `since` and keep `next`; then read all copies (`list-entities` of each project); then call with `since` again and again. " +
			"If the response is `feed_restarted`, begin again: changes may have been lost, or everything of a project was hidden.",
	}, notAllowed(), noProject(), refusalOf(surgical.CodeFeedRestarted, "changes since then may be missing; begin again")), handle(s.listChanges))
}

// changePlace is where a page of the feed begins.
type changePlace struct {
	Of     string `json:"l"`
	Epoch  int64  `json:"e"`
	Number int64  `json:"n"`
	// Offset is absent between two blocks, as in all places of 0.1.0.
	Offset int64 `json:"o,omitempty"`
	At     int64 `json:"t"`
}

const changesList = "changes"

func placeOf(p feed.Position) changePlace {
	return changePlace{changesList, p.Epoch, p.Number, p.Offset, p.At.UnixMicro()}
}

func (p changePlace) position() feed.Position {
	return feed.Position{Epoch: p.Epoch, Number: p.Number, Offset: p.Offset, At: time.UnixMicro(p.At)}
}

func (s *server) listChanges(ctx context.Context, in *changesInput) (*answer[ChangeList], error) {
	var only int64
	if in.Project != "" {
		var err error
		if only, err = s.project(ctx, "query.project", in.Project); err != nil {
			return nil, err
		}
	}
	page, err := s.changesSince(ctx, in)
	if err != nil {
		return nil, err
	}
	list := ChangeList{Changes: []ChangeView{}, More: page.More}
	if list.Changes, err = s.changed(ctx, page.Entries, only); err != nil {
		return nil, err
	}
	list.Next, err = encodeCursor(placeOf(page.Next))
	return &answer[ChangeList]{list}, err
}

func (s *server) changesSince(ctx context.Context, in *changesInput) (feed.Page, error) {
	if in.Since == "" {
		end, err := s.Feed.End(ctx, feed.Entities)
		return feed.Page{Next: end}, err
	}
	place, err := decodeCursor(in.Since, func(p changePlace) bool { return p.Of == changesList })
	if err != nil {
		return feed.Page{}, invalid("query.since", in.Since, "it is not a next of this list")
	}
	return s.Feed.Read(ctx, feed.Entities, place.position(), in.Limit)
}

// changed describes the entities as they are now. They are read after the entries, so a
// later change is in a later entry.
func (s *server) changed(ctx context.Context, entries []feed.Entry, only int64) ([]ChangeView, error) {
	var refs []surgical.EntityRef
	at := map[surgical.EntityRef]time.Time{}
	for _, e := range entries {
		if !s.Allows(e.Ref.ProjectID) || only != 0 && e.Ref.ProjectID != only {
			continue
		}
		if _, seen := at[e.Ref]; !seen {
			refs = append(refs, e.Ref)
		}
		at[e.Ref] = e.At
	}
	heads, err := s.Content.VisibleHeads(ctx, refs)
	if err != nil {
		return nil, err
	}
	changes := []ChangeView{}
	for _, ref := range refs {
		change := ChangeView{ProjectID: ref.ProjectID, Type: ref.Type, IID: ref.IID, ChangedAt: at[ref]}
		if head, shown := heads[ref]; shown {
			summary := entitySummary(head)
			change.Entity = &summary
		} else {
			change.Gone = true
		}
		changes = append(changes, change)
	}
	return changes, nil
}
