package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// timeouts are those of the functions, by their names.
func timeouts() map[string]time.Duration {
	return map[string]time.Duration{
		"webhook": surgical.WebhookTimeout, "worker": surgical.WorkerTimeout, "docs": surgical.StageTimeout, "embed": surgical.StageTimeout,
		"finish": surgical.ClosingTimeout, "abort": surgical.ClosingTimeout, "sweeper": surgical.SweeperTimeout, "crawler": surgical.CrawlerTimeout, "api": surgical.APITimeout,
		"widget": surgical.WidgetTimeout, "feed": surgical.FeedTimeout, "indexer": surgical.IndexerTimeout, "builder": surgical.IndexerTimeout, "search": surgical.SearchTimeout,
	}
}

func TestTheTemplateHasTheLimits(t *testing.T) {
	everyVariant(t, func(t *testing.T, s stackTemplate) {
		got := map[string]time.Duration{}
		for _, f := range s.ofType("AWS::Lambda::Function") {
			name, _ := f["FunctionName"].(string)
			got[name[strings.LastIndex(name, "-")+1:]] = seconds(f["Timeout"])
		}
		if diff := cmp.Diff(timeouts(), got); diff != "" {
			t.Errorf("timeouts of the functions (-limits +template):\n%s", diff)
		}
		type limits struct {
			Delay, Visibility, Retention time.Duration
			Receives                     any
		}
		for _, name := range []string{"Requests", "Bulk"} {
			q := s.ofType("AWS::SQS::Queue")[name]
			redrive, _ := q["RedrivePolicy"].(map[string]any)
			got := limits{seconds(q["DelaySeconds"]), seconds(q["VisibilityTimeout"]), seconds(q["MessageRetentionPeriod"]), redrive["maxReceiveCount"]}
			if diff := cmp.Diff(limits{surgical.Settle, surgical.Visibility, surgical.Retention, float64(surgical.MaxReceives)}, got); diff != "" {
				t.Errorf("%s (-limits +template):\n%s", name, diff)
			}
		}
		for name, m := range s.ofType("AWS::Lambda::EventSourceMapping") {
			want := surgical.BatchSize
			if name == "FeedMapping" {
				want = surgical.FeedBatch
				if age := seconds(m["MaximumRecordAgeInSeconds"]); age != surgical.FeedGap {
					t.Errorf("%s gives up records after %s, want %s", name, age, surgical.FeedGap)
				}
			}
			if m["BatchSize"] != float64(want) {
				t.Errorf("%s: %v records a batch, want %d", name, m["BatchSize"], want)
			}
		}
	})
}

func TestTheWorkflowHasTheLimits(t *testing.T) {
	m := definition(t)
	if got := time.Duration(m.TimeoutSeconds) * time.Second; got != surgical.WorkflowTimeout {
		t.Errorf("an execution has %s, want %s", got, surgical.WorkflowTimeout)
	}
	tasks := map[string]time.Duration{
		"Docs": surgical.StageTaskTimeout, "Embed": surgical.StageTaskTimeout, "Finish": surgical.ClosingTaskTimeout, "Abort": surgical.ClosingTaskTimeout,
	}
	for name, want := range tasks {
		task := m.States[name]
		if got := time.Duration(task.TimeoutSeconds) * time.Second; got != want || len(task.Retry) != 2 {
			t.Fatalf("%s: %s a try, %d retriers, want %s and two", name, got, len(task.Retry), want)
		}
		for i, tries := range []int{surgical.InvokeTries, surgical.TaskTries} {
			r := task.Retry[i]
			if *r.MaxAttempts != tries-1 || time.Duration(*r.IntervalSeconds)*time.Second != surgical.TaskRetryInterval {
				t.Errorf("%s: %d retries after %d s, want %d", name, *r.MaxAttempts, *r.IntervalSeconds, tries-1)
			}
		}
	}
}

// limitRows is the table of docs/architecture.md, made of the limits.
func limitRows() map[string]string {
	s := func(d time.Duration) string { return fmt.Sprintf("%v s", d.Seconds()) }
	return map[string]string{
		"follow-ups":  s(surgical.FollowUpSoon) + ", " + s(surgical.FollowUpLater) + " and " + s(surgical.Confirmation) + " after the event has settled",
		"settle time": s(surgical.Settle), "confirmation time": fmt.Sprintf("%v min", surgical.Confirmation.Minutes()),
		"worker timeout, lease, visibility timeout": s(surgical.WorkerTimeout) + ", " + s(surgical.Lease) + ", " + s(surgical.Visibility),
		"webhook":                               s(surgical.WebhookTimeout) + ", its calls " + s(surgical.WebhookCallTimeout),
		"docs and embed":                        s(surgical.StageTimeout) + " per try, the last " + s(surgical.HandOnReserve) + " reserved for handing on",
		"finish and abort":                      s(surgical.ClosingTimeout) + " per try",
		"API, widget":                           s(surgical.APITimeout) + ", " + s(surgical.WidgetTimeout) + "; of these and of search, the last " + s(surgical.AnswerReserve) + " reserved for a failure's answer",
		"sweeper":                               s(surgical.SweeperTimeout) + ", started every " + s(surgical.SweepInterval),
		"crawler":                               s(surgical.CrawlerTimeout) + ", started every " + s(surgical.CrawlInterval) + ", no page in the last " + s(surgical.CrawlReserve) + "; looks again after " + s(surgical.Settle+surgical.FirstLook) + ", then after " + s(surgical.FirstLook) + ", doubling to " + s(surgical.MaxLook) + "; the check of hooks takes at most " + s(surgical.HooksShare) + " of it",
		"reconcile":                             fmt.Sprintf("every %v min (`reconcileMinutes`), with an overlap of %v min", surgical.ReconcileInterval.Minutes(), surgical.ReconcileOverlap.Minutes()),
		"runs of a reconcile, of all backfills": fmt.Sprintf("%d queued or running", surgical.MaxOutstanding),
		"reserve of webhooks":                   fmt.Sprintf("%d%% of GitLab's rate limit; passes wait for at most %v min at a time", surgical.WebhookReserve, surgical.MaxSpare.Minutes()),
		"one execution":                         s(surgical.WorkflowTimeout),
		"census":                                fmt.Sprintf("%v days (`censusDays`), with at most %d runs requested each time the crawler starts", surgical.CensusBudget.Hours()/24, surgical.MaxCensusRuns),
		"hiding a project that GitLab no longer shows": fmt.Sprintf("%v h after its first refusal (`projectHideAfterHours`)", surgical.HideProjectAfter.Hours()),
		"feed":                     fmt.Sprintf("%s, with at most %d records at a time, collected for %s", s(surgical.FeedTimeout), surgical.FeedBatch, s(surgical.FeedWindow)),
		"a place in a change feed": fmt.Sprintf("valid for %v days; feeds restart after a gap of %v to %v h", surgical.FeedRetention.Hours()/24, (surgical.FeedGap - surgical.FeedConsumedInterval).Hours(), surgical.FeedGap.Hours()),
		"completing an erasure":    fmt.Sprintf("%v min after the last request to erase", surgical.EraseSettle.Minutes()),
		"giving up":                fmt.Sprintf("%v h after the first claim, with a failed attempt", surgical.GiveUpAfter.Hours()),
		"indexer and builder":      s(surgical.IndexerTimeout) + ", the indexer started every " + s(surgical.IndexInterval) + "; a turn lasts " + s(surgical.IndexerTurn) + ", extended every " + s(surgical.IndexerExtends),
		"search":                   s(surgical.SearchTimeout) + fmt.Sprintf("; at most %d readings of candidates a page, and %d,%03d ranks", surgical.MaxSearchRounds, surgical.MaxSearchDepth/1000, surgical.MaxSearchDepth%1000),
		"memory and storage of search and builder": fmt.Sprintf("%d MB, %d MB", surgical.IndexMemory, surgical.IndexStorage),
		"indexer memory":                 fmt.Sprintf("%d MB", surgical.IndexerMemory),
		"a batch that the indexer reads": fmt.Sprintf("%d MB of texts and vectors", surgical.MaxFollowedBytes>>20),
		"batches of the index": fmt.Sprintf("joined with the base after %v days, the base before that kept for %v days; their items expire after %v days",
			surgical.IndexBatchAge.Hours()/24, surgical.IndexPreviousAge.Hours()/24, surgical.IndexBatchExpires.Hours()/24),
		"batches behind the base of the index": fmt.Sprintf("%d, with %d,%03d documents", surgical.MaxIndexBatches, surgical.MaxBatchedDocuments/1000, surgical.MaxBatchedDocuments%1000),
		"text that was removed from the index": fmt.Sprintf("rewritten after %v h, its base forgotten after %v h, objects deleted %v h after they are no longer named", surgical.CompactRemoved.Hours(), surgical.ForgetRemoved.Hours(), surgical.IndexUnnamed.Hours()),
		"resuming a run after a failed stage": s(surgical.FirstResume) + " later, doubling to " + s(surgical.MaxResume) +
			fmt.Sprintf("; after %d deaths never", surgical.MaxLostStages),
		"bytes of an entity":                        fmt.Sprintf("%d MB fetched, in all its responses together", surgical.MaxEntityBytes>>20),
		"bytes of a record":                         fmt.Sprintf("%d MB", surgical.MaxRecordBytes>>20),
		"check of hooks":                            fmt.Sprintf("every %v min; a change without a delivery counts after %v min", surgical.HookCheckInterval.Minutes(), surgical.SilentAfter.Minutes()),
		"bytes of a page of a list":                 fmt.Sprintf("%d MB; beyond it, pages have fewer records, and a single one is read without its long texts, up to %d GB", surgical.MaxListPageBytes>>20, surgical.MaxAbridgedBytes>>30),
		"records of an entity":                      fmt.Sprintf("%d,%03d in all its lists, and %d pages of one list", surgical.MaxEntityRecords/1000, surgical.MaxEntityRecords%1000, surgical.MaxListPages),
		"records of a list with one date":           fmt.Sprintf("%d,%03d", surgical.MaxOffset/1000, surgical.MaxOffset%1000),
		"titles, names, links":                      fmt.Sprintf("%d,%03d characters are shown", surgical.MaxShown/1000, surgical.MaxShown%1000),
		"labels, assignees, reviewers of an entity": fmt.Sprintf("%d KB of each are shown", surgical.MaxShownList>>10),
		"text of a document":                        fmt.Sprintf("%.1f million characters", float64(surgical.MaxDocument)/1e6),
		"bytes of an item":                          fmt.Sprintf("%d KB", surgical.MaxItemBytes>>10),
		"bytes of a run":                            fmt.Sprintf("%d MB, together with the other runs of its worker", surgical.MaxWorkerBytes>>20),
		"fetches of a run":                          fmt.Sprintf("%d at a time; as many requests as %v s allow", surgical.ParallelFetches, surgical.PreflightTime.Seconds()),
		"writing of a run":                          fmt.Sprintf("%d,%03d write units a second; the time of a worker after the fetch, less %s", surgical.PartitionWriteUnits/1000, surgical.PartitionWriteUnits%1000, s(surgical.ThrottleReserve)),
		"run of a pass behind deliveries": fmt.Sprintf("until %s after none was seen waiting; looks every %s, for at most %v min",
			s(surgical.TurnGrace), s(surgical.TurnDelay), surgical.TurnPatience.Minutes()),
		"targets per request":     fmt.Sprint(surgical.MaxTargets),
		"webhook body":            fmt.Sprintf("%d MB decoded", surgical.MaxWebhookBody>>20),
		"worker memory":           fmt.Sprintf("%d MB, the garbage collector's limit at %d%% of it", surgical.WorkerMemory, surgical.GoMemoryPercent),
		"docs, embed, API memory": fmt.Sprintf("%d, %d and %d MB, with the same limit", surgical.StageMemory, surgical.StageMemory, surgical.APIMemory),
		"crawler memory; webhook, finish, abort, sweeper, feed and widget memory": fmt.Sprintf("%d MB; %d MB each, with the same limit", surgical.CrawlerMemory, surgical.SmallMemory),
		"attempts of a call to AWS": fmt.Sprintf("%d, to DynamoDB %d; up to %v ms before the second, to DynamoDB %v ms, doubling up to %s",
			surgical.AWSAttempts, surgical.DynamoDBAttempts, surgical.AWSRetryPause.Milliseconds(), surgical.DynamoDBRetryPause.Milliseconds(), s(surgical.AWSMaxRetryPause)),
		"one attempt of a call to AWS": fmt.Sprintf("%s to connect, %s until the response begins (Bedrock and Step Functions %s), %s for the rest",
			s(surgical.AWSDialTimeout), s(surgical.AWSReadTimeout), s(surgical.AWSSlowReadTimeout), s(surgical.AWSBodyTimeout)),
		"a function's environment":    fmt.Sprintf("%d KB", surgical.MaxEnvironment>>10),
		"API body":                    fmt.Sprintf("%d KB", surgical.MaxAPIBody>>10),
		"message retention, receives": fmt.Sprintf("%v days, %d,%03d", surgical.Retention.Hours()/24, surgical.MaxReceives/1000, surgical.MaxReceives%1000),
		"dead letters":                "hidden for " + s(surgical.DeadLetterVisibility) + " by each receive",
		"secrets": fmt.Sprintf("read again in the background from %s of age, before use from %s; after a mismatch at most every %s; kept for %v min while Secrets Manager is unreachable",
			s(surgical.SecretRefreshAge), s(surgical.SecretMaxAge), s(surgical.SecretInterval), surgical.SecretOutage.Minutes()),
		"requests to GitLab": fmt.Sprintf("%d a second per worker (`gitlabRequestsPerSecond`), with %d workers (`workerConcurrency`) on `requests.fifo` and %d on `bulk.fifo`; the %d on `hides.fifo` send none",
			surgical.DefaultRequestsPerSecond, surgical.DefaultConcurrency, surgical.BulkConcurrency, surgical.HideConcurrency),
		"requests to Bedrock": fmt.Sprintf("%d in flight per invocation of docs or embed (`embedderConcurrency`)", surgical.DefaultEmbedderConcurrency),
	}
}

func TestTheDocumentsNameTheLimits(t *testing.T) {
	text := read(t, "../docs/architecture.md")
	_, table, found := strings.Cut(text, "\n## Times and limits\n")
	if !found {
		t.Fatal("docs/architecture.md has no times and limits")
	}
	table, _, _ = strings.Cut(table, "\n## ")
	if diff := cmp.Diff(limitRows(), rowsOf(table)); diff != "" {
		t.Errorf("docs/architecture.md (-limits +document):\n%s", diff)
	}
	const crawlers = 1
	const sending = surgical.BulkConcurrency + crawlers // beside workerConcurrency; those on hides.fifo send none
	const perMinute = (surgical.DefaultConcurrency + sending) * surgical.DefaultRequestsPerSecond * 60
	for file, parts := range map[string][]string{
		"../README.md": {fmt.Sprintf("at most %d requests a second in total", perMinute/60)},
		"configuration.md": {
			fmt.Sprintf("GitLab receives at most (`workerConcurrency` + %d) times", sending),
			fmt.Sprintf("`bulk.fifo` and `hides.fifo` have %d more each", surgical.BulkConcurrency),
		},
		"scale.md": {
			fmt.Sprintf("(`workerConcurrency` + %d) × `gitlabRequestsPerSecond`", sending),
			fmt.Sprintf("up to %d,%03d", perMinute/1000, perMinute%1000),
		},
		"runbooks/executions.md": {fmt.Sprintf("did not end within %v s", surgical.WorkflowTimeout.Seconds()), "within an hour, three executions failed"},
		"deploy.md": {
			fmt.Sprintf("up to `workerConcurrency` + %d workers", surgical.BulkConcurrency+surgical.HideConcurrency), fmt.Sprintf("The worker has %d MB", surgical.WorkerMemory), fmt.Sprintf("set to %d%% of", surgical.GoMemoryPercent),
		},
	} {
		for _, part := range parts {
			if !strings.Contains(read(t, filepath.Join("..", "docs", file)), part) {
				t.Errorf("docs/%s does not say %q", file, part)
			}
		}
	}
	runbook := rowsOf(read(t, "../docs/runbooks/lambda-duration.md"))
	for name, timeout := range timeouts() {
		told := ""
		for names, value := range runbook {
			if strings.Contains(names, "`"+name+"`") {
				told, _, _ = strings.Cut(value, ",")
			}
		}
		if want := fmt.Sprintf("%v s", timeout.Seconds()); told != want {
			t.Errorf("docs/runbooks/lambda-duration.md gives %s %q, want %q", name, told, want)
		}
	}
}

// rowsOf are the second cells of a table's rows by the first ones.
func rowsOf(table string) map[string]string {
	rows := map[string]string{}
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(line, "| \n"), " | ")
		if strings.HasPrefix(line, "| ") && len(cells) == 3 && cells[1] != "value" {
			rows[cells[0]] = cells[1]
		}
	}
	return rows
}

// What waits for something else outlasts it.
func TestTheLimitsFitEachOther(t *testing.T) {
	for _, c := range []struct {
		name          string
		first, second time.Duration
	}{
		{"a delivery's calls, and the function", surgical.WebhookCallTimeout, surgical.WebhookTimeout},
		{"one attempt to call AWS, and all of a delivery's calls", surgical.AWSDialTimeout + surgical.AWSReadTimeout, surgical.WebhookCallTimeout},
		{"one slow attempt to call AWS, and a stage's reserve", surgical.AWSDialTimeout + surgical.AWSSlowReadTimeout + surgical.AWSBodyTimeout, surgical.HandOnReserve},
		{"the worker, and its lease", surgical.WorkerTimeout, surgical.Lease},
		{"the lease, and its message", surgical.Lease, surgical.Visibility},
		{"handing on, and the stage", surgical.HandOnReserve, surgical.StageTimeout},
		{"the stage, and its task", surgical.StageTimeout, surgical.StageTaskTimeout},
		{"closing, and its task", surgical.ClosingTimeout, surgical.ClosingTaskTimeout},
		{"all tries, and the execution", surgical.TaskTries*2*(surgical.StageTaskTimeout+surgical.ClosingTaskTimeout) + 4*surgical.TaskRetryInterval, surgical.WorkflowTimeout},
		{"the execution, and AWS", surgical.WorkflowTimeout, 300 * time.Second},
		{"the crawler, and its lease", surgical.CrawlerTimeout, surgical.CrawlerLease},
		{"the crawler's lease, and its next start", surgical.CrawlerLease, surgical.CrawlInterval},
		{"the API, and the gateway", surgical.APITimeout, 30 * time.Second},
		{"the longest wait, and SQS", surgical.MaxRetryAfter, 12 * time.Hour},
	} {
		if c.first >= c.second {
			t.Errorf("%s: %s is not less than %s", c.name, c.first, c.second)
		}
	}
}
