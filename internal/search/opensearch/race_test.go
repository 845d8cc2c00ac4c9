package opensearch_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/opensearch"
	"gitlab.com/lorehook/lorehook/test/engines"
	"gitlab.com/lorehook/lorehook/test/sample"
	"gitlab.com/lorehook/lorehook/test/searchtest"
)

const (
	// allRacesEnv names the variable that runs all races.
	allRacesEnv = "LOREHOOK_FULL_RACES"
	// someRaces is how many CI runs: they take about a minute on a busy machine.
	someRaces = 400
)

func TestFind_ShowsNothingThatAReadWouldNotHaveShown(t *testing.T) {
	n := sample.Of(someRaces, someRaces/4)
	if os.Getenv(allRacesEnv) == "1" {
		n = searchtest.AllRaces
	}
	url := engines.OpenSearch(t)
	var open func(http.RoundTripper) *opensearch.Engine
	var bad *unreliable
	searchtest.Race(t, n, func(x *searchtest.Index) func() search.Engine {
		open = opener(x, url, engines.IndexName())
		return func() search.Engine { return open(http.DefaultTransport) }
	}, func(x *searchtest.Index, others func()) search.Engine {
		bad = &unreliable{random: rand.New(rand.NewPCG(3, 4)), others: others}
		return open(bad)
	})
	t.Logf("%d requests of the slow indexer, %d of them delivered late, %d lost answers", bad.requests, bad.late, bad.lost)
}

// unreliable is a network on which others work between any two requests, and on which
// writes are delivered late, twice, or without an answer.
type unreliable struct {
	random               *rand.Rand
	others               func()
	delayed              []*http.Request
	requests, late, lost int
}

var errLost = errors.New("the connection was lost")

// RoundTrip implements http.RoundTripper.
func (u *unreliable) RoundTrip(r *http.Request) (*http.Response, error) {
	u.requests++
	if u.random.IntN(4) == 0 {
		u.others()
	}
	u.deliver()
	if !strings.HasSuffix(r.URL.Path, "/_bulk") {
		return http.DefaultTransport.RoundTrip(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	again := r.Clone(r.Context())
	again.Body = io.NopCloser(bytes.NewReader(body))
	r.Body = io.NopCloser(bytes.NewReader(body))
	switch u.random.IntN(10) {
	case 0: // it arrives later
		u.delayed = append(u.delayed, again)
		return nil, errLost
	case 1: // it arrives twice
		u.delayed = append(u.delayed, again)
	case 2: // nobody knows that it arrived
		response, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		u.lost++
		return nil, errors.Join(errLost, response.Body.Close())
	}
	return http.DefaultTransport.RoundTrip(r)
}

// deliver sends some of what was delayed.
func (u *unreliable) deliver() {
	var still []*http.Request
	for _, r := range u.delayed {
		if u.random.IntN(8) != 0 {
			still = append(still, r)
			continue
		}
		u.late++
		if response, err := http.DefaultTransport.RoundTrip(r); err == nil {
			_ = response.Body.Close() // nobody waits for the answer
		}
	}
	u.delayed = still
}
