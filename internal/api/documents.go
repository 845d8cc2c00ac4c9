package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// DocumentView is a document with its text.
type DocumentView struct {
	DocumentInfo
	Text string `json:"text" doc:"Markdown."`
}

// DocumentList is a page of an entity's documents.
type DocumentList struct {
	Documents  []DocumentView `json:"documents" nullable:"false" doc:"Ordered by id. A page may hold fewer than limit, even none, and still have a next page."`
	Omitted    []OmittedPart  `json:"omitted,omitempty" nullable:"false" doc:"Documents too large for any response."`
	NextCursor string         `json:"next_cursor,omitempty" doc:"The cursor of the next page; absent on the last page."`
}

type entityListInput struct {
	EntityPath
	PageInput
}

func (s *server) addDocuments(to *routes) {
	for _, t := range []surgical.EntityType{surgical.Issue, surgical.MergeRequest} {
		path := "/v1/projects/{project}/" + plural(t) + "/{iid}"
		to.add(operationOf(huma.Operation{
			OperationID: "list-" + hyphenated(t) + "-documents", Method: http.MethodGet, Path: path + "/documents", Tags: []string{hyphenated(t) + "s"},
			Summary:     "Read the documents of " + named(t),
			Description: "The current Markdown that represents the entity and its discussions in a search. Hidden documents are omitted.",
		}, notAllowed(), noProject(), noEntity(), goneEntity()),
			handle(func(ctx context.Context, in *entityListInput) (*answer[DocumentList], error) {
				ref, err := s.ref(ctx, t, in.EntityPath)
				if err != nil {
					return nil, err
				}
				return s.listDocuments(ctx, ref, in.PageInput)
			}))
		to.add(operationOf(huma.Operation{
			OperationID: "list-" + hyphenated(t) + "-sync-runs", Method: http.MethodGet, Path: path + "/sync-runs", Tags: []string{"runs"},
			Summary:     "List the runs of " + named(t),
			Description: "First the runs that have not ended, newest first, then those that have, most recently ended first; the first page may hold more than limit.",
		}, notAllowed(), noProject()),
			handle(func(ctx context.Context, in *entityListInput) (*answer[RunList], error) {
				ref, err := s.ref(ctx, t, in.EntityPath)
				if err != nil {
					return nil, err
				}
				return s.listOfEntity(ctx, ref, in.PageInput)
			}))
	}
}

// documentPlace is where a page of documents begins: after the document.
type documentPlace struct {
	Of       string `json:"l"`
	Document string `json:"d"`
}

func (s *server) listDocuments(ctx context.Context, ref surgical.EntityRef, page PageInput) (*answer[DocumentList], error) {
	of := listName("documents", ref.ProjectID, ref.Target.String())
	var place documentPlace
	if page.Cursor != "" {
		var err error
		if place, err = decodeCursor(page.Cursor, func(p documentPlace) bool { return p.Of == of && p.Document != "" }); err != nil {
			return nil, err
		}
	}
	left, first := newBudget(page.Limit), true
	documents, last, more, err := s.Content.VisibleDocumentsAfter(ctx, ref, place.Document, func(d content.Document) bool {
		size := sizeOf(d.Document)
		if size > maxPart {
			size = 0 // it is listed as omitted, without its text
		}
		fits := left.take(size, first)
		first = false
		return fits
	})
	if err != nil {
		return nil, err
	}
	list := documentList(documents)
	if more {
		list.NextCursor, err = encodeCursor(documentPlace{Of: of, Document: last})
	}
	return &answer[DocumentList]{list}, err
}

func documentList(shown content.ShownDocuments) DocumentList {
	list := DocumentList{Documents: []DocumentView{}}
	for _, d := range shown.Documents {
		if sizeOf(d.Document) > maxPart {
			list.Omitted = append(list.Omitted, OmittedPart{Kind: "document", ID: d.ID, Bytes: len(d.Text)})
			continue
		}
		list.Documents = append(list.Documents, DocumentView{documentInfo(d, shown.Embeddings[d.ID], shown.Head), d.Text})
	}
	return list
}
