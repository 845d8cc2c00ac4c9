package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/devstack"
)

// shown invokes the deployed widget as a dashboard does.
func (s stack) shown(t *testing.T, params map[string]any) string {
	t.Helper()
	event, err := json.Marshal(params)
	if err != nil {
		t.Fatal(err)
	}
	out, err := lambda.NewFromConfig(s.AWS).Invoke(t.Context(), &lambda.InvokeInput{
		FunctionName: aws.String(s.Outputs["WidgetFunctionName"]), Payload: event,
	})
	if err != nil {
		t.Fatal(err)
	}
	var body string
	if err := json.Unmarshal(out.Payload, &body); err != nil || out.FunctionError != nil {
		t.Fatalf("%s: %v, %s: %.300s", event, err, aws.ToString(out.FunctionError), out.Payload)
	}
	return body
}

// Under its own role: IAM is enforced here.
func TestTheDeployedWidgetShowsTheLedger(t *testing.T) {
	s := up(t)
	a := s.deliver(t, sample(t, "issue_opened"))
	r := s.ended(t, a.Body.RunID)
	if r.Status != surgical.StatusSucceeded {
		t.Fatalf("run %+v", r)
	}
	failed := s.ended(t, s.start(t, `{"project_id":1,"issues":[7,4711]}`))
	for name, c := range map[string]struct {
		params map[string]any
		want   string
	}{
		"overview":       {map[string]any{}, "Run " + r.RunID},
		"its failures":   {map[string]any{"view": "overview"}, "lore sync -p 1 --issue 4711 --preflight-only --wait"},
		"of a project":   {map[string]any{"project_id": 1}, "Run " + failed.RunID},
		"list":           {map[string]any{"view": "runs", "status": "failed"}, "Run " + failed.RunID},
		"run":            {map[string]any{"view": "run", "run_id": r.RunID}, "Brought 1 entity up to date"},
		"failed run":     {map[string]any{"view": "run", "run_id": failed.RunID}, "lore runs retry " + failed.RunID + " --wait"},
		"entity":         {map[string]any{"view": "entity", "project_id": 1, "type": "issue", "iid": 7}, "Run " + r.RunID},
		"describe":       {map[string]any{"describe": true}, "``` yaml"},
		"its own links":  {map[string]any{}, ":function:" + s.Outputs["WidgetFunctionName"] + `">`},
		"a bad argument": {map[string]any{"view": "x"}, "invalid_request"},
	} {
		if body := s.shown(t, c.params); !strings.Contains(body, c.want) || strings.Contains(body, "internal error") {
			t.Errorf("%s: no %q in:\n%s", name, c.want, body)
		}
	}
}

// start requests a run through the API and returns its id.
func (s stack) start(t *testing.T, body string) string {
	t.Helper()
	resp, err := http.Post(s.Endpoints.APIURL+"/v1/sync-runs", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var started struct {
		RunID string `json:"run_id"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&started); err != nil || started.RunID == "" {
		t.Fatalf("%s: %v, %+v", resp.Status, err, started)
	}
	return started.RunID
}

func TestTheConsoleComesUpWithTheStack(t *testing.T) {
	s := up(t)
	console := *s.Stack
	if err := console.Console(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	written, err := devstack.ReadEndpoints(s.dir)
	if err != nil || written.ConsoleURL == "" || written.ConsoleURL != console.Endpoints.ConsoleURL {
		t.Fatalf("endpoints %+v, %v; the console is at %s", written, err, console.Endpoints.ConsoleURL)
	}
	a := s.deliver(t, sample(t, "merge_request_updated"))
	r := s.ended(t, a.Body.RunID)
	for path, want := range map[string]string{
		"/": "/runs/" + r.RunID, "/runs/" + r.RunID: "Brought 1 entity up to date", "/projects/1/merge_requests/12": "Stream exports row by row",
	} {
		if body := read(t, written.ConsoleURL+path); !strings.Contains(body, want) {
			t.Errorf("%s: no %q in:\n%s", path, want, body)
		}
	}
	before, err := devstack.Running(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := console.Console(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	after, err := devstack.Running(s.dir)
	if err != nil || after["console"].PID != before["console"].PID {
		t.Errorf("a running console was started again: process %d, then %d, %v", before["console"].PID, after["console"].PID, err)
	}
}

func read(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", url, resp.Status, err)
	}
	return string(body)
}
