package console_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"html"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/console"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/engines"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

func TestWidget_CountsFailuresByTheirCulprits(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e).filled()
		body := html.UnescapeString(shown(t, f.widget(), map[string]any{}))
		table := between(t, body, `id="lh-failing"`, `id="lh-recent"`)
		for _, c := range []struct{ entity, since, todo string }{
			{`"type":"issue","iid":4711`, "still failing", "lore sync -p 1 --issue 4711 --preflight-only --wait"},
			{`"type":"issue","iid":8`, "still failing", "lore runs retry " + f.other + " --wait"},
			{`"type":"merge_request","iid":12`, "recovered", "nothing"},
		} {
			row := between(t, table, c.entity, "</tr>")
			if !strings.Contains(row, c.since) || !strings.Contains(row, c.todo) {
				t.Errorf("%s: not %s, or not %q:\n%s", c.entity, c.since, c.todo, row)
			}
		}
		if strings.Contains(table, `"type":"issue","iid":7`) {
			t.Error("issue 7 is listed as failed, although only its peer failed")
		}
	})
}

// The page of an entity says what is undone, and when it is tried again.
func TestSiteAndWidget_ShowWhatIsUndoneOfAnEntity(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e)
		ref := fakegitlab.IssueRef(7)
		f.Webhook(ref)
		f.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: "One more."})
		f.Clock.Advance(time.Minute)
		req := f.Request(surgical.OriginManual, ref)
		if _, err := f.Deliver(req); err != nil {
			t.Fatal(err)
		}
		f.Workflow.Forget()
		why := surgical.StageError(req.RunID, surgical.StageDocs)
		why.Message = hostile
		if _, err := f.Ledger.Close(t.Context(), f.Run(req.RunID), surgical.Failed{Error: why}); err != nil {
			t.Fatal(err)
		}
		site, widget := f.site(), f.widget()
		for name, body := range map[string]string{
			"site":   ask(t, "GET", site.URL+"/projects/1/issues/7").Body,
			"widget": shown(t, widget, map[string]any{"view": "entity", "project_id": 1, "type": "issue", "iid": 7}),
		} {
			if name == "widget" && !strings.Contains(body, "lore drain -p 1") {
				t.Errorf("%s: the command that resumes it is missing", name)
			}
			section := between(t, body, "Documents behind", "</section>")
			for _, want := range []string{"by 1 change", "docs_failed", "The next run of this entity makes them, or a drain at", req.RunID} {
				if !strings.Contains(section, want) {
					t.Errorf("%s: %q is missing:\n%s", name, want, section)
				}
			}
			if strings.Contains(section, "<script") {
				t.Errorf("%s: text is not escaped:\n%s", name, section)
			}
		}
		f.Sync(f.Request(surgical.OriginManual, ref))
		if body := ask(t, "GET", site.URL+"/projects/1/issues/7").Body; strings.Contains(body, "Documents behind") {
			t.Error("documents that are current are said to be behind")
		}
	})
}

// between returns the text between two strings.
func between(t *testing.T, text, from, to string) string {
	t.Helper()
	_, rest, ok := strings.Cut(text, from)
	found, _, ok2 := strings.Cut(rest, to)
	if !ok || !ok2 {
		t.Fatalf("no %q before a %q in:\n%s", from, to, text)
	}
	return found
}

// The number of calls does not grow with the ledger, even in the worst case: a
// project whose newest runs all have another status.
func TestWidget_StaysCheapOnALargeLedger(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e)
		w := f.widget()
		for i := range 50 {
			f.ended(surgical.CodeIngestFailed, "broken", fakegitlab.IssueRef(int64(100+i)))
		}
		f.Webhook(fakegitlab.IssueRef(7))
		most := map[string]int{}
		for _, more := range []int{1100, 300} {
			f.copies(more, surgical.StatusFailed)
			f.calls.taken()
			for _, params := range []map[string]any{
				{"period": "any"}, {"period": "any", "project_id": 1}, {"view": "runs", "status": "failed"}, {"view": "runs", "status": "cancelled", "project_id": 1},
				{"view": "entity", "project_id": 1, "type": "issue", "iid": 100},
			} {
				began := time.Now()
				body, page := shown(t, w, params), fmt.Sprint(params)
				made := f.calls.taken()
				t.Logf("%s: %d calls, %s", page, len(made), time.Since(began).Round(time.Millisecond))
				if strings.Contains(body, "could not be loaded") {
					t.Fatalf("%s: %s", page, body)
				}
				if most[page] == 0 {
					most[page] = len(made)
				}
				if len(made) > most[page] || len(made) > 60 {
					t.Errorf("%s: %d calls, with fewer runs %d:\n%s", page, len(made), most[page], tally(made))
				}
			}
		}
	})
}

// copies adds n copies of the newest run with the status, each created slightly
// later than the one before.
func (f *fixture) copies(n int, status surgical.RunStatus) {
	f.t.Helper()
	runs, _, err := f.Ledger.List(f.t.Context(), ledger.RunFilter{Statuses: []surgical.RunStatus{status}}, ledger.RunPlace{}, 1)
	if err != nil || len(runs) != 1 {
		f.t.Fatalf("nothing to copy: %v", err)
	}
	items, err := dynamo.GetAll(f.t.Context(), f.DB, f.Tables.SyncRuns, []dynamo.Item{{"run_id": &types.AttributeValueMemberS{Value: runs[0].RunID}}})
	if err != nil {
		f.t.Fatal(err)
	}
	var all []dynamo.Item
	for range n {
		item := maps.Clone(items[0])
		item["run_id"] = &types.AttributeValueMemberS{Value: "m" + strings.ToLower(rand.Text())}
		item["created_at"] = &types.AttributeValueMemberN{Value: strconv.FormatInt(f.Clock.Now().UnixMicro(), 10)}
		all = append(all, item)
	}
	if err := dynamo.PutAll(f.t.Context(), f.DB, f.Tables.SyncRuns, all); err != nil {
		f.t.Fatal(err)
	}
}

// broken is a ledger that cannot be read.
type broken struct{ console.Ledger }

func (broken) Pause(context.Context) (time.Time, error) {
	return time.Time{}, errors.New("dial tcp 10.0.0.7: connection refused")
}

func TestWidget_ShowsThePauseOfAllWorkers(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e)
		w := f.widget()
		const words = "All workers are paused."
		if body := shown(t, w, map[string]any{}); strings.Contains(body, words) {
			t.Error("a pause is shown although there is none")
		}
		if err := f.Ledger.SetPause(t.Context(), f.Clock.Now().Add(95*time.Second), surgical.CodeGitLabRateLimited); err != nil {
			t.Fatal(err)
		}
		if body := shown(t, w, map[string]any{}); !strings.Contains(body, words) || !strings.Contains(body, "in 1 min") {
			t.Errorf("no pause is shown:\n%s", body)
		}
		f.Clock.Advance(2 * time.Minute)
		if body := shown(t, w, map[string]any{}); strings.Contains(body, words) {
			t.Error("a pause is shown after it ended")
		}
	})
}

func TestWidget_ShowsProjects(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e).filled()
		w := f.widget()
		list := html.UnescapeString(shown(t, w, map[string]any{"view": "projects"}))
		for id, texts := range map[int][]string{
			1: {"demo/lorehook-demo", "10 min ago", "12,000 issues", "1 merge request", "disabled", "1 min ago", "59 missed events"},
			2: {"group-with-a-long-name/", "not yet", "not counted", "working", "GitLab does not show this project"},
			3: {"not yet", "unreadable", "Records of GitLab's lists cannot be read"},
		} {
			row := between(t, list, fmt.Sprintf(`{"view":"project","project_id":%d}`, id), "</tr>")
			for _, text := range texts {
				if !strings.Contains(row, text) {
					t.Errorf("project %d: no %q in\n%s", id, text, row)
				}
			}
		}
		for id, texts := range map[int][]string{
			1:  {"demo/lorehook-demo", "Complete as of", "10 min ago", "Issues in GitLab", "12,000", "disabled", "2 checks in a row", "Missed events", "59", "lore projects show 1", "All runs of this project"},
			2:  {"GitLab does not show this project", "30 h ago", "Hidden at", "No runs."},
			3:  {"Path not known yet", "not yet", "unreadable", "Records of lists not readable"},
			99: {"Nothing is known of this project"},
		} {
			body := shown(t, w, map[string]any{"view": "project", "project_id": id})
			for _, text := range texts {
				if !strings.Contains(body, text) {
					t.Errorf("%d: no %q", id, text)
				}
			}
		}
	})
}
