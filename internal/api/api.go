package api

import (
	"context"
	"iter"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/problem"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Version is the version of the API, as its description states it.
const Version = "1.0.0"

// Runs is what the API needs of the run ledger.
type Runs interface {
	// Run reads a run; an unknown one gives [surgical.CodeRunNotFound].
	Run(ctx context.Context, runID string) (surgical.Run, error)
	// Entities lists what became of the targets of a terminal run.
	Entities(ctx context.Context, runID string) ([]surgical.EntityRow, error)
	// Jobs lists the run's jobs.
	Jobs(ctx context.Context, runID string) ([]surgical.Job, error)
	// List and ListOfEntity return runs newest first.
	List(ctx context.Context, filter ledger.RunFilter, from ledger.RunPlace, limit int) ([]surgical.Run, ledger.RunPlace, error)
	ListOfEntity(ctx context.Context, ref surgical.EntityRef, from ledger.RunPlace, limit int) ([]surgical.Run, ledger.RunPlace, error)
	// Queue inserts a run that waits for a worker; [surgical.ErrMoved] tells that
	// its id is taken.
	Queue(ctx context.Context, req surgical.Request) (surgical.Run, error)
	// Retry makes the run that retries a failed or cancelled one, or returns the
	// one made before.
	Retry(ctx context.Context, run surgical.Run, req surgical.Request, messageID string) (surgical.Run, error)
	// Close makes the run terminal; one that is terminal already is returned as
	// it is.
	Close(ctx context.Context, seen surgical.Run, ending surgical.Ending) (surgical.Run, error)
}

// Queue takes requests for the workers.
type Queue interface {
	// Send fails with [surgical.CodeQueueUnavailable].
	Send(ctx context.Context, req surgical.Request) error
}

// Content is what the API needs of the content plane.
type Content interface {
	// Read returns one whole snapshot of the entity; an unknown one gives
	// [surgical.CodeEntityNotFound].
	Read(ctx context.Context, ref surgical.EntityRef) (content.Entity, error)
	// Head reads the entity's head; one that does not exist has revision 0.
	Head(ctx context.Context, ref surgical.EntityRef) (surgical.Head, error)
	// DocumentsAfter yields the documents whole, by id, hidden ones included.
	DocumentsAfter(ctx context.Context, ref surgical.EntityRef, id string) iter.Seq2[content.Document, error]
	// Documents lists the entity's documents by id, hidden ones included.
	Documents(ctx context.Context, ref surgical.EntityRef) ([]content.Document, error)
	// Embeddings reads what embeds the documents.
	Embeddings(ctx context.Context, ref surgical.EntityRef, documents []string) (map[string]content.Embeddings, error)
}

// Options is what the API stands on. All fields are required but RequestID and
// NewTrace.
type Options struct {
	Runs    Runs
	Content Content
	Queue   Queue
	// Allows is the allow list of projects.
	Allows func(projectID int64) bool
	Clock  func() time.Time
	// NewKey makes the idempotency key of a request that brings none.
	NewKey func() string
	Log    *slog.Logger
	// RequestID names a request in the log, as the gateway does.
	RequestID func(*http.Request) string
	// NewTrace makes the traceparent of a request that brings none.
	NewTrace func(context.Context) string
}

type server struct {
	Options
	api     huma.API
	schemas huma.Registry
}

// New returns the API as a handler.
func New(o Options) (http.Handler, error) {
	s := &server{Options: o}
	mux := http.NewServeMux()
	if err := s.register(mux); err != nil {
		return nil, err
	}
	mux.HandleFunc("GET "+descriptionPath, serveDescription(s.api.OpenAPI()))
	return s.serve(mux), nil
}

// Description returns the API's OpenAPI description.
func Description() (*huma.OpenAPI, error) {
	s := &server{}
	if err := s.register(http.NewServeMux()); err != nil {
		return nil, err
	}
	return s.api.OpenAPI(), nil
}

// register makes the routes and their description.
func (s *server) register(mux *http.ServeMux) error {
	s.api = humago.New(mux, huma.Config{
		OpenAPI: newDescription(),
		Formats: huma.DefaultFormats, DefaultFormat: "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{asProblem},
	})
	s.schemas = s.api.OpenAPI().Components.Schemas
	s.registerHealth(s.api)
	s.registerRuns(s.api)
	s.registerControl(s.api)
	s.registerEntities(s.api)
	s.registerDocuments(s.api)
	return s.complete(s.api.OpenAPI())
}

// HealthView is the answer of a healthy API.
type HealthView struct {
	Status  string `json:"status" enum:"ok" doc:"Always ok: an API that is not well does not answer."`
	Version string `json:"version" example:"1.0.0" doc:"Version of the API."`
}

type answer[T any] struct{ Body T }

func (s *server) registerHealth(api huma.API) {
	huma.Register(api, s.operation(huma.Operation{
		OperationID: "healthz", Method: http.MethodGet, Path: "/healthz", Tags: []string{"service"},
		Summary: "Tell that the API answers", Description: "Asks neither tables nor queues.",
	}), handle(func(context.Context, *struct{}) (*answer[HealthView], error) {
		return &answer[HealthView]{HealthView{Status: "ok", Version: Version}}, nil
	}))
}

// handle gives every error that leaves a handler the shape of a problem.
func handle[I, O any](h func(context.Context, *I) (*O, error)) func(context.Context, *I) (*O, error) {
	return func(ctx context.Context, in *I) (*O, error) {
		out, err := h(ctx, in)
		if err != nil {
			return nil, problem.Of(err)
		}
		return out, nil
	}
}
