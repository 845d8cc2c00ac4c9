package cli_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestRunsRetry_RetriesAllThatFailedWithinATime(t *testing.T) {
	inStack(t, func(t *testing.T, s *stack) {
		failed := func() string {
			e, _ := s.robot("sync", "-p", "1", "--issue", "7", "--issue", "4711", "--wait")
			return e.Error.RunID
		}
		old := failed()
		s.World.Clock.Advance(2 * time.Hour)
		s.clock = s.World.Clock.Now()
		recent := failed()
		e, _ := s.robot("sync", "-p", "1", "--issue", "4711", "--wait")
		hopeless := e.Error.RunID
		for range 2 { // repeating it starts nothing new
			got := s.run("runs", "retry", "--failed-since", "1h", "-p", "1")
			if got.exit != 0 || strings.Contains(got.out, old) {
				t.Fatalf("%+v", got)
			}
			for _, line := range strings.Split(got.out, "\n") {
				words := strings.Fields(line)
				if strings.HasPrefix(line, recent) && len(words) != 2 || strings.HasPrefix(line, hopeless) && len(words) < 4 {
					t.Errorf("%s", line)
				}
			}
			if strings.Count(got.out, "\n") != 3 {
				t.Errorf("%s", got.out)
			}
		}
		s.work(t.Context())
		if got := s.run("runs", "list", "--status", "succeeded"); strings.Count(got.out, "retry") != 1 {
			t.Errorf("%s", got.out)
		}
	})
}

func TestRunsRetry_TakesOneRunOrATime(t *testing.T) {
	for _, args := range []string{"", "mabcdefg --failed-since 1h", "mabcdefg -p 1", "--failed-since -1h", "--failed-since 1h --wait"} {
		p := newProgram(t)
		p.http = refusing{t}
		if got := p.run(append([]string{"runs", "retry"}, strings.Fields(args)...)...); got.exit != 2 {
			t.Errorf("lore runs retry %s: %+v", args, got)
		}
	}
}

// failedRuns is an API with failed runs, newest first, one a second. Those that cannot
// succeed are refused.
type failedRuns struct {
	newest   time.Time
	runs     int
	hopeless func(n int) bool
	retried  map[int]bool
}

func (f *failedRuns) id(n int) string { return fmt.Sprintf("m%025d", n) }

// ServeHTTP implements http.Handler.
func (f *failedRuns) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if id, ok := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/v1/sync-runs/"), "/retry-failed"); ok {
		n, _ := strconv.Atoi(id[1:])
		if f.hopeless(n) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusConflict)
			_, _ = fmt.Fprint(w, `{"status":409,"code":"conflict","detail":"nothing can succeed"}`)
			return
		}
		f.retried[n] = true
		_, _ = fmt.Fprintf(w, `{"run_id":"r%s"}`, f.id(n))
		return
	}
	limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	from, _ := strconv.Atoi(r.URL.Query().Get("cursor"))
	page := map[string]any{}
	rows := []map[string]any{}
	for n := from; n < min(from+limit, f.runs); n++ {
		row := map[string]any{"run_id": f.id(n), "status": "failed", "created_at": f.newest.Add(-time.Duration(n) * time.Second)}
		if f.retried[n] {
			row["retried_by"] = "r" + f.id(n)
		}
		rows = append(rows, row)
	}
	if page["runs"] = rows; from+limit < f.runs {
		page["next_cursor"] = strconv.Itoa(from + limit)
	}
	_ = json.NewEncoder(w).Encode(page)
}

func TestRunsRetry_ReachesEveryRunOfTheTime(t *testing.T) {
	p := newProgram(t)
	// The last 100 failed before the time in question. The newest 1,100 cannot succeed.
	f := &failedRuns{newest: p.clock, runs: 3500, hopeless: func(n int) bool { return n < 1100 }, retried: map[int]bool{}}
	server := httptest.NewServer(f)
	defer server.Close()
	p.env["LOREHOOK_API_URL"] = server.URL
	for call, want := range []struct{ retried, left int }{{1000, 1300}, {2000, 300}, {2300, 0}, {2300, 0}} {
		e, got := p.robot("runs", "retry", "--failed-since", "3399s")
		var data struct {
			Runs []struct {
				Retry string `json:"retry_run_id"`
			} `json:"runs"`
			Left int `json:"left"`
		}
		if err := json.Unmarshal(e.Data, &data); err != nil || got.exit != 0 {
			t.Fatalf("%v, exit %d: %s", err, got.exit, got.out)
		}
		if len(f.retried) != want.retried || data.Left != want.left || len(data.Runs) != 3400-want.left {
			t.Errorf("call %d: %d runs are retried, %d shown, %d left; want %+v", call, len(f.retried), len(data.Runs), data.Left, want)
		}
	}
	if f.runs = 4500; strings.Contains(p.run("runs", "retry", "--failed-since", "3399s").out, "again") {
		t.Error("nothing is left, and a further call is proposed")
	}
	clear(f.retried)
	if got := p.run("runs", "retry", "--failed-since", "3399s"); !strings.Contains(got.out, "1,300 more runs failed in this time: run the command again") {
		t.Errorf("%s", got.out[max(0, len(got.out)-300):])
	}
}
