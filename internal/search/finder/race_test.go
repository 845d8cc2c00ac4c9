package finder_test

import (
	"log/slog"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/bucket"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/embedded"
	fakes3 "gitlab.com/lorehook/lorehook/test/fake/s3"
	"gitlab.com/lorehook/lorehook/test/sample"
	"gitlab.com/lorehook/lorehook/test/searchtest"
)

func TestFind_ShowsNothingThatARead_WouldNotHaveShown(t *testing.T) {
	n := sample.Of(searchtest.AllRaces, searchtest.AllRaces/20)
	searchtest.Race(t, n, func(x *searchtest.Index) func() search.Engine {
		objects := fakes3.New(x.Clock)
		return func() search.Engine {
			e, err := embedded.New(embedded.Options{
				Manifests: x.Manifests, Objects: bucket.New(objects.Client(), "index"),
				Dir: t.TempDir(), Language: x.Language, Clock: x.Clock, Log: slog.New(slog.DiscardHandler),
			})
			x.Must(err)
			t.Cleanup(func() { _ = e.Close() })
			return e
		}
	}, nil)
}
