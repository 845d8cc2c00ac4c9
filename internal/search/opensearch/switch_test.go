package opensearch_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/bucket"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/embedded"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/engines"
	fakes3 "gitlab.com/lorehook/lorehook/test/fake/s3"
	"gitlab.com/lorehook/lorehook/test/searchtest"
)

func TestEngine_TakesTheIndexFromAnotherOneAndGivesItBack(t *testing.T) {
	url := engines.OpenSearch(t)
	x := searchtest.NewIndex(t, backend(url))
	x.Now = time.Now().Truncate(time.Second).UTC()
	objects := fakes3.New(x.Clock)
	store := bucket.New(objects.Client(), "index")
	inBucket, err := embedded.New(embedded.Options{
		Manifests: x.Manifests, Objects: store, Dir: t.TempDir(), Language: x.Language, Clock: x.Clock, Log: slog.New(slog.DiscardHandler),
	})
	x.Must(err)
	defer func() { x.Must(inBucket.Close()) }()
	inCluster := openAt(x, url, engines.IndexName())
	inCluster.Objects = store

	x.Rebuild(inBucket, searchtest.Entity(1, "a crash"))
	x.Apply(inBucket, searchtest.Entity(2, "a crash"))
	switchTo := func(from, to search.Engine) {
		t.Helper()
		_, rebuild, err := to.Position(context.Background())
		x.Must(err)
		x.Same("rebuild", "another engine", rebuild)
		_, err = to.Search(t.Context(), search.Query{Text: "crash"}, 10)
		x.Same("code until then", surgical.CodeIndexNotReady, surgical.CodeOf(err))
		x.Rebuild(to, searchtest.Entity(1, "a crash"), searchtest.Entity(2, "a crash"))
		x.Same("found", 2, len(x.Words(to, "crash")))
		_, rebuild, err = from.Position(context.Background())
		x.Must(err)
		x.Same("the former engine", "another engine", rebuild)
		x.Maintain(from)
	}
	switchTo(inBucket, inCluster)
	if len(objects.Contents()) == 0 {
		t.Error("the objects were deleted at once")
	}
	for range 3 {
		x.Pass(surgical.IndexUnnamed)
		x.Maintain(inCluster)
	}
	x.Same("objects of the former index", 0, len(objects.Contents()))
	switchTo(inCluster, inBucket)
	x.Apply(inBucket, searchtest.Entity(3, "a crash"))
	x.Same("found in the end", 3, len(x.Words(inBucket, "crash")))
}
