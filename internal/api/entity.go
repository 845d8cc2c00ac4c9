package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// EntityPath names one entity.
type EntityPath struct {
	ProjectPath
	IID int64 `path:"iid" minimum:"1" maximum:"9007199254740991" example:"7" doc:"The entity's number within its project."`
}

type entityInput struct {
	EntityPath
	Limit  int    `query:"limit" minimum:"1" maximum:"10000" doc:"Maximum number of discussions, events and documents together; by default as many as fit into one response."`
	Cursor string `query:"cursor" maxLength:"1024" doc:"The next_cursor of the previous page."`
}

// named returns the entity type as written in prose, with its article.
func named(t surgical.EntityType) string {
	if t == surgical.Issue {
		return "an issue"
	}
	return "a merge request"
}

// plural returns the entity type as written in paths.
func plural(t surgical.EntityType) string { return string(t) + "s" }

func (s *server) registerEntities(api huma.API) {
	for _, t := range []surgical.EntityType{surgical.Issue, surgical.MergeRequest} {
		huma.Register(api, s.operation(huma.Operation{
			OperationID: "get-" + string(t), Method: http.MethodGet, Path: "/v1/projects/{project}/" + plural(t) + "/{iid}",
			Tags: []string{"entities"}, Summary: "Read the copy of " + named(t),
			Description: "One snapshot from a single fetch: GitLab's own JSON of the entity, its discussions and events, and the documents rendered from them. " +
				"A copy that does not fit into one response continues at next_cursor. All pages show the same revision: if a newer one is committed in between, the next page is a conflict, and you start again without a cursor.",
		}, notAllowed(), noProject(), noEntity(), goneEntity(), refusalOf(surgical.CodeConflict, "the copy has a newer revision than the cursor")),
			handle(func(ctx context.Context, in *entityInput) (*answer[EntityView], error) {
				ref, err := s.ref(ctx, t, in.EntityPath)
				if err != nil {
					return nil, err
				}
				view, err := s.getEntity(ctx, ref, in.Limit, in.Cursor)
				return &answer[EntityView]{view}, err
			}))
	}
}

// ref finds the project and checks the allow list.
func (s *server) ref(ctx context.Context, t surgical.EntityType, in EntityPath) (surgical.EntityRef, error) {
	id, err := s.project(ctx, "path.project", in.Project)
	return surgical.EntityRef{ProjectID: id, Target: surgical.Target{Type: t, IID: in.IID}}, err
}

// stored finds the project, also one that is no longer on the allow list: what is stored
// of it can be erased.
func (s *server) stored(ctx context.Context, t surgical.EntityType, in EntityPath) (surgical.EntityRef, error) {
	id, err := s.projectIf(ctx, "path.project", in.Project, func(int64) bool { return true })
	return surgical.EntityRef{ProjectID: id, Target: surgical.Target{Type: t, IID: in.IID}}, err
}

func (s *server) allowed(projectID int64) error {
	if s.Allows(projectID) {
		return nil
	}
	return notOnList(projectID)
}

func notOnList(projectID int64) error {
	return surgical.NewError(surgical.CodeProjectNotAllowed, fmt.Sprintf("project %d is not on the allow list", projectID))
}

// entityPlace is where a page of an entity begins.
type entityPlace struct {
	Entity   string `json:"e"`
	Revision int64  `json:"r"`
	// Children is how many discussions and events earlier pages held, Document
	// the last document that they held.
	Children int    `json:"n"`
	Document string `json:"d,omitempty"`
}

func (s *server) getEntity(ctx context.Context, ref surgical.EntityRef, limit int, cursor string) (EntityView, error) {
	place := entityPlace{Entity: ref.Key()}
	if cursor != "" {
		var err error
		place, err = decodeCursor(cursor, func(p entityPlace) bool { return p.Entity == ref.Key() && p.Children >= 0 })
		if err != nil {
			return EntityView{}, err
		}
	}
	var behind *surgical.Behind
	if cursor == "" {
		// Before the documents: what is said to be behind may have caught up, never the
		// reverse.
		var err error
		if behind, err = s.Runs.Behind(ctx, ref); err != nil {
			return EntityView{}, err
		}
	}
	// Before the copy, which must not be older than what its documents show.
	documents, err := s.Content.VisibleDocuments(ctx, ref)
	if err != nil {
		return EntityView{}, err
	}
	entity, err := s.Content.Read(ctx, ref)
	if err != nil {
		return EntityView{}, err
	}
	if cursor != "" && place.Revision != entity.Revision {
		return EntityView{}, surgical.NewError(surgical.CodeConflict,
			fmt.Sprintf("the cursor is for revision %d, but the copy is now at %d: start again without a cursor", place.Revision, entity.Revision))
	}
	place.Revision = entity.Revision
	p := &entityPage{view: newEntityView(entity), budget: newBudget(limit), place: place, empty: true}
	if cursor == "" {
		p.view.Entity, p.view.DocumentsBehind = entity.Entity, newBehindView(behind)
		p.budget.bytes -= sizeOf(p.view)
		p.empty = false
	}
	if p.addChildren(entity) && p.addDocuments(documents, entity.Head) {
		return p.view, nil
	}
	p.view.NextCursor, err = encodeCursor(p.place)
	return p.view, err
}
