package opensearch_test

import (
	"log/slog"
	"net/http"
	"os"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/bucket"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/opensearch"
	"gitlab.com/lorehook/lorehook/test/engines"
	fakes3 "gitlab.com/lorehook/lorehook/test/fake/s3"
	"gitlab.com/lorehook/lorehook/test/searchtest"
)

func TestMain(m *testing.M) { os.Exit(engines.Main(m)) }

// openAt returns an engine of the index, or of one with another name.
func openAt(x *searchtest.Index, url, name string) *opensearch.Engine {
	x.Helper()
	return opener(x, url, name)(http.DefaultTransport)
}

// opener returns a function that opens engines of one index in the server, whose requests
// take the given way.
func opener(x *searchtest.Index, url, name string) func(way http.RoundTripper) *opensearch.Engine {
	endpoint, err := opensearch.ParseEndpoint(url)
	x.Must(err)
	objects := fakes3.New(x.Clock)
	return func(way http.RoundTripper) *opensearch.Engine {
		x.Helper()
		e, err := opensearch.New(opensearch.Options{
			Endpoint: endpoint, HTTP: &http.Client{Transport: way}, Manifests: x.Manifests, Name: name,
			Objects: bucket.New(objects.Client(), "index"), Language: x.Language, Model: x.Model, Confidential: x.Confidential,
			Embed: x.Embed, Resembling: x.Resembling, Clock: x.Clock, Log: slog.New(slog.DiscardHandler),
		})
		x.Must(err)
		return e
	}
}

// backend has its indexes in the server.
func backend(url string) searchtest.Backend {
	return func(x *searchtest.Index) func() search.Engine {
		open := opener(x, url, engines.IndexName())
		return func() search.Engine { return open(http.DefaultTransport) }
	}
}

func TestEngine(t *testing.T) { searchtest.Run(t, backend(engines.OpenSearch(t))) }
