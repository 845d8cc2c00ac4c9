package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/erasure"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// ErasureView is how far the erasing of one entity has come.
type ErasureView struct {
	ProjectID int64               `json:"project_id" example:"1" doc:"GitLab's id of the project."`
	Type      surgical.EntityType `json:"type" enum:"issue,merge_request" doc:"Which kind of entity."`
	IID       int64               `json:"iid" example:"7" doc:"The entity's number within its project."`
	ErasedAt  time.Time           `json:"erased_at,omitzero" doc:"When the entity was erased. Since then, no reader sees anything of it, and nothing of it is fetched or stored. Absent if it is not erased."`
	Found     *StoredItemsView    `json:"found,omitempty" doc:"Of a request to erase: the items that were stored before."`
	Left      *StoredItemsView    `json:"left,omitempty" doc:"The items that a strongly consistent list of all items of the entity finds, besides the one that keeps it out. If there are any after a request to erase, repeat it, or wait for the sweeper, which goes on within a minute."`
	Complete  bool                `json:"complete" doc:"Whether the list was repeated at settles_at or later and found nothing."`
	SettlesAt time.Time           `json:"settles_at,omitzero" doc:"Until then, a function that began before may still write items that no reader sees. The sweeper removes them, and lists once more. Absent once the erasure is complete."`

	IndexedUntil     time.Time `json:"indexed_until,omitzero" doc:"Until then, objects of the search index may have words of the entity, which no search finds. A rebuild of the index ends that sooner: an hour after the rebuild."`
	RecoverableUntil time.Time `json:"recoverable_until,omitzero" doc:"Until then, point-in-time recovery can restore the tables as they were before: anyone who may restore them can read the copy. After a restore, erase again."`
}

// StoredItemsView counts items of the table.
type StoredItemsView struct {
	Parts      int `json:"parts" doc:"Parts of copies: descriptions, discussions, events, and what names them."`
	Documents  int `json:"documents" doc:"Documents."`
	Embeddings int `json:"embeddings" doc:"Vectors, and what names them."`
}

// ErasureList is a page of what was erased.
type ErasureList struct {
	Erasures   []ErasureView `json:"erasures" nullable:"false" doc:"Ordered by the entities' keys, such as 1#issue#7."`
	NextCursor string        `json:"next_cursor,omitempty" doc:"The cursor of the next page; absent on the last page."`
}

func (s *server) addErasures(to *routes) {
	for _, t := range []surgical.EntityType{surgical.Issue, surgical.MergeRequest} {
		path := "/v1/projects/{project}/" + plural(t) + "/{iid}/erasure"
		to.add(operationOf(huma.Operation{
			OperationID: "erase-" + hyphenated(t), Method: http.MethodPost, Path: path, Tags: []string{"erasures"},
			Summary: "Erase " + named(t),
			Description: "Hides the entity and keeps it out, by one write: from then on every reader answers as for an entity that was never stored, and no webhook, request or pass fetches or stores it. Then removes everything that is stored of it, and lists what is left. " +
				"Can be repeated: a later request goes on with the removal. GitLab is not changed, and neither are the runs, which hold no content. " +
				"The project need not be on the allow list: what was stored before it left the list can be erased.",
		}, noProject()),
			handle(func(ctx context.Context, in *EntityPath) (*answer[ErasureView], error) {
				ref, err := s.stored(ctx, t, *in)
				if err != nil {
					return nil, err
				}
				return s.erase(ctx, ref)
			}))
		to.add(operationOf(huma.Operation{
			OperationID: "get-" + hyphenated(t) + "-erasure", Method: http.MethodGet, Path: path, Tags: []string{"erasures"},
			Summary:     "Count what is stored of " + named(t),
			Description: "What a request to erase the entity would remove, and whether it is erased. Writes nothing.",
		}, noProject()),
			handle(func(ctx context.Context, in *EntityPath) (*answer[ErasureView], error) {
				ref, err := s.stored(ctx, t, *in)
				if err != nil {
					return nil, err
				}
				result, err := s.Eraser.Look(ctx, ref)
				return &answer[ErasureView]{viewOfResult(result)}, err
			}))
		lift := operationOf(huma.Operation{
			OperationID: "unerase-" + hyphenated(t), Method: http.MethodDelete, Path: path, Tags: []string{"erasures"}, DefaultStatus: http.StatusOK,
			Summary: "Let " + named(t) + " be fetched again that was erased",
			Description: "Nothing is restored: the entity has no copy until something fetches it, such as its next webhook, a request or a backfill. Only a fetch that began after the erasing is stored. " +
				"Changes nothing if the entity is not erased.",
		}, noProject(), refusalOf(surgical.CodeConflict, "the entity is still being removed"))
		lift.responses = func(responses map[string]*huma.Response, _ huma.Registry) {
			responses["409"].Headers = retryAfter(surgical.EraseSettle)
		}
		to.add(lift,
			handle(func(ctx context.Context, in *EntityPath) (*answer[ErasureView], error) {
				ref, err := s.stored(ctx, t, *in)
				if err != nil {
					return nil, err
				}
				view := viewOfErasure(surgical.Erasure{Ref: ref})
				return &answer[ErasureView]{view}, s.Eraser.Lift(ctx, ref)
			}))
	}
	to.add(operationOf(huma.Operation{
		OperationID: "list-erasures", Method: http.MethodGet, Path: "/v1/erasures", Tags: []string{"erasures"},
		Summary:     "List what was erased",
		Description: "The entities that were erased, also those of projects that are no longer on the allow list. The list is kept apart from the copies: after a restore of those, it says what to erase again.",
	}), handle(s.listErasures))
}

func (s *server) erase(ctx context.Context, ref surgical.EntityRef) (*answer[ErasureView], error) {
	result, err := s.Eraser.Erase(ctx, ref)
	if err != nil {
		return nil, err
	}
	// The log outlives the tables.
	s.Log.InfoContext(ctx, "erasing", "project_id", ref.ProjectID, "entity", ref.Target.String(), "items_removed", result.Found.Total()-result.Left.Total(), "items_left", result.Left.Total())
	view := viewOfResult(result)
	view.Found = viewOfItems(result.Found)
	return &answer[ErasureView]{view}, nil
}

func viewOfResult(r erasure.Result) ErasureView {
	view := viewOfErasure(r.Erasure)
	view.Left = viewOfItems(r.Left)
	return view
}

func viewOfItems(c content.Collection) *StoredItemsView {
	return &StoredItemsView{c.Parts, c.Documents, c.Embeddings}
}

func viewOfErasure(e surgical.Erasure) ErasureView {
	view := ErasureView{ProjectID: e.Ref.ProjectID, Type: e.Ref.Type, IID: e.Ref.IID, ErasedAt: e.ErasedAt}
	if e.ErasedAt.IsZero() {
		return view
	}
	view.Complete, view.IndexedUntil, view.RecoverableUntil = e.Complete(), e.IndexedUntil(), e.RecoverableUntil()
	if !e.Complete() {
		view.SettlesAt = e.SettlesAt()
	}
	return view
}

// erasurePlace is where a page of the list begins: after the entity.
type erasurePlace struct {
	Of    string `json:"l"`
	After string `json:"e"`
}

const erasuresList = "erasures"

func (s *server) listErasures(ctx context.Context, in *PageInput) (*answer[ErasureList], error) {
	var place erasurePlace
	if in.Cursor != "" {
		var err error
		if place, err = decodeCursor(in.Cursor, func(p erasurePlace) bool { return p.Of == erasuresList && p.After != "" }); err != nil {
			return nil, err
		}
	}
	page, more, err := s.Projects.Erasures(ctx, place.After, in.Limit)
	if err != nil {
		return nil, err
	}
	list := ErasureList{Erasures: []ErasureView{}}
	for _, e := range page {
		list.Erasures = append(list.Erasures, viewOfErasure(e))
	}
	if more {
		list.NextCursor, err = encodeCursor(erasurePlace{Of: erasuresList, After: page[len(page)-1].Ref.Key()})
	}
	return &answer[ErasureList]{list}, err
}
