package cli_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// compared records when a project was compared with GitLab's lists.
func (s *stack) compared(projectID int64, at time.Time) error {
	id := surgical.NewPassID(projectID, surgical.PassReconcile, "x")
	_, err := s.Ledger.SavePass(s.T.Context(), surgical.Pass{ProjectID: projectID, Kind: surgical.PassReconcile, ID: id, Status: surgical.StatusSucceeded, ListedAt: at}, ledger.PassChange{})
	return err
}

func TestStatus_IsOneScreen(t *testing.T) {
	inStack(t, func(t *testing.T, s *stack) {
		s.clock = s.Clock.Now().Add(time.Minute)
		s.goldens("status_empty", 0, "status")
		now := s.Clock.Now()
		for _, err := range []error{
			s.Ledger.NameProject(t.Context(), 1, "demo/lorehook-demo", now),
			s.Ledger.NameProject(t.Context(), 2, "demo/a-project-with-quite-a-long-name", now),
			s.Ledger.CompleteProject(t.Context(), 1, now.Add(-time.Minute), now.Add(-time.Hour), surgical.Target{Type: surgical.Issue, IID: 7}, surgical.Target{Type: surgical.MergeRequest, IID: 12}),
			s.compared(1, now.Add(-2*time.Hour)),
			s.Ledger.CheckHook(t.Context(), 1, surgical.HookCheck{State: surgical.HookWorking, CheckedAt: now}),
			s.Ledger.CheckHook(t.Context(), 2, surgical.HookCheck{State: surgical.HookDisabled, Reason: "GitLab disabled it after 4 failures in a row", CheckedAt: now}),
			s.Ledger.SawGitLab(t.Context(), ledger.Sighting{At: now, RateLimit: surgical.RateLimit{Limit: 2000, Remaining: 480}}),
			s.Ledger.SetSpare(t.Context(), now.Add(5*time.Minute)),
			s.Ledger.SetPause(t.Context(), now.Add(time.Hour), surgical.CodeGitLabUnauthorized),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		e := s.goldens("status", 0, "status")
		var document struct {
			GitLab struct {
				Pause *struct{ Code surgical.Code }
			}
		}
		if err := json.Unmarshal(e.Data, &document); err != nil || document.GitLab.Pause == nil || document.GitLab.Pause.Code != surgical.CodeGitLabUnauthorized {
			t.Errorf("%v in %s", err, e.Data)
		}
		s.terminal, s.env["NO_COLOR"] = true, "1"
		for line := range strings.SplitSeq(s.run("status").out, "\n") {
			if utf8.RuneCountInString(line) > 80 && !strings.Contains(line, "lore ") {
				t.Errorf("wider than 80 columns: %s", line)
			}
		}
	})
}

func TestStatus_WarnsOfAComparisonOnceTheAlarmDoes(t *testing.T) {
	const good, late = "every project with GitLab's lists", "was last compared with GitLab's lists"
	for _, c := range []struct {
		age, behind time.Duration
		want        string
	}{
		{59 * time.Minute, time.Hour, good}, {time.Hour, time.Hour, late},
		{2 * time.Hour, 3 * time.Hour, good}, {3 * time.Hour, 3 * time.Hour, late},
		{59 * time.Minute, 0, good}, {time.Hour, 0, late}, // an API of an earlier version
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprintf(w, `{"projects":{"reconcile_age_ms":%d,"reconcile_age_project_id":1,"reconcile_behind_ms":%d}}`, c.age.Milliseconds(), c.behind.Milliseconds())
		}))
		p := newProgram(t)
		p.env["LOREHOOK_API_URL"] = server.URL
		if got := p.run("status"); got.exit != 0 || !strings.Contains(got.out, c.want) {
			t.Errorf("compared %s ago, behind from %s on: %+v", c.age, c.behind, got)
		}
		server.Close()
	}
}
