package api_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/api"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakeembedder "gitlab.com/lorehook/lorehook/test/fake/embedder"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// library stores three issues and a merge request, and indexes them.
func (f *fixture) library() {
	f.Helper()
	opened := instant("2026-05-20T09:12:00Z")
	f.GitLab.SetIssue(fakegitlab.NewIssue(7, "The export loses umlauts", "Übersicht.csv arrives as bersicht.csv.", opened))
	f.GitLab.SetIssue(fakegitlab.NewIssue(8, "Slow start page", "It takes seconds to draw.", opened))
	f.GitLab.SetIssue(fakegitlab.NewIssue(9, "会議の議事録", "検索は日本語でも動作します。", opened))
	f.GitLab.SetMergeRequest(fakegitlab.NewMergeRequest(31, "Encode file names of the export", "Closes #7", opened))
	f.GitLab.AddDiscussion(fakegitlab.IssueRef(8), fakegitlab.Note{Author: fakegitlab.Mira(), CreatedAt: opened, UpdatedAt: opened, Body: "How do I turn off the carousel? Set `carousel: false`."})
	f.GitLab.Relabel(fakegitlab.IssueRef(8), []string{"performance"}, nil)
	for _, ref := range []surgical.EntityRef{fakegitlab.IssueRef(7), fakegitlab.IssueRef(8), fakegitlab.IssueRef(9), fakegitlab.MergeRequestRef(31)} {
		f.Sync(f.Request(surgical.OriginManual, ref))
	}
	f.Drive()
	f.index()
}

func (f *fixture) index() {
	f.Helper()
	if err := f.search.Index(f.Context()); err != nil {
		f.Fatal(err)
	}
}

// found is what a search answers.
func (f *fixture) found(query string) api.SearchResult {
	f.Helper()
	return get[api.SearchResult](f, "/v1/search?"+query)
}

func refs(page api.SearchResult) string {
	var found []string
	for _, hit := range page.Hits {
		found = append(found, surgical.EntityRef{ProjectID: hit.ProjectID, Target: surgical.Target{Type: hit.Type, IID: hit.IID}}.Key())
	}
	return strings.Join(found, " ")
}

func TestSearch_FindsEntitiesByWordsAndFilters(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		f.library()
		for query, want := range map[string]string{
			"how do i disable the carousel":      "1#issue#8",
			"export umlaut":                      "1#issue#7 1#merge_request#31",
			"export type:merge_request":          "1#merge_request#31",
			"議事録":                                "1#issue#9",
			"日本語":                                "1#issue#9",
			"carousel label:performance":         "1#issue#8",
			"carousel label:bug":                 "",
			"carousel label:Performance":         "", // to GitLab, this is another label
			"carousel updated:<0001-01-01":       "",
			"carousel project:2":                 "",
			"carousel state:closed":              "",
			"carousel created:>=2026-05-20":      "1#issue#8",
			"carousel created:<2026-05-20":       "",
			`(carousel AND "state) OR *:* -x ^2`: "1#issue#8",
			"nosuchword":                         "",
			"foo:bar carousel":                   "1#issue#8",
		} {
			got := refs(f.found("q=" + url.QueryEscape(query)))
			if strings.HasPrefix(query, "(") {
				got, _, _ = strings.Cut(got, " ") // its other words are elsewhere
			}
			if got != want {
				t.Errorf("%s: found %q, want %q", query, got, want)
			}
		}
		for query, want := range map[string]string{"created_after=2026-05-20": "1#issue#8", "created_before=2026-05-20": "", "updated_before=0001-01-01T00:00:00Z": ""} {
			if got := refs(f.found("q=carousel&" + query)); got != want {
				t.Errorf("%s: found %q, want %q", query, got, want)
			}
		}
		page := f.found("q=carousel")
		hit := page.Hits[0]
		if page.Mode != search.Lexical || page.Model != "" || page.Reason == "" || page.AsOf.IsZero() || hit.Revision == 0 || hit.Score <= 0 || len(hit.Passages) != 1 {
			t.Fatalf("%+v", page)
		}
		passage := hit.Passages[0]
		if text := []rune(passage.Text); len(passage.Marks) < 2 || string(text[passage.Marks[0].Start:passage.Marks[0].End]) != "carousel" || !strings.Contains(passage.URL, "#note_") ||
			passage.Author != "mira.oduya" || !passage.CreatedAt.Equal(instant("2026-05-20T09:12:00Z").Time) {
			t.Errorf("%+v", passage)
		}
	})
}

// reachable is an embedder that can be away.
type reachable struct {
	fakeembedder.Words
	away bool
}

func (e *reachable) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	if e.away {
		return nil, errors.New("connection refused")
	}
	return e.Words.Embed(ctx, texts)
}

func TestSearch_ComparesWordsWhileTheEmbedderIsAwayAndSaysWhy(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		embedder := &reachable{}
		f.search.Embedder = embedder
		f.library()
		if page := f.found("q=carousel"); page.Mode != search.Hybrid || page.Model != embedder.Model() || page.Reason != "" {
			t.Errorf("with the embedder: %+v", page)
		}
		embedder.away = true
		if page := f.found("q=carousel"); refs(page) != "1#issue#8" || page.Mode != search.Lexical || page.Model != "" || !strings.Contains(page.Reason, "embedder") {
			t.Errorf("without it: %+v", page)
		}
	})
}

func TestSearch_GoesOnWhereThePageBeforeEnded(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		f.library()
		first := f.found("q=export&limit=1")
		second := f.found("q=export&limit=1&cursor=" + first.NextCursor)
		if refs(first) == "" || refs(second) == "" || refs(first) == refs(second) {
			t.Errorf("%s, then %s", refs(first), refs(second))
		}
		p := problemIn(t, call(f.handler, http.MethodGet, "/v1/search?q=umlauts&limit=1&cursor="+first.NextCursor, ""), http.StatusUnprocessableEntity)
		if !strings.Contains(p.Detail, "cursor") {
			t.Errorf("a cursor of another query: %+v", p)
		}
	})
}

func TestSearch_FindsWhatResemblesAnEntityButNotItself(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		f.library()
		if got := refs(f.found("similar_to=1%237")); !strings.HasPrefix(got, "1#merge_request#31") || strings.Contains(got, "issue#7") {
			t.Errorf("found %q", got)
		}
	})
}

// An index is a hint: what changed since is not shown as it was.
func TestSearch_ShowsNothingThatAReadWouldNotShow(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		f.library()
		ref := fakegitlab.IssueRef(8)
		f.GitLab.EditIssue(ref, func(i *fakegitlab.Issue) { i.Confidential = true })
		f.World.Clock.Advance(surgical.Confirmation)
		f.Webhook(ref)
		f.Drive()
		f.changed(ref)
		f.index()
		if got := refs(f.found("q=carousel")); got != "1#issue#8" {
			t.Errorf("confidential text is included: found %q", got)
		}
		f.exclude()
		if got := refs(f.found("q=carousel")); got != "" {
			t.Errorf("a confidential issue is found: %q", got)
		}
		f.post("/v1/hides", `{"project":"1"}`)
		if got := refs(f.found("q=export")); got != "" {
			t.Errorf("a hidden project: found %q", got)
		}
	})
}

func TestSearch_RefusesWhatItCannotAnswerAndSaysWhy(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		response := call(f.handler, http.MethodGet, "/v1/search?q=x", "")
		if p := problemIn(t, response, http.StatusConflict); p.Code != surgical.CodeIndexNotReady || response.Header().Get("Retry-After") == "" {
			t.Errorf("without an index: %+v", p)
		}
		f.library()
		for query, c := range map[string]struct {
			status int
			says   string
		}{
			"":                               {422, "q"},
			"q=%20":                          {422, "query.q"},
			"q=state:opened":                 {422, "query.q"},
			"q=" + strings.Repeat("x", 2001): {422, "query.q"},
			"q=x+state:asleep":               {422, "asleep"},
			"q=x+created:yesterday":          {422, "yesterday"},
			"q=x&created_after=soon":         {422, "soon"},
			"q=x&state=opened&limit=51":      {422, "limit"},
			"q=x+state:opened+state:closed":  {422, "twice"},
			"q=x&colour=red":                 {422, "colour"},
			"q=x&cursor=abc":                 {422, "cursor"},
			"q=x&similar_to=1%237":           {422, "similar_to"},
			"similar_to=seven":               {422, "similar_to"},
			"similar_to=1%234711":            {404, "4711"},
			"similar_to=99%237":              {403, "99"},
			"q=x&project=99":                 {403, "99"},
			"q=x&project=no/such":            {404, "no/such"},
		} {
			if p := problemIn(t, call(f.handler, http.MethodGet, "/v1/search?"+query, ""), c.status); !strings.Contains(fmt.Sprint(p.Detail, p.Errors), c.says) {
				t.Errorf("%.60s: %+v", query, p)
			}
		}
	})
}

func TestIndex_IsRebuiltByRequest(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		if index := get[api.IndexView](f, "/v1/index"); index.Status != "absent" {
			t.Errorf("%+v", index)
		}
		f.library()
		before := get[api.IndexView](f, "/v1/index")
		if before.Status != "ready" || before.Entities != 4 || before.Documents < 5 || before.Chunks < before.Documents || before.Bytes == 0 || before.Language != "en" {
			t.Errorf("%+v", before)
		}
		if response := call(f.handler, http.MethodPost, "/v1/index/rebuild", ""); response.Code != http.StatusAccepted {
			t.Fatalf("%d %s", response.Code, response.Body)
		}
		if after := get[api.IndexView](f, "/v1/index"); after.Status != "ready" || !after.BuiltAt.After(before.BuiltAt) {
			t.Errorf("%+v", after)
		}
	})
}

// damage removes the objects of the index's base.
func (f *fixture) damage() {
	f.Helper()
	m, err := f.search.Manifests.Read(f.Context())
	f.must(err)
	for _, o := range m.Base.Objects() {
		f.search.Objects.Corrupt(o.Key, []byte("something else"))
	}
}

// A process that starts cannot answer from a damaged index. The query that finds that out
// has it rebuilt, but not one query after the other.
func TestSearch_HasADamagedIndexRebuilt(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		f.library()
		f.search.Restart()
		f.damage()
		f.Clock.Advance(surgical.IndexCheckInterval)
		problem := problemIn(t, call(f.handler, http.MethodGet, "/v1/search?q=carousel", ""), http.StatusConflict)
		if problem.Code != surgical.CodeIndexNotReady || !strings.Contains(problem.Detail, "damaged") {
			t.Errorf("%+v", problem)
		}
		if found := refs(f.found("q=carousel")); found != "1#issue#8" {
			t.Errorf("found %q after the rebuild", found)
		}
		f.search.Restart()
		f.damage()
		f.Clock.Advance(surgical.IndexCheckInterval - 5*time.Minute)
		for range 2 {
			problemIn(t, call(f.handler, http.MethodGet, "/v1/search?q=carousel", ""), http.StatusConflict)
		}
		f.index()
		if found := refs(f.found("q=carousel")); found != "1#issue#8" {
			t.Errorf("found %q after the indexer looked at the objects", found)
		}
	})
}

// A rebuild takes as long as an indexer may. Queries that find the index damaged until it
// ends order no other one.
func TestSearch_RequestsNoSecondRebuildWhileOneMayStillRun(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		f.library()
		f.damage()
		o := f.options()
		started := 0
		o.StartIndexer = func(context.Context) error { started++; return nil }
		handler := serve(t, o)
		for _, c := range []struct {
			after   time.Duration
			started int
		}{{surgical.IndexCheckInterval, 1}, {surgical.IndexerTimeout, 1}, {surgical.IndexInterval, 2}} {
			f.Clock.Advance(c.after)
			f.search.Restart()
			problemIn(t, call(handler, http.MethodGet, "/v1/search?q=carousel", ""), http.StatusConflict)
			if started != c.started {
				t.Errorf("%v later, %d rebuilds were requested, want %d", c.after, started, c.started)
			}
		}
	})
}
