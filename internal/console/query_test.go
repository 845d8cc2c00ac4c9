package console

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func issue(iid int64) surgical.EntityRef {
	return surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.Issue, IID: iid}}
}

func TestQuery_RejectsInvalidParametersByName(t *testing.T) {
	for name, c := range map[string]struct {
		given parameters
		want  string
	}{
		"view":               {parameters{"view": "everything"}, `view must be one of overview, runs, run, entity, projects, project, got "everything"`},
		"run without id":     {parameters{"view": "run"}, `run_id must be 1 to 64 lowercase letters and digits, got ""`},
		"run's id":           {parameters{"view": "run", "run_id": `x"><script>`}, `run_id must be 1 to 64 lowercase letters and digits, got "x\"><script>"`},
		"project":            {parameters{"project_id": "-1"}, `project_id must be a positive number, got "-1"`},
		"project as a path":  {parameters{"project_id": "group/project"}, `project_id must be a positive number, got "group/project"`},
		"number too large":   {parameters{"project_id": "99999999999999999999"}, `project_id must be a positive number, got "99999999999999999999"`},
		"status":             {parameters{"status": "lost"}, `status must be one of queued, running, succeeded, failed, cancelled, got "lost"`},
		"period":             {parameters{"period": "1y"}, `period must be one of 1h, 24h, 7d, 30d, any, got "1y"`},
		"limit":              {parameters{"limit": "101"}, `limit must be a number from 1 to 100, got "101"`},
		"cursor":             {parameters{"cursor": "17-A"}, `cursor must be a cursor from a link on this page, got "17-A"`},
		"cursor's time":      {parameters{"cursor": "-1-a"}, `cursor must be a cursor from a link on this page, got "-1-a"`},
		"entity without any": {parameters{"view": "entity"}, `iid is missing; project_id is missing; type is missing`},
		"entity's type":      {parameters{"view": "entity", "project_id": "1", "type": "epic", "iid": "7"}, `type must be one of issue, merge_request, got "epic"`},
		"several at once":    {parameters{"status": "x", "limit": "0"}, `limit must be a positive number, got "0"; status must be one of queued, running, succeeded, failed, cancelled, got "x"`},
		"a long value":       {parameters{"status": strings.Repeat("é", 1000)}, `status must be one of queued, running, succeeded, failed, cancelled, got "` + strings.Repeat("é", 60) + `…"`},
	} {
		_, err := c.given.query()
		if surgical.CodeOf(err) != surgical.CodeInvalidRequest || surgical.AsError(err).Message != c.want {
			t.Errorf("%s: %v\nwant %s", name, err, c.want)
		}
	}
}

func TestUnknown_ListsUnknownParameters(t *testing.T) {
	got := parameters{"view": "runs", "projectid": "1", "Limit": "5"}.unknown()
	if diff := cmp.Diff([]string{"Limit", "projectid"}, got); diff != "" {
		t.Errorf("unknown (-want +got):\n%s", diff)
	}
}

// A link of the widget leads back to the query it was made from.
func TestLinks_LeadBackToTheirQuery(t *testing.T) {
	place := ledger.RunPlace{At: time.UnixMicro(1793599216000027).UTC(), RunID: "wabc7"}
	f := frame{endpoint: "arn:aws:lambda:eu-central-1:123456789012:function:lorehook-widget"}
	for _, q := range []Query{
		{View: ViewOverview},
		{View: ViewOverview, ProjectID: 7, Period: "7d"},
		{View: ViewRuns},
		{View: ViewRuns, ProjectID: 7, Status: surgical.StatusFailed, Period: "1h", From: place, Limit: 10},
		{View: ViewRun, RunID: "wabc7"},
		{View: ViewEntity, Ref: issue(7), ProjectID: 1},
		{View: ViewEntity, Ref: surgical.EntityRef{ProjectID: 3, Target: surgical.Target{Type: surgical.MergeRequest, IID: 12}}, ProjectID: 3, From: place},
	} {
		l := f.to("text", q)
		if diff := cmp.Diff(q, queryOfParams(t, l.Params)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", l.Params, diff)
		}
		if l.Endpoint != f.endpoint {
			t.Errorf("%s calls %q", l.Params, l.Endpoint)
		}
	}
}

func queryOfParams(t *testing.T, params string) Query {
	t.Helper()
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(params), &fields); err != nil {
		t.Fatal(err)
	}
	p, err := (&Widget{}).parameters(fields, widgetContext{})
	if err != nil {
		t.Fatal(err)
	}
	return mustQuery(t, p)
}

func mustQuery(t *testing.T, p parameters) Query {
	t.Helper()
	q, err := p.query()
	if err != nil {
		t.Fatalf("%v: %v", p, err)
	}
	return q
}
