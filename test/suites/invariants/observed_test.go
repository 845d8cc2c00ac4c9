package invariants_test

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"gitlab.com/lorehook/lorehook/internal/api"
	"gitlab.com/lorehook/lorehook/internal/awsapi"
	"gitlab.com/lorehook/lorehook/internal/function"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/function/gateway"
	"gitlab.com/lorehook/lorehook/internal/function/secret"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/webhook"
	"gitlab.com/lorehook/lorehook/internal/webhook/delivery"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/engines"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// Texts that must never reach a log. Each occurs nowhere else.
const (
	canarySecret      = "canary-secret-token"
	canaryForged      = "canary-forged-token"
	canaryKey         = "canary-api-key"
	canaryTitle       = "Canary title of a confidential issue"
	canaryDescription = "Canary description of it"
	canaryNote        = "Canary comment"
	canaryInternal    = "Canary internal note"
	canaryLabel       = "canary-label"
	canaryUser        = "canary-user"
	canaryPayload     = "Canary text of a payload"
	canaryAnswer      = "Canary text of a broken answer"
	canaryRequest     = "canary-request"
	canaryItem        = "Canary text of a stored item"
)

func canarySigning() string {
	return "whsec_" + base64.StdEncoding.EncodeToString([]byte("canary signing key of 32 bytes.."))
}

// observed is a pipeline from webhook to sweeper with one shared output.
type observed struct {
	*cloud.World
	hook   *webhook.Handler
	api    http.Handler
	tokens func() (string, error)
	// spoil, if set, is the error of the next commit.
	spoil error
	// worked counts the worker's passes.
	worked int
	keys   int
	// delivered is the run that the last accepted delivery was answered with.
	delivered string
}

func newObserved(t *testing.T, e engines.Engine) *observed {
	t.Helper()
	o := &observed{}
	db := cloud.Intercept(e.DynamoDB, func(_ context.Context, call cloud.Call, send func() error) error {
		if err := o.spoil; err != nil && call.Operation == "TransactWriteItems" && slices.Contains(call.Tables(), e.Tables.Content) {
			o.spoil = nil
			return err
		}
		return send()
	})
	o.World = cloud.NewWorld(t, db, e.Tables)
	o.tokens = func() (string, error) {
		return fmt.Sprintf(`{"signing_tokens":[%q],"secret_tokens":[%q]}`, canarySigning(), canarySecret), nil
	}
	newTrace := func(context.Context) string {
		o.keys++
		return fmt.Sprintf("00-%032x-%016x-00", o.keys, o.keys)
	}
	o.Sweeper.NewTrace = newTrace
	o.hook = &webhook.Handler{
		Verifiers: o.verifiers(),
		Queue:     o.ToRequests, Hides: o.ToHides, Allows: func(id int64) bool { return id != 3 },
		Clock: o.Clock.Now, Log: o.Logger(), Meter: o.Meter(), NewTrace: newTrace,
	}
	handler, err := api.New(api.Options{
		Runs: o.Ledger, Projects: o.Ledger, Content: o.Content.ForReaders(o.Ledger.ProjectHiddenAt, surgical.Include), Queue: o.ToRequests,
		Allows: o.hook.Allows, Clock: o.Clock.Now, NewKey: func() string { o.keys++; return "key-" + strconv.Itoa(o.keys) },
		Log: o.Logger(), NewTrace: newTrace,
	})
	if err != nil {
		t.Fatal(err)
	}
	o.api = handler
	return o
}

// verifiers reads the webhook's secret and reports failures as the webhook function does.
func (o *observed) verifiers() *secret.Source[*delivery.Verifier] {
	env := function.Env[config.Webhook]{Log: o.Logger(), Meter: o.Meter()}
	load := secret.FromManager(func() secret.Reader { return o }, "webhook-secret", delivery.ParseVerifier)
	return secret.NewSource(load, o.Clock.Now).OnFailure(env.SecretFailed)
}

// GetSecretValue implements secret.Reader.
func (o *observed) GetSecretValue(context.Context, *awsapi.GetSecretValueInput) (*awsapi.GetSecretValueOutput, error) {
	text, err := o.tokens()
	return &awsapi.GetSecretValueOutput{Text: text}, err
}

// payload is a webhook's body about an issue, full of texts that must not leak.
func payload(iid int64) string {
	return fmt.Sprintf(`{"object_kind":"issue","user":{"username":%q},"project":{"id":1},"object_attributes":{"iid":%d,"title":%q,"description":%q}}`,
		canaryUser, iid, canaryPayload, canaryPayload)
}

// deliver sends a webhook with the secret token, unless headers say otherwise,
// and returns the response's status.
func (o *observed) deliver(body string, headers ...string) int {
	o.T.Helper()
	o.keys++
	header := map[string]string{"x-gitlab-event": "Issue Hook", "x-gitlab-token": canarySecret, "idempotency-key": "delivery-" + strconv.Itoa(o.keys)}
	for i := 0; i < len(headers); i += 2 {
		header[headers[i]] = headers[i+1]
		if headers[i+1] == "" {
			delete(header, headers[i])
		}
	}
	answer, err := gateway.Adapt(o.hook)(o.T.Context(), events.APIGatewayV2HTTPRequest{RawPath: "/webhooks/gitlab", Body: body, Headers: header})
	if err != nil {
		o.T.Fatal(err)
	}
	var accepted struct {
		RunID string `json:"run_id"`
	}
	if err := json.Unmarshal([]byte(answer.Body), &accepted); err != nil {
		o.T.Fatal(err)
	}
	o.delivered = cmp.Or(accepted.RunID, o.delivered)
	return answer.StatusCode
}

// work runs the worker until no message is left, and then every started
// workflow.
func (o *observed) work() {
	o.T.Helper()
	dead := &deliveries{}
	for left := o.Sent(); len(left.Records) > 0; {
		if o.worked++; o.worked > 500 {
			o.T.Fatal("messages never run out")
		}
		o.Clock.Advance(2*time.Minute + 2*time.Second)
		response, err := o.Batch(dead).Handle(o.T.Context(), left)
		if err != nil {
			o.T.Fatal(err)
		}
		open := failures(response)
		left.Records = slices.DeleteFunc(left.Records, func(r events.SQSMessage) bool { return !slices.Contains(open, r.MessageId) })
	}
	o.Drive()
}

// once runs the worker once on all messages, and no workflow.
func (o *observed) once() {
	o.T.Helper()
	o.Clock.Advance(surgical.Settle + time.Second)
	if _, err := o.Batch(&deliveries{}).Handle(o.T.Context(), o.Sent()); err != nil {
		o.T.Fatal(err)
	}
}

// send enqueues a request without the webhook or the API.
func (o *observed) send(req surgical.Request) {
	o.T.Helper()
	if err := o.ToBulk.Send(o.T.Context(), req); err != nil {
		o.T.Fatal(err)
	}
}

// sweepOnce runs the sweeper, and every workflow that it started.
func (o *observed) sweepOnce() {
	o.T.Helper()
	o.Sweep()
	o.Drive()
}

func (o *observed) call(method, path, body string) {
	o.T.Helper()
	r := httptest.NewRequestWithContext(o.T.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	o.api.ServeHTTP(httptest.NewRecorder(), r)
}

// confidential creates an issue whose every text is a canary.
func (o *observed) confidential(iid int64) surgical.EntityRef {
	ref := fakegitlab.IssueRef(iid)
	issue := fakegitlab.NewIssue(iid, canaryTitle, canaryDescription, fakegitlab.Time{Time: o.Clock.Now()})
	issue.Confidential = true
	o.GitLab.SetIssue(issue)
	o.GitLab.Edit(ref, func(c *fakegitlab.Common) { c.Author.Username, c.Author.Name = canaryUser, canaryUser })
	o.GitLab.Relabel(ref, []string{canaryLabel}, nil)
	o.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: canaryNote})
	o.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: canaryInternal, Internal: true, Confidential: true})
	return ref
}
