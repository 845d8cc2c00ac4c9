package api

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// EntityPath names one entity.
type EntityPath struct {
	ProjectPath
	IID int64 `path:"iid" minimum:"1" maximum:"9007199254740991" example:"7" doc:"The entity's number within its project."`
}

// EntityInput selects what is read of one entity.
type EntityInput struct {
	EntityPath
	Limit       int    `query:"limit" minimum:"1" maximum:"10000" doc:"Maximum number of discussions, events and documents together; by default as many as fit into one response."`
	Cursor      string `query:"cursor" maxLength:"1024" doc:"The next_cursor of the previous page."`
	Include     string `query:"include" maxLength:"64" pattern:"^(discussions|events|documents)(,(discussions|events|documents))*$" example:"discussions,events" doc:"Only these parts besides the entity itself, comma-separated: discussions, events, documents. All of them by default."`
	IfNoneMatch string `header:"If-None-Match" maxLength:"1024" doc:"The ETag of an earlier response: if it is still current, the answer is 304 without a body."`
	FieldsInput
	// accept is the Accept header, query the query of the URL.
	accept string
	query  url.Values
}

// Resolve implements [huma.Resolver].
func (in *EntityInput) Resolve(ctx huma.Context) []error {
	u := ctx.URL()
	in.accept, in.query = ctx.Header("Accept"), u.Query()
	return nil
}

// named returns the entity type as written in prose, with its article.
func named(t surgical.EntityType) string {
	if t == surgical.Issue {
		return "an issue"
	}
	return "a merge request"
}

// hyphenated returns the entity type as written in operation ids.
func hyphenated(t surgical.EntityType) string { return strings.ReplaceAll(string(t), "_", "-") }

// plural returns the entity type as written in paths.
func plural(t surgical.EntityType) string { return string(t) + "s" }

func (s *server) addEntities(to *routes) {
	for _, t := range []surgical.EntityType{surgical.Issue, surgical.MergeRequest} {
		op := operationOf(huma.Operation{
			OperationID: "get-" + hyphenated(t), Method: http.MethodGet, Path: "/v1/projects/{project}/" + plural(t) + "/{iid}",
			Tags: []string{hyphenated(t) + "s"}, Summary: "Read the copy of " + named(t),
			Description: "One snapshot from a single fetch: GitLab's own JSON of the entity, its discussions and events, and the documents rendered from them. " +
				"A copy that does not fit into one response continues at next_cursor. All pages show the same revision: if a newer one is committed in between, the next page is a conflict, and you start again without a cursor.\n\n" +
				"With `Accept: text/markdown`, the answer is one readable page: title, metadata and description, then comments and events in the order of time. If it does not fit into one response, the header `Link` leads to the next one.\n\n" +
				"The `ETag` stays the same as long as nothing changed but the times and the run of the fetch, and what `documents_behind` says. It depends on the parameters, and on the documents if they are included. " +
				"A new one does not promise a different body: what changed may be a part that is not included, or an internal note that is left out.",
		}, notAllowed(), noProject(), noEntity(), goneEntity(), refusalOf(surgical.CodeConflict, "the copy has a newer revision than the cursor"))
		op.responses = func(responses map[string]*huma.Response, schemas huma.Registry) {
			page := described[EntityView](schemas, "OK")
			page.Content[markdownType] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
			page.Headers = map[string]*huma.Param{
				"ETag": {Description: "Identifies what the response says.", Schema: &huma.Schema{Type: huma.TypeString}, Example: `W/"mBJ1yZ0Vt2cJX0oWZkqf7A"`},
			}
			responses["200"], responses["304"] = page, &huma.Response{Description: "The copy is as the ETag says."}
		}
		to.add(op, handle(func(ctx context.Context, in *EntityInput) (*entityAnswer, error) {
			ref, err := s.ref(ctx, t, in.EntityPath)
			if err != nil {
				return nil, err
			}
			r := entityReading{server: s, ref: ref, in: in, markdown: prefersMarkdown(in.accept)}
			return r.answer(ctx)
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
	return surgical.NotAllowed(projectID)
}

// entityPlace is where a page of an entity begins.
type entityPlace struct {
	Entity   string `json:"e"`
	Revision int64  `json:"r"`
	// Child is the last discussion or event that earlier pages held, as
	// [surgical.Child.Key], and Document the last document. A place in a list without
	// what is not shown would take reading all that is before it, and one in the whole
	// list would say how much is not shown.
	Child    string `json:"c,omitempty"`
	Document string `json:"d,omitempty"`
	// Entries is how many comments and events earlier pages of Markdown held.
	Entries int `json:"n,omitempty"`
	// Of identifies what the pages have; "" is everything as JSON.
	Of string `json:"s,omitempty"`
}
