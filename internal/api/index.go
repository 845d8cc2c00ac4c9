package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"gitlab.com/lorehook/lorehook/internal/search/manifest"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Index is what the API needs of the search index.
type Index interface {
	// Read reads what the index consists of; one that does not exist has version 0.
	Read(ctx context.Context) (manifest.Manifest, error)
	// RequestRebuild asks the indexer to rebuild it, and Requested returns the newest
	// request, in microseconds.
	RequestRebuild(ctx context.Context, at time.Time) error
	Requested(ctx context.Context) (int64, error)
}

// IndexView is the state of the search index.
type IndexView struct {
	Status       string    `json:"status" enum:"absent,ready,rebuild_requested" doc:"Whether there is an index. One for which a rebuild is requested answers until the rebuild ends."`
	Engine       string    `json:"engine,omitempty" enum:"embedded,opensearch" doc:"What the index is in: objects in a bucket (embedded), or a cluster (opensearch)."`
	Index        string    `json:"index,omitempty" doc:"The name of the index in the cluster."`
	AsOf         time.Time `json:"as_of,omitzero" doc:"The index has every change that the change feed had numbered by this time."`
	Language     string    `json:"language,omitempty" example:"en" doc:"The language that texts are searched in."`
	Model        string    `json:"model,omitempty" doc:"The model of its vectors; absent if it has none."`
	Entities     int       `json:"entities" doc:"How many entities it, or its base, has. Of an index in OpenSearch, this and the sizes are as of its last maintenance."`
	Documents    int       `json:"documents" doc:"How many documents it, or its base, has."`
	Chunks       int       `json:"chunks" doc:"How many parts of documents it, or its base, has."`
	BuiltAt      time.Time `json:"built_at,omitzero" doc:"When it, or its base, was built."`
	Batches      int       `json:"batches" doc:"How many batches of changes there are behind the base."`
	Pending      int       `json:"batched_documents" doc:"How many documents these batches add, replace or remove."`
	Bytes        int64     `json:"bytes" doc:"The size of what a new process reads, or of the index in OpenSearch, in bytes."`
	RequestedFor time.Time `json:"rebuild_requested_at,omitzero" doc:"When a rebuild was requested that has not ended."`
}

func (s *server) addIndex(to *routes) {
	to.add(operationOf(huma.Operation{
		OperationID: "get-index", Method: http.MethodGet, Path: "/v1/index", Tags: []string{"search"},
		Summary: "Read the state of the search index", Description: "What the index has, and how current it is.",
	}), handle(func(ctx context.Context, _ *struct{}) (*answer[IndexView], error) { return s.indexView(ctx) }))
	to.add(operationOf(huma.Operation{
		OperationID: "rebuild-index", Method: http.MethodPost, Path: "/v1/index/rebuild", Tags: []string{"search"},
		Summary:       "Rebuild the search index",
		Description:   "Asks the indexer to index all copies anew. It starts at once, or within a minute; until it ends, the old index answers. Missing and damaged indexes are rebuilt without a request.",
		DefaultStatus: http.StatusAccepted,
	}), handle(func(ctx context.Context, _ *struct{}) (*answer[IndexView], error) {
		if err := s.rebuildIndex(ctx); err != nil {
			return nil, err
		}
		return s.indexView(ctx)
	}))
}

// rebuildIndex asks the indexer to rebuild the index, and starts it.
func (s *server) rebuildIndex(ctx context.Context) error {
	if err := s.Index.RequestRebuild(ctx, s.Clock()); err != nil {
		return err
	}
	if s.StartIndexer != nil {
		if err := s.StartIndexer(ctx); err != nil {
			s.Log.WarnContext(ctx, "indexer_not_started", "error", err.Error()) // the schedule starts it
		}
	}
	return nil
}

// rebuildTime is how long a rebuild that was requested takes at most: until the schedule
// starts an indexer, and until that ends.
const rebuildTime = surgical.IndexInterval + surgical.IndexerTimeout

// repairIndex is [server.rebuildIndex] for a query that found the index damaged: otherwise
// the indexer notices that when it next looks at all objects. It asks no more while a
// rebuild that was requested may still run, and once in [surgical.IndexCheckInterval] after
// one, so that damage which a rebuild does not end costs no more than that.
func (s *server) repairIndex(ctx context.Context) error {
	m, err := s.Index.Read(ctx)
	if err != nil {
		return err
	}
	requested, err := s.Index.Requested(ctx)
	if err != nil {
		return err
	}
	now := s.Clock()
	running := requested > m.RebuiltFor && !manifest.Older(now, requested, rebuildTime)
	if running || !manifest.Older(now, m.Base.BuiltAt, surgical.IndexCheckInterval) {
		return nil
	}
	s.Log.WarnContext(ctx, "index_repair_requested")
	return s.rebuildIndex(ctx)
}

func (s *server) indexView(ctx context.Context) (*answer[IndexView], error) {
	m, err := s.Index.Read(ctx)
	if err != nil {
		return nil, err
	}
	requested, err := s.Index.Requested(ctx)
	if err != nil {
		return nil, err
	}
	view := IndexView{Status: "absent"}
	if m.Exists() {
		view = IndexView{
			Status: "ready", AsOf: time.UnixMicro(m.AsOf).UTC(), Language: m.Language, Model: m.Model,
			Entities: m.Base.Entities, Documents: m.Base.Documents, Chunks: m.Base.Chunks, BuiltAt: time.UnixMicro(m.Base.BuiltAt).UTC(), Batches: m.Behind(), Pending: m.Pending.Documents,
		}
		view.Engine, view.Bytes = "embedded", m.Base.Bytes+m.Pending.Bytes
		if m.Format == manifest.OpenSearch {
			view.Engine, view.Index = "opensearch", m.Index
		}
		for _, o := range m.Base.Objects() {
			view.Bytes += o.Bytes
		}
	}
	if requested > m.RebuiltFor {
		view.Status, view.RequestedFor = "rebuild_requested", time.UnixMicro(requested).UTC()
	}
	return &answer[IndexView]{view}, nil
}
