package finder_test

import (
	"log/slog"
	"math/rand/v2"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"gitlab.com/lorehook/lorehook/internal/bucket"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/embedded"
	"gitlab.com/lorehook/lorehook/internal/search/manifest"
	"gitlab.com/lorehook/lorehook/internal/tables"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakes3 "gitlab.com/lorehook/lorehook/test/fake/s3"
	"gitlab.com/lorehook/lorehook/test/sample"
	"gitlab.com/lorehook/lorehook/test/searchtest"
)

// open opens an engine of the index with the clients.
func open(x *searchtest.Index, manifests *manifest.Store, objects *s3.Client) search.Engine {
	x.Helper()
	e, err := embedded.New(embedded.Options{
		Manifests: manifests, Objects: bucket.New(objects, "index"), Dir: x.TempDir(), Language: x.Language, Model: x.Model,
		Confidential: x.Confidential, Embed: x.Embed, Resembling: x.Resembling, Clock: x.Clock, Log: slog.New(slog.DiscardHandler),
	})
	x.Must(err)
	x.Cleanup(func() { _ = e.Close() })
	return e
}

func TestFind_ShowsNothingThatAReadWouldNotHaveShown(t *testing.T) {
	n := sample.Of(searchtest.AllRaces, searchtest.AllRaces/20)
	var objects *fakes3.Bucket
	bad := &searchtest.Unreliable{Random: rand.New(rand.NewPCG(5, 6))}
	searchtest.Race(t, n, func(x *searchtest.Index) func() search.Engine {
		objects = fakes3.New(x.Clock)
		return func() search.Engine { return open(x, x.Manifests, objects.Client()) }
	}, func(x *searchtest.Index, others func()) search.Engine {
		bad.Others = others
		manifests := manifest.NewStore(cloud.Intercept(x.DB.Client(), bad.Around), tables.State().Name)
		return open(x, manifests, objects.Client(cloud.InterceptAPI("s3", bad.Around)))
	})
	t.Logf("%d calls of the slow indexer, %d of them delivered late, %d twice, %d without an answer", bad.Calls, bad.Late, bad.Twice, bad.Lost)
}
