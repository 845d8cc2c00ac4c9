package api

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// ListedEntity is an entity in a list, with the selected fields.
type ListedEntity struct {
	EntitySummary
	fields []string
}

// MarshalJSON encodes the selected fields.
func (r ListedEntity) MarshalJSON() ([]byte, error) { return only(r.EntitySummary, r.fields) }

// EntityListing is a page of a project's issues or merge requests.
type EntityListing struct {
	Entities   []ListedEntity `json:"entities" nullable:"false" doc:"A page may hold fewer than limit, even none, and still have a next page."`
	NextCursor string         `json:"next_cursor,omitempty" doc:"The cursor of the next page; absent on the last page."`
}

// ListingInput selects entities of a project.
type ListingInput struct {
	ProjectPath
	Label     string `query:"label" maxLength:"1024" example:"bug,search" doc:"Only entities with all of these labels, separated by commas. Like in GitLab, case matters."`
	Author    string `query:"author" maxLength:"255" example:"mira.lindqvist" doc:"Only entities by the user with this name."`
	Assignee  string `query:"assignee" maxLength:"255" doc:"Only entities that are assigned to the user with this name."`
	Milestone string `query:"milestone" maxLength:"255" doc:"Only entities of the milestone with this title."`
	RangesInput
	Order string `query:"order" enum:"updated_desc,updated_asc,created_desc,created_asc" default:"updated_desc" doc:"By GitLab's updated_at, or by creation: then by iid, which GitLab gives in that order."`
	FieldsInput
	PageInput
}

// IssuesInput selects issues.
type IssuesInput struct {
	State string `query:"state" enum:"opened,closed" doc:"Only issues in this state."`
	ListingInput
}

// MergeRequestsInput selects merge requests.
type MergeRequestsInput struct {
	State string `query:"state" enum:"opened,closed,merged,locked" doc:"Only merge requests in this state."`
	ListingInput
}

func (s *server) addListings(to *routes) {
	op := func(t surgical.EntityType) operation {
		return operationOf(huma.Operation{
			OperationID: "list-" + hyphenated(t) + "s", Method: http.MethodGet, Path: "/v1/projects/{project}/" + plural(t), Tags: []string{hyphenated(t) + "s"},
			Summary: "List the " + strings.ReplaceAll(plural(t), "_", " ") + " of a project",
			Description: "The stored copies that are shown, without discussions, events and documents. Pages by state and time are full; with any other filter, a page has what matches among 100 entities. " +
				"An entity that changes while you read the pages moves to the end of the list that is ordered by updated_at. Copies that were stored by a version without these lists appear once they have been fetched again.",
		}, notAllowed(), noProject())
	}
	to.add(op(surgical.Issue), handle(func(ctx context.Context, in *IssuesInput) (*answer[EntityListing], error) {
		return s.listing(ctx, surgical.Issue, in.State, in.ListingInput)
	}))
	to.add(op(surgical.MergeRequest), handle(func(ctx context.Context, in *MergeRequestsInput) (*answer[EntityListing], error) {
		return s.listing(ctx, surgical.MergeRequest, in.State, in.ListingInput)
	}))
}

// listingPlace is where a page of a list of entities begins.
type listingPlace struct {
	Of    string `json:"l"`
	After string `json:"a"`
}

func (s *server) listing(ctx context.Context, t surgical.EntityType, state string, in ListingInput) (*answer[EntityListing], error) {
	projectID, err := s.project(ctx, "path.project", in.Project)
	if err != nil {
		return nil, err
	}
	fields, err := selected[EntitySummary](in.FieldsInput)
	if err != nil {
		return nil, err
	}
	created, updated, err := in.ranges()
	if err != nil {
		return nil, err
	}
	matches, err := in.matches(created)
	if err != nil {
		return nil, err
	}
	list := content.List{
		ProjectID: projectID, Type: t, State: state, UpdatedFrom: updated.From, UpdatedBefore: updated.Until,
		ByNumber: strings.HasPrefix(in.Order, "created"), Ascending: strings.HasSuffix(in.Order, "asc"), Matches: matches, Limit: in.Limit,
	}
	of := listName(plural(t), projectID, in.query(state, created, updated))
	if in.Cursor != "" {
		place, err := decodeCursor(in.Cursor, func(p listingPlace) bool { return p.Of == of && list.IsPlace(p.After) })
		if err != nil {
			return nil, err
		}
		list.After = place.After
	}
	page, err := s.Content.List(ctx, list)
	if err != nil {
		return nil, err
	}
	listing := EntityListing{Entities: []ListedEntity{}}
	for _, head := range page.Heads {
		listing.Entities = append(listing.Entities, ListedEntity{entitySummary(head), fields})
	}
	if page.Next != "" {
		listing.NextCursor, err = encodeCursor(listingPlace{Of: of, After: page.Next})
	}
	return &answer[EntityListing]{listing}, err
}

// query identifies what is selected, for cursors: their size must not depend on it.
func (in ListingInput) query(state string, created, updated search.Range) string {
	all := []any{state, in.Label, in.Author, in.Assignee, in.Milestone, in.Order}
	for _, at := range []time.Time{created.From, created.Until, updated.From, updated.Until} {
		all = append(all, at.UTC().Format(time.RFC3339Nano))
	}
	return digest(all...)
}

// matches returns the filter by what only heads say, nil for none. What a search can be
// filtered by as well is compared in the same way.
func (in ListingInput) matches(created search.Range) (func(surgical.Head) bool, error) {
	filter := search.Filter{Author: userName(in.Author), Created: created}
	if in.Label != "" {
		var err error
		if filter.Labels, err = search.ParseLabels(in.Label); err != nil {
			return nil, invalid("query.label", in.Label, err.Error())
		}
	}
	if filter.IsZero() && in.Assignee == "" && in.Milestone == "" {
		return nil, nil
	}
	assignee := userName(in.Assignee)
	return func(h surgical.Head) bool {
		a := h.Attributes
		return filter.Matches(h.Ref, search.FacetsOf(h)) &&
			(assignee == "" || slices.ContainsFunc(a.Assignees, func(u surgical.User) bool { return strings.EqualFold(u.Username, assignee) })) &&
			(in.Milestone == "" || a.Milestone == in.Milestone)
	}, nil
}

// userName is the name without the "@" that people write before it. A mere "@" is nobody's,
// and not the absence of a filter.
func userName(text string) string {
	if name := strings.TrimPrefix(text, "@"); name != "" {
		return name
	}
	return text
}
