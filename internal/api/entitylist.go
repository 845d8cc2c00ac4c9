package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// EntitySummary is a stored copy as shown in lists.
type EntitySummary struct {
	ProjectID    int64               `json:"project_id" example:"1" doc:"GitLab's id of the project."`
	Type         surgical.EntityType `json:"type" enum:"issue,merge_request" doc:"Which kind of entity."`
	IID          int64               `json:"iid" example:"7" doc:"The entity's number within its project."`
	Revision     int64               `json:"revision" example:"3" doc:"Incremented by every commit of the entity."`
	UpdatedAt    time.Time           `json:"updated_at" doc:"GitLab's updated_at."`
	FetchedAt    time.Time           `json:"fetched_at" doc:"When the fetch of this copy began."`
	Title        string              `json:"title" doc:"GitLab's title."`
	State        string              `json:"state" example:"opened" doc:"GitLab's state: opened, closed, merged or locked."`
	Confidential bool                `json:"confidential" doc:"Whether GitLab shows it only to members."`
	WebURL       string              `json:"web_url,omitempty" doc:"The URL of its page in GitLab."`
	Labels       []string            `json:"labels" nullable:"false" doc:"GitLab's labels."`
	Author       string              `json:"author,omitempty" example:"mira.lindqvist" doc:"The author's user name."`
	Assignees    []string            `json:"assignees,omitempty" nullable:"false" doc:"The user names of the assignees."`
	Milestone    string              `json:"milestone,omitempty" doc:"The title of the milestone."`
	CreatedAt    time.Time           `json:"created_at,omitzero" doc:"GitLab's created_at; absent if the copy was stored by a version that did not keep it."`
}

// EntityList is a page of the stored copies of a project.
type EntityList struct {
	Entities   []EntitySummary `json:"entities" nullable:"false" doc:"In the order of type and iid as texts: issue#10 comes before issue#9. A page may hold fewer than limit, even none, and still have a next page."`
	NextCursor string          `json:"next_cursor,omitempty" doc:"The cursor of the next page; absent on the last page."`
}

type listEntitiesInput struct {
	ProjectPath
	After string `query:"after" maxLength:"30" pattern:"^(issue|merge_request)#[1-9][0-9]{0,15}$" example:"issue#7" doc:"Start after this entity, whether it is still there or not. Excludes cursor."`
	PageInput
}

func (s *server) addEntityList(to *routes) {
	to.add(operationOf(huma.Operation{
		OperationID: "list-entities", Method: http.MethodGet, Path: "/v1/projects/{project}/entities", Tags: []string{"projects"},
		Summary:     "List the copies of a project",
		Description: "All stored copies that are shown, without their discussions, events and documents. A copy that is stored while you read the pages may be missing.",
	}, notAllowed(), noProject()), handle(s.listEntities))
}

// targetPlace is where a page of a list of entities begins: after the target.
type targetPlace struct {
	Of    string `json:"l"`
	After string `json:"t"`
}

func (s *server) listEntities(ctx context.Context, in *listEntitiesInput) (*answer[EntityList], error) {
	projectID, err := s.project(ctx, "path.project", in.Project)
	if err != nil {
		return nil, err
	}
	of := listName("entities", projectID, "")
	after, err := entitiesAfter(in, of)
	if err != nil {
		return nil, err
	}
	heads, last, more, err := s.Content.EntitiesOf(ctx, projectID, after, in.Limit)
	if err != nil {
		return nil, err
	}
	list := EntityList{Entities: []EntitySummary{}}
	for _, head := range heads {
		list.Entities = append(list.Entities, entitySummary(head))
	}
	if more {
		list.NextCursor, err = encodeCursor(targetPlace{Of: of, After: last.String()})
	}
	return &answer[EntityList]{list}, err
}

// entitiesAfter returns the target after which the page begins, zero for the first.
func entitiesAfter(in *listEntitiesInput, of string) (surgical.Target, error) {
	after := in.After
	switch {
	case in.After != "" && in.Cursor != "":
		return surgical.Target{}, invalid("query.after", in.After, "after and cursor exclude each other")
	case in.Cursor != "":
		place, err := decodeCursor(in.Cursor, func(p targetPlace) bool {
			_, err := surgical.ParseTarget(p.After)
			return p.Of == of && err == nil
		})
		if err != nil {
			return surgical.Target{}, err
		}
		after = place.After
	case in.After == "":
		return surgical.Target{}, nil
	}
	target, err := surgical.ParseTarget(after)
	if err != nil {
		return target, invalid("query.after", after, err.Error())
	}
	return target, nil
}

func entitySummary(head surgical.Head) EntitySummary {
	a := head.Attributes
	labels := a.Labels
	if labels == nil {
		labels = []string{}
	}
	summary := EntitySummary{
		ProjectID: head.Ref.ProjectID, Type: head.Ref.Type, IID: head.Ref.IID,
		Revision: head.Revision, UpdatedAt: head.UpdatedAt, FetchedAt: head.FetchedAt,
		Title: a.Title, State: a.State, Confidential: a.Confidential, WebURL: a.WebURL, Labels: labels, Milestone: a.Milestone,
	}
	if a.Author != nil {
		summary.Author = a.Author.Username
	}
	for _, user := range a.Assignees {
		summary.Assignees = append(summary.Assignees, user.Username)
	}
	summary.CreatedAt, _ = surgical.ParseTime(a.CreatedAt) // an odd time is not shown
	return summary
}
