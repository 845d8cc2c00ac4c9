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
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/smithy-go/middleware"

	"gitlab.com/lorehook/lorehook/internal/function/gateway"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/workflow"
	fakesqs "gitlab.com/lorehook/lorehook/test/fake/sqs"
	"gitlab.com/lorehook/lorehook/test/pipeline"
)

// stepFunctions is a client whose executions the cloud runs.
func (c *Cloud) stepFunctions() *sfn.Client {
	answer := middleware.InitializeMiddlewareFunc("cloud",
		func(ctx context.Context, in middleware.InitializeInput, _ middleware.InitializeHandler) (out middleware.InitializeOutput, meta middleware.Metadata, err error) {
			start, ok := in.Parameters.(*sfn.StartExecutionInput)
			if !ok {
				return out, meta, fmt.Errorf("cloud: %T is not supported", in.Parameters)
			}
			if err := ctx.Err(); err != nil {
				return out, meta, &aws.RequestCanceledError{Err: err}
			}
			var input workflow.Input
			if err := json.Unmarshal([]byte(*start.Input), &input); err != nil {
				return out, meta, err
			}
			c.start(input)
			out.Result = &sfn.StartExecutionOutput{ExecutionArn: aws.String("arn"), StartDate: aws.Time(c.Clock.Now())}
			return out, meta, nil
		})
	return sfn.New(sfn.Options{
		Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
		APIOptions: []func(*middleware.Stack) error{
			func(stack *middleware.Stack) error { return stack.Initialize.Add(answer, middleware.After) },
			pipeline.InterceptAPI(pipeline.StepFunctions, c.boundary),
		},
	})
}

func (c *Cloud) start(in workflow.Input) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.executions = append(c.executions, in)
}

// Forget drops the executions that were started and did not run yet, as if
// Step Functions had lost them.
func (c *Cloud) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.executions = nil
}

func (c *Cloud) takeExecution() (workflow.Input, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.executions) == 0 {
		return workflow.Input{}, false
	}
	in := c.executions[0]
	c.executions = c.executions[1:]
	return in, true
}

// Request is a request for the targets, accepted now.
func (c *Cloud) Request(origin surgical.Origin, refs ...surgical.EntityRef) surgical.Request {
	key := fmt.Sprintf("key-%d", c.keys.Add(1))
	req := surgical.Request{
		RunID: surgical.RunID(origin, key), ProjectID: refs[0].ProjectID, Origin: origin, IdempotencyKey: key, EventAt: c.Clock.Now(),
	}
	for _, ref := range refs {
		req.Targets = append(req.Targets, ref.Target)
	}
	return req
}

// Webhook puts a delivery about the entity on its queue, as the webhook
// function does, and returns its request.
func (c *Cloud) Webhook(ref surgical.EntityRef) surgical.Request {
	req := c.Request(surgical.OriginWebhook, ref)
	c.Send(req)
	return req
}

// Deliver is GitLab's POST about the entity under the key, to the webhook
// function in a process of its own. It returns the status of the answer.
func (c *Cloud) Deliver(ref surgical.EntityRef, key string) int {
	kind, header := "issue", "Issue Hook"
	if ref.Type == surgical.MergeRequest {
		kind, header = "merge_request", "Merge Request Hook"
	}
	req := events.APIGatewayV2HTTPRequest{
		Headers: map[string]string{
			"content-type": "application/json", "x-gitlab-event": header, "x-gitlab-token": hookToken, "idempotency-key": key,
		},
		Body: fmt.Sprintf(`{"object_kind":%q,"project":{"id":%d},"object_attributes":{"iid":%d,"target_project_id":%d,"action":"update"}}`, kind, ref.ProjectID, ref.IID, ref.ProjectID),
	}
	var answer events.APIGatewayV2HTTPResponse
	_, err := c.invoke("webhook", webhookTimeout, func(ctx context.Context) (err error) {
		answer, err = gateway.Adapt(c.webhook)(ctx, req)
		return err
	})
	if err != nil {
		return http.StatusBadGateway
	}
	return answer.StatusCode
}

// Send puts a request on requests.fifo, undisturbed.
func (c *Cloud) Send(req surgical.Request) {
	if err := c.sender.Send(c.T.Context(), req); err != nil {
		c.T.Fatal(err)
	}
}

// SendBulk puts a request on bulk.fifo, undisturbed.
func (c *Cloud) SendBulk(req surgical.Request) {
	if err := c.bulk.Send(c.T.Context(), req); err != nil {
		c.T.Fatal(err)
	}
}

// Change changes the truth; a replica that lags shows the state before.
func (c *Cloud) Change(change func()) {
	if err := c.replica.keep(); err != nil {
		c.T.Fatal(err)
	}
	change()
}

// Replica answers as GitLab's lagging database.
func (c *Cloud) Replica() http.RoundTripper { return c.replica }

// API makes one call of the manual API in a process of its own.
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

// ServeAPI answers a request to the manual API, in a process of its own.
func (c *Cloud) ServeAPI(w http.ResponseWriter, req *http.Request) {
	recorder := httptest.NewRecorder()
	_, err := c.invoke("api", apiTimeout, func(ctx context.Context) error {
		c.api().ServeHTTP(recorder, req.WithContext(ctx))
		return nil
	})
	if err != nil { // the gateway's answer when the function died
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	maps.Copy(w.Header(), recorder.Header())
	w.WriteHeader(recorder.Code)
	_, _ = w.Write(recorder.Body.Bytes()) // the client may be gone
}

// Poll lets the worker take one batch of the queue; it reports whether there
// was one.
func (c *Cloud) Poll(q *fakesqs.Queue) bool {
	if len(c.Skews) > 0 {
		c.polls++
		c.skew.Store(int64(c.Skews[c.polls%len(c.Skews)]))
	}
	var batch events.SQSEvent
	n, err := q.Poll(c.T.Context(), func(_ context.Context, e events.SQSEvent) (response events.SQSEventResponse, err error) {
		batch = e
		_, err = c.invoke("worker", workerTimeout, func(ctx context.Context) error {
			response, err = c.worker.Handle(ctx, e)
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

// Execute runs one execution as infra/workflow.asl.json orders the stages.
func (c *Cloud) Execute(in workflow.Input) {
	result, err := c.stage("docs", c.docs, in)
	if err == nil && result.Outcome == workflow.Done && result.DocumentsRegenerated > 0 && !result.NoEmbed {
		result, err = c.stage("embed", c.embed, in)
		if err != nil {
			c.failed(in, "embed", err)
			return
		}
	} else if err != nil {
		c.failed(in, "docs", err)
		return
	}
	if result.Outcome != workflow.Done {
		return
	}
	if err := c.task("finish", closingTimeout, func(ctx context.Context) error { _, err := c.finish.Handle(ctx, in); return err }); err != nil {
		c.failed(in, "finish", err)
	}
}

func (c *Cloud) stage(name string, runner *workflow.Runner, in workflow.Input) (result workflow.Result, err error) {
	err = c.task(name, stageTimeout, func(ctx context.Context) (err error) {
		result, err = runner.Handle(ctx, in)
		return err
	})
	return result, err
}

// task invokes a function, and once more after a second if its failure is one
// that another try may not meet.
func (c *Cloud) task(name string, limit time.Duration, handle func(context.Context) error) error {
	_, err := c.invoke(name, limit, handle)
	var transient workflow.Transient
	if errors.As(err, &transient) {
		c.Clock.Advance(time.Second)
		_, err = c.invoke(name, limit, handle)
	}
	return err
}

// failed is the state machine's catch.
func (c *Cloud) failed(in workflow.Input, stage string, err error) {
	if errors.Is(err, errDead) && c.abandoned(in) {
		return
	}
	err = c.task("abort", closingTimeout, func(ctx context.Context) error {
		_, err := c.abort.Handle(ctx, workflow.AbortInput{Input: in, Stage: stage, Error: err.Error()})
		return err
	})
	if errors.Is(err, errDead) {
		c.abandoned(in)
	}
}

// abandoned lets fate decide about the execution of a process that died.
func (c *Cloud) abandoned(in workflow.Input) bool {
	switch c.Fate {
	case Repeated:
		c.After(time.Minute, func() { c.start(in) })
		return true
	case Lost:
		return true
	}
	return false
}

// Sweep lets the sweeper run once. Its failure is its own affair: it comes
// again.
func (c *Cloud) Sweep() {
	_, _ = c.invoke("sweeper", sweeperTimeout, func(ctx context.Context) error {
		_, err := c.sweeper.Handle(ctx)
		return err
	})
}
