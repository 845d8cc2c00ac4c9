package invariants_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"gitlab.com/lorehook/lorehook/internal/embedding"
	"gitlab.com/lorehook/lorehook/internal/gitlab"
	"gitlab.com/lorehook/lorehook/internal/projects"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/workflow"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// theirs is the sender's trace.
const theirs = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

// goesWell takes every path that succeeds.
func (o *observed) goesWell(t *testing.T) {
	ref := o.confidential(100)
	signer, err := standardwebhooks.NewWebhook(canarySigning())
	if err != nil {
		t.Fatal(err)
	}
	now := o.Clock.Now()
	signature, err := signer.Sign("signed-1", now, []byte(payload(100)))
	if err != nil {
		t.Fatal(err)
	}
	signed := []string{"x-gitlab-token", "", "idempotency-key", "signed-1", "webhook-id", "signed-1",
		"webhook-timestamp", strconv.FormatInt(now.Unix(), 10), "webhook-signature", signature, "traceparent", theirs}
	if status := o.deliver(payload(100), signed...); status != 202 {
		t.Fatalf("a signed delivery: %d", status)
	}
	o.deliver(payload(100)) // in one batch with the first, whose fetch covers both
	o.work()
	if got := o.Entity(ref).Head.Attributes.Title; got != canaryTitle {
		t.Fatalf("the copy's title is %q: the test proves nothing", got)
	}
	// A sync with a change, and one without.
	o.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: canaryNote})
	o.deliver(payload(100))
	o.work()
	o.deliver(payload(100))
	o.work()
	// A delivery that is ahead of what GitLab returns: the sweeper follows it up.
	o.deliver(strings.Replace(payload(100), `"iid":`, `"updated_at":"2099-01-01T00:00:00Z","iid":`, 1))
	o.work()
	// Deliveries that cause no fetch.
	if status := o.deliver(`{"object_kind":"push"}`, "x-gitlab-event", "Push Hook"); status != 200 {
		t.Errorf("a push: %d", status)
	}
	o.deliver(strings.Replace(payload(100), `"project":{"id":1}`, `"project":{"id":3}`, 1))
	// Requested by hand.
	o.call(http.MethodPost, "/v1/sync-runs", `{"project_id":1,"issues":[100],"preflight_only":true}`)
	o.call(http.MethodPost, "/v1/sync-runs", `{"project_id":1,"issues":[100],"no_docs":true,"no_embed":true}`)
	o.call(http.MethodGet, "/v1/projects/1/issues/100", "")
	o.work()
	// A run with a lost message, one with a lost workflow, and the backlog.
	o.call(http.MethodPost, "/v1/sync-runs", `{"project_id":1,"issues":[7]}`)
	o.Sent()
	o.Clock.Advance(20 * time.Minute)
	o.sweepOnce()
	o.work()
	o.deliver(payload(8))
	o.once()
	o.Workflow.Forget()
	o.Clock.Advance(20 * time.Minute)
	o.sweepOnce()
	o.work()
}

// stale commits a newer copy first, so that the guard skips this run's.
func (o *observed) stale() {
	ref := fakegitlab.IssueRef(9)
	fetch := o.Fetch
	o.Fetch = func(ctx context.Context, ref surgical.EntityRef) (surgical.Snapshot, error) {
		snap, err := fetch(ctx, ref)
		o.Fetch = fetch
		o.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: canaryNote})
		o.send(o.Request(surgical.OriginManual, ref))
		o.once()
		return snap, err
	}
	o.send(o.Request(surgical.OriginManual, ref))
	o.once()
	o.Drive()
}

// goesWrong takes every path that fails, as far as a test can reach it.
func (o *observed) goesWrong(t *testing.T) {
	for name, status := range map[string]int{
		"forged token":     o.deliver(payload(100), "x-gitlab-token", canaryForged),
		"forged signature": o.deliver(payload(100), "x-gitlab-token", "", "webhook-id", "x", "webhook-timestamp", strconv.FormatInt(o.Clock.Now().Unix(), 10), "webhook-signature", "v1,"+base64.StdEncoding.EncodeToString([]byte(canaryForged))),
		"a forged trace":   o.deliver(payload(100), "x-gitlab-token", canaryForged, "traceparent", canaryRequest),
		"no token":         o.deliver(payload(100), "x-gitlab-token", ""),
		"no JSON":          o.deliver(canaryPayload),
	} {
		if status != 400 && status != 401 {
			t.Errorf("%s: %d", name, status)
		}
	}
	o.brokenSecret(t)
	o.brokenGitLab(t)
	o.lostProject(t)
	// A body that cannot be decoded, and a project that is no longer allowed.
	o.send(o.Request(surgical.OriginReconcile, fakegitlab.IssueRef(7)))
	garbage := o.Sent()
	garbage.Records[0].Body = canaryPayload
	if _, err := o.Batch(&deliveries{}).Handle(t.Context(), garbage); err != nil {
		t.Fatal(err)
	}
	o.work()
	o.Engine.Allows = func(int64) bool { return false }
	o.deliver(payload(101))
	o.work()
	o.Engine.Allows = func(int64) bool { return true }
	// DynamoDB rejects the commit permanently, and says why.
	o.spoil = &types.TransactionCanceledException{
		Message:             aws.String("Transaction cancelled, please refer cancellation reasons for specific reasons [ValidationError]"),
		CancellationReasons: []types.CancellationReason{{Code: aws.String("ValidationError"), Message: aws.String(canaryItem), Item: itemOf(canaryItem)}},
	}
	o.confidential(102)
	o.deliver(payload(102))
	o.work()
	o.brokenEmbedder(t)
	// A run cancelled while its jobs wait, and clients' mistakes.
	o.confidential(104)
	o.deliver(payload(104))
	o.once()
	o.call(http.MethodPost, "/v1/sync-runs/"+o.delivered+"/cancel", "")
	o.Drive()
	o.call(http.MethodPost, "/v1/sync-runs", `{"project_id":"`+canaryRequest+`"}`)
	o.call(http.MethodGet, "/v1/projects/1/issues/"+canaryRequest+"?cursor="+canaryRequest, "")
	o.call(http.MethodGet, "/"+canaryRequest, "")
	// A run that nothing ever completed, which the sweeper fails.
	o.deliver(payload(105))
	o.GitLab.Inject(fakegitlab.Fault{Ref: fakegitlab.IssueRef(105), Requests: 5, Status: 500, Body: canaryAnswer})
	o.once()
	o.Clock.Advance(20 * time.Hour)
	o.sweepOnce()
	o.Clock.Advance(20 * time.Minute)
	o.sweepOnce()
	// Lambda starts none of a run's stages.
	o.confidential(107)
	o.deliver(payload(107))
	o.once()
	o.Workflow.Forget()
	run := o.Run(o.delivered)
	if _, err := o.Abort.Handle(t.Context(), workflow.AbortInput{
		Input: workflow.Input{RunID: run.RunID, Generation: run.Generation, TraceParent: run.TraceParent}, Stage: "docs", Error: "Lambda.TooManyRequestsException",
	}); err != nil {
		t.Fatal(err)
	}
	o.unannounced(t)
}

// unannounced changes an issue without a delivery, in a project without a hook, and
// renames a label, which moves no date. It lets the crawler find all of it.
func (o *observed) unannounced(t *testing.T) {
	server := httptest.NewServer(o.GitLab)
	defer server.Close()
	client, err := gitlab.NewClient(gitlab.Options{
		BaseURL: server.URL, Token: func(context.Context) (string, error) { return cloud.Token, nil }, Clock: o.Clock.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	crawler := o.Functions.Crawler
	crawler.GitLab, crawler.Listed, crawler.Meter = client, []int64{fakegitlab.ProjectID}, o.Meter()
	crawl := func(after time.Duration) {
		o.Clock.Advance(after)
		if _, err := crawler.Handle(t.Context()); err != nil {
			t.Fatal(err)
		}
		o.work()
	}
	crawl(surgical.MaxRetryAfter)
	o.Clock.Advance(time.Hour)
	o.confidential(106)
	for range 3 {
		crawl(surgical.HookCheckInterval)
	}
	o.GitLab.RenameLabel(canaryLabel, canaryLabel+"-renamed")
	crawler.Census = time.Minute // as fast as it may
	for range 10 {
		crawl(time.Minute)
	}
}

// brokenSecret makes the secret unreadable, and then invalid.
func (o *observed) brokenSecret(t *testing.T) {
	fresh := func(tokens func() (string, error)) int {
		tokensBefore, verifiers := o.tokens, o.hook.Verifiers
		defer func() { o.tokens, o.hook.Verifiers = tokensBefore, verifiers }()
		o.tokens = tokens
		o.hook.Verifiers = o.verifiers()
		return o.deliver(payload(100))
	}
	for name, tokens := range map[string]func() (string, error){
		"out of reach": func() (string, error) { return "", fmt.Errorf("AccessDenied") },
		"no JSON":      func() (string, error) { return canarySecret, nil },
		"too short":    func() (string, error) { return `{"secret_tokens":["` + canaryKey[:7] + `"]}`, nil },
		"quoted":       func() (string, error) { return `{"secret_tokens":["'` + canarySecret + `'"]}`, nil },
		"no token":     func() (string, error) { return `{"signing_tokens":"` + canarySecret + `"}`, nil },
	} {
		if status := fresh(tokens); status != 503 {
			t.Errorf("the secret is %s: %d", name, status)
		}
	}
}

// brokenGitLab makes GitLab respond with every kind of error, whose texts are
// canaries.
func (o *observed) brokenGitLab(t *testing.T) {
	refusal := func(text string) string { return fmt.Sprintf(`{"message":%q}`, text+" - "+canaryAnswer) }
	for i, f := range []fakegitlab.Fault{
		{Status: 429, Body: canaryAnswer, Header: http.Header{"Retry-After": {"7"}, "Ratelimit-Remaining": {"0"}}},
		{Status: 401, Body: refusal("401 Unauthorized")},
		{Status: 403, Body: refusal("403 Forbidden")},
		{Status: 403, Body: canaryAnswer},
		{Status: 404, Body: canaryAnswer, Requests: 100},
		{Status: 500, Body: canaryAnswer},
		{Status: 200, Body: "<html>" + canaryAnswer},
		{Status: 200, Body: fmt.Sprintf(`{"iid":1,"project_id":1,"title":%q}`, canaryAnswer), Endpoint: "entity"},
		{Status: 200, Body: fmt.Sprintf(`{"iid":207,"project_id":1,"updated_at":%q}`, canaryAnswer), Endpoint: "entity"},
		{Status: 200, Body: fmt.Sprintf(`[{"id":{"text":%q}}]`, canaryAnswer), Endpoint: "discussions"},
		{Status: 302, Header: http.Header{"Location": {"http://example.com/" + canaryAnswer}}},
		{Truncate: true},
	} {
		f.Ref, f.Requests = o.confidential(200+int64(i)), max(f.Requests, 5)
		o.GitLab.Inject(f)
		if status := o.deliver(payload(f.Ref.IID)); status != 202 {
			t.Errorf("fault %d: %d", i, status)
		}
		o.work()
	}
}

// brokenEmbedder makes an endpoint reject a text, which its error quotes.
func (o *observed) brokenEmbedder(t *testing.T) {
	asked := 0
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader([]int{429, 500, 400}[asked%3])
		fmt.Fprintf(w, `{"error":{"message":"cannot embed %s for %s"}}`, body, r.Header.Get("Authorization"))
	}))
	defer endpoint.Close()
	before := o.Embed.Work
	defer func() { o.Embed.Work, o.LeaveToEmbed = before, false }()
	o.LeaveToEmbed, o.Embed.Work = true, &workflow.Embeddings{Content: o.Content, Embedder: embedding.NewOpenAI(embedding.OpenAIOptions{
		URL: endpoint.URL + "/v1", Model: "m", APIKey: func(context.Context) (string, error) { return canaryKey, nil },
	})}
	for range 3 {
		o.confidential(106)
		o.GitLab.AddDiscussion(fakegitlab.IssueRef(106), fakegitlab.Note{Body: canaryNote + strconv.Itoa(asked)})
		o.deliver(payload(106))
		o.work()
	}
	if asked == 0 {
		t.Error("nothing was embedded: the test proves little")
	}
}

func itemOf(text string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"raw": &types.AttributeValueMemberS{Value: text}}
}

// lostProject lets a project go out of sight for longer than a day, and come back.
func (o *observed) lostProject(t *testing.T) {
	t.Helper()
	watch := projects.Watch{
		Ledger: o.Ledger, Clock: o.Clock.Now, HideAfter: surgical.HideProjectAfter, Log: o.Logger(), Meter: o.Meter(),
		Backfill: func(context.Context, int64) error { return nil },
	}
	lost := surgical.NewError(surgical.CodeGitLabNotFound, canaryPayload)
	const project = 2
	for _, answer := range []projects.Answer{{Err: lost}, {Err: lost}, {Path: "group/" + canaryUser}} {
		p, err := o.Ledger.Project(t.Context(), project)
		if err != nil {
			t.Fatal(err)
		}
		answer.AskedAt = o.Clock.Now()
		if err := watch.Record(t.Context(), p, answer); err != nil {
			t.Fatal(err)
		}
		o.Clock.Advance(surgical.HideProjectAfter)
	}
}
