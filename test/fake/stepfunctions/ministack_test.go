package stepfunctions_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	sfntypes "github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/test/engines"
	"gitlab.com/lorehook/lorehook/test/fake/stepfunctions"
)

// bootstrap is a custom runtime, because the local AWS hides the error names of
// others. It responds as the test's server says.
const bootstrap = `#!/usr/bin/env python3
import json, os
from urllib.request import Request, urlopen

runtime = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
answers = os.environ["ANSWERS"] + os.environ["AWS_LAMBDA_FUNCTION_NAME"]
while True:
    with urlopen(runtime + "next") as invocation:
        id, event = invocation.headers["Lambda-Runtime-Aws-Request-Id"], invocation.read()
    with urlopen(Request(answers, event)) as response:
        answer = json.load(response)
    if answer["error"]:
        body = {"errorType": answer["error"], "errorMessage": "as the script says"}
        urlopen(Request(runtime + id + "/error", json.dumps(body).encode(), {"Lambda-Runtime-Function-Error-Type": answer["error"]})).close()
    else:
        urlopen(Request(runtime + id + "/response", json.dumps(answer["result"]).encode())).close()
`

// actors are the functions on the local AWS, which follow a script.
type actors struct {
	mu      sync.Mutex
	script  script
	invoked []string
}

// ServeHTTP serves a function.
func (a *actors) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	payload, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	name := strings.TrimPrefix(r.URL.Path, "/")
	a.invoked = append(a.invoked, invocation(name, payload))
	o := a.script.next(name)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": o.err, "result": o.answer})
}

func (a *actors) play(s script) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.script, a.invoked = s, nil
}

func TestExecutionEndsAsOnTheLocalAWS(t *testing.T) {
	engines.RunOnMinistack(t, func(t *testing.T, e engines.Engine) {
		cast := &actors{}
		server := httptest.NewServer(cast)
		defer server.Close()
		client, arn := deploy(t, e, server.URL+"/")
		m := load(t)
		for name, c := range scripts() {
			t.Run(name, func(t *testing.T) {
				cast.play(c.script.clone())
				out, err := client.StartSyncExecution(t.Context(), &sfn.StartSyncExecutionInput{StateMachineArn: &arn, Input: aws.String(input)})
				if err != nil {
					t.Fatal(err)
				}
				want := played{Invoked: cast.invoked, Status: stepfunctions.Status(out.Status), Error: aws.ToString(out.Error)}
				if out.Output != nil && want.Status == stepfunctions.Succeeded {
					if err := json.Unmarshal([]byte(*out.Output), &want.Output); err != nil {
						t.Fatal(err)
					}
				}
				if diff := cmp.Diff(want, play(t, m, c.script.clone())); diff != "" {
					t.Errorf("(-the local AWS +the interpreter):\n%s", diff)
				}
			})
		}
	})
}

// deploy creates the functions and the state machine, until the end of the test.
func deploy(t *testing.T, e engines.Engine, answers string) (client *sfn.Client, arn string) {
	t.Helper()
	ctx := t.Context()
	// Retries need not wait here.
	resp, err := http.Post(*e.AWS.BaseEndpoint+"/_ministack/config", "application/json", strings.NewReader(`{"stepfunctions._SFN_WAIT_SCALE":0}`))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	var code bytes.Buffer
	archive := zip.NewWriter(&code)
	header := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate}
	header.SetMode(0o755)
	file, err := archive.CreateHeader(header)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(file, bootstrap); err != nil {
		t.Fatal(err)
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	functions := lambda.NewFromConfig(e.AWS)
	for _, name := range load(t).Functions() {
		_, err := functions.CreateFunction(ctx, &lambda.CreateFunctionInput{
			FunctionName: &name, Role: aws.String("arn:aws:iam::000000000000:role/actor"), Handler: aws.String("bootstrap"),
			Runtime: lambdatypes.RuntimeProvidedal2023, Code: &lambdatypes.FunctionCode{ZipFile: code.Bytes()}, Timeout: aws.Int32(30),
			Environment: &lambdatypes.Environment{Variables: map[string]string{"ANSWERS": answers}},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if _, err := functions.DeleteFunction(context.Background(), &lambda.DeleteFunctionInput{FunctionName: &name}); err != nil {
				t.Error(err)
			}
		})
	}
	deployed := regexp.MustCompile(`\$\{(\w+)FunctionArn\}`).ReplaceAllStringFunc(definition(t), func(placeholder string) string {
		name := strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(placeholder, "${"), "FunctionArn}"))
		return "arn:aws:lambda:us-east-1:000000000000:function:" + name
	})
	// The SDK would prefix the host with sync-.
	client = sfn.NewFromConfig(e.AWS, sfn.WithAPIOptions(func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("plainHost",
			func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
				return next.HandleInitialize(smithyhttp.DisableEndpointHostPrefix(ctx, true), in)
			}), middleware.Before)
	}))
	machine, err := client.CreateStateMachine(ctx, &sfn.CreateStateMachineInput{
		Name: aws.String("workflow"), Type: sfntypes.StateMachineTypeExpress, Definition: &deployed, RoleArn: aws.String("arn:aws:iam::000000000000:role/workflow"),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := client.DeleteStateMachine(context.Background(), &sfn.DeleteStateMachineInput{StateMachineArn: machine.StateMachineArn}); err != nil {
			t.Error(err)
		}
	})
	return client, *machine.StateMachineArn
}
