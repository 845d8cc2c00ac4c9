package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"gitlab.com/lorehook/lorehook/internal/awsapi"
	"gitlab.com/lorehook/lorehook/internal/crawl"
	"gitlab.com/lorehook/lorehook/internal/function/gateway"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/webhook/delivery"
	fakesqs "gitlab.com/lorehook/lorehook/test/fake/sqs"
	"gitlab.com/lorehook/lorehook/test/fake/stepfunctions"
)

// stepFunctions is a client whose executions the cloud runs.
func (c *Cloud) stepFunctions() *awsapi.StepFunctions {
	return stepfunctions.Client(func(input json.RawMessage) error { c.start(input); return nil }, InterceptAPI(StepFunctions, c.boundary))
}

func (c *Cloud) start(input json.RawMessage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.executions = append(c.executions, input)
}

// Forget drops the executions that were started and have not run yet, as if
// Step Functions had lost them.
func (c *Cloud) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.executions = nil
}

func (c *Cloud) takeExecution() (json.RawMessage, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.executions) == 0 {
		return nil, false
	}
	in := c.executions[0]
	c.executions = c.executions[1:]
	return in, true
}

// Request is a request for the targets, accepted now.
func (c *Cloud) Request(origin surgical.Origin, refs ...surgical.EntityRef) surgical.Request {
	key := c.NewKey("key")
	req := surgical.Request{
		RunID: surgical.RunID(origin, key), ProjectID: refs[0].ProjectID, Origin: origin, IdempotencyKey: key, EventAt: c.Clock.Now(),
	}
	for _, ref := range refs {
		req.Targets = append(req.Targets, ref.Target)
	}
	return req
}

// NewKey returns a new unique name, the same in every repetition of a test.
func (c *Cloud) NewKey(kind string) string { return fmt.Sprintf("%s-%d", kind, c.keys.Add(1)) }

// Webhook enqueues a delivery about the entity, as the webhook function does,
// and returns its request.
func (c *Cloud) Webhook(ref surgical.EntityRef) surgical.Request {
	req := c.Request(surgical.OriginWebhook, ref)
	c.Send(req)
	return req
}

// Deliver sends GitLab's POST about the entity, with the given Idempotency-Key,
// to the webhook function in its own process. It returns the response's status.
//
// Without a key, only the gateway's request id names the delivery.
func (c *Cloud) Deliver(ref surgical.EntityRef, key string) int { return c.deliver(ref, key, false) }

// DeliverConfidential is [Cloud.Deliver] of a delivery that calls the issue
// confidential.
func (c *Cloud) DeliverConfidential(ref surgical.EntityRef, key string) int {
	return c.deliver(ref, key, true)
}

func (c *Cloud) deliver(ref surgical.EntityRef, key string, confidential bool) int {
	kind, header := "issue", "Issue Hook"
	if ref.Type == surgical.MergeRequest {
		kind, header = "merge_request", "Merge Request Hook"
	}
	req := events.APIGatewayV2HTTPRequest{
		RawPath: delivery.Path,
		Headers: map[string]string{
			"content-type": "application/json", "x-gitlab-event": header, "x-gitlab-token": hookToken, "idempotency-key": key,
		},
		Body: fmt.Sprintf(`{"object_kind":%q,"project":{"id":%d},"object_attributes":{"iid":%d,"target_project_id":%d,"action":"update","confidential":%t}}`, kind, ref.ProjectID, ref.IID, ref.ProjectID, confidential),
	}
	if key == "" {
		req.RequestContext.RequestID = c.NewKey("gateway")
	}
	var answer events.APIGatewayV2HTTPResponse
	_, err := c.invoke("webhook", surgical.WebhookTimeout, func(ctx context.Context) (err error) {
		answer, err = gateway.Adapt(c.functions.Hook)(ctx, req)
		return err
	})
	if err != nil {
		return http.StatusBadGateway
	}
	return answer.StatusCode
}

// Send enqueues a request on requests.fifo, bypassing the boundary.
func (c *Cloud) Send(req surgical.Request) {
	if err := c.functions.ToRequests.Send(c.T.Context(), req); err != nil {
		c.T.Fatal(err)
	}
}

// SendBulk enqueues a request on bulk.fifo, bypassing the boundary.
func (c *Cloud) SendBulk(req surgical.Request) {
	if err := c.functions.ToBulk.Send(c.T.Context(), req); err != nil {
		c.T.Fatal(err)
	}
}

// Change changes the truth; a lagging replica shows the previous state.
func (c *Cloud) Change(change func()) {
	if err := c.replica.keep(); err != nil {
		c.T.Fatal(err)
	}
	change()
}

// Replica responds as GitLab's lagging database.
func (c *Cloud) Replica() http.RoundTripper { return c.replica }

// API makes one call to the manual API in its own process.
func (c *Cloud) API(method, path, key, body string) (status int, answer string) {
	req := httptest.NewRequestWithContext(c.T.Context(), method, path, strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	recorder := httptest.NewRecorder()
	c.ServeAPI(recorder, req)
	return recorder.Code, recorder.Body.String()
}

// ServeAPI serves a request to the manual API in its own process.
func (c *Cloud) ServeAPI(w http.ResponseWriter, req *http.Request) {
	recorder := httptest.NewRecorder()
	_, err := c.invoke("api", surgical.APITimeout, func(ctx context.Context) error {
		c.api().ServeHTTP(recorder, req.WithContext(ctx))
		return nil
	})
	if err != nil { // the gateway's response when the function died
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	maps.Copy(w.Header(), recorder.Header())
	w.WriteHeader(recorder.Code)
	_, _ = w.Write(recorder.Body.Bytes()) // the client may have disconnected
}

// Poll invokes the worker with one batch of the queue, and reports whether
// there was one.
func (c *Cloud) Poll(q *fakesqs.Queue) bool {
	if len(c.Skews) > 0 {
		c.polls++
		c.skew.Store(int64(c.Skews[c.polls%len(c.Skews)]))
	}
	var batch events.SQSEvent
	n, err := q.Poll(c.T.Context(), func(_ context.Context, e events.SQSEvent) (response events.SQSEventResponse, err error) {
		batch = e
		_, err = c.invoke("worker", surgical.WorkerTimeout, func(ctx context.Context) error {
			response, err = c.worker.Worker.Handle(ctx, e)
			return err
		})
		return response, err
	})
	if errors.Is(err, errDead) && c.Fate == Lost {
		for _, record := range batch.Records {
			q.Drop(record.MessageId)
		}
	}
	return n > 0
}

// Execute runs one execution of infra/workflow.asl.json.
func (c *Cloud) Execute(input json.RawMessage) {
	e, err := c.machine.Start(input)
	if err != nil {
		c.T.Fatal(err)
	}
	began := c.Clock.Now()
	for e.Status == stepfunctions.Running {
		call := e.Call()
		c.Clock.Advance(call.Wait)
		if c.Clock.Now().Sub(began) >= c.machine.Timeout {
			e.TimeOut()
			return
		}
		answer, err := c.call(call)
		switch {
		case errors.Is(err, errDead) && c.abandoned(input):
			return
		case err != nil:
			e.Fail(failureOf(err))
		default:
			e.Succeed(answer)
		}
	}
}

// TimeLimit returns how long the call's function may run: until its own timeout
// or that of the state, whichever is shorter.
func TimeLimit(call stepfunctions.Call) time.Duration {
	limit := surgical.StageTimeout
	if call.Function == "finish" || call.Function == "abort" {
		limit = surgical.ClosingTimeout
	}
	return min(limit, call.Timeout)
}

// call invokes the function in its own process.
func (c *Cloud) call(call stepfunctions.Call) (answer json.RawMessage, err error) {
	_, err = c.invoke(call.Function, TimeLimit(call), func(ctx context.Context) (err error) {
		answer, err = c.functions.Invoke(ctx, call.Function, call.Payload)
		return err
	})
	return answer, err
}

// failureOf is what Step Functions receives of a failure.
func failureOf(err error) stepfunctions.Failure {
	switch {
	case errors.Is(err, errDead):
		return stepfunctions.Failure{Name: stepfunctions.FunctionExit, Cause: err.Error()}
	case errors.Is(err, errThrottled):
		return stepfunctions.Failure{Name: "Lambda.TooManyRequestsException", Cause: err.Error()}
	}
	return stepfunctions.FailureOf(err)
}

// abandoned applies Fate to the execution of a process that died.
func (c *Cloud) abandoned(input json.RawMessage) bool {
	switch c.Fate {
	case Repeated:
		c.After(time.Minute, func() { c.start(input) })
		return true
	case Lost:
		return true
	}
	return false
}

// Sweep runs the sweeper once. A failure is ignored, because the sweeper runs
// again.
func (c *Cloud) Sweep() {
	_, _ = c.invoke("sweeper", surgical.SweeperTimeout, func(ctx context.Context) error {
		_, err := c.functions.Sweeper.Handle(ctx)
		return err
	})
}

// Crawl runs the crawler once. A failure is ignored, because the crawler runs again.
func (c *Cloud) Crawl() {
	_, _ = c.invoke("crawler", surgical.CrawlerTimeout, func(ctx context.Context) error {
		_, err := c.functions.Crawler.Handle(ctx)
		return err
	})
}

// Crawler is the crawler, whose settings a test may change before use.
func (c *Cloud) Crawler() *crawl.Crawler { return c.functions.Crawler }

// StartCrawl lets the crawler run as soon as the cloud is driven on, as an asynchronous
// invocation does.
func (c *Cloud) StartCrawl() {
	if c.Crawls {
		c.After(0, c.Crawl)
	}
}
