package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// SearchResult is a page of what a search found.
type SearchResult struct {
	Hits       []SearchHit `json:"hits" nullable:"false" doc:"Best first, one for each entity. A page may hold fewer than limit, even none, and still have a next page."`
	NextCursor string      `json:"next_cursor,omitempty" doc:"The cursor of the next page; absent on the last page."`
	Mode       search.Mode `json:"mode" enum:"lexical,hybrid" doc:"How was searched: by words (lexical), or by words and the vectors of a model, their ranks fused (hybrid)."`
	Model      string      `json:"model,omitempty" example:"amazon.titan-embed-text-v2:0/1024" doc:"The model of the vectors; absent if the mode is lexical."`
	Reason     string      `json:"reason,omitempty" doc:"Why only words were compared; absent if the mode is hybrid."`
	AsOf       time.Time   `json:"as_of" doc:"The index has every change that the change feed had numbered by this time; it numbers a change within seconds of its commit. What changed since may be missing, but is never shown as it was before."`
}

// SearchHit is an entity that a search found.
type SearchHit struct {
	EntitySummary
	Author   string          `json:"author,omitempty" example:"ines.carvalho" doc:"User name of who created it."`
	Score    float64         `json:"score" example:"12.4" doc:"Comparable only within one answer."`
	Passages []SearchPassage `json:"passages" nullable:"false" doc:"The parts of its text that match best, at most three. They are read for this answer."`
}

// SearchPassage is a part of a document that a search found.
type SearchPassage struct {
	Document string `json:"document" example:"discussion#6d270584132911c53a595f98d51587180305a408" doc:"The document that the text is part of."`
	BeginningView
	URL   string        `json:"url,omitempty" doc:"Its place in GitLab."`
	Text  string        `json:"text" doc:"The text, in Markdown."`
	Marks []search.Mark `json:"marks" nullable:"false" doc:"Where words of the query are in the text, counted in characters (Unicode code points)."`
}

type searchInput struct {
	Query     string              `query:"q" minLength:"1" maxLength:"2000" example:"login page crashes state:opened label:bug" doc:"What to look for, in words. It has no operators, but filters: project:, type:, state:, label:, author:, created: and updated: with a value, which may be in quotes, and for times a range such as >=2026-11-02 or 2026-11-01..2026-11-30. A filter in quotes as a whole is text."`
	SimilarTo string              `query:"similar_to" maxLength:"64" example:"1#7" doc:"Look for entities that resemble this one instead: 1#7 is an issue, 1!7 a merge request of project 1. With the model of the local stack, only those that resemble it enough. Excludes q."`
	Project   projectRef          `query:"project" example:"group/project" doc:"Only entities of the project with this id or path."`
	Type      surgical.EntityType `query:"type" enum:"issue,merge_request" doc:"Only entities of this type."`
	State     string              `query:"state" enum:"opened,closed,merged,locked" doc:"Only entities in this state."`
	Label     string              `query:"label" maxLength:"1024" example:"bug,ui" doc:"Only entities with all of these labels, separated by commas. Like in GitLab, case matters."`
	Author    string              `query:"author" maxLength:"255" example:"ines.carvalho" doc:"Only entities that this user created."`
	RangesInput

	Limit  int    `query:"limit" minimum:"1" maximum:"50" default:"10" doc:"Maximum number of hits."`
	Cursor string `query:"cursor" maxLength:"1024" doc:"The next_cursor of the previous page."`
}

func noIndex() refusal {
	return refusalOf(surgical.CodeIndexNotReady, "there is no search index yet, or it is being rebuilt after damage; Retry-After says when to try again")
}

func (s *server) addSearch(to *routes) {
	to.add(operationOf(huma.Operation{
		OperationID: "search-copies", Method: http.MethodGet, Path: "/v1/search", Tags: []string{"search"},
		Summary: "Search the copies",
		Description: "Finds issues and merge requests by the text of their documents, or those similar to a given one. " +
			"Every hit is read again before it is returned, so nothing is found that a read of the entity would not show. Use a cursor with the same query that returned it.",
	}, notAllowed(), noProject(), noEntity(), goneEntity(), noIndex()), handle(s.search))
}

// searchPlace is where a page of a search begins: after so many of the ranked entities.
// Of is the fingerprint of the query.
type searchPlace struct {
	Of   string `json:"l"`
	From int    `json:"n"`
}

func (s *server) search(ctx context.Context, in *searchInput) (*answer[SearchResult], error) {
	q, err := s.query(ctx, in)
	if err != nil {
		return nil, err
	}
	of := "search " + q.Fingerprint()
	if in.Cursor != "" {
		place, err := decodeCursor(in.Cursor, func(p searchPlace) bool { return p.Of == of && p.From > 0 && p.From <= surgical.MaxSearchDepth })
		if err != nil {
			return nil, err
		}
		q.From = place.From
	}
	found, err := s.Search(ctx, q)
	if errors.Is(err, search.ErrDamaged) {
		if failed := s.repairIndex(ctx); failed != nil {
			s.Log.WarnContext(ctx, "index_not_repaired", "error", failed.Error()) // the indexer notices the damage itself
		}
	}
	if err != nil {
		return nil, err
	}
	result := SearchResult{Hits: []SearchHit{}, Mode: found.Mode, Model: found.Model, Reason: found.Reason, AsOf: found.AsOf}
	for _, hit := range found.Hits {
		result.Hits = append(result.Hits, searchHit(hit))
	}
	if found.Next > 0 {
		result.NextCursor, err = encodeCursor(searchPlace{of, found.Next})
	}
	return &answer[SearchResult]{result}, err
}

func searchHit(hit search.Hit) SearchHit {
	view := SearchHit{EntitySummary: entitySummary(hit.Head), Score: hit.Score, Passages: []SearchPassage{}}
	if author := hit.Head.Attributes.Author; author != nil {
		view.Author = author.Username
	}
	for _, p := range hit.Passages {
		marks := p.Marks
		if marks == nil {
			marks = []search.Mark{}
		}
		view.Passages = append(view.Passages, SearchPassage{p.Document, BeginningView{p.Author, p.CreatedAt}, p.URL, p.Text, marks})
	}
	return view
}

// query is the query that the request asks.
func (s *server) query(ctx context.Context, in *searchInput) (search.Query, error) {
	q := search.Query{Limit: in.Limit}
	f := &filling{filter: &q.Filter, given: map[string]string{}}
	for _, p := range []struct{ name, value string }{
		{"project", string(in.Project)}, {"type", string(in.Type)}, {"state", in.State}, {"label", in.Label}, {"author", in.Author},
	} {
		f.set(p.name, p.value, "query."+p.name)
	}
	f.ranges(in.RangesInput)
	typed := search.Parse(in.Query)
	for _, filter := range typed.Filters {
		f.set(filter.Name, filter.Value, "query.q")
	}
	if f.err != nil {
		return q, f.err
	}
	q.Text = typed.Text
	if err := s.subject(in, &q); err != nil {
		return q, err
	}
	q.Filter.Projects = s.Allowed
	if f.project != "" {
		id, err := s.project(ctx, f.projectAt, projectRef(f.project))
		if err != nil {
			return q, err
		}
		q.Filter.Projects = []int64{id}
	}
	return q, nil
}

// subject sets what is searched for.
func (s *server) subject(in *searchInput, q *search.Query) error {
	switch {
	case in.SimilarTo != "" && in.Query != "":
		return invalid("query.similar_to", in.SimilarTo, "q and similar_to exclude each other")
	case in.SimilarTo != "":
		ref, err := parseEntity(in.SimilarTo)
		if err != nil {
			return invalid("query.similar_to", in.SimilarTo, err.Error())
		}
		q.SimilarTo = &ref
		return s.allowed(ref.ProjectID)
	case strings.TrimSpace(q.Text) == "":
		return invalid("query.q", in.Query, "expected words to look for, or similar_to")
	}
	return nil
}

// parseEntity reads 1#7, 1!7, 1#issue#7 or 1#merge_request#7.
func parseEntity(text string) (surgical.EntityRef, error) {
	key := text
	if project, iid, ok := strings.Cut(text, "!"); ok {
		key = project + "#merge_request#" + iid
	} else if strings.Count(text, "#") == 1 {
		key = strings.Replace(text, "#", "#issue#", 1)
	}
	ref, err := surgical.ParseEntityRef(key)
	if err != nil || ref.ProjectID > maxProjectID || ref.IID > maxProjectID {
		return ref, fmt.Errorf("expected an entity such as 1#7 (an issue) or 1!7 (a merge request), got %s", strconv.Quote(text))
	}
	return ref, nil
}

// filling collects filters from the parameters and from within the text. The first
// failure counts.
type filling struct {
	filter *search.Filter
	given  map[string]string
	// project is a project's id or path, and projectAt where it was given.
	project, projectAt string
	err                error
}

func (f *filling) set(name, value, location string) {
	if value == "" || f.err != nil {
		return
	}
	if before, twice := f.given[name]; twice && name != "label" {
		f.err = invalid(location, value, fmt.Sprintf("%s is given twice, as %q before", name, before))
		return
	}
	f.given[name] = value
	var err error
	switch name {
	case "project":
		f.project, f.projectAt = value, location
	case "type":
		f.filter.Type, err = search.ParseType(value)
	case "state":
		f.filter.State, err = search.ParseState(value)
	case "label":
		var labels []string
		labels, err = search.ParseLabels(value)
		f.filter.Labels = append(f.filter.Labels, labels...)
	case "author":
		f.filter.Author = userName(value)
	case "created":
		err = f.within(&f.filter.Created, name, value)
	case "updated":
		err = f.within(&f.filter.Updated, name, value)
	}
	if err != nil {
		f.err = invalid(location, value, name+": "+err.Error())
	}
}

func (f *filling) ranges(in RangesInput) {
	if f.err == nil {
		f.filter.Created, f.filter.Updated, f.err = in.ranges()
	}
}

// within sets a range that a query holds, unless a parameter set a bound of it.
func (f *filling) within(into *search.Range, name, value string) error {
	if *into != (search.Range{}) {
		return fmt.Errorf("it is given twice, also as %s_after or %s_before", name, name)
	}
	r, err := search.ParseRange(value)
	*into = r
	return err
}
