package cli_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// runsOf serves an API that has the runs.
func runsOf(t *testing.T, p *program, runs map[string]surgical.RunStatus) (asked *[]string) {
	t.Helper()
	asked = new([]string)
	created := map[string]time.Time{}
	row := func(id string) map[string]any {
		return map[string]any{"run_id": id, "status": runs[id], "project_id": 1, "created_at": created[id], "targets": []surgical.Target{{Type: surgical.Issue, IID: 7}}}
	}
	for i, id := range slices.Sorted(maps.Keys(runs)) {
		created[id] = p.clock.Add(time.Duration(i) * time.Second)
	}
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id, one := strings.CutPrefix(r.URL.Path, "/v1/sync-runs/"); one {
			*asked = append(*asked, id)
			if _, known := runs[id]; !known {
				w.Header().Set("Content-Type", "application/problem+json")
				w.WriteHeader(http.StatusNotFound)
				fmt.Fprint(w, `{"code":"run_not_found","detail":"it is not in the ledger","action":"fix_request","status":404}`)
				return
			}
			_ = json.NewEncoder(w).Encode(row(id))
			return
		}
		list := []any{}
		for id, status := range runs {
			if of := r.URL.Query().Get("status"); of == "" || of == string(status) {
				list = append(list, row(id))
			}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"runs": list})
	}))
	t.Cleanup(api.Close)
	p.env["LOREHOOK_API_URL"] = api.URL
	return asked
}

func TestRuns_TakeTheBeginningOfAnID(t *testing.T) {
	const a, b, c = "wabcdefghijklmnopqrstuvwxya", "wabcdefg2ijklmnopqrstuvwxya", "mzzzzzzzzzzzzzzzzzzzzzzzzzz"
	runs := map[string]surgical.RunStatus{a: surgical.StatusFailed, b: surgical.StatusSucceeded, c: surgical.StatusRunning}
	for given, want := range map[string]string{
		c[:4]: c, c[:8]: c, a[:9]: a, a: a, // one
		c[:3]: c[:3], "nope": "nope", // too short, and unknown: the API says that there is no such run
	} {
		p := newProgram(t)
		asked := runsOf(t, p, runs)
		if p.robot("runs", "view", given); !slices.Equal(*asked, []string{want}) {
			t.Errorf("%s: the API was asked for %v, want %s", given, *asked, want)
		}
	}
	for _, command := range []string{"runs view", "runs watch", "runs retry", "runs cancel", "sync-runs --run-id"} {
		p := newProgram(t)
		asked := runsOf(t, p, runs)
		e, got := p.robot(append(strings.Fields(command), a[:8])...)
		if got.exit != 55 || e.code() != "run_ambiguous" || len(*asked) > 0 {
			t.Fatalf("%s: exit %d, asked for %v: %s", command, got.exit, *asked, got.out)
		}
		if diff := cmp.Diff([]string{a, b}, e.Error.Candidates); diff != "" {
			t.Errorf("%s: candidates (-want +got):\n%s", command, diff)
		}
	}
}

func TestRunsList_ShowsAsMuchOfTheIDsAsTellsThemApart(t *testing.T) {
	for name, test := range map[string]struct {
		ids, want []string
	}{
		"short":           {[]string{"wabcdefghijklmnopqrstuvwxya", "mzzzzzzzzzzzzzzzzzzzzzzzzzz"}, []string{"wabcdefg", "mzzzzzzz"}},
		"alike":           {[]string{"wabcdefghijklmnopqrstuvwxya", "wabcdefg2ijklmnopqrstuvwxya"}, []string{"wabcdefgh", "wabcdefg2"}},
		"one within one":  {[]string{"wabcdefghi", "wabcdefghijkl"}, []string{"wabcdefghi", "wabcdefghij"}},
		"ids of old rows": {[]string{"m1", "m2"}, []string{"m1", "m2"}},
	} {
		runs := map[string]surgical.RunStatus{}
		for _, id := range test.ids {
			runs[id] = surgical.StatusFailed
		}
		p := newProgram(t)
		runsOf(t, p, runs)
		out := p.run("runs").out
		for _, want := range test.want {
			if !strings.Contains(out, "\n"+want+" ") {
				t.Errorf("%s: no %q in\n%s", name, want, out)
			}
		}
	}
}
