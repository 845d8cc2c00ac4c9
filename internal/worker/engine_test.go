package worker_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/worker"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakedynamodb "gitlab.com/lorehook/lorehook/test/fake/dynamodb"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// world is the real engine on the in-memory DynamoDB and the demo GitLab.
type world struct {
	*cloud.World
	// around, if set, stands between the engine and DynamoDB.
	around cloud.Around
	// during, if set, runs within the next fetch, after it was answered.
	during func()
	// fetches counts fetches, launches the workflows that were started.
	fetches, launches int
	// away makes starting a workflow fail.
	away bool
}

func newWorld(t *testing.T) *world {
	t.Helper()
	db, tables := fakedynamodb.New()
	w := &world{}
	client := cloud.Intercept(db.Client(), func(ctx context.Context, call cloud.Call, send func() error) error {
		if w.around != nil {
			return w.around(ctx, call, send)
		}
		return send()
	})
	w.World = cloud.NewWorld(t, client, tables)
	fetch, launch := w.Engine.Fetch, w.Engine.Launch
	w.Engine.Fetch = func(ctx context.Context, ref surgical.EntityRef) (surgical.Snapshot, error) {
		w.fetches++
		snap, err := fetch(ctx, ref)
		if during := w.during; during != nil {
			w.during = nil
			during()
		}
		return snap, err
	}
	w.Engine.Launch = func(ctx context.Context, run surgical.Run, generation int64, clean bool) error {
		if w.away {
			return errors.New("Step Functions is out of reach")
		}
		w.launches++
		return launch(ctx, run, generation, clean)
	}
	return w
}

var (
	issue7 = fakegitlab.IssueRef(7)
	mr12   = fakegitlab.MergeRequestRef(12)
)

// deliver waits until the request has settled and processes it once, with nothing
// else running.
func (w *world) deliver(req surgical.Request) worker.Verdict {
	w.T.Helper()
	verdict, _ := w.Deliver(req)
	return verdict
}

// want checks the verdict's kind and, of a wait, how long it is.
func want(t *testing.T, got, want worker.Verdict) {
	t.Helper()
	wait, waits := got.(worker.Wait)
	wanted, shouldWait := want.(worker.Wait)
	if waits != shouldWait || !waits && got != want || waits && wait.After != wanted.After {
		t.Errorf("verdict %v (%v), want %v", got, wait.Cause, want)
	}
}

// wantRun checks the state of the run.
func (w *world) wantRun(id string, status surgical.RunStatus, code surgical.Code) surgical.Run {
	w.T.Helper()
	run := w.Run(id)
	var got surgical.Code
	if run.Error != nil {
		got = run.Error.Code
	}
	if run.Status != status || got != code {
		w.T.Fatalf("the run is %s, %v; want %s, %s", run.Status, run.Error, status, code)
	}
	return run
}

func (w *world) head(ref surgical.EntityRef) surgical.Head {
	w.T.Helper()
	head, err := w.Content.Head(w.T.Context(), ref)
	if err != nil {
		w.T.Fatal(err)
	}
	return head
}

func TestProcess_CommitsAndStartsTheWorkflow(t *testing.T) {
	w := newWorld(t)
	req := w.Request(surgical.OriginWebhook, issue7)
	want(t, w.deliver(req), worker.Done{})
	run := w.wantRun(req.RunID, surgical.StatusRunning, "")
	if run.Stage != surgical.StageDocs || !run.Committed() || run.Generation != 1 || w.launches != 1 || w.fetches != 1 || w.head(issue7).Revision != 1 {
		t.Errorf("run %+v after %d fetches and %d launches", run, w.fetches, w.launches)
	}
}

func TestProcess_EndsARunThatChangedNothingWithoutAWorkflow(t *testing.T) {
	w := newWorld(t)
	first := w.Webhook(issue7)
	before := w.head(issue7)
	w.Clock.Advance(time.Minute)
	req := w.Request(surgical.OriginManual, issue7)
	want(t, w.deliver(req), worker.Done{})
	run, after := w.wantRun(req.RunID, surgical.StatusSucceeded, ""), w.head(issue7)
	if w.launches != 1 || run.Outcomes[issue7.Target].Changed || !after.FetchedAt.After(before.FetchedAt) || after.RunID == first.RunID {
		t.Errorf("%d launches, outcome %+v, head %+v after %+v", w.launches, run.Outcomes, after, before)
	}
}

func TestProcess_WaitsUntilTheEventHasSettled(t *testing.T) {
	w := newWorld(t)
	msg := w.Message(w.Request(surgical.OriginWebhook, issue7))
	msg.NotBefore = w.Clock.Now().Add(time.Minute)
	verdict, _ := w.Process(msg)
	if wait, ok := verdict.(worker.Wait); !ok || wait.After < 59*time.Second || wait.After > time.Minute || wait.Cause != nil {
		t.Errorf("verdict %+v", verdict)
	}
	if _, err := w.Ledger.Run(t.Context(), msg.RunID); surgical.CodeOf(err) != surgical.CodeRunNotFound || w.fetches > 0 {
		t.Errorf("it began: %d fetches, %v", w.fetches, err)
	}
}

func TestProcess_BeginsNothingThatItHasNoTimeFor(t *testing.T) {
	w := newWorld(t)
	msg := w.Message(w.Request(surgical.OriginWebhook, issue7))
	w.Clock.AdvanceTo(msg.NotBefore)
	ctx, cancel := context.WithTimeout(t.Context(), surgical.MinAttempt-time.Second)
	defer cancel()
	want(t, w.Engine.Process(ctx, msg, true), worker.Wait{After: time.Second})
	if w.fetches > 0 {
		t.Error("it fetched")
	}
}

func TestProcess_RepeatsNothingForARedelivery(t *testing.T) {
	w := newWorld(t)
	req := w.Request(surgical.OriginWebhook, issue7)
	w.Sync(req)
	want(t, w.deliver(req), worker.Done{})
	if w.fetches != 1 || w.launches != 1 {
		t.Errorf("%d fetches, %d launches", w.fetches, w.launches)
	}
}

// Two deliveries under one name: the second must not end with the run of the first,
// nor retry it.
func TestProcess_GivesAMessageAboutOtherEntitiesItsOwnRun(t *testing.T) {
	for name, status := range map[string]int{"the run succeeded": 200, "the run failed": 403} {
		for what, ref := range map[string]surgical.EntityRef{
			"another issue": fakegitlab.IssueRef(8), "another type": mr12, "another project": {ProjectID: 2, Target: issue7.Target},
		} {
			t.Run(name+", "+what, func(t *testing.T) {
				w := newWorld(t)
				if ref.Type == surgical.Issue {
					other := fakegitlab.NewIssue(ref.IID, "Another", "Text", fakegitlab.Time{Time: w.Clock.Now()})
					other.ProjectID = ref.ProjectID
					w.GitLab.SetIssue(other)
				}
				first := w.Request(surgical.OriginWebhook, issue7)
				if status != 200 {
					w.GitLab.Inject(fakegitlab.Fault{Ref: issue7, Requests: 5, Status: status, Body: `{"message":"403 Forbidden"}`})
				}
				want(t, w.deliver(first), worker.Done{})
				ended := w.Run(first.RunID)

				second := w.Request(surgical.OriginWebhook, ref)
				second.RunID = first.RunID
				want(t, w.deliver(second), worker.Done{})
				if diff := cmp.Diff(ended, w.Run(first.RunID), cmpopts.IgnoreUnexported(surgical.Error{})); diff != "" {
					t.Errorf("the first run (-before +after):\n%s", diff)
				}
				own := w.Run(second.OwnRunID())
				if !own.SameEntities(second) || !own.Status.Terminal() && !own.Committed() {
					t.Errorf("the second message's run: %+v", own)
				}
				fetches := w.fetches
				want(t, w.deliver(second), worker.Done{})
				if w.fetches != fetches {
					t.Error("a redelivery fetched again")
				}
			})
		}
	}
}

func TestProcess_StartsTheWorkflowThatADeadWorkerDidNot(t *testing.T) {
	w := newWorld(t)
	req := w.Request(surgical.OriginWebhook, issue7)
	w.away = true
	want(t, w.deliver(req), worker.Wait{After: surgical.UnknownDelay})
	w.away = false
	want(t, w.deliver(req), worker.Done{})
	want(t, w.deliver(req), worker.Done{})
	if w.fetches != 1 || w.launches != 1 {
		t.Errorf("%d fetches, %d launches, want one of each", w.fetches, w.launches)
	}
}

// claim takes the run as another worker would, which then dies.
func (w *world) claim(req surgical.Request) {
	w.T.Helper()
	seen, err := w.Ledger.Run(w.T.Context(), req.RunID)
	if err != nil {
		seen = surgical.Run{Request: req}
	}
	if _, err := w.Ledger.Claim(w.T.Context(), seen, surgical.Claim{Request: req, MessageID: w.Message(req).ID, Lease: surgical.Lease}); err != nil {
		w.T.Fatal(err)
	}
}

func TestProcess_WaitsForALeaseAndThenIsolatesItsRun(t *testing.T) {
	w := newWorld(t)
	req := w.Request(surgical.OriginWebhook, issue7)
	w.claim(req)
	if wait, ok := w.deliver(req).(worker.Wait); !ok || wait.After < surgical.Lease-5*time.Second || wait.After > surgical.Lease {
		t.Errorf("under a live lease: %v", wait)
	}
	w.Clock.Advance(surgical.Lease)
	want(t, w.Engine.Process(t.Context(), w.Message(req), false), worker.Isolate{Deaths: 1})
	if w.fetches > 0 {
		t.Error("it was fetched beside others")
	}
	want(t, w.deliver(req), worker.Done{})
	if run := w.Run(req.RunID); run.Attempt != 2 || run.LostLeases != 1 {
		t.Errorf("run %+v", run)
	}
}

func TestProcess_EndsARunThatKillsItsWorkers(t *testing.T) {
	w := newWorld(t)
	req := w.Request(surgical.OriginWebhook, issue7)
	for range surgical.MaxLostLeases {
		w.claim(req)
		w.Clock.Advance(surgical.Lease)
	}
	want(t, w.deliver(req), worker.DeadLetter{})
	w.wantRun(req.RunID, surgical.StatusFailed, surgical.CodeRunLost)
	// The copy of the message that could not be moved is moved next time.
	want(t, w.deliver(req), worker.DeadLetter{})
	if w.fetches > 0 {
		t.Errorf("%d fetches", w.fetches)
	}
}

func TestProcess_RespectsThePauseExceptForADrain(t *testing.T) {
	w := newWorld(t)
	w.Webhook(issue7)
	w.Clock.Advance(time.Minute)
	until := w.Clock.Now().Add(10 * time.Minute)
	if err := w.Ledger.SetPause(t.Context(), until, surgical.CodeGitLabRateLimited); err != nil {
		t.Fatal(err)
	}
	w.fetches = 0
	req := w.Request(surgical.OriginManual, issue7)
	if wait, ok := w.deliver(req).(worker.Wait); !ok || wait.After < 9*time.Minute || wait.After > 10*time.Minute {
		t.Errorf("a manual run waits %v", wait)
	}
	drain := w.Request(surgical.OriginDrain, issue7)
	want(t, w.deliver(drain), worker.Done{})
	w.wantRun(drain.RunID, surgical.StatusSucceeded, "")
	w.Clock.AdvanceTo(until)
	want(t, w.deliver(req), worker.Done{})
	if w.fetches != 1 {
		t.Errorf("%d fetches, want the manual run's after the pause", w.fetches)
	}
}

// The head's fetch covers an event only if it began later than the settle time
// after it. What is covered needs no fetch, what is not waits its turn.
func TestProcess_CoalescesWhatTheHeadCovers(t *testing.T) {
	fresh := func(w *world) time.Time { w.Webhook(issue7); return w.head(issue7).FetchedAt }
	for name, c := range map[string]struct {
		origin  surgical.Origin
		event   time.Duration // relative to the head's fetch
		later   time.Duration // how long after the fetch the message is processed
		shares  bool
		options surgical.Options
		want    worker.Verdict
		fetches int
		covered bool
	}{
		"a covered webhook":                   {origin: surgical.OriginWebhook, event: -surgical.Settle - time.Second, want: worker.Done{}, covered: true},
		"an event at the settle time":         {origin: surgical.OriginWebhook, event: -surgical.Settle, later: time.Minute, want: worker.Done{}, fetches: 1},
		"not covered, long after":             {origin: surgical.OriginWebhook, event: time.Second, later: surgical.RefetchInterval + time.Second, want: worker.Done{}, fetches: 1},
		"a covered manual run":                {origin: surgical.OriginManual, event: -time.Hour, want: worker.Done{}, fetches: 1},
		"a covered manual run that shares":    {origin: surgical.OriginManual, event: -time.Hour, shares: true, want: worker.Done{}, covered: true},
		"the same with other options":         {origin: surgical.OriginManual, event: -time.Hour, shares: true, options: surgical.Options{NoEmbed: true}, want: worker.Done{}, fetches: 1},
		"a covered preflight that shares":     {origin: surgical.OriginManual, event: -time.Hour, shares: true, options: surgical.Options{PreflightOnly: true}, want: worker.Done{}, fetches: 1},
		"an uncovered manual run that shares": {origin: surgical.OriginManual, event: time.Second, later: 3 * time.Second, shares: true, want: worker.Done{}, fetches: 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			fetched := fresh(w)
			w.fetches = 0
			req := w.Request(c.origin, issue7)
			req.EventAt, req.Options = fetched.Add(c.event), c.options
			w.Clock.AdvanceTo(fetched.Add(c.later))
			msg := w.Message(req)
			msg.NotBefore, msg.SharesFetch = time.Time{}, c.shares
			verdict, _ := w.Process(msg)
			want(t, verdict, c.want)
			run := w.Run(req.RunID)
			if w.fetches != c.fetches || (run.CoalescedWith != "") != c.covered {
				t.Errorf("%d fetches, coalesced with %q", w.fetches, run.CoalescedWith)
			}
		})
	}
}

func TestProcess_SpacesTheFetchesOfABusyEntity(t *testing.T) {
	w := newWorld(t)
	w.Webhook(issue7)
	w.fetches = 0
	req := w.Request(surgical.OriginWebhook, issue7)
	msg := w.Message(req)
	msg.NotBefore = time.Time{}
	left := w.head(issue7).FetchedAt.Add(surgical.RefetchInterval).Sub(w.Clock.Now())
	verdict, _ := w.Process(msg)
	if wait, ok := verdict.(worker.Wait); !ok || wait.After > max(left, time.Second) || w.fetches > 0 {
		t.Errorf("verdict %v after %d fetches, want a wait of %s", verdict, w.fetches, left)
	}
	w.Clock.Advance(surgical.RefetchInterval)
	want(t, w.deliver(req), worker.Done{})
	if w.fetches != 1 {
		t.Errorf("%d fetches", w.fetches)
	}
}

func TestProcess_RefusesAProjectOffTheAllowList(t *testing.T) {
	w := newWorld(t)
	w.Engine.Allows = func(id int64) bool { return id != issue7.ProjectID }
	req := w.Request(surgical.OriginManual, issue7)
	want(t, w.deliver(req), worker.Done{})
	w.wantRun(req.RunID, surgical.StatusFailed, surgical.CodeProjectNotAllowed)
	if w.fetches > 0 {
		t.Error("it was fetched")
	}
}

// Each answer of GitLab, and what it does to a run of a webhook and of a manual
// request.
func TestProcess_JudgesAFailedPreflight(t *testing.T) {
	const waits = surgical.StatusRunning
	retry := func(seconds string) http.Header { return http.Header{"Retry-After": {seconds}} }
	for name, c := range map[string]struct {
		fault   fakegitlab.Fault
		origin  surgical.Origin
		verdict worker.Verdict
		status  surgical.RunStatus
		code    surgical.Code // of the run's error
		cause   surgical.Code // of the target's failure
		pauses  bool
	}{
		"429 with Retry-After":   {fakegitlab.Fault{Status: 429, Header: retry("90")}, surgical.OriginManual, worker.Wait{After: 90 * time.Second}, waits, surgical.CodeGitLabRateLimited, surgical.CodeGitLabRateLimited, true},
		"429 without":            {fakegitlab.Fault{Status: 429}, surgical.OriginManual, worker.Wait{After: surgical.DefaultPause}, waits, surgical.CodeGitLabRateLimited, surgical.CodeGitLabRateLimited, true},
		"401":                    {fakegitlab.Fault{Status: 401, Body: `{"message":"401 Unauthorized"}`}, surgical.OriginManual, worker.Wait{After: surgical.DefaultPause}, waits, surgical.CodeGitLabUnauthorized, surgical.CodeGitLabUnauthorized, true},
		"403":                    {fakegitlab.Fault{Status: 403, Body: `{"message":"403 Forbidden"}`}, surgical.OriginWebhook, worker.Done{}, surgical.StatusFailed, surgical.CodePreflightFailed, surgical.CodeGitLabForbidden, false},
		"404 of a manual run":    {fakegitlab.Fault{Status: 404, Body: `{"message":"404 Not found"}`}, surgical.OriginManual, worker.Done{}, surgical.StatusFailed, surgical.CodePreflightFailed, surgical.CodeGitLabNotFound, false},
		"404 of a webhook":       {fakegitlab.Fault{Status: 404, Body: `{"message":"404 Not found"}`}, surgical.OriginWebhook, worker.Wait{After: surgical.FirstDelay / 2}, waits, surgical.CodeGitLabNotFound, surgical.CodeGitLabNotFound, false},
		"403 of a firewall":      {fakegitlab.Fault{Status: 403, Foreign: true}, surgical.OriginWebhook, worker.Wait{After: surgical.FirstDelay / 2}, waits, surgical.CodeGitLabUnavailable, surgical.CodeGitLabUnavailable, false},
		"404 of an ingress":      {fakegitlab.Fault{Status: 404, Foreign: true}, surgical.OriginWebhook, worker.Wait{After: surgical.FirstDelay / 2}, waits, surgical.CodeGitLabUnavailable, surgical.CodeGitLabUnavailable, false},
		"403 of an API gateway":  {fakegitlab.Fault{Status: 403, Body: `{"message":"Forbidden"}`}, surgical.OriginWebhook, worker.Wait{After: surgical.FirstDelay / 2}, waits, surgical.CodeGitLabUnavailable, surgical.CodeGitLabUnavailable, false},
		"404 of an API gateway":  {fakegitlab.Fault{Status: 404, Body: `{"message":"no Route matched with those values"}`}, surgical.OriginWebhook, worker.Wait{After: surgical.FirstDelay / 2}, waits, surgical.CodeGitLabUnavailable, surgical.CodeGitLabUnavailable, false},
		"401 of a login page":    {fakegitlab.Fault{Status: 401, Foreign: true}, surgical.OriginManual, worker.Wait{After: surgical.FirstDelay / 2}, waits, surgical.CodeGitLabUnavailable, surgical.CodeGitLabUnavailable, false},
		"a redirect elsewhere":   {fakegitlab.Fault{Status: 302, Header: http.Header{"Location": {"https://maintenance.invalid/"}}}, surgical.OriginManual, worker.Wait{After: surgical.FirstDelay / 2}, waits, surgical.CodeGitLabUnavailable, surgical.CodeGitLabUnavailable, false},
		"403 for the token":      {fakegitlab.Fault{Status: 403, Body: `{"error":"insufficient_scope"}`}, surgical.OriginManual, worker.Wait{After: surgical.DefaultPause}, waits, surgical.CodeGitLabUnauthorized, surgical.CodeGitLabUnauthorized, true},
		"404 of one list":        {fakegitlab.Fault{Endpoint: "discussions", Status: 404}, surgical.OriginManual, worker.Wait{After: surgical.FirstDelay / 2}, waits, surgical.CodeGitLabUnavailable, surgical.CodeGitLabUnavailable, false},
		"a list of a newer one":  {fakegitlab.Fault{Endpoint: "resource_state_events", Status: 404, Body: `{"error":"404 Not Found"}`}, surgical.OriginManual, worker.Done{}, surgical.StatusFailed, surgical.CodePreflightFailed, surgical.CodeGitLabUnavailable, false},
		"500":                    {fakegitlab.Fault{Status: 500}, surgical.OriginManual, worker.Wait{After: surgical.FirstDelay / 2}, waits, surgical.CodeGitLabUnavailable, surgical.CodeGitLabUnavailable, false},
		"503 with Retry-After":   {fakegitlab.Fault{Status: 503, Header: retry("300")}, surgical.OriginManual, worker.Wait{After: 300 * time.Second}, waits, surgical.CodeGitLabUnavailable, surgical.CodeGitLabUnavailable, false},
		"an hour of Retry-After": {fakegitlab.Fault{Status: 429, Header: retry("86400")}, surgical.OriginManual, worker.Wait{After: surgical.MaxRetryAfter}, waits, surgical.CodeGitLabRateLimited, surgical.CodeGitLabRateLimited, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c.fault.Ref, c.fault.Requests = issue7, 1000
			w.GitLab.Inject(c.fault)
			req := w.Request(c.origin, issue7, mr12)
			if c.origin == surgical.OriginWebhook {
				req = w.Request(c.origin, issue7)
			}
			want(t, w.deliver(req), c.verdict)
			run := w.wantRun(req.RunID, c.status, c.code)
			if len(run.Error.Failures) != 1 || run.Error.Failures[0].Code != c.cause || run.Error.Failures[0].Target != issue7.Target || run.Error.Total != len(req.Targets) {
				t.Errorf("failures %+v of %d", run.Error.Failures, run.Error.Total)
			}
			if run.Committed() || w.head(issue7).Exists() || w.head(mr12).Exists() {
				t.Error("content was written")
			}
			if until, err := w.Ledger.Pause(t.Context()); err != nil || !until.IsZero() != c.pauses {
				t.Errorf("paused until %s, %v", until, err)
			}
		})
	}
}

// A retry helps the targets that only another's failure kept from being fetched.
// Without any, the advice is that of the failure.
func TestProcess_AdvisesWhatTheFailuresOfAPreflightNeed(t *testing.T) {
	for name, c := range map[string]struct {
		status    int
		targets   []surgical.EntityRef
		action    surgical.Action
		retryable bool
	}{
		"a missing entity alone":         {404, []surgical.EntityRef{issue7}, surgical.ActionVerifyIID, false},
		"a missing entity among others":  {404, []surgical.EntityRef{issue7, mr12}, surgical.ActionRetryFailed, true},
		"a forbidden entity alone":       {403, []surgical.EntityRef{issue7}, surgical.ActionGrantAccess, false},
		"a forbidden entity with others": {403, []surgical.EntityRef{issue7, mr12}, surgical.ActionRetryFailed, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.GitLab.Inject(fakegitlab.Fault{Ref: issue7, Requests: 1000, Status: c.status})
			req := w.Request(surgical.OriginManual, c.targets...)
			want(t, w.deliver(req), worker.Done{})
			why := w.wantRun(req.RunID, surgical.StatusFailed, surgical.CodePreflightFailed).Error
			if why.Action != c.action || why.Retryable != c.retryable || why.Total != len(c.targets) || len(why.Failures) != 1 {
				t.Errorf("action %s, retryable %t, %d of %d failed", why.Action, why.Retryable, len(why.Failures), why.Total)
			}
		})
	}
}

func TestProcess_DoublesTheDelayUpToItsMaximumAndGivesUpByAge(t *testing.T) {
	w := newWorld(t)
	w.GitLab.Inject(fakegitlab.Fault{Ref: issue7, Requests: 1 << 20, Status: 500})
	req := w.Request(surgical.OriginManual, issue7)
	var delays []time.Duration
	for range 9 {
		wait, ok := w.deliver(req).(worker.Wait)
		if !ok {
			t.Fatalf("after %v: %v", delays, w.Run(req.RunID))
		}
		delays = append(delays, wait.After)
		w.Clock.Advance(wait.After)
	}
	second := func(n int) time.Duration { return time.Duration(n) * time.Second }
	if diff := cmp.Diff([]time.Duration{second(1), second(2), second(4), second(8), second(16), second(32), second(60), second(60), second(60)}, delays); diff != "" {
		t.Errorf("delays without jitter (-want +got):\n%s", diff)
	}
	w.Clock.AdvanceTo(w.Run(req.RunID).FirstClaimedAt.Add(surgical.GiveUpAfter - time.Second))
	if _, ok := w.deliver(req).(worker.Wait); !ok {
		t.Error("it was given up too early")
	}
	w.Clock.AdvanceTo(w.Run(req.RunID).FirstClaimedAt.Add(surgical.GiveUpAfter))
	want(t, w.deliver(req), worker.Done{})
	w.wantRun(req.RunID, surgical.StatusFailed, surgical.CodePreflightFailed)
}

func TestProcess_FetchesAMissingEntityOfAWebhookThreeTimes(t *testing.T) {
	w := newWorld(t)
	w.GitLab.Delete(issue7)
	req := w.Request(surgical.OriginWebhook, issue7)
	for range surgical.NotFoundTries - 1 {
		if _, ok := w.deliver(req).(worker.Wait); !ok {
			t.Fatal("it was given up too early")
		}
		w.Clock.Advance(time.Minute)
	}
	want(t, w.deliver(req), worker.Done{})
	w.wantRun(req.RunID, surgical.StatusFailed, surgical.CodePreflightFailed)
}

func TestProcess_PreflightOnlyReportsAndWritesNoContent(t *testing.T) {
	w := newWorld(t)
	req := w.Request(surgical.OriginManual, issue7, mr12)
	req.Options.PreflightOnly = true
	want(t, w.deliver(req), worker.Done{})
	run := w.wantRun(req.RunID, surgical.StatusSucceeded, "")
	if len(run.Previews) != 2 || run.Previews[issue7.Target].Discussions == 0 || run.Counters.GitLabRequests != 10 || run.Committed() {
		t.Errorf("run %+v", run)
	}
	if w.head(issue7).Exists() || len(w.Orphans(issue7)) > 0 {
		t.Error("content was written")
	}
	w.GitLab.Delete(mr12)
	req = w.Request(surgical.OriginManual, issue7, mr12)
	req.Options.PreflightOnly = true
	want(t, w.deliver(req), worker.Done{})
	if run := w.wantRun(req.RunID, surgical.StatusFailed, surgical.CodePreflightFailed); len(run.Previews) != 1 {
		t.Errorf("previews of what was found: %+v", run.Previews)
	}
}

// other commits the entity by a run of its own that is not in the way of
// anything else.
func (w *world) other(ref surgical.EntityRef) {
	w.T.Helper()
	run := w.Sync(w.Request(surgical.OriginManual, ref))
	if run.Outcomes[ref.Target].Status != surgical.EntityOK {
		w.T.Fatalf("the other run: %+v", run)
	}
}

func TestProcess_SkipsAFetchThatANewerOneReplaced(t *testing.T) {
	w := newWorld(t)
	req := w.Request(surgical.OriginManual, issue7)
	w.during = func() { w.Clock.Advance(time.Minute); w.other(issue7) }
	want(t, w.deliver(req), worker.Done{})
	run := w.Run(req.RunID)
	if got := run.Outcomes[issue7.Target]; got.Status != surgical.EntitySkippedStale || got.Revision != 1 || w.head(issue7).Revision != 1 {
		t.Errorf("outcome %+v, head %+v", got, w.head(issue7))
	}
	w.wantRun(req.RunID, surgical.StatusSucceeded, "")
}

// The newer head does not cover an event that was received after its fetch had
// begun. The first attempt still compares with the head that was read before the
// fetch, so the commit's own guard refuses it; the second one sees the new head.
func TestProcess_FetchesOnceMoreIfTheNewerCopyDoesNotCoverTheEvent(t *testing.T) {
	for name, twice := range map[string]bool{"once": false, "twice": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			req := w.Request(surgical.OriginManual, issue7)
			req.EventAt = w.Clock.Now().Add(time.Hour)
			msg := w.Message(req)
			msg.NotBefore = time.Time{}
			w.during = func() {
				w.other(issue7)
				if twice {
					w.during = func() { w.other(issue7) }
				}
			}
			verdict, cause := w.Process(msg)
			if !twice {
				want(t, verdict, worker.Done{})
				if run := w.Run(req.RunID); run.Outcomes[issue7.Target].Status != surgical.EntityOK || run.Attempt != 3 || run.Counters.GitLabRequests != 10 {
					t.Errorf("run %+v", run)
				}
				return
			}
			want(t, verdict, worker.Wait{After: surgical.FirstDelay / 2})
			if surgical.CodeOf(cause) != surgical.CodeIngestFailed || w.Run(req.RunID).Committed() {
				t.Errorf("cause %v, run %+v", cause, w.Run(req.RunID))
			}
		})
	}
}

// A commit between the comparison with the head and the transaction: the same
// snapshots are tried again, by another attempt.
func TestProcess_TriesTheSameFetchAgainIfOnlyTheRevisionMoved(t *testing.T) {
	w := newWorld(t)
	w.Webhook(issue7)
	w.Clock.Advance(time.Minute)
	w.GitLab.AddDiscussion(issue7, fakegitlab.Note{Body: "Another comment."})
	w.fetches = 0
	req := w.Request(surgical.OriginManual, issue7)
	moved := false
	w.around = func(_ context.Context, call cloud.Call, send func() error) error {
		in, ok := call.Input.(*dynamodb.TransactWriteItemsInput)
		if !ok || moved || !slices.Contains(call.Tables(), w.Tables.Content) {
			return send()
		}
		moved = true
		bump := in.TransactItems[1].Put
		if _, err := w.DB.UpdateItem(w.T.Context(), &dynamodb.UpdateItemInput{
			TableName: bump.TableName, Key: map[string]types.AttributeValue{"pk": bump.Item["pk"], "sk": bump.Item["sk"]},
			UpdateExpression:          aws.String("ADD #0 :0"),
			ExpressionAttributeNames:  map[string]string{"#0": "revision"},
			ExpressionAttributeValues: map[string]types.AttributeValue{":0": &types.AttributeValueMemberN{Value: "1"}},
		}); err != nil {
			return err
		}
		return send()
	}
	want(t, w.deliver(req), worker.Done{})
	run := w.Run(req.RunID)
	if !moved || w.fetches != 1 || run.Attempt != 2 || run.CommittedBy != 2 || w.head(issue7).Revision != 3 {
		t.Errorf("moved %t, %d fetches, run %+v, head %+v", moved, w.fetches, run, w.head(issue7))
	}
}

func TestProcess_CommitsAllTargetsOrNone(t *testing.T) {
	w := newWorld(t)
	req := w.Request(surgical.OriginManual, issue7, mr12)
	w.around = func(_ context.Context, call cloud.Call, send func() error) error {
		if call.Operation == "TransactWriteItems" && slices.Contains(call.Tables(), w.Tables.Content) {
			return &types.TransactionCanceledException{CancellationReasons: []types.CancellationReason{{Code: aws.String("ValidationError")}}}
		}
		return send()
	}
	want(t, w.deliver(req), worker.Done{})
	run := w.wantRun(req.RunID, surgical.StatusFailed, surgical.CodeIngestFailed)
	if run.Error.Retryable || w.head(issue7).Exists() || w.head(mr12).Exists() || !run.SweepPending {
		t.Errorf("run %+v", run)
	}
	w.around = nil
	req = w.Request(surgical.OriginManual, issue7, mr12)
	want(t, w.deliver(req), worker.Done{})
	if w.head(issue7).Revision != 1 || w.head(mr12).Revision != 1 {
		t.Error("not both were committed")
	}
}

// The response to the commit is lost: the row shows whether it succeeded.
func TestProcess_GoesOnFromTheRowIfTheAnswerToTheCommitIsLost(t *testing.T) {
	for name, applied := range map[string]bool{"applied": true, "not applied": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			lost := errors.New("connection reset")
			w.around = func(_ context.Context, call cloud.Call, send func() error) error {
				if lost == nil || call.Operation != "TransactWriteItems" || !slices.Contains(call.Tables(), w.Tables.Content) {
					return send()
				}
				err := lost
				lost = nil
				if applied {
					if sendErr := send(); sendErr != nil {
						return sendErr
					}
				}
				return err
			}
			req := w.Request(surgical.OriginWebhook, issue7)
			verdict := w.deliver(req)
			run := w.Run(req.RunID)
			if applied {
				want(t, verdict, worker.Done{})
				if run.CommittedBy != 1 || w.launches != 1 || w.fetches != 1 {
					t.Errorf("run %+v, %d launches", run, w.launches)
				}
				return
			}
			want(t, verdict, worker.Wait{After: surgical.FirstDelay / 2})
			if run.Committed() || run.Error.Code != surgical.CodeIngestFailed || w.launches > 0 {
				t.Errorf("run %+v", run)
			}
		})
	}
}

func TestProcess_LeavesARunThatWasCancelledDuringItsFetch(t *testing.T) {
	w := newWorld(t)
	req := w.Request(surgical.OriginManual, issue7)
	w.during = func() {
		why := surgical.NewError(surgical.CodeRunCancelled, "by request")
		if _, err := w.Ledger.Close(t.Context(), w.Run(req.RunID), surgical.Cancelled{Error: why}); err != nil {
			t.Error(err)
		}
	}
	want(t, w.deliver(req), worker.Wait{After: surgical.UnknownDelay})
	want(t, w.deliver(req), worker.Done{})
	if w.head(issue7).Exists() || w.fetches != 1 {
		t.Errorf("head %+v after %d fetches", w.head(issue7), w.fetches)
	}
}

// A zombie goes on with its fetch after another worker has taken its run over.
func TestProcess_LetsNoZombieCommit(t *testing.T) {
	w := newWorld(t)
	req := w.Request(surgical.OriginManual, issue7)
	w.during = func() {
		w.Clock.Advance(surgical.Lease)
		w.claim(req)
	}
	want(t, w.deliver(req), worker.Wait{After: surgical.UnknownDelay})
	if run := w.Run(req.RunID); run.Committed() || run.Attempt != 2 || w.head(issue7).Exists() {
		t.Errorf("run %+v, head %+v", run, w.head(issue7))
	}
}

func TestProcess_RetriesAFailedRunForAnotherDeliveryOnly(t *testing.T) {
	w := newWorld(t)
	w.GitLab.Inject(fakegitlab.Fault{Ref: issue7, Requests: 1, Status: 403})
	req := w.Request(surgical.OriginWebhook, issue7)
	want(t, w.deliver(req), worker.Done{})
	want(t, w.deliver(req), worker.Done{}) // the same message
	if failed := w.wantRun(req.RunID, surgical.StatusFailed, surgical.CodePreflightFailed); failed.RetriedBy != "" {
		t.Fatalf("the same message retried it: %s", failed.RetriedBy)
	}
	again := w.Message(req)
	again.ID = "another-message"
	verdict, _ := w.Process(again)
	want(t, verdict, worker.Done{})
	retry := w.Run(w.Run(req.RunID).RetriedBy)
	if retry.Origin != surgical.OriginRetry || retry.RetryOf != req.RunID || !retry.Committed() {
		t.Errorf("retry %+v", retry)
	}
	verdict, _ = w.Process(again)
	want(t, verdict, worker.Done{})
	if run := w.Run(retry.RunID); run.RetriedBy != "" || w.fetches != 2 {
		t.Errorf("%d fetches, retried by %q", w.fetches, run.RetriedBy)
	}
}

// What a failed run left without documents is the retry's, even if nothing has
// changed since.
func TestProcess_TakesOverWhatTheRetriedRunLeftUndone(t *testing.T) {
	w := newWorld(t)
	req := w.Request(surgical.OriginManual, issue7)
	want(t, w.deliver(req), worker.Done{})
	failed, err := w.Ledger.Close(t.Context(), w.Run(req.RunID), surgical.Failed{Error: surgical.NewError(surgical.CodeDocsFailed, "x")})
	if err != nil {
		t.Fatal(err)
	}
	retry := w.Request(surgical.OriginRetry, issue7)
	retry.RetryOf = failed.RunID
	want(t, w.deliver(retry), worker.Done{})
	run := w.Run(retry.RunID)
	if run.Outcomes[issue7.Target].Changed || run.JobsInserted != 1 {
		t.Errorf("run %+v", run)
	}
}

// ended delivers the request and ends its run before its documents are made.
func (w *world) ended(req surgical.Request, ending surgical.Ending) surgical.Run {
	w.T.Helper()
	if verdict := w.deliver(req); verdict != (worker.Done{}) {
		w.T.Fatalf("verdict %v", verdict)
	}
	run, err := w.Ledger.Close(w.T.Context(), w.Run(req.RunID), ending)
	if err != nil {
		w.T.Fatal(err)
	}
	w.Workflow.Forget()
	return run
}

func (w *world) dirty(ref surgical.EntityRef) []surgical.DirtySource {
	w.T.Helper()
	sources, err := w.Ledger.DirtySources(w.T.Context(), ref)
	if err != nil {
		w.T.Fatal(err)
	}
	return sources
}

// What a run left without documents against its will is done by the next run of the
// entity, whether it changes anything or not.
func TestProcess_TakesAlongWhatAFailedRunLeftUndone(t *testing.T) {
	broken := surgical.NewError(surgical.CodeDocsFailed, "x")
	for name, c := range map[string]struct {
		options, leaving surgical.Options
		ending           surgical.Ending
		changes, taken   bool
	}{
		"of a failed run":                  {ending: surgical.Failed{Error: broken}, changes: true, taken: true},
		"of a failed run, nothing changed": {ending: surgical.Failed{Error: broken}, taken: true},
		"of a cancelled run":               {ending: surgical.Cancelled{Error: broken}, taken: true},
		"not of a run without docs":        {leaving: surgical.Options{NoDocs: true, NoEmbed: true}, ending: surgical.Succeeded{}, changes: true},
		"not by a run without embeddings":  {ending: surgical.Failed{Error: broken}, options: surgical.Options{NoEmbed: true}},
		"not by a run without docs":        {ending: surgical.Failed{Error: broken}, options: surgical.Options{NoDocs: true, NoEmbed: true}, changes: true},
		"not by a preflight":               {ending: surgical.Failed{Error: broken}, options: surgical.Options{PreflightOnly: true}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			req := w.Request(surgical.OriginManual, issue7)
			req.Options = c.leaving
			w.ended(req, c.ending)
			old := w.dirty(issue7)
			if c.changes {
				w.GitLab.AddDiscussion(issue7, fakegitlab.Note{Body: "One more."})
			}
			next := w.Request(surgical.OriginManual, issue7)
			next.Options = c.options
			w.Clock.Advance(time.Minute)
			want(t, w.deliver(next), worker.Done{})
			now := w.dirty(issue7)
			if taken := len(now) == 1 && now[0].RunID == next.RunID; taken != c.taken {
				t.Fatalf("dirty sources %+v", now)
			}
			if !c.taken {
				if !slices.ContainsFunc(now, func(d surgical.DirtySource) bool { return cmp.Equal(d, old[0]) }) {
					t.Errorf("dirty sources %+v", now)
				}
				return
			}
			if !now[0].Scope.All || !now[0].BehindSince().Equal(old[0].CreatedAt) || w.Run(next.RunID).JobsInserted != 1 {
				t.Errorf("dirty source %+v", now[0])
			}
			w.Drive()
			if left := w.dirty(issue7); len(left) > 0 || w.Run(next.RunID).Status != surgical.StatusSucceeded {
				t.Errorf("left: %+v", left)
			}
			w.wantCalls(t, 1)
		})
	}
}

// What a run left on purpose is the drain's, also if another run left something against
// its will.
func TestProcess_LeavesToTheDrainWhatWasLeftOnPurpose(t *testing.T) {
	w := newWorld(t)
	w.ended(w.Request(surgical.OriginManual, issue7), surgical.Failed{Error: surgical.NewError(surgical.CodeDocsFailed, "x")})
	without := w.Request(surgical.OriginManual, issue7)
	without.Options = surgical.Options{NoDocs: true, NoEmbed: true}
	w.GitLab.AddDiscussion(issue7, fakegitlab.Note{Body: "One more."})
	w.Clock.Advance(time.Minute)
	w.ended(without, surgical.Succeeded{})
	w.Clock.Advance(time.Minute)
	w.Sync(w.Request(surgical.OriginManual, issue7))
	if left := w.dirty(issue7); len(left) != 1 || left[0].RunID != without.RunID {
		t.Errorf("dirty sources %+v", left)
	}
}

// A retry has the options of the run that it retries.
func TestProcess_ARetryTakesAlongWhatItMakes(t *testing.T) {
	for name, c := range map[string]struct {
		options surgical.Options
		taken   bool
	}{
		"documents and embeddings": {surgical.Options{}, true},
		"documents":                {surgical.Options{NoEmbed: true}, true},
		"neither":                  {surgical.Options{NoDocs: true, NoEmbed: true}, false},
	} {
		w := newWorld(t)
		failed := w.ended(w.Request(surgical.OriginManual, issue7), surgical.Failed{Error: surgical.NewError(surgical.CodeDocsFailed, "x")})
		retry := w.Request(surgical.OriginRetry, issue7)
		retry.RetryOf, retry.Options = failed.RunID, c.options
		w.Clock.Advance(time.Minute)
		want(t, w.deliver(retry), worker.Done{})
		if left := w.dirty(issue7); len(left) != 1 || (left[0].RunID == retry.RunID) != c.taken {
			t.Errorf("%s: dirty sources %+v", name, left)
		}
	}
}

// wantCalls checks how often a run that changes nothing reads dirty sources: once the
// mark is cleared, it does not.
func (w *world) wantCalls(t *testing.T, commits int) {
	t.Helper()
	var queries, transactions int
	w.around = func(_ context.Context, call cloud.Call, send func() error) error {
		switch call.Operation {
		case "Query":
			queries++
		case "TransactWriteItems":
			transactions++
		}
		return send()
	}
	want(t, w.deliver(w.Request(surgical.OriginManual, issue7)), worker.Done{})
	if queries > 0 || transactions != commits+1 {
		t.Errorf("%d queries and %d transactions of a run that finds nothing left", queries, transactions)
	}
}

// What an open run has to do is its own.
func TestProcess_TakesNothingAlongOfAnOpenRun(t *testing.T) {
	w := newWorld(t)
	w.ended(w.Request(surgical.OriginManual, issue7), surgical.Failed{Error: surgical.NewError(surgical.CodeDocsFailed, "x")})
	first, second := w.Request(surgical.OriginManual, issue7), w.Request(surgical.OriginManual, issue7)
	w.Clock.Advance(time.Minute)
	want(t, w.deliver(first), worker.Done{}) // takes along what the failed run left
	w.Clock.Advance(time.Minute)
	want(t, w.deliver(second), worker.Done{})
	if left := w.dirty(issue7); len(left) != 1 || left[0].RunID != first.RunID || w.Run(second.RunID).JobsInserted > 0 {
		t.Errorf("dirty sources %+v", left)
	}
}

// A drain and a run of the entity may want the same rows; the run looks again.
func TestProcess_LooksAgainIfWhatWasLeftIsTakenInTheMeantime(t *testing.T) {
	w := newWorld(t)
	w.ended(w.Request(surgical.OriginManual, issue7), surgical.Failed{Error: surgical.NewError(surgical.CodeDocsFailed, "x")})
	w.Clock.Advance(time.Minute)
	drain, drained := w.Request(surgical.OriginDrain, issue7), false
	w.around = func(ctx context.Context, call cloud.Call, send func() error) error {
		if call.Operation == "TransactWriteItems" && !drained {
			drained = true
			want(t, w.deliver(drain), worker.Done{})
		}
		return send()
	}
	w.GitLab.AddDiscussion(issue7, fakegitlab.Note{Body: "One more."})
	req := w.Request(surgical.OriginManual, issue7)
	want(t, w.deliver(req), worker.Done{})
	run := w.Run(req.RunID)
	if !run.Committed() || run.CommittedBy != 2 || len(w.dirty(issue7)) != 2 {
		t.Errorf("run %+v, dirty sources %+v", run, w.dirty(issue7))
	}
	w.Drive()
	if left := w.dirty(issue7); len(left) > 0 {
		t.Errorf("left: %+v", left)
	}
}

func TestProcess_DrainTakesOverDirtySourcesAndFetchesNothing(t *testing.T) {
	w := newWorld(t)
	req := w.Request(surgical.OriginManual, issue7)
	req.Options = surgical.Options{NoDocs: true, NoEmbed: true}
	w.Sync(req)
	w.fetches = 0
	drain := w.Request(surgical.OriginDrain, issue7)
	run := w.Sync(drain)
	if w.fetches > 0 || run.Counters.DocumentsRegenerated == 0 {
		t.Errorf("%d fetches, run %+v", w.fetches, run)
	}
}

// Every failure of Lorehook's own parts delays the message and loses nothing.
func TestProcess_WaitsIfDynamoDBFails(t *testing.T) {
	for name, operation := range map[string]string{"the first read": "BatchGetItem", "the claim": "PutItem", "entering ingest": "UpdateItem", "staging": "BatchWriteItem"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			failed := false
			w.around = func(_ context.Context, call cloud.Call, send func() error) error {
				if !failed && call.Operation == operation {
					failed = true
					return errors.New("DynamoDB is out of reach")
				}
				return send()
			}
			req := w.Request(surgical.OriginWebhook, issue7)
			if verdict, ok := w.deliver(req).(worker.Wait); !ok || !failed || verdict.Cause == nil {
				t.Fatalf("verdict %v, failed %t", verdict, failed)
			}
			w.Clock.Advance(surgical.Lease)
			want(t, w.deliver(req), worker.Done{})
			if !w.Run(req.RunID).Committed() {
				t.Error("it was lost")
			}
		})
	}
}

// A new comment's way to its commit, call by call: what is added here is paid
// with every event.
func TestProcess_NeedsNoMoreCallsToDynamoDBThanThese(t *testing.T) {
	w := newWorld(t)
	for range 40 { // a manifest of several parts
		w.GitLab.AddDiscussion(issue7, fakegitlab.Note{Body: "A comment."})
	}
	w.Webhook(issue7)
	w.Clock.Advance(time.Minute)
	w.GitLab.AddDiscussion(issue7, fakegitlab.Note{Body: "Another comment."})
	req := w.Request(surgical.OriginWebhook, issue7)
	var calls []string
	w.around = func(_ context.Context, call cloud.Call, send func() error) error {
		calls = append(calls, call.Operation)
		return send()
	}
	want(t, w.deliver(req), worker.Done{})
	if diff := cmp.Diff([]string{
		"BatchGetItem",       // run, pause and head
		"PutItem",            // the claim
		"UpdateItem",         // entering ingest
		"BatchGetItem",       // the parts of the manifest that changed
		"BatchWriteItem",     // staging
		"TransactWriteItems", // the commit
		"UpdateItem",         // the expiry of the part that was replaced
		"UpdateItem",         // the workflow was started
	}, calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestProcess_EndsARunWhoseFetchPanics(t *testing.T) {
	w := newWorld(t)
	fetch := w.Engine.Fetch
	w.Engine.Fetch = func(ctx context.Context, ref surgical.EntityRef) (surgical.Snapshot, error) {
		if ref == mr12 {
			panic("the text of an issue")
		}
		return fetch(ctx, ref)
	}
	req := w.Request(surgical.OriginManual, issue7, mr12)
	want(t, w.deliver(req), worker.Done{})
	run := w.wantRun(req.RunID, surgical.StatusFailed, surgical.CodePreflightFailed)
	failures := []surgical.TargetFailure{{
		Target: mr12.Target, Code: surgical.CodeInternal, Action: surgical.ActionContactOperator,
		Message: "the code that processes this entity crashed; its stack is in the log",
	}}
	if diff := cmp.Diff(failures, run.Error.Failures); diff != "" {
		t.Errorf("failures (-want +got):\n%s", diff)
	}
	// The entity beside it is not affected.
	w.Webhook(issue7)
	if w.head(issue7).Revision != 1 {
		t.Error("the healthy entity was not stored")
	}
}

func TestProcess_EndsARunWhoseIngestPanics(t *testing.T) {
	for _, operation := range []string{"GetItem", "TransactWriteItems"} {
		t.Run(operation, func(t *testing.T) {
			w := newWorld(t)
			req := w.Request(surgical.OriginManual, issue7, mr12) // two targets: their heads are read after the fetch
			fetched, crashed := false, false
			w.during = func() { fetched = true }
			w.around = func(_ context.Context, call cloud.Call, send func() error) error {
				if fetched && !crashed && call.Operation == operation {
					crashed = true
					panic("the text of an issue")
				}
				return send()
			}
			want(t, w.deliver(req), worker.Done{})
			run := w.wantRun(req.RunID, surgical.StatusFailed, surgical.CodeInternal)
			if run.Error.Retryable || w.head(issue7).Exists() {
				t.Errorf("error %v, head %+v", run.Error, w.head(issue7))
			}
		})
	}
}

// An end that cannot be recorded is not a death: five of those would end the run
// as lost.
func TestProcess_GivesTheLeaseBackIfTheEndCannotBeRecorded(t *testing.T) {
	for name, c := range map[string]struct {
		given func(w *world) surgical.Request
		want  surgical.RunStatus
		code  surgical.Code
	}{
		"coalesced": {func(w *world) surgical.Request {
			w.Webhook(issue7)
			req := w.Request(surgical.OriginWebhook, issue7)
			req.EventAt = w.head(issue7).FetchedAt.Add(-surgical.Settle - time.Second)
			return req
		}, surgical.StatusSucceeded, ""},
		"given up": {func(w *world) surgical.Request {
			return w.Request(surgical.OriginManual, fakegitlab.IssueRef(999))
		}, surgical.StatusFailed, surgical.CodePreflightFailed},
		"previewed": {func(w *world) surgical.Request {
			req := w.Request(surgical.OriginManual, issue7)
			req.Options.PreflightOnly = true
			return req
		}, surgical.StatusSucceeded, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			req := c.given(w)
			failed := 0
			w.around = func(_ context.Context, call cloud.Call, send func() error) error {
				if call.Operation == "TransactWriteItems" && slices.Contains(call.Tables(), w.Tables.SyncRunEntities) {
					failed++
					return &types.InternalServerError{Message: aws.String("not now")}
				}
				return send()
			}
			for try := range surgical.MaxLostLeases + 1 {
				wait, ok := w.deliver(req).(worker.Wait)
				if run := w.Run(req.RunID); !ok || !run.LeaseUntil.IsZero() || run.LostLeases != 0 {
					t.Fatalf("try %d: waits %v, leased until %v, %d lost leases", try, ok, run.LeaseUntil, run.LostLeases)
				}
				w.Clock.Advance(wait.After)
			}
			if failed == 0 {
				t.Error("nothing failed")
			}
			w.around = nil
			w.deliver(req)
			w.wantRun(req.RunID, c.want, c.code)
		})
	}
}
