package metrics_test

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/function/metrics"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/linked"
	"gitlab.com/lorehook/lorehook/test/metricstest"
)

var at = time.Date(2026, time.November, 2, 6, 0, 0, 0, time.UTC)

// emitted returns the metrics as CloudWatch would read them.
func emitted(t *testing.T, emit func(*metrics.Emitter)) []metricstest.Datum {
	t.Helper()
	var out bytes.Buffer
	emit(metrics.New(&out, "lorehook", func() time.Time { return at }))
	var all []metricstest.Datum
	for line := range bytes.Lines(out.Bytes()) {
		data, err := metricstest.Read(line)
		if err != nil {
			t.Errorf("%v:\n%s", err, line)
		}
		all = append(all, data...)
	}
	return all
}

// run is a committed run with one target per status.
func run(skipped ...surgical.EntityStatus) surgical.Run {
	r := surgical.Run{Request: surgical.Request{Origin: surgical.OriginWebhook}, Status: surgical.StatusSucceeded, Outcomes: map[surgical.Target]surgical.Outcome{}}
	for i, status := range skipped {
		target := surgical.Target{Type: surgical.Issue, IID: int64(i + 1)}
		r.Targets = append(r.Targets, target)
		r.Outcomes[target] = surgical.Outcome{Status: status}
	}
	r.Counters.ContentWriteUnits = 14
	return r
}

func TestEmitter_WritesTheMetricsOfEachDecision(t *testing.T) {
	count := func(name, dimensions string, values ...float64) metricstest.Datum {
		return metricstest.Datum{Namespace: "lorehook", Name: name, Unit: metrics.Count, Dimensions: dimensions, Values: values}
	}
	took := func(name, dimensions string, values ...float64) metricstest.Datum {
		return metricstest.Datum{Namespace: "lorehook", Name: name, Unit: metrics.Milliseconds, Dimensions: dimensions, Values: values}
	}
	cancelled := run()
	cancelled.Status, cancelled.Counters.JobsAborted = surgical.StatusCancelled, 2
	coalesced := run()
	coalesced.CoalescedWith = "run-0"
	missing := run()
	missing.Status = surgical.StatusFailed
	missing.Error = &surgical.Error{Code: surgical.CodePreflightFailed, Failures: []surgical.TargetFailure{{Code: surgical.CodeGitLabNotFound}}}
	behind := run()
	behind.BehindEvent = true
	for name, c := range map[string]struct {
		emit func(*metrics.Emitter)
		want []metricstest.Datum
	}{
		"a queued delivery": {func(e *metrics.Emitter) { e.Delivered("queued", "", 12_345*time.Microsecond) },
			[]metricstest.Datum{count("Deliveries", "Outcome=queued", 1), took("EnqueueLatency", "", 12.345)}},
		"an ignored one": {func(e *metrics.Emitter) { e.Delivered("ignored", "", time.Second) },
			[]metricstest.Datum{count("Deliveries", "Outcome=ignored", 1)}},
		"a forged one": {func(e *metrics.Emitter) { e.Delivered("refused", surgical.CodeInvalidSignature, time.Second) },
			[]metricstest.Datum{count("Deliveries", "Outcome=refused", 1), count("RefusedSignatures", "", 1)}},
		"one too large": {func(e *metrics.Emitter) { e.Delivered("refused", surgical.CodePayloadTooLarge, time.Second) },
			[]metricstest.Datum{count("Deliveries", "Outcome=refused", 1)}},
		"one that could not be queued": {func(e *metrics.Emitter) { e.Delivered("failed", surgical.CodeQueueUnavailable, time.Second) },
			[]metricstest.Datum{count("Deliveries", "Outcome=failed", 1)}},
		"a batch": {func(e *metrics.Emitter) { e.Received("requests", []time.Duration{2 * time.Second, 3 * time.Second}) },
			[]metricstest.Datum{took("QueueAge", "Queue=requests", 2000, 3000)}},
		"a run of a deleted entity": {func(e *metrics.Emitter) { e.Closed(missing) }, []metricstest.Datum{
			count("Runs", "Origin=webhook,Status=missing", 1), count("Runs", "Status=missing", 1),
		}},
		"what a census found": {func(e *metrics.Emitter) {
			e.Found(map[surgical.Finding]int64{surgical.FoundGone: 2, surgical.FoundLabels: 40})
		}, []metricstest.Datum{
			count("CensusFindings", "", 2), count("CensusFindings", "", 40),
			count("CensusFindings", "Finding=gone", 2), count("CensusFindings", "Finding=labels", 40),
		}},
		"a census that found nothing": {func(e *metrics.Emitter) { e.Found(nil) }, nil},
		"an empty batch":              {func(e *metrics.Emitter) { e.Received("requests", nil) }, nil},
		"a fetch": {func(e *metrics.Emitter) { e.Fetched(metrics.Traffic{Requests: 5, BudgetLeft: -1}) },
			[]metricstest.Datum{count("GitLabRequests", "", 5)}},
		"a fetch that spent the budget": {func(e *metrics.Emitter) { e.Fetched(metrics.Traffic{Requests: 5, RateLimited: 2, BudgetLeft: 0}) },
			[]metricstest.Datum{count("GitLabRequests", "", 5), count("GitLabRateLimited", "", 2), count("GitLabBudgetLeft", "", 0)}},
		"a fetch without a valid token": {func(e *metrics.Emitter) {
			e.Fetched(metrics.Traffic{Requests: 1, Unauthorized: true, BudgetLeft: -1})
		}, []metricstest.Datum{count("GitLabRequests", "", 1), count("GitLabUnauthorized", "", 1)}},
		"a fetch that leaves half of the budget": {func(e *metrics.Emitter) { e.Fetched(metrics.Traffic{Requests: 5, BudgetLeft: 1000, Budget: 2000}) },
			[]metricstest.Datum{count("GitLabRequests", "", 5)}},
		"one that leaves less": {func(e *metrics.Emitter) { e.Fetched(metrics.Traffic{Requests: 5, BudgetLeft: 999, Budget: 2000}) },
			[]metricstest.Datum{count("GitLabRequests", "", 5), count("GitLabBudgetLeft", "", 999)}},
		"a list": {func(e *metrics.Emitter) {
			metrics.Crawling{Emitter: e}.Fetched(metrics.Traffic{Requests: 2, BudgetLeft: -1, Budget: -1})
		}, nil},
		"a list without a valid token": {func(e *metrics.Emitter) {
			metrics.Crawling{Emitter: e}.Fetched(metrics.Traffic{Requests: 2, RateLimited: 1, Unauthorized: true, BudgetLeft: -1, Budget: -1})
		}, []metricstest.Datum{count("GitLabRateLimited", "", 1), count("GitLabUnauthorized", "", 1)}},
		"a reconcile that is on time":       {func(e *metrics.Emitter) { e.ReconcileAge(15*time.Minute-time.Millisecond, 5*time.Minute) }, nil},
		"one of every hour that is on time": {func(e *metrics.Emitter) { e.ReconcileAge(3*time.Hour-time.Millisecond, time.Hour) }, nil},
		"one that is late": {func(e *metrics.Emitter) { e.ReconcileAge(15*time.Minute, 5*time.Minute) },
			[]metricstest.Datum{took("ReconcileAge", "", 900_000)}},
		"a slow invocation":         {func(e *metrics.Emitter) { e.Slow() }, []metricstest.Datum{count("SlowInvocations", "", 1)}},
		"a stage not started":       {func(e *metrics.Emitter) { e.StageThrottled() }, []metricstest.Datum{count("StagesThrottled", "", 1)}},
		"a throttled call":          {func(e *metrics.Emitter) { e.TableThrottled() }, []metricstest.Datum{count("TablesThrottled", "", 1)}},
		"a fetch that sent nothing": {func(e *metrics.Emitter) { e.Fetched(metrics.Traffic{BudgetLeft: -1}) }, nil},
		"a preflight":               {func(e *metrics.Emitter) { e.Preflighted(time.Second) }, []metricstest.Datum{took("PreflightDuration", "", 1000)}},
		"an ingest":                 {func(e *metrics.Emitter) { e.Ingested(time.Second) }, []metricstest.Datum{took("IngestDuration", "", 1000)}},
		"a commit": {func(e *metrics.Emitter) {
			e.Committed(run(surgical.EntityOK, surgical.EntitySkippedStale), time.Second, 3*time.Second)
		}, []metricstest.Datum{took("IngestDuration", "", 1000), count("ContentWriteUnits", "", 14), count("SkippedStale", "", 1), took("Freshness", "Origin=webhook", 3000)}},
		"a commit of nothing": {func(e *metrics.Emitter) { e.Committed(run(surgical.EntitySkippedStale), time.Second, 3*time.Second) },
			[]metricstest.Datum{took("IngestDuration", "", 1000), count("ContentWriteUnits", "", 14), count("SkippedStale", "", 1)}},
		"a project out of sight": {func(e *metrics.Emitter) { e.ProjectUnseen() }, []metricstest.Datum{count("ProjectsUnseen", "", 1)}},
		"a docs job": {func(e *metrics.Emitter) {
			e.JobDone(surgical.Job{Type: surgical.JobDocs, RegeneratedCount: 3})
		}, []metricstest.Datum{count("DocumentsRegenerated", "", 3)}},
		"a docs job that embedded": {func(e *metrics.Emitter) {
			e.JobDone(surgical.Job{Type: surgical.JobDocs, RegeneratedCount: 3, ChunksEmbedded: 9})
		}, []metricstest.Datum{count("DocumentsRegenerated", "", 3), count("ChunksEmbedded", "", 9)}},
		"an embed job": {func(e *metrics.Emitter) {
			e.JobDone(surgical.Job{Type: surgical.JobEmbed, RegeneratedCount: 3, ChunksEmbedded: 9})
		}, []metricstest.Datum{count("ChunksEmbedded", "", 9)}},
		"a run": {func(e *metrics.Emitter) { e.Closed(run()) },
			[]metricstest.Datum{count("Runs", "Origin=webhook,Status=succeeded", 1), count("Runs", "Status=succeeded", 1)}},
		"a coalesced run": {func(e *metrics.Emitter) { e.Closed(coalesced) },
			[]metricstest.Datum{count("Runs", "Origin=webhook,Status=succeeded", 1), count("Runs", "Status=succeeded", 1), count("Coalesced", "", 1)}},
		"a run behind its event": {func(e *metrics.Emitter) { e.Closed(behind) },
			[]metricstest.Datum{count("Runs", "Origin=webhook,Status=succeeded", 1), count("Runs", "Status=succeeded", 1), count("BehindEvent", "", 1)}},
		"a run with open jobs": {func(e *metrics.Emitter) { e.Closed(cancelled) },
			[]metricstest.Datum{count("Runs", "Origin=webhook,Status=cancelled", 1), count("Runs", "Status=cancelled", 1), count("JobsAborted", "", 2)}},
	} {
		byName := cmp.Transformer("sorted", func(data []metricstest.Datum) []metricstest.Datum {
			sorted := slices.Clone(data)
			slices.SortFunc(sorted, func(a, b metricstest.Datum) int {
				return strings.Compare(a.Name+a.Dimensions, b.Name+b.Dimensions)
			})
			return sorted
		})
		if diff := cmp.Diff(c.want, emitted(t, c.emit), byName); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestEmitter_SplitsMoreValuesThanALineMayHave(t *testing.T) {
	n := 0
	for _, d := range emitted(t, func(e *metrics.Emitter) { e.Received("bulk", make([]time.Duration, 250)) }) {
		n += len(d.Values)
	}
	if n != 250 {
		t.Errorf("%d of 250 values came through", n)
	}
}

func TestEmitter_WritesALineInOneCall(t *testing.T) {
	var w writes
	e := metrics.New(&w, "lorehook", func() time.Time { return at })
	e.Preflighted(time.Second)
	e.Closed(run())
	if len(w) != 2 || !strings.HasSuffix(w[0], "}\n") || strings.Count(w[1], "\n") != 1 {
		t.Errorf("writes: %q", []string(w))
	}
}

type writes []string

func (w *writes) Write(p []byte) (int, error) {
	*w = append(*w, string(p))
	return len(p), nil
}

// Names are unique and follow CloudWatch's convention; dimensions are known.
func TestAll_IsWellFormed(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range metrics.All() {
		if seen[m.Name] || !regexp.MustCompile(`^[A-Z][A-Za-z0-9]+$`).MatchString(m.Name) {
			t.Errorf("%q is a duplicate, or not in CloudWatch's style", m.Name)
		}
		seen[m.Name] = true
		if len(m.Sets) == 0 || (m.Unit != metrics.Count && m.Unit != metrics.Milliseconds) {
			t.Errorf("%s: sets %v, unit %q", m.Name, m.Sets, m.Unit)
		}
		for _, set := range m.Sets {
			for _, d := range set {
				if !slices.Contains([]metrics.Dimension{metrics.Outcome, metrics.Queue, metrics.Origin, metrics.Status, metrics.Finding}, d) {
					t.Errorf("%s has the dimension %s", m.Name, d)
				}
			}
		}
	}
}

// The schema and its reader reject what CloudWatch would not accept.
func TestRead_RejectsWhatCloudWatchWouldIgnore(t *testing.T) {
	const valid = `{"_aws":{"Timestamp":1793599200000,"CloudWatchMetrics":[{"Namespace":"lorehook","Dimensions":[["Queue"]],"Metrics":[{"Name":"QueueAge","Unit":"Milliseconds"}]}]},"Queue":"bulk","QueueAge":[1,2]}`
	if _, err := metricstest.Read([]byte(valid)); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"no timestamp":           {`"Timestamp":1793599200000,`, ``},
		"seconds, not millis":    {`1793599200000`, `1793599200`},
		"a timestamp as text":    {`1793599200000`, `"1793599200000"`},
		"no namespace":           {`"Namespace":"lorehook",`, ``},
		"an empty namespace":     {`"lorehook"`, `""`},
		"no set of dimensions":   {`[["Queue"]]`, `[]`},
		"dimensions not in sets": {`[["Queue"]]`, `["Queue"]`},
		"no metric":              {`[{"Name":"QueueAge","Unit":"Milliseconds"}]`, `[]`},
		"an unknown unit":        {`"Milliseconds"`, `"ms"`},
		"another member":         {`"Unit":`, `"unit":`},
		"no such dimension":      {`"Queue":"bulk",`, ``},
		"a dimension as number":  {`"bulk"`, `7`},
		"no value":               {`,"QueueAge":[1,2]`, ``},
		"a value as text":        {`[1,2]`, `"1"`},
		"no values":              {`[1,2]`, `[]`},
		"too many values":        {`[1,2]`, `[1` + strings.Repeat(`,1`, 100) + `]`},
		"an undeclared member":   {`"Queue":"bulk"`, `"Queue":"bulk","Other":1`},
		"two documents":          {`[1,2]}`, `[1,2]}{}`},
	} {
		line := strings.Replace(valid, change[0], change[1], 1)
		if _, err := metricstest.Read([]byte(line)); line == valid || err == nil {
			t.Errorf("%s is accepted: %s", name, line)
		}
	}
}

// Every package adds to the webhook's cold start. The domain imports record.
func TestPackage_DependsOnlyOnTheStandardLibraryAndTheDomain(t *testing.T) {
	const module = "gitlab.com/lorehook/lorehook/internal/"
	if diff := cmp.Diff([]string{module + "duration", module + "record", module + "surgical", module + "function/metrics"}, linked.Packages(t, ".")); diff != "" {
		t.Errorf("dependencies (-want +got):\n%s", diff)
	}
}

// Every value that a metric is emitted under is among those that dashboards
// draw, and the sets of a metric have no dimension without values.
func TestValuesOfEveryDimensionAreListed(t *testing.T) {
	for _, m := range metrics.All() {
		for _, set := range m.Sets {
			for _, d := range set {
				values := d.Values()
				if len(values) == 0 || len(slices.Compact(slices.Sorted(slices.Values(values)))) != len(values) {
					t.Errorf("%s: the values of %s are %q", m.Name, d, values)
				}
			}
		}
	}
	if got := metrics.Dimension("Other").Values(); got != nil {
		t.Errorf("an unknown dimension has the values %q", got)
	}
	for _, status := range metrics.Status.Values() {
		if status != metrics.StatusMissing && !surgical.RunStatus(status).Terminal() {
			t.Errorf("no run ends as %s", status)
		}
	}
}
