package ledger_test

import (
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func number(n string) types.AttributeValue { return &types.AttributeValueMemberN{Value: n} }

func list(values ...types.AttributeValue) types.AttributeValue {
	return &types.AttributeValueMemberL{Value: values}
}

func object(item dynamo.Item) types.AttributeValue { return &types.AttributeValueMemberM{Value: item} }

// writtenBefore are rows in every form in which earlier versions left them.
func writtenBefore() map[string]dynamo.Item {
	request := dynamo.Item{
		"run_id": str("w1"), "project_id": number("1"), "origin": str("webhook"), "targets": list(str("issue#7"), str("merge_request#12")),
		"options": object(dynamo.Item{}), "event_at": number("1793599214000023"), "created_at": number("1793599216000027"), "jobs_inserted": number("0"), "counters": object(dynamo.Item{}),
	}
	with := func(more dynamo.Item) dynamo.Item {
		item := dynamo.Item{}
		for _, from := range []dynamo.Item{request, more} {
			for name, value := range from {
				item[name] = value
			}
		}
		return item
	}
	return map[string]dynamo.Item{
		"queued": with(dynamo.Item{"status": str("queued"), "idempotency_key": str("key"), "write_token": str("T")}),
		"running": with(dynamo.Item{
			"status": str("running"), "stage": str("ingest"), "attempt": number("2"), "lease_until": number("1793599300000000"), "lost_leases": number("1"),
			"message_ids": &types.AttributeValueMemberSS{Value: []string{"m"}}, "sweep": str("pending"), "sweep_after": number("1793599400000000"),
			"error": object(dynamo.Item{"code": str("gitlab_rate_limited"), "message": str("wait"), "action": str("retry_after"), "retryable": &types.AttributeValueMemberBOOL{Value: true}, "retry_after": number("30")}),
		}),
		"succeeded": with(dynamo.Item{
			"status": str("succeeded"), "stage": str("done"), "committed_by": number("1"), "generation": number("1"), "finished_at": number("1793599300000000"), "expires_at": number("1801375216"),
			"outcomes": object(dynamo.Item{
				"issue#7":          object(dynamo.Item{"status": str("ok"), "revision": number("2"), "changed": &types.AttributeValueMemberBOOL{Value: true}}),
				"merge_request#12": object(dynamo.Item{"status": str("skipped_stale"), "revision": number("5")}),
			}),
			"counters": object(dynamo.Item{"gitlab_requests": number("5"), "content_write_units": number("11")}),
		}),
		"failed": with(dynamo.Item{
			"status": str("failed"), "stage": str("preflight"), "finished_at": number("1793599300000000"),
			"error": object(dynamo.Item{
				"code": str("surgical_preflight_failed"), "message": str("not every target"), "action": str("retry_failed"), "retryable": &types.AttributeValueMemberBOOL{Value: true}, "total": number("2"),
				"failures": list(object(dynamo.Item{"target": str("issue#7"), "code": str("gitlab_not_found"), "message": str("gone"), "action": str("verify_iid"), "retryable": &types.AttributeValueMemberBOOL{}})),
			}),
			"previews": object(dynamo.Item{"merge_request#12": object(dynamo.Item{"updated_at": number("1793599214000000"), "bytes": number("900"), "discussions": number("3"), "events": number("2")})}),
		}),
	}
}

func micros(n int64) time.Time { return time.UnixMicro(n).UTC() }

func TestRunOf_ReadsTheRowsOfEarlierVersions(t *testing.T) {
	seven, twelve := issue(7).Target, surgical.Target{Type: surgical.MergeRequest, IID: 12}
	request := surgical.Run{
		Request:   surgical.Request{RunID: "w1", ProjectID: 1, Origin: surgical.OriginWebhook, Targets: []surgical.Target{seven, twelve}, EventAt: micros(1793599214000023)},
		CreatedAt: micros(1793599216000027),
	}
	queued, running, succeeded, failed := request, request, request, request
	queued.Status, queued.IdempotencyKey = surgical.StatusQueued, "key"
	running.Status, running.Stage, running.Attempt, running.LostLeases = surgical.StatusRunning, surgical.StageIngest, 2, 1
	running.LeaseUntil, running.MessageIDs, running.SweepPending = micros(1793599300000000), []string{"m"}, true
	running.Error = &surgical.Error{Code: surgical.CodeGitLabRateLimited, Message: "wait", Action: surgical.ActionRetryAfter, Retryable: true, RetryAfter: 30 * time.Second, RunID: "w1"}
	succeeded.Status, succeeded.Stage, succeeded.CommittedBy, succeeded.Generation, succeeded.FinishedAt = surgical.StatusSucceeded, surgical.StageDone, 1, 1, micros(1793599300000000)
	succeeded.Outcomes = map[surgical.Target]surgical.Outcome{seven: {Status: surgical.EntityOK, Revision: 2, Changed: true}, twelve: {Status: surgical.EntitySkippedStale, Revision: 5}}
	succeeded.Counters = surgical.Counters{GitLabRequests: 5, ContentWriteUnits: 11}
	failed.Status, failed.Stage, failed.FinishedAt = surgical.StatusFailed, surgical.StagePreflight, micros(1793599300000000)
	failed.Error = &surgical.Error{
		Code: surgical.CodePreflightFailed, Message: "not every target", Action: surgical.ActionRetryFailed, Retryable: true, RunID: "w1", Total: 2,
		Failures: []surgical.TargetFailure{{Target: seven, Code: surgical.CodeGitLabNotFound, Message: "gone", Action: surgical.ActionVerifyIID}},
	}
	failed.Previews = map[surgical.Target]surgical.Preview{twelve: {UpdatedAt: micros(1793599214000000), Bytes: 900, Discussions: 3, Events: 2}}
	want := map[string]surgical.Run{"queued": queued, "running": running, "succeeded": succeeded, "failed": failed}
	for name, item := range writtenBefore() {
		got, err := ledger.RunOf(item)
		if diff := cmp.Diff(want[name], got, errorsByText); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

// While a deployment is under way, and after a rollback, earlier versions read the
// rows of this one.
func TestRunRows_AreWrittenAsEarlierVersionsReadThem(t *testing.T) {
	m := inMemory(t)
	want := writtenBefore()["queued"]
	run, err := ledger.RunOf(want)
	m.must(err)
	m.now = run.CreatedAt
	_, err = m.Queue(m.Context(), run.Request)
	m.must(err)
	got := m.row("w1")
	got["write_token"] = want["write_token"]
	if !reflect.DeepEqual(want, got) {
		t.Errorf("queued as %v\nwant      %v", got, want)
	}
	_, err = m.Claim(m.Context(), m.run("w1"), claimOf(run, "m"))
	m.must(err)
	names := slices.Sorted(maps.Keys(m.row("w1")))
	if diff := cmp.Diff([]string{
		"attempt", "counters", "created_at", "event_at", "first_claimed_at", "idempotency_key", "jobs_inserted", "lease_until", "message_ids", "options",
		"origin", "preflight_started_at", "project_id", "run_id", "stage", "status", "targets", "write_token",
	}, names); diff != "" {
		t.Errorf("attributes of a claimed run (-want +got):\n%s", diff)
	}
}

// A row that cannot be read is an error, never a run with something left out.
func TestRunOf_RefusesWhatItCannotRead(t *testing.T) {
	entry := object(dynamo.Item{"target": str("epic#7")})
	for name, odd := range map[string]struct {
		attribute string
		value     types.AttributeValue
	}{
		"a target of an unknown type": {"targets", list(str("issue#7"), str("epic#7"))},
		"an outcome of one":           {"outcomes", object(dynamo.Item{"epic#7": object(nil)})},
		"a preview of one":            {"previews", object(dynamo.Item{"epic#7": object(nil)})},
		"a doubt about one":           {"doubted_since", object(dynamo.Item{"epic#7": number("1")})},
		"a failure of one":            {"error", object(dynamo.Item{"failures": list(entry)})},
		"a time that is a text":       {"created_at", str("yesterday")},
		"an attempt that is a list":   {"attempt", list()},
	} {
		item := writtenBefore()["failed"]
		item[odd.attribute] = odd.value
		if run, err := ledger.RunOf(item); err == nil {
			t.Errorf("%s is read as %+v", name, run)
		}
	}
}
