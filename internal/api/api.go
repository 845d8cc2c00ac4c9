package api

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/klauspost/compress/gzhttp"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/erasure"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/outage"
	"gitlab.com/lorehook/lorehook/internal/problem"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Version is the newest release in CHANGELOG.md, without v: what the API's description and
// its health say.
const Version = "0.1.0"

// Runs is what the API needs of the run ledger.
type Runs interface {
	// Run reads a run. An unknown one is [surgical.CodeRunNotFound].
	Run(ctx context.Context, runID string) (surgical.Run, error)
	// Entities lists the outcome of each target of a terminal run.
	Entities(ctx context.Context, runID string) ([]surgical.EntityRow, error)
	// Jobs lists the run's jobs.
	Jobs(ctx context.Context, runID string) ([]surgical.Job, error)
	// List and ListOfEntity return runs newest first.
	List(ctx context.Context, filter ledger.RunFilter, from ledger.RunPlace, limit int) ([]surgical.Run, ledger.RunPlace, error)
	ListOfEntity(ctx context.Context, ref surgical.EntityRef, from ledger.RunPlace, limit int) ([]surgical.Run, ledger.RunPlace, error)
	// Behind says whether the entity's documents or embeddings are older than its copy;
	// nil if they are current.
	Behind(ctx context.Context, ref surgical.EntityRef) (*surgical.Behind, error)
	// FollowUp returns the entity's pending follow-up; nil if there is none.
	FollowUp(ctx context.Context, ref surgical.EntityRef) (*surgical.FollowUp, error)
	// Queue inserts a run that waits for a worker. It returns
	// [surgical.ErrMoved] if the id is taken.
	Queue(ctx context.Context, req surgical.Request) (surgical.Run, error)
	// Retry creates the run that retries a failed or cancelled one, or returns
	// the one created earlier.
	Retry(ctx context.Context, run surgical.Run, req surgical.Request, messageID string) (surgical.Run, error)
	// CountUndone counts the entities with documents or embeddings undone, in the
	// projects that match.
	CountUndone(ctx context.Context, match func(projectID int64) bool) (int, error)
	// RequestDrain asks for everything that ended runs left undone of the project, or
	// of all for 0.
	RequestDrain(ctx context.Context, projectID int64) (time.Time, error)
	// Count returns how many runs in the status were created within the span, up to most.
	Count(ctx context.Context, status surgical.RunStatus, made ledger.Span, most int) (n int, more bool, err error)
	// Close makes the run terminal. A run that is already terminal is returned
	// unchanged.
	Close(ctx context.Context, seen surgical.Run, ending surgical.Ending) (surgical.Run, error)
}

// Projects is what the API needs of the rows of projects.
type Projects interface {
	// Project reads what is known of a project. One without a row is not an error.
	Project(ctx context.Context, projectID int64) (surgical.Project, error)
	// ProjectsOf reads several, in the order of the ids.
	ProjectsOf(ctx context.Context, ids []int64) ([]surgical.Project, error)
	// ProjectsAfter yields the projects that have a row, in the order of their ids.
	ProjectsAfter(ctx context.Context, after int64, atOnce int) iter.Seq2[surgical.Project, error]
	// Pass returns the project's running or last pass of the kind.
	Pass(ctx context.Context, projectID int64, kind surgical.PassKind) (surgical.Pass, error)
	// PassesIn returns those of several projects, without those that have none.
	PassesIn(ctx context.Context, kind surgical.PassKind, projectIDs []int64) ([]surgical.Pass, error)
	// ProjectByPath returns the id of the project with the path, or 0.
	ProjectByPath(ctx context.Context, path string) (int64, error)
	// HideProject and HideAllProjects hide every copy whose fetch did not begin after
	// the time.
	HideProject(ctx context.Context, projectID int64, at time.Time) error
	HideAllProjects(ctx context.Context, at time.Time) error
	// Erasures lists what was erased, after the key of an entity.
	Erasures(ctx context.Context, after string, limit int) ([]surgical.Erasure, bool, error)
}

// Standing is what the ledger knows of GitLab.
type Standing interface {
	// PauseReason is until when nothing may be sent to GitLab, and why; Spare is until
	// when passes leave its budget to webhooks.
	PauseReason(ctx context.Context) (until time.Time, why surgical.Code, err error)
	Spare(ctx context.Context) (time.Time, error)
	// GitLabSeen returns the newest answer of GitLab that is recorded.
	GitLabSeen(ctx context.Context) (ledger.Sighting, error)
}

// Gauge counts the messages of a queue.
type Gauge struct {
	Name string
	// Depth returns how many wait, and how many were received and not deleted yet.
	Depth func(context.Context) (waiting, received int, err error)
}

// Eraser erases entities: [erasure.Eraser].
type Eraser interface {
	// Look returns what is stored of the entity, and whether it is erased.
	Look(ctx context.Context, ref surgical.EntityRef) (erasure.Result, error)
	// Erase erases the entity and removes as much of it as time allows.
	Erase(ctx context.Context, ref surgical.EntityRef) (erasure.Result, error)
	// Lift lets it be fetched again. It is refused while something is being removed.
	Lift(ctx context.Context, ref surgical.EntityRef) error
}

// Queue takes requests for the workers.
type Queue interface {
	// Send durably enqueues the request. Its error is
	// [surgical.CodeQueueUnavailable].
	Send(ctx context.Context, req surgical.Request) error
}

// Content is what the API needs of the content plane. [content.Reader] provides it, and
// decides what is shown.
type Content interface {
	// Confidential says whether confidential issues and internal notes are shown.
	Confidential() surgical.Policy
	// Read returns a complete snapshot of the entity. One that is not shown is
	// [surgical.CodeEntityGone] or [surgical.CodeEntityNotFound].
	Read(ctx context.Context, ref surgical.EntityRef) (content.Entity, error)
	// ReadRevision calls read with what the entity's head names, again if that was
	// overtaken. The errors are those of read and of Read.
	ReadRevision(ctx context.Context, ref surgical.EntityRef, read func(*content.Revision) error) error
	// VisibleHead reads the entity's head, with the same errors.
	VisibleHead(ctx context.Context, ref surgical.EntityRef) (surgical.Head, error)
	// VisibleHeads reads the heads of those of the entities that are shown. refs must not
	// repeat.
	VisibleHeads(ctx context.Context, refs []surgical.EntityRef) (map[surgical.EntityRef]surgical.Head, error)
	// Explained reads the head of an entity whether it is shown or not, and says why it
	// is not.
	Explained(ctx context.Context, ref surgical.EntityRef) (surgical.Head, surgical.Concealment, error)
	// EntitiesOf lists entities of the project after the target.
	EntitiesOf(ctx context.Context, projectID int64, after surgical.Target, limit int) ([]surgical.Head, surgical.Target, bool, error)
	// List returns a page of a project's issues or merge requests.
	List(ctx context.Context, list content.List) (content.ListPage, error)
	// VisibleDocuments reads the entity's documents without their texts, ordered by id;
	// VisibleDocumentsAfter those after the given one that fit, with their texts. The
	// errors are those of Read.
	VisibleDocuments(ctx context.Context, ref surgical.EntityRef) (content.ShownDocuments, error)
	VisibleDocumentsAfter(ctx context.Context, ref surgical.EntityRef, after string, fits func(content.Document) bool) (page content.ShownDocuments, last string, more bool, err error)
}

// Options holds the API's dependencies. All fields except Allowed, RequestID, Crawl,
// StartIndexer and NewTrace are required.
type Options struct {
	Runs     Runs
	Projects Projects
	Content  Content
	Queue    Queue
	Passes   Passes
	Eraser   Eraser
	Feed     Feed
	Standing Standing
	// Gauges are the queues that the status shows.
	Gauges []Gauge
	// Allows is the allow list of projects.
	Allows func(projectID int64) bool
	// Allowed is the ids on the allow list; nil if it allows every project.
	Allowed []int64
	Clock   func() time.Time
	// NewKey generates the idempotency key of a request that has none.
	NewKey func() string
	Log    *slog.Logger
	// RequestID returns the gateway's id of a request, for the log.
	RequestID func(*http.Request) string
	// Reconciles is the time from one reconcile of a project to the next.
	Reconciles time.Duration
	// Crawl starts the crawler. If it fails, or is nil, the schedule does.
	Crawl func(context.Context) error
	// Search answers a query. Index is the search index, and StartIndexer starts what
	// keeps it; if that fails, or is nil, the schedule does.
	Search       func(context.Context, search.Query) (search.Answer, error)
	Index        Index
	StartIndexer func(context.Context) error
	// NewTrace generates the traceparent of a request that has none.
	NewTrace func(context.Context) string
}

type server struct{ Options }

// New returns the API as a handler.
func New(o Options) (http.Handler, error) {
	s := &server{o}
	return compressed(s.serve(s.parts().of))
}

// compressed compresses responses. The API promises gzip only, and each zstd encoder needs
// megabytes.
func compressed(handler http.Handler) (http.Handler, error) {
	compress, err := gzhttp.NewWrapper(gzhttp.EnableZstd(false))
	if err != nil {
		return nil, fmt.Errorf("compress responses: %w", err)
	}
	return compress(handler), nil
}

// HealthView is the response of a healthy API.
type HealthView struct {
	Status  string `json:"status" enum:"ok" doc:"Always ok: an unhealthy API does not respond."`
	Version string `json:"version" example:"0.1.0" doc:"Version of Lorehook that answers."`
}

type answer[T any] struct{ Body T }

func (s *server) addHealth(to *routes) {
	to.add(operationOf(huma.Operation{
		OperationID: "get-health", Method: http.MethodGet, Path: "/healthz", Tags: []string{"service"},
		Summary: "Check that the API responds", Description: "Does not access any table or queue.",
	}), handle(func(context.Context, *struct{}) (*answer[HealthView], error) {
		return &answer[HealthView]{HealthView{Status: "ok", Version: Version}}, nil
	}))
}

// problemOf returns the problem of a failed request. What the stores behind the API did not
// answer is not a failure of the API itself.
func problemOf(err error) *problem.Problem { return problem.Of(outage.Typed(err)) }
