package reliability_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/cloud/cloudapi"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
	"gitlab.com/lorehook/lorehook/test/faults"
	"gitlab.com/lorehook/lorehook/test/sample"
)

// crawlSample is which of the cells are tried without [fullMatrix]: every so many-th.
func crawlSample() int { return sample.Of(97, 251) }

// crawlCells lists the ways in which the crawler's own calls can fail. Without
// [faults.EmptiedList], which is about the lists of an entity: what a list of a project
// does not show is left to a census.
func crawlCells(points []point) []fault {
	return slices.DeleteFunc(cells(points, true), func(f fault) bool {
		return f.function != "crawler" || f.kind == faults.EmptiedList
	})
}

// same returns the calls that two runs of the scenario have in common. One that reads
// what others wrote concurrently has another name each time.
func (s scenario) same(t *testing.T) []point {
	t.Helper()
	var b [2]*boundary
	for i := range b {
		b[i] = &boundary{}
		s.play(t, func(*cloud.Cloud) *boundary { return b[i] }, func(*cloud.Cloud, *boundary) {})
	}
	again := map[string]bool{}
	for _, p := range b[1].points {
		again[p.String()] = true
	}
	return slices.DeleteFunc(b[0].points, func(p point) bool { return !again[p.String()] })
}

func TestWhateverFailsInTheCrawlerTheCopyIsGitLabsTruthWithoutAnOperator(t *testing.T) {
	tried, full, n := newTally(), os.Getenv(fullMatrix) != "", 0
	t.Cleanup(func() { t.Log(tried.table()) })
	for _, s := range append(crawling(), watching()...) {
		var tries []fault
		for _, f := range crawlCells(s.same(t)) {
			if n++; full || n%crawlSample() == 0 {
				tries = append(tries, f)
				tried.count(f)
			}
		}
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			for _, f := range tries {
				t.Run(f.String(), func(t *testing.T) { s.crawlFails(t, f) })
			}
		})
	}
	t.Logf("%d cells in total", n)
}

// watching are more scenarios of the crawler: one in which only the log of deliveries
// shows what was missed, and one in which a project is back that was hidden.
func watching() []scenario {
	return []scenario{
		{name: "failed delivery", refs: []surgical.EntityRef{issue(70)},
			prepare: func(c *cloud.Cloud) {
				synced(70)(c)
				hook := hooked(c)
				crawls(c)
				c.Crawl() // checks the hook, and reads its log for the first time
				c.Settle()
				c.Clock.Advance(time.Hour)
				note := c.GitLab.AddNote(issue(70), c.GitLab.Discussions(issue(70))[0].ID, fakegitlab.Note{Body: "A comment."})
				c.Webhook(issue(70))
				c.Settle()
				c.GitLab.EditNote(issue(70), note, "A comment, edited within the minute: no list shows it.")
				c.GitLab.AddHookEvents(fakegitlab.ProjectID, hook, fakegitlab.HookEvent{
					ResponseStatus: "503", RequestData: json.RawMessage(`{"object_kind":"issue","project":{"id":1},"object_attributes":{"iid":70}}`),
					RequestHeaders: map[string]string{"Idempotency-Key": "delivery", "X-Gitlab-Event": "Issue Hook", "webhook-timestamp": strconv.FormatInt(c.Clock.Now().Unix(), 10)},
				})
				c.Clock.Advance(surgical.ReconcileInterval)
			},
			act: func(c *cloud.Cloud) { c.Crawl() }},
		{name: "hidden project", refs: everything(), apis: &cloudapi.APIs{},
			prepare: func(c *cloud.Cloud) {
				c.Crawler().HideAfter = time.Hour
				crawls(c)
				post(c, "/v1/backfills", "import", `{"project":"1"}`)
				c.Settle()
				c.GitLab.HideProject(fakegitlab.ProjectID, true)
				for range 2 {
					c.Clock.Advance(time.Hour)
					c.Crawl()
				}
				c.GitLab.HideProject(fakegitlab.ProjectID, false)
				c.Clock.Advance(surgical.ReconcileInterval)
			},
			act: func(c *cloud.Cloud) {
				for range 2 {
					c.Crawl()
					c.Clock.Advance(surgical.CrawlInterval)
				}
			}},
	}
}

// hooked adds a hook that works to the project, and returns its id.
func hooked(c *cloud.Cloud) int64 {
	settings := `{"url":"https://lore.example.com/webhooks/gitlab","signing_token":"whsec_x","push_events":false,"issues_events":true,` +
		`"confidential_issues_events":true,"merge_requests_events":true,"note_events":true,"confidential_note_events":true}`
	r := httptest.NewRequestWithContext(c.T.Context(), http.MethodPost, "/api/v4/projects/1/hooks", strings.NewReader(settings))
	r.Header.Set("PRIVATE-TOKEN", cloud.Token)
	answer := httptest.NewRecorder()
	c.GitLab.ServeHTTP(answer, r)
	var hook struct{ ID int64 }
	if err := json.Unmarshal(answer.Body.Bytes(), &hook); err != nil || answer.Code != http.StatusCreated {
		c.T.Fatalf("%d %s", answer.Code, answer.Body)
	}
	return hook.ID
}

func (s scenario) crawlFails(t *testing.T, f fault) {
	hit := false
	s.play(t, func(c *cloud.Cloud) *boundary { return f.boundary(c, s, &hit) }, func(c *cloud.Cloud, _ *boundary) {
		if !hit {
			c.T.Fatalf("the call was never made")
		}
		for range 6 {
			if s.wrong(c) == "" {
				break
			}
			c.Clock.Advance(s.interval())
			c.Crawl()
			c.Settle()
		}
		c.CheckRuns()
		if problem := s.wrong(c); problem != "" {
			c.T.Errorf("%s", problem)
		}
	})
}

// interval is how long it takes until the pass of the scenario is repeated.
func (s scenario) interval() time.Duration {
	if s.census > 0 {
		return s.census
	}
	return surgical.ReconcileInterval
}

// wrong says what an operator would have to do something about, or "".
func (s scenario) wrong(c *cloud.Cloud) string {
	ctx := c.T.Context()
	for _, ref := range s.refs {
		if problem := c.Untrue(ref); problem != "" {
			return fmt.Sprintf("%s differs from GitLab:\n%s", ref, problem)
		}
		project, err := c.Ledger.Project(ctx, ref.ProjectID)
		if err != nil {
			return err.Error()
		}
		if head, err := c.Content.Head(ctx, ref); err != nil || !head.FetchedAt.After(project.HiddenAt) {
			return fmt.Sprintf("%s is hidden with its project, %v", ref, err)
		}
	}
	passes, err := c.Ledger.PassesOf(ctx, surgical.PassBackfill)
	if err != nil {
		return err.Error()
	}
	for _, p := range passes {
		if p.Status != surgical.StatusSucceeded {
			return fmt.Sprintf("a backfill is %s: %v", p.Status, p.Error)
		}
	}
	requests, err := c.Ledger.BackfillRequests(ctx)
	if err != nil {
		return err.Error()
	}
	for _, r := range requests {
		if r.Status != surgical.StatusSucceeded {
			return fmt.Sprintf("the request for %s is %s: %v", r.Scope, r.Status, r.Error)
		}
	}
	return ""
}
