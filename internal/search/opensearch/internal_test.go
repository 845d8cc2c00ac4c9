package opensearch

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"pgregory.net/rapid"

	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/language"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/pipe"
)

func TestAnalyzers_HaveEveryLanguage(t *testing.T) {
	if got := slices.Sorted(maps.Keys(analyzers())); !slices.Equal(got, language.Names()) {
		t.Errorf("the analyzers are those of %v, want %v", got, language.Names())
	}
}

func TestFolded_IsEqualForWhatDiffersInCaseOnly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		runes := rapid.SampledFrom([]rune{'a', 'A', 'k', 'K', '\u212a', 's', 'ſ', 'ß', 'ẞ', 'İ', 'ı', 'i', 'I', 'σ', 'ς', 'Σ', '検', 'é'})
		a := rapid.StringOfN(runes, 0, 4, -1).Draw(t, "a")
		b := rapid.StringOfN(runes, 0, 4, -1).Draw(t, "b")
		if got, want := folded(a) == folded(b), strings.EqualFold(a, b); got != want {
			t.Errorf("%q and %q: folded equal %v, want %v", a, b, got, want)
		}
	})
}

// An indexer compares all documents of an entity that a writer left halfway.
func TestEntry_SaysThatAWriterMayNotHaveEnded(t *testing.T) {
	for name, c := range map[string]struct {
		catalog           catalog
		exists, unsettled bool
	}{
		"settled":                      {catalog{Documents: map[string]search.Indexed{"a": {Hash: "1"}}}, true, false},
		"with other facets":            {catalog{Moving: true}, true, true},
		"with a document":              {catalog{Unsettled: map[string]int{"a": 1}}, true, true},
		"that was there before":        {catalog{Gone: true, Unsettled: map[string]int{"a": 1}}, true, true},
		"that is gone, and nothing of": {catalog{Gone: true}, false, false},
	} {
		if entry, exists := c.catalog.entry(); exists != c.exists || entry.Unsettled != c.unsettled {
			t.Errorf("an entity %s: it exists: %t, and is unsettled: %t", name, exists, entry.Unsettled)
		}
	}
}

func TestIDOf_IsNeverTooLong(t *testing.T) {
	ref := surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.Issue, IID: 7}}
	seen := map[string]bool{}
	for _, document := range []string{"entity", strings.Repeat("d", 600), strings.Repeat("d", 601)} {
		for n := range 2 {
			id := idOf(ref, document, n)
			if len(id) > maxID || seen[id] {
				t.Errorf("%d of %.20s: %d bytes, seen %v", n, document, len(id), seen[id])
			}
			seen[id] = true
		}
	}
	if got, want := idOf(ref, "entity", 3), search.ChunkID(ref, "entity", 3); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestSign_OfADomainNamesServiceAndRegion(t *testing.T) {
	var header http.Header
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { header = r.Header }))
	defer server.Close()
	c := client{
		endpoint: Endpoint{URL: server.URL, Domain: "lore", Region: "eu-central-1"}, http: server.Client(), attempts: 1,
		credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "not-a-secret", "session"),
		clock:       func() time.Time { return time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC) },
	}
	if err := c.call(t.Context(), http.MethodPost, "/index/_search", nil, []byte("{}"), nil); err != nil {
		t.Fatal(err)
	}
	if got := header.Get("Authorization"); !strings.Contains(got, "Credential=AKIDEXAMPLE/20261102/eu-central-1/es/aws4_request") || !strings.Contains(got, "x-amz-content-sha256") {
		t.Errorf("the signature is %q", got)
	}
	if header.Get("X-Amz-Security-Token") != "session" {
		t.Error("the session is not sent")
	}
	c.endpoint.Domain = ""
	if err := c.call(t.Context(), http.MethodGet, "/index", nil, nil, nil); err != nil || header.Get("Authorization") != "" {
		t.Errorf("a server on this machine gets %q, %v", header.Get("Authorization"), err)
	}
}

func TestCall_RepeatsWhatTheClusterIsTooBusyFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var statuses []int
		server := pipe.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(statuses[0])
			statuses = statuses[1:]
		}))
		network := &http.Transport{DialContext: server.Dial}
		defer network.CloseIdleConnections()
		c := client{endpoint: Endpoint{URL: "http://opensearch.invalid"}, http: &http.Client{Transport: network}, attempts: 3}
		statuses = []int{http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusOK}
		began := time.Now()
		err := c.call(t.Context(), http.MethodGet, "/index", nil, nil, nil)
		if took := time.Since(began); err != nil || len(statuses) > 0 || took < 3*firstPause/2 || took > 3*firstPause {
			t.Errorf("got %v after %s, with %v left", err, took, statuses)
		}
		statuses = []int{http.StatusForbidden, http.StatusOK}
		if err := c.call(t.Context(), http.MethodGet, "/index", nil, nil, nil); err == nil || len(statuses) != 1 {
			t.Errorf("a refusal: got %v, with %v left", err, statuses)
		}
		statuses = []int{http.StatusTooManyRequests, http.StatusOK}
		ctx, cancel := context.WithTimeout(t.Context(), firstPause/2)
		defer cancel()
		if err := c.call(ctx, http.MethodGet, "/index", nil, nil, nil); err == nil || len(statuses) != 1 {
			t.Errorf("without time: got %v, with %v left", err, statuses)
		}
	})
}
