package main

import (
	"encoding/json"
	"maps"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/workflow"
)

// machine is a definition in the Amazon States Language, as far as it is used.
type machine struct {
	QueryLanguage  string
	TimeoutSeconds int
	StartAt        string
	States         map[string]state
}

type state struct {
	Type, Resource, Next, Default string
	End                           bool
	TimeoutSeconds                int
	Arguments                     struct {
		FunctionName string
		Payload      any
	}
	Retry   []retry
	Catch   []catch
	Choices []choice
	Output  any
}

type retry struct {
	ErrorEquals     []string
	IntervalSeconds *int
	MaxAttempts     *int
	BackoffRate     *float64
	MaxDelaySeconds *int
}

type catch struct {
	ErrorEquals []string
	Output      any
	Next        string
}

type choice struct{ Condition, Next string }

func definition(t *testing.T) machine {
	t.Helper()
	var m machine
	if err := json.Unmarshal([]byte(workflowDefinition), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// targets are the states that may follow.
func (s state) targets() []string {
	var all []string
	for _, c := range s.Choices {
		all = append(all, c.Next)
	}
	for _, c := range s.Catch {
		all = append(all, c.Next)
	}
	for _, next := range []string{s.Next, s.Default} {
		if next != "" {
			all = append(all, next)
		}
	}
	return all
}

func TestEveryTransitionLeadsToAStateAndEveryStateIsReached(t *testing.T) {
	m := definition(t)
	reached := map[string]bool{}
	open := []string{m.StartAt}
	for len(open) > 0 {
		name := open[0]
		open = open[1:]
		if reached[name] {
			continue
		}
		s, ok := m.States[name]
		if !ok {
			t.Errorf("a transition leads to %q, which is no state", name)
			continue
		}
		reached[name] = true
		open = append(open, s.targets()...)
		if ends := s.End || s.Type == "Succeed" || s.Type == "Fail"; ends != (len(s.targets()) == 0) {
			t.Errorf("%s: ends %v, goes on to %q", name, ends, s.targets())
		}
		if s.Type == "Choice" && s.Default == "" {
			t.Errorf("%s has no Default: an answer that fits no choice would fail the execution", name)
		}
	}
	for name := range m.States {
		if !reached[name] {
			t.Errorf("%s is never reached", name)
		}
	}
}

// The order of the stages, each failure's way to abort included.
func TestStagesFollowEachOther(t *testing.T) {
	got := map[string][]string{}
	for name, s := range definition(t).States {
		if all := s.targets(); all != nil {
			got[name] = all
		}
	}
	want := map[string][]string{
		"Docs":                   {"Abort", "Documents regenerated?"},
		"Documents regenerated?": {"Closed", "Embed", "Finish", "Left to another execution"},
		"Embed":                  {"Abort", "Embedded?"},
		"Embedded?":              {"Finish", "Left to another execution"},
		"Finish":                 {"Abort", "Closed"},
		"Abort":                  {"Postponed?"},
		"Postponed?":             {"Left to another execution", "Aborted"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("transitions (-want +got):\n%s", diff)
	}
}

// A stage's failure ends in abort; abort's own is the sweeper's.
func TestEveryTaskIsBoundedRetriedByNameAndCaught(t *testing.T) {
	retried := []string{
		"Lambda.AWSLambdaException", "Lambda.SdkClientException", "Lambda.ServiceException", "Lambda.TooManyRequestsException",
		// A function that died.
		"Lambda.Unknown", "Runtime.ExitError", "Sandbox.Timedout",
		// What the functions themselves call worth another try.
		reflect.TypeFor[workflow.Transient]().Name(),
	}
	tasks := 0
	for name, s := range definition(t).States {
		if s.Type != "Task" {
			continue
		}
		tasks++
		if s.TimeoutSeconds <= 0 {
			t.Errorf("%s has no TimeoutSeconds", name)
		}
		if s.Resource != "arn:aws:states:::lambda:invoke" || s.Arguments.FunctionName != "${"+name+"FunctionArn}" {
			t.Errorf("%s invokes %s with %s", name, s.Arguments.FunctionName, s.Resource)
		}
		var errors []string
		for _, r := range s.Retry {
			errors = append(errors, r.ErrorEquals...)
		}
		slices.Sort(errors)
		if diff := cmp.Diff(retried, errors); diff != "" {
			t.Errorf("%s is tried again after (-want +got):\n%s", name, diff)
		}
		want := 1
		if name == "Abort" {
			want = 0
		}
		if len(s.Catch) != want {
			t.Errorf("%s has %d catchers, want %d", name, len(s.Catch), want)
		}
		for _, c := range s.Catch {
			if !slices.Equal(c.ErrorEquals, []string{"States.ALL"}) || c.Next != "Abort" {
				t.Errorf("%s catches %q for %s, want all for Abort", name, c.ErrorEquals, c.Next)
			}
		}
	}
	if tasks != 4 {
		t.Errorf("%d tasks, want 4", tasks)
	}
}

// The sweeper takes a run for lost 300 s after its generation began; a timed-out
// execution runs no Catch.
func TestTheLongestWayStaysUnder270Seconds(t *testing.T) {
	m := definition(t)
	longest := m.longest(t, m.StartAt, nil)
	limit := time.Duration(m.TimeoutSeconds) * time.Second
	if longest >= limit || limit >= 270*time.Second {
		t.Errorf("the longest way takes %s, the execution may take %s: want less, and less than 270 s", longest, limit)
	}
}

// longest is the most time that may pass from the beginning of a state to the
// execution's end: all attempts to their timeout, all waits between them. It
// leaves out the retries of invocations that Lambda refuses: they take no time of
// their own, and an execution that times out because of them is resumed.
func (m machine) longest(t *testing.T, name string, before []string) time.Duration {
	t.Helper()
	if slices.Contains(before, name) {
		t.Fatalf("a circle: %q", append(before, name))
	}
	s := m.States[name]
	attempts, waits := 1, 0.0
	for _, r := range s.Retry {
		if slices.Contains(r.ErrorEquals, "Lambda.TooManyRequestsException") {
			continue
		}
		// AWS's defaults.
		interval, retries, rate := orElse(r.IntervalSeconds, 1), orElse(r.MaxAttempts, 3), orElse(r.BackoffRate, 2)
		attempts += retries
		for i := range retries {
			wait := float64(interval) * math.Pow(rate, float64(i))
			waits += min(wait, float64(orElse(r.MaxDelaySeconds, math.MaxInt32)))
		}
	}
	own := time.Duration((float64(attempts*s.TimeoutSeconds) + waits) * float64(time.Second))
	var rest time.Duration
	for _, next := range s.targets() {
		rest = max(rest, m.longest(t, next, append(slices.Clone(before), name)))
	}
	return own + rest
}

func orElse[T any](v *T, unset T) T {
	if v == nil {
		return unset
	}
	return *v
}

// The function's own timeout comes first: it can still say what happened.
func TestTasksWaitLongerThanTheirFunctionsMayTake(t *testing.T) {
	functions := onAWS(t).ofType("AWS::Lambda::Function")
	for name, s := range definition(t).States {
		if s.Type != "Task" {
			continue
		}
		function := seconds(functions[name+"Function"]["Timeout"])
		if task := time.Duration(s.TimeoutSeconds) * time.Second; function <= 0 || function >= task || task > function+10*time.Second {
			t.Errorf("%s: the function may take %s, the task waits %s; want a little more", name, function, task)
		}
	}
}

// jsonPathOnly are fields that JSONata states do not know. AWS refuses them;
// the local emulator does not.
var jsonPathOnly = regexp.MustCompile(`^(InputPath|OutputPath|ResultPath|ResultSelector|Parameters|ItemsPath|Variable|.*\.\$|.*Path)$`)

func TestTheDefinitionIsJSONataThroughout(t *testing.T) {
	if language := definition(t).QueryLanguage; language != "JSONata" {
		t.Errorf("QueryLanguage is %q", language)
	}
	var all any
	if err := json.Unmarshal([]byte(workflowDefinition), &all); err != nil {
		t.Fatal(err)
	}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, key := range slices.Sorted(maps.Keys(v)) {
				if jsonPathOnly.MatchString(key) || key == "QueryLanguage" && path != "" {
					t.Errorf("%s/%s belongs to JSONPath", path, key)
				}
				walk(path+"/"+key, v[key])
			}
		case []any:
			for _, e := range v {
				walk(path+"[]", e)
			}
		case string:
			if whole := strings.HasPrefix(v, "{% ") && strings.HasSuffix(v, " %}"); strings.Contains(v, "$states") != whole {
				t.Errorf("%s: %q is half an expression", path, v)
			}
		}
	}
	walk("", all)
}

func TestTheStateMachineIsExpressTracedAndLogsNoData(t *testing.T) {
	everyVariant(t, func(t *testing.T, s stackTemplate) {
		got := s.ofType("AWS::StepFunctions::StateMachine")["Workflow"]
		name := "lorehook-workflow"
		if strings.HasSuffix(t.Name(), "/openai") {
			name = "team-a-workflow"
		}
		want := map[string]any{
			"StateMachineName": name, "StateMachineType": "EXPRESS", "DefinitionString": workflowDefinition, "RoleArn": "WorkflowRole.Arn",
			"DefinitionSubstitutions": map[string]any{
				"DocsFunctionArn": "DocsFunction.Arn", "EmbedFunctionArn": "EmbedFunction.Arn",
				"FinishFunctionArn": "FinishFunction.Arn", "AbortFunctionArn": "AbortFunction.Arn",
			},
			"TracingConfiguration": map[string]any{"Enabled": true},
			"LoggingConfiguration": map[string]any{
				"Level": "ERROR", "IncludeExecutionData": false,
				"Destinations": []any{map[string]any{"CloudWatchLogsLogGroup": map[string]any{"LogGroupArn": "WorkflowLogs.Arn"}}},
			},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("state machine (-want +got):\n%s", diff)
		}
	})
}
