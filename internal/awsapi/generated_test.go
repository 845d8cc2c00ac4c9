package awsapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/awsapi"
	"gitlab.com/lorehook/lorehook/internal/awsretry"
)

const text = "words, \"quoted\" <&> \u2028 é\n"

// operation calls the same operation in two ways. An output is nil after a failure.
type operation struct {
	generated, ours func(context.Context, aws.Config) (output any, err error)
	// answer is what the service says, with this status.
	answer string
	status int
}

func outputOf[In, Out any](ctx context.Context, call func(context.Context, *In) (*Out, error), in *In) (any, error) {
	out, err := call(ctx, in)
	if err != nil {
		return nil, err
	}
	return *out, nil
}

// operations are all that the package has, with an input that has every member.
func operations() map[string]operation {
	queue, group, id, handle, arn := "https://sqs.eu-central-1.amazonaws.com/1/q.fifo", "g", "d", "h", "arn:aws:states:eu-central-1:1:stateMachine:m"
	word := text
	return map[string]operation{
		"SendMessage": {
			func(ctx context.Context, cfg aws.Config) (any, error) {
				out, err := sqs.NewFromConfig(cfg).SendMessage(ctx, &sqs.SendMessageInput{
					QueueUrl: &queue, MessageBody: &word, MessageGroupId: &group, MessageDeduplicationId: &id,
					MessageAttributes: map[string]sqstypes.MessageAttributeValue{"run_id": {DataType: aws.String("String"), StringValue: &word}},
				})
				if err != nil {
					return nil, err
				}
				return awsapi.SendMessageOutput{MessageID: aws.ToString(out.MessageId), BodyMD5: aws.ToString(out.MD5OfMessageBody)}, nil
			},
			func(ctx context.Context, cfg aws.Config) (any, error) {
				return outputOf(ctx, awsapi.NewSQS(cfg).SendMessage, &awsapi.SendMessageInput{
					QueueURL: queue, Body: text, GroupID: group, DeduplicationID: id,
					Attributes: map[string]awsapi.MessageAttribute{"run_id": awsapi.TextAttribute(text)},
				})
			}, `{"MessageId":"m","MD5OfMessageBody":"` + md5Of(text) + `","SequenceNumber":"7"}`, http.StatusOK,
		},
		"ChangeMessageVisibility": {
			func(ctx context.Context, cfg aws.Config) (any, error) {
				_, err := sqs.NewFromConfig(cfg).ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{QueueUrl: &queue, ReceiptHandle: &handle, VisibilityTimeout: 0})
				if err != nil {
					return nil, err
				}
				return awsapi.ChangeMessageVisibilityOutput{}, nil
			},
			func(ctx context.Context, cfg aws.Config) (any, error) {
				return outputOf(ctx, awsapi.NewSQS(cfg).ChangeMessageVisibility, &awsapi.ChangeMessageVisibilityInput{QueueURL: queue, ReceiptHandle: handle, Timeout: 0})
			}, ``, http.StatusOK,
		},
		"GetQueueAttributes": {
			func(ctx context.Context, cfg aws.Config) (any, error) {
				out, err := sqs.NewFromConfig(cfg).GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &queue, AttributeNames: []sqstypes.QueueAttributeName{
					sqstypes.QueueAttributeNameApproximateNumberOfMessages, sqstypes.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
				}})
				if err != nil {
					return nil, err
				}
				return awsapi.GetQueueAttributesOutput{Attributes: out.Attributes}, nil
			},
			func(ctx context.Context, cfg aws.Config) (any, error) {
				return outputOf(ctx, awsapi.NewSQS(cfg).GetQueueAttributes, &awsapi.GetQueueAttributesInput{QueueURL: queue, Names: []string{awsapi.Messages, awsapi.MessagesNotVisible}})
			}, `{"Attributes":{"ApproximateNumberOfMessages":"7","ApproximateNumberOfMessagesNotVisible":"0"}}`, http.StatusOK,
		},
		"GetSecretValue": {
			func(ctx context.Context, cfg aws.Config) (any, error) {
				out, err := secretsmanager.NewFromConfig(cfg).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &word})
				if err != nil {
					return nil, err
				}
				return awsapi.GetSecretValueOutput{Text: aws.ToString(out.SecretString)}, nil
			},
			func(ctx context.Context, cfg aws.Config) (any, error) {
				return outputOf(ctx, awsapi.NewSecretsManager(cfg).GetSecretValue, &awsapi.GetSecretValueInput{SecretID: text})
			}, `{"SecretString":"sample é","Name":"n","CreatedDate":1.5E9}`, http.StatusOK,
		},
		"StartExecution": {
			func(ctx context.Context, cfg aws.Config) (any, error) {
				_, err := sfn.NewFromConfig(cfg).StartExecution(ctx, &sfn.StartExecutionInput{StateMachineArn: &arn, Input: &word})
				if err != nil {
					return nil, err
				}
				return awsapi.StartExecutionOutput{}, nil
			},
			func(ctx context.Context, cfg aws.Config) (any, error) {
				return outputOf(ctx, awsapi.NewStepFunctions(cfg).StartExecution, &awsapi.StartExecutionInput{StateMachineARN: arn, Input: text})
			}, `{"executionArn":"arn","startDate":1.5E9}`, http.StatusOK,
		},
		"Invoke":         invoking("lorehook-search", lambdatypes.InvocationTypeRequestResponse, []byte(`{"q":"é"}`), `{"n":7}`),
		"Invoke an ARN":  invoking("arn:aws:lambda:eu-central-1:1:function:lorehook-search", lambdatypes.InvocationTypeRequestResponse, []byte(`{}`), `"é"`),
		"Invoke a start": invoking("lorehook-indexer", lambdatypes.InvocationTypeEvent, nil, ``),
	}
}

func invoking(function string, kind lambdatypes.InvocationType, payload []byte, answer string) operation {
	asked := kind
	if kind == lambdatypes.InvocationTypeRequestResponse {
		asked = "" // what Lambda assumes
	}
	return operation{
		func(ctx context.Context, cfg aws.Config) (any, error) {
			out, err := lambda.NewFromConfig(cfg).Invoke(ctx, &lambda.InvokeInput{FunctionName: &function, InvocationType: asked, Payload: payload})
			if err != nil {
				return nil, err
			}
			return awsapi.InvokeOutput{FunctionError: aws.ToString(out.FunctionError), Payload: out.Payload}, nil
		},
		func(ctx context.Context, cfg aws.Config) (any, error) {
			return outputOf(ctx, awsapi.NewLambda(cfg).Invoke, &awsapi.InvokeInput{Function: function, Event: kind == lambdatypes.InvocationTypeEvent, Payload: payload})
		}, answer, map[bool]int{true: http.StatusAccepted, false: http.StatusOK}[kind == lambdatypes.InvocationTypeEvent],
	}
}

// wire answers requests, and keeps them.
type wire struct {
	answer   func(*http.Request) (*http.Response, error)
	requests []string
	left     int
}

// body counts as left until it is read to its end and closed.
type body struct {
	io.Reader
	w     *wire
	ended bool
}

func (b *body) Read(to []byte) (int, error) {
	n, err := b.Reader.Read(to)
	b.ended = b.ended || err == io.EOF
	return n, err
}

func (b *body) Close() error {
	if b.ended {
		b.w.left--
	}
	return nil
}

// Do implements [aws.HTTPClient].
func (w *wire) Do(req *http.Request) (*http.Response, error) {
	w.requests = append(w.requests, written(req))
	answer, err := w.answer(req)
	if answer != nil {
		w.left++
		answer.Body = &body{Reader: answer.Body, w: w}
	}
	return answer, err
}

// written is a request as text. The JSON protocol's bodies are compared as values, because
// there are several ways to write one; so their signatures differ, and the others' do not.
func written(req *http.Request) string {
	var body []byte
	if req.Body != nil {
		body, _ = io.ReadAll(req.Body) // it is in memory
	}
	whole := int64(len(body)) == req.ContentLength
	header := req.Header.Clone()
	if header.Get("X-Amz-Target") != "" {
		var value any
		if json.Unmarshal(body, &value) == nil {
			body, _ = json.Marshal(value)
		}
		signed, _, _ := strings.Cut(header.Get("Authorization"), "Signature=")
		header.Set("Authorization", signed)
	}
	name, _, _ := strings.Cut(header.Get("User-Agent"), " ") // the rest names the client
	header.Set("User-Agent", name)
	var text bytes.Buffer
	fmt.Fprintf(&text, "%s %s host %q whole %v\n", req.Method, req.URL, req.Host, whole)
	_ = header.Write(&text)
	text.Write(body)
	return text.String()
}

func (w *wire) config(region string) aws.Config {
	return aws.Config{
		Region: region, Credentials: credentials.NewStaticCredentialsProvider("sample", "sample", "session"), HTTPClient: w, Retryer: awsretry.Standard,
		APIOptions: []func(*middleware.Stack) error{func(stack *middleware.Stack) error { return stack.Build.Add(sameID, middleware.After) }},
	}
}

// sameID replaces the random id of a call, which is signed.
var sameID = middleware.BuildMiddlewareFunc("SameID", func(ctx context.Context, in middleware.BuildInput, next middleware.BuildHandler) (middleware.BuildOutput, middleware.Metadata, error) {
	req, ok := in.Request.(*smithyhttp.Request)
	if !ok || req.Header.Get("Amz-Sdk-Invocation-Id") == "" {
		return middleware.BuildOutput{}, middleware.Metadata{}, fmt.Errorf("the call has no id: %+v", req)
	}
	req.Header.Set("Amz-Sdk-Invocation-Id", "1")
	return next.HandleBuild(ctx, in)
})

func saying(status int, header http.Header, body string) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: header.Clone(), Body: io.NopCloser(strings.NewReader(body))}, nil
	}
}

// Every request is the one that the generated client sends, wherever it goes.
func TestOperations_SendWhatGeneratedClientsSend(t *testing.T) {
	t.Setenv("AWS_LAMBDA_FUNCTION_NAME", "lorehook-webhook") // by which Lambda finds loops
	t.Setenv("_X_AMZN_TRACE_ID", "Root=1-5759e988-bd862e3fe1be46a994272793;Lineage=1:a")
	for name, op := range operations() {
		for _, region := range []string{
			"eu-central-1", "us-east-1", "ap-southeast-7", "mx-central-1", "cn-north-1", "cn-northwest-1", "us-gov-west-1", "us-gov-east-1",
			"eusc-de-east-1", "us-iso-east-1", "us-isob-east-1", "us-isof-south-1", "eu-isoe-west-1",
		} {
			compareRequests(t, name+" in "+region, op, func(w *wire) aws.Config { return w.config(region) })
		}
		for _, base := range []string{"http://127.0.0.1:4566", "http://127.0.0.1:4566/", "https://aws.example.com/local"} {
			compareRequests(t, name+" at "+base, op, func(w *wire) aws.Config {
				cfg := w.config("eu-central-1")
				cfg.BaseEndpoint = &base
				return cfg
			})
		}
	}
}

func compareRequests(t *testing.T, name string, op operation, config func(*wire) aws.Config) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { // one time for both
		sent := func(call func(context.Context, aws.Config) (any, error)) (any, []string) {
			w := &wire{answer: saying(op.status, http.Header{}, op.answer)}
			out, err := call(t.Context(), config(w))
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			return out, w.requests
		}
		want, requests := sent(op.generated)
		got, ours := sent(op.ours)
		if diff := cmp.Diff(requests, ours); diff != "" || len(ours) != 1 {
			t.Errorf("%s (-generated +ours):\n%s", name, diff)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: output (-generated +ours):\n%s", name, diff)
		}
	})
}

// Who intercepts calls, as tests of everything else do, sees their names.
func TestOperations_HaveTheNamesThatGeneratedClientsGiveThem(t *testing.T) {
	for name, op := range operations() {
		called := func(call func(context.Context, aws.Config) (any, error)) (names []string) {
			w := &wire{answer: saying(op.status, http.Header{}, op.answer)}
			cfg := w.config("eu-central-1")
			cfg.APIOptions = append(cfg.APIOptions, func(stack *middleware.Stack) error {
				return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("See", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
					names = append(names, stack.ID(), middleware.GetServiceID(ctx), middleware.GetOperationName(ctx))
					return next.HandleInitialize(ctx, in)
				}), middleware.Before)
			})
			if _, err := call(t.Context(), cfg); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			return names
		}
		if diff := cmp.Diff(called(op.generated), called(op.ours)); diff != "" {
			t.Errorf("%s (-generated +ours):\n%s", name, diff)
		}
	}
}

// failed is what callers can see of a failure.
type failed struct {
	Operation, Service, Code, Message, RequestID string
	Fault                                        smithy.ErrorFault
	Status                                       int
	// Requests are all that were sent, without the second in which each was signed.
	Requests                    []string
	Passes, Canceled, Late, API bool
	// Left is how many bodies of answers were not read to their end, or not closed.
	Left   int
	Output any
	// typed says that the SDK has a type for the failure, which knows its fault.
	typed bool
}

var signed = regexp.MustCompile(`(X-Amz-Date: |Signature=)\w+`)

// timeless leaves out of requests what depends on when each was sent, because pauses are
// random.
func timeless(requests []string) []string {
	without := make([]string, len(requests))
	for i, request := range requests {
		without[i] = signed.ReplaceAllString(request, "$1…")
	}
	return without
}

func whatOf(w *wire, out any, err error) failed {
	f := failed{Requests: timeless(w.requests), Output: out, Left: w.left}
	if op, ok := errors.AsType[*smithy.OperationError](err); ok {
		f.Operation, f.Service = op.OperationName, op.ServiceID
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		_, generic := api.(*smithy.GenericAPIError)
		f.typed, f.API, f.Code, f.Message, f.Fault = !generic, true, api.ErrorCode(), api.ErrorMessage(), api.ErrorFault()
	}
	if response, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		f.Status, f.RequestID = response.HTTPStatusCode(), response.RequestID
	}
	f.Passes = retry.IsErrorRetryables(retry.DefaultRetryables).IsErrorRetryable(err) == aws.TrueTernary
	f.Canceled, f.Late = errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded)
	return f
}

// Every answer is understood, and every failure repeated and described, as by the generated
// client. Of an exception that it has a type for, it also knows the fault, and does not
// repeat it because of the status 429, which none of these has.
func TestOperations_UnderstandWhatGeneratedClientsUnderstand(t *testing.T) {
	reset := errors.New("connection reset by peer")
	header := func(pairs ...string) http.Header {
		h := http.Header{"X-Amzn-Requestid": {"request-1"}, "Date": {"Sat, 01 Jan 2000 00:00:00 GMT"}}
		for i := 0; i < len(pairs); i += 2 {
			h.Set(pairs[i], pairs[i+1])
		}
		return h
	}
	for what, answer := range map[string]func(*http.Request) (*http.Response, error){
		"no body":                     saying(http.StatusOK, header(), ""),
		"an empty object":             saying(http.StatusOK, header(), "{}"),
		"a function's failure":        saying(http.StatusOK, header("X-Amz-Function-Error", "Unhandled"), "{}"),
		"throttled":                   saying(400, header(), `{"__type":"com.amazonaws.sqs#ThrottlingException","message":"slower"}`),
		"throttled, by header":        saying(400, header("X-Amzn-ErrorType", "ThrottlingException:http://internal.amazon.com/coral/"), `{"Message":"slower"}`),
		"too many":                    saying(429, header("X-Amzn-ErrorType", "TooManyRequestsException"), `{"Type":"User","message":"slower"}`),
		"with the queue's old code":   saying(400, header("X-Amzn-Query-Error", "AWS.SimpleQueueService.NonExistentQueue;Sender"), `{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"none"}`),
		"with an old code of its own": saying(403, header("X-Amzn-Query-Error", "RequestThrottled;Receiver"), `{"__type":"com.amazonaws.sqs#Unheard","message":"x"}`),
		"denied":                      saying(400, header(), `{"__type":"AccessDeniedException","Message":"no right to"}`),
		"no secret":                   saying(400, header(), `{"__type":"ResourceNotFoundException","Message":"none"}`),
		"deleted":                     saying(400, header(), `{"__type":"InvalidRequestException","Message":"scheduled"}`),
		"a code":                      saying(400, header(), `{"code":"Odd","message":"x"}`),
		"a number as code":            saying(400, header(), `{"code":7,"message":"x"}`),
		"nothing said":                saying(400, header(), `{}`),
		"no words":                    saying(400, header(), ``),
		"words that are no JSON":      saying(400, header(), `<html>`),
		"broken":                      saying(500, header(), `{"__type":"InternalFailure"}`),
		"broken, in HTML":             saying(503, header(), `<html>`),
		"unavailable":                 saying(503, header(), ``),
		"moved":                       saying(307, header("Location", "https://elsewhere.example.com"), `{}`),
		"two codes, and a third":      saying(400, header("X-Amzn-ErrorType", "One"), `{"__type":"Two","code":"Three","message":"x"}`),
		"two codes":                   saying(400, header(), `{"__type":"Two","code":"Three","message":"x"}`),
		"accepted":                    saying(http.StatusAccepted, header(), `{}`),
		"a large answer":              saying(http.StatusOK, header(), `{"x":"`+strings.Repeat("x", 2<<20)+`"}`),
		"asked to wait":               saying(503, header("X-Amz-Retry-After", "1500"), ``),
		"silence": func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		},
		"no answer":               func(*http.Request) (*http.Response, error) { return nil, reset },
		"no answer, from another": func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF },
	} {
		for name, op := range operations() {
			synctest.Test(t, func(t *testing.T) {
				happened := func(call func(context.Context, aws.Config) (any, error)) failed {
					w := &wire{answer: answer}
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					defer cancel()
					out, err := call(ctx, w.config("eu-central-1"))
					return whatOf(w, out, err)
				}
				want, got := happened(op.generated), happened(op.ours)
				if want.typed {
					got.Fault = want.Fault
				}
				want.typed, got.typed = false, false
				if diff := cmp.Diff(want, got, cmp.AllowUnexported(failed{})); diff != "" {
					t.Errorf("%s, %s (-generated +ours):\n%s", name, what, diff)
				}
			})
		}
	}
}
