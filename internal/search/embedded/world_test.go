package embedded_test

import (
	"log/slog"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/bucket"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/embedded"
	fakes3 "gitlab.com/lorehook/lorehook/test/fake/s3"
	"gitlab.com/lorehook/lorehook/test/searchtest"
)

// inBucket has an index in the bucket.
func inBucket(b *fakes3.Bucket) searchtest.Backend {
	return func(x *searchtest.Index) func() search.Engine {
		dir := x.TempDir()
		return func() search.Engine {
			x.Helper()
			e, err := embedded.New(embedded.Options{
				Manifests: x.Manifests, Objects: bucket.New(b.Client(), "index"), Dir: dir, Language: x.Language, Model: x.Model, Confidential: x.Confidential,
				Embed: x.Embed, Resembling: x.Resembling, Clock: x.Clock, Log: slog.New(slog.DiscardHandler),
			})
			x.Must(err)
			x.Cleanup(func() { x.Must(e.Close()) })
			return e
		}
	}
}

func TestEngine(t *testing.T) {
	searchtest.Run(t, func(x *searchtest.Index) func() search.Engine { return inBucket(fakes3.New(x.Clock))(x) })
}

// world is an index whose bucket a test looks into.
type world struct {
	*searchtest.Index
	bucket *fakes3.Bucket
}

func newWorld(t testing.TB) *world {
	w := &world{}
	w.bucket = fakes3.New(func() time.Time { return w.Now })
	w.Index = searchtest.NewIndex(t, inBucket(w.bucket))
	return w
}
