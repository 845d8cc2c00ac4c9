package api

import (
	"context"
	"net/http"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// operation is an operation and what its description says of its responses.
type operation struct {
	huma.Operation
	// refusals are the ways in which it fails, beside those of every operation.
	refusals []refusal
	// responses changes what is described of its responses; nil changes nothing.
	responses func(responses map[string]*huma.Response, schemas huma.Registry)
}

func operationOf(op huma.Operation, refusals ...refusal) operation {
	return operation{Operation: op, refusals: refusals}
}

// registration adds an operation to an API. Huma then builds, by reflection, the schemas of
// all that the operation takes and returns, and compiles what checks them.
type registration func(huma.API, huma.Operation)

// handle registers the handler, and turns every error that it returns into a problem.
func handle[I, O any](h func(context.Context, *I) (*O, error)) registration {
	return func(api huma.API, op huma.Operation) {
		huma.Register(api, op, func(ctx context.Context, in *I) (*O, error) {
			out, err := h(ctx, in)
			if err != nil {
				return nil, problemOf(err)
			}
			return out, nil
		})
	}
}

// route is an operation with its handler. Method and path are all that it takes to find it.
type route struct {
	operation
	register registration
}

// routes are the routes of the API.
type routes []route

func (to *routes) add(op operation, register registration) { *to = append(*to, route{op, register}) }

// routes returns all routes but that of the description.
func (s *server) routes() routes {
	all := make(routes, 0, 64)
	for _, g := range s.groups() {
		g.add(&all)
	}
	return all
}

// pattern is the route's pattern for an [http.ServeMux].
func (r route) pattern() string { return r.Method + " " + r.Path }

// handler serves the route. It is registered by its first request, with an API of its own:
// an instance of the function serves few of the routes, and each waits only for itself.
func (r route) handler() http.HandlerFunc {
	registered := sync.OnceValue(func() http.Handler {
		mux := http.NewServeMux()
		api := newAPI(mux, &huma.OpenAPI{Components: &huma.Components{Schemas: newSchemas()}})
		op := r.Operation
		op.Middlewares = huma.Middlewares{func(ctx huma.Context, next func(huma.Context)) { refuseAmbiguous(api, ctx, next) }}
		r.register(api, op)
		return mux
	})
	return func(w http.ResponseWriter, req *http.Request) { registered().ServeHTTP(w, req) }
}

// describe adds the route to the description of an API.
func (r route) describe(api huma.API) {
	op, schemas := r.Operation, api.OpenAPI().Components.Schemas
	describeRefusals(&op, r.refusals, schemas)
	r.register(api, op)
	if r.responses != nil {
		r.responses(op.Responses, schemas) // huma has added what follows from the types
	}
}

// Description returns the API's OpenAPI description.
func Description() (*huma.OpenAPI, error) {
	api := newAPI(http.NewServeMux(), newDescription())
	for _, r := range new(server).routes() {
		r.describe(api)
	}
	complete(api.OpenAPI())
	return api.OpenAPI(), addExamples(api.OpenAPI())
}

func newAPI(mux *http.ServeMux, description *huma.OpenAPI) huma.API {
	return humago.New(mux, huma.Config{
		OpenAPI: description,
		Formats: huma.DefaultFormats, DefaultFormat: "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{asProblem},
	})
}
