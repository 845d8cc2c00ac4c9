package cli_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// event is a line of a log.
type event struct {
	ID      string `json:"eventId"`
	At      int64  `json:"timestamp"`
	Message string `json:"message"`
}

// cloudWatch serves the logs of a local stack, by the names of their groups, each line
// on a page of its own. It returns the calls that were made.
func cloudWatch(t *testing.T, p *program, groups map[string][]event) (calls *[]string) {
	t.Helper()
	calls = new([]string)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			LogGroupNamePrefix, LogGroupName, FilterPattern, NextToken string
			StartTime                                                  int64
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			t.Error(err)
		}
		_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		*calls = append(*calls, operation+" "+in.LogGroupNamePrefix+in.LogGroupName+" "+in.FilterPattern)
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		if operation == "DescribeLogGroups" {
			var all []map[string]string
			for _, name := range slices.Sorted(maps.Keys(groups)) {
				all = append(all, map[string]string{"logGroupName": name})
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"logGroups": all})
			return
		}
		var events []event
		for _, e := range groups[in.LogGroupName] {
			if e.At >= in.StartTime {
				events = append(events, e)
			}
		}
		at := 0
		_, _ = fmt.Sscan(in.NextToken, &at)
		page := map[string]any{"events": events[min(at, len(events)):min(at+1, len(events))]}
		if at+1 < len(events) {
			page["nextToken"] = fmt.Sprint(at + 1)
		}
		_ = json.NewEncoder(w).Encode(page)
	}))
	t.Cleanup(server.Close)
	p.local(map[string]string{"api_url": server.URL, "aws_endpoint_url": server.URL})
	return calls
}

func logged(p *program, id string, ago time.Duration, message string) event {
	return event{id, p.clock.Add(-ago).UnixMilli(), message}
}

// groups are the logs of two functions.
func groups(p *program) map[string][]event {
	run := surgical.RunID(surgical.OriginManual, "run")
	return map[string][]event{
		"/aws/cloudformation/lorehook/WorkerLogs1A2B3C4D": {
			logged(p, "1", time.Hour, `{"level":"INFO","msg":"long ago"}`),
			logged(p, "2", 3*time.Minute, `{"time":"2026-11-02T05:57:00Z","level":"INFO","msg":"run","run_id":"`+run+`","iid":7,"reason":"two words","traceparent":"00-1"}`+"\n"),
			logged(p, "3", 2*time.Minute, `{"_aws":{"Timestamp":1},"Runs":1}`),
			logged(p, "4", time.Minute, `{"level":"ERROR","msg":"failed","error":"\u001b[31mred\u001b[0m\u202e","run_id":"other"}`),
			logged(p, "start", 2*time.Second, "START RequestId: 8549bf19 Version: $LATEST"),
			logged(p, "5", time.Second, "panic: \x1b]0;title\x07 out of memory"),
		},
		"/aws/cloudformation/lorehook/ApiLogsAABBCCDD": {logged(p, "6", 90*time.Second, `{"level":"WARN","msg":"request","http_status":404}`)},
		"/aws/cloudformation/lorehook/AccessLogs00":    {logged(p, "7", time.Second, `{"level":"ERROR","msg":"of the gateway"}`)},
		"/aws/cloudformation/other/WorkerLogs00":       {logged(p, "8", time.Second, `{"level":"ERROR","msg":"of another stack"}`)},
	}
}

func TestLogs_PrintsOneLineForEachEntry(t *testing.T) {
	run := surgical.RunID(surgical.OriginManual, "run")
	const red, dead = `05:59:00.000 worker   ERROR failed error=␛[31mred␛[0m run_id=other`, `05:59:59.000 worker   panic: ␛]0;title␇ out of memory`
	first, warned := `05:57:00.000 worker   INFO  run iid=7 reason="two words" run_id=`+run, `05:58:30.000 api      WARN  request http_status=404`
	for args, want := range map[string][]string{
		"logs":                           {first, warned, red, dead},
		"logs worker":                    {first, red, dead},
		"logs --since 100s":              {warned, red, dead},
		"logs --level warn":              {warned, red, dead},
		"logs --run " + run:              {first},
		"logs api --level error":         {},
		"logs worker --since 150s --all": {`05:58:00.000 worker          Runs=1 _aws={"Timestamp":1}`, red, "05:59:58.000 worker   START RequestId: 8549bf19 Version: $LATEST", dead},
	} {
		p := newProgram(t)
		cloudWatch(t, p, groups(p))
		got := p.run(strings.Fields(args)...)
		lines := strings.Split(strings.TrimSuffix(got.out, "\n"), "\n")
		if got.out == "" {
			lines = []string{}
		}
		if diff := cmp.Diff(want, lines); diff != "" || got.exit != 0 {
			t.Errorf("lore %s: exit %d (-want +got):\n%s%s", args, got.exit, diff, got.errors)
		}
	}
}

func TestLogs_PrintsWhatWasLoggedAsJSON(t *testing.T) {
	p := newProgram(t)
	cloudWatch(t, p, groups(p))
	got := p.run("logs", "worker", "--json")
	lines := strings.Split(strings.TrimSuffix(got.out, "\n"), "\n")
	for _, line := range lines {
		if !json.Valid([]byte(line)) || strings.ContainsAny(line, "\x1b\u202e") {
			t.Errorf("%q is not one harmless JSON document", line)
		}
	}
	e, _ := p.robot("logs", "worker")
	var data struct{ Entries []map[string]any }
	if err := json.Unmarshal(e.Data, &data); err != nil || len(lines) != 3 || len(data.Entries) != 3 || data.Entries[0]["msg"] != "run" || data.Entries[2]["text"] == "" {
		t.Errorf("%v: %d lines, and %s", err, len(lines), e.Data)
	}
	if e, got := p.robot("logs", "--follow"); got.exit != 2 || e.code() != surgical.CodeInvalidRequest {
		t.Errorf("--follow --robot: %s", got.out)
	}
}

func TestLogs_FollowPrintsEveryLineOnce(t *testing.T) {
	p := newProgram(t)
	logs := groups(p)
	cloudWatch(t, p, logs)
	ctx, stop := context.WithCancel(t.Context())
	looks := 0
	p.paused = func(context.Context) {
		switch looks++; looks {
		case 1:
			logs["/aws/cloudformation/lorehook/ApiLogsAABBCCDD"] = append(logs["/aws/cloudformation/lorehook/ApiLogsAABBCCDD"], logged(p, "9", 10*time.Second, `{"level":"INFO","msg":"late"}`))
		case 3:
			stop()
		}
	}
	got := p.runContext(ctx, "logs", "api", "--follow")
	if got.exit != 130 || strings.Count(got.out, "request") != 1 || strings.Count(got.out, "late") != 1 {
		t.Errorf("%+v", got)
	}
}

func TestLogs_AsksAWSForTheStackOfTheAPI(t *testing.T) {
	p := newProgram(t)
	run := surgical.RunID(surgical.OriginManual, "run")
	calls := cloudWatch(t, p, map[string][]event{"team-a-WorkerLogs00-1": {logged(p, "1", time.Second, `{"level":"ERROR","msg":"failed","run_id":"`+run+`"}`)}})
	local := p.http
	host := ""
	p.http = roundTripper(func(r *http.Request) (*http.Response, error) {
		host = r.URL.Host
		if r.Header.Get("Authorization") == "" {
			t.Error("a request without a signature")
		}
		endpoints, err := os.ReadFile(p.dir + "/.local/endpoints.json")
		var e struct {
			APIURL string `json:"api_url"`
		}
		if err == nil {
			err = json.Unmarshal(endpoints, &e)
		}
		if err != nil {
			t.Fatal(err)
		}
		r.URL.Scheme, r.URL.Host = "http", strings.TrimPrefix(e.APIURL, "http://")
		return local.RoundTrip(r)
	})
	p.aws = func(context.Context) (aws.Config, error) {
		return aws.Config{Credentials: credentials.NewStaticCredentialsProvider("AKIAEXAMPLE", "secret-not-a-real-one", "")}, nil
	}
	got := p.run("logs", "--api-url", "https://abc123.execute-api.eu-west-1.amazonaws.com", "--stack", "team-a", "--level", "warn", "--run", run)
	want := []string{"DescribeLogGroups team-a- ", `FilterLogEvents team-a-WorkerLogs00-1 { $.run_id = "` + run + `" && ($.level = "WARN" || $.level = "ERROR") }`}
	if diff := cmp.Diff(want, *calls); diff != "" || host != "logs.eu-west-1.amazonaws.com" || !strings.Contains(got.out, "failed") {
		t.Errorf("of %s (-want +got):\n%s%s%s", host, diff, got.out, got.errors)
	}
	if _, got := p.robot("logs", "--api-url", "https://abc123.execute-api.eu-west-1.amazonaws.com"); got.exit != 2 || !strings.Contains(got.out, "--stack") {
		t.Errorf("a stack without logs: %s", got.out)
	}
}

// The names that the command takes are those of the functions.
func TestLogs_KnowsEveryFunction(t *testing.T) {
	entries, err := os.ReadDir("../../functions")
	if err != nil || len(entries) < 13 {
		t.Fatalf("%d functions, %v", len(entries), err)
	}
	for _, entry := range entries {
		p := newProgram(t)
		name := strings.ToUpper(entry.Name()[:1]) + entry.Name()[1:]
		cloudWatch(t, p, map[string][]event{"/aws/cloudformation/lorehook/" + name + "Logs00": {logged(p, "1", time.Second, `{"level":"INFO","msg":"here"}`)}})
		if got := p.run("logs", entry.Name()); !strings.Contains(got.out, "here") {
			t.Errorf("%s: %+v", entry.Name(), got)
		}
	}
}
