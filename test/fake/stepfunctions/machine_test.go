package stepfunctions_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gitlab.com/lorehook/lorehook/test/devstack"
	"gitlab.com/lorehook/lorehook/test/fake/stepfunctions"
)

func definition(t *testing.T) string {
	t.Helper()
	root, err := devstack.Root()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(root, "infra", "workflow.asl.json"))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestParseRefusesWhatTheInterpreterDoesNotSupport(t *testing.T) {
	whole := definition(t)
	for name, edit := range map[string][2]string{
		"another query language":            {`"QueryLanguage": "JSONata"`, `"QueryLanguage": "JSONPath"`},
		"a field of the machine":            {`"StartAt": "Docs"`, `"Version": "1.0", "StartAt": "Docs"`},
		"a field of a task":                 {`"Output": {},`, `"Output": {}, "Assign": {"n": 1},`},
		"a field of a retrier":              {`"MaxAttempts": 1`, `"MaxAttempts": 1, "JitterStrategy": "FULL"`},
		"a field of a choice":               {`"Default": "Left to another execution"`, `"Default": "Left to another execution", "Output": {}`},
		"another type":                      {`"Type": "Succeed"`, `"Type": "Parallel"`},
		"another resource":                  {`arn:aws:states:::lambda:invoke"`, `arn:aws:states:::sqs:sendMessage"`},
		"a function by its name":            {`${DocsFunctionArn}`, `lorehook-docs`},
		"a task without a timeout":          {`"TimeoutSeconds": 55,`, ``},
		"no timeout":                        {`"TimeoutSeconds": 268,`, ``},
		"a name for many errors":            {`["States.ALL"]`, `["States.TaskFailed"]`},
		"a state that is missing":           {`"Next": "Closed"`, `"Next": "Somewhere"`},
		"an expression that is not JSONata": {`$states.result.Payload %}`, `$states.result.(Payload %}`},
	} {
		t.Run(name, func(t *testing.T) {
			broken := strings.Replace(whole, edit[0], edit[1], 1)
			if broken == whole {
				t.Fatalf("the definition has no %s", edit[0])
			}
			if _, err := stepfunctions.Parse([]byte(broken)); err == nil {
				t.Error("it was parsed")
			}
		})
	}
}

func TestFunctionsAreThoseOfTheDefinition(t *testing.T) {
	if got := strings.Join(load(t).Functions(), " "); got != "abort docs embed finish" {
		t.Errorf("the machine invokes %s", got)
	}
}

func TestAnExecutionEndsWhereItsDefinitionFails(t *testing.T) {
	m, err := stepfunctions.Parse([]byte(`{"QueryLanguage": "JSONata", "TimeoutSeconds": 9, "StartAt": "Aborted",
		"States": {"Aborted": {"Type": "Fail", "Error": "StageFailed", "Cause": "a stage failed"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	e, err := m.Start([]byte(`{}`))
	if err != nil || e.Status != stepfunctions.Failed || e.Failure.Name != "StageFailed" {
		t.Errorf("%s %+v, error %v", e.Status, e.Failure, err)
	}
}
