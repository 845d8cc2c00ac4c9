package stepfunctions_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/workflow"
	"gitlab.com/lorehook/lorehook/test/engines"
	"gitlab.com/lorehook/lorehook/test/fake/stepfunctions"
)

func TestMain(m *testing.M) { os.Exit(engines.Main(m)) }

// outcome is the result of one invocation: a response, or an error's name.
type outcome struct {
	answer any
	err    string
}

// script is the outcomes of each function's invocations, in order. The last one
// repeats.
type script map[string][]outcome

func (s script) next(function string) outcome {
	list := s[function]
	if len(list) > 1 {
		s[function] = list[1:]
	}
	return list[0]
}

// clone copies a script, so that it can be played twice.
func (s script) clone() script {
	c := script{}
	for function, list := range s {
		c[function] = list
	}
	return c
}

const input = `{"run_id":"run-1","generation":4,"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}`

func done(documents int64, noEmbed bool) outcome {
	return outcome{answer: workflow.Result{Outcome: workflow.Done, DocumentsRegenerated: documents, NoEmbed: noEmbed}}
}

func left(o workflow.Outcome) outcome {
	return outcome{answer: workflow.Result{Outcome: o, DocumentsRegenerated: 3}}
}

func fails(names ...string) []outcome {
	var list []outcome
	for _, name := range names {
		list = append(list, outcome{err: name})
	}
	return list
}

var (
	ok      = []outcome{done(3, false)}
	nothing = []outcome{{answer: map[string]any{}}}
)

// scripts are the possible courses of an execution, with the functions that
// each one invokes.
func scripts() map[string]struct {
	script  script
	invokes string
	status  stepfunctions.Status
} {
	type way = struct {
		script  script
		invokes string
		status  stepfunctions.Status
	}
	all := map[string]way{
		"everything is done":                {script{"docs": ok, "embed": ok, "finish": ok}, "docs embed finish", stepfunctions.Succeeded},
		"no documents":                      {script{"docs": {done(0, false)}, "finish": ok}, "docs finish", stepfunctions.Succeeded},
		"no embeddings wanted":              {script{"docs": {done(3, true)}, "finish": ok}, "docs finish", stepfunctions.Succeeded},
		"docs closed the run":               {script{"docs": {left(workflow.Closed)}}, "docs", stepfunctions.Succeeded},
		"docs handed on":                    {script{"docs": {left(workflow.HandedOn)}}, "docs", stepfunctions.Succeeded},
		"docs yielded":                      {script{"docs": {left(workflow.Yielded)}}, "docs", stepfunctions.Succeeded},
		"embed handed on":                   {script{"docs": ok, "embed": {left(workflow.HandedOn)}}, "docs embed", stepfunctions.Succeeded},
		"embed yielded":                     {script{"docs": ok, "embed": {left(workflow.Yielded)}}, "docs embed", stepfunctions.Succeeded},
		"finish yielded":                    {script{"docs": ok, "embed": ok, "finish": {left(workflow.Yielded)}}, "docs embed finish", stepfunctions.Succeeded},
		"docs says nothing":                 {script{"docs": nothing}, "docs", stepfunctions.Succeeded},
		"docs says done and nothing else":   {script{"docs": {{answer: map[string]any{"outcome": "done"}}}}, "docs", stepfunctions.Succeeded},
		"docs does not say whether embed":   {script{"docs": {{answer: map[string]any{"outcome": "done", "documents_regenerated": 3}}}}, "docs", stepfunctions.Succeeded},
		"docs does not say how many":        {script{"docs": {{answer: map[string]any{"outcome": "done", "no_embed": false}}}}, "docs", stepfunctions.Succeeded},
		"embed says nothing":                {script{"docs": ok, "embed": nothing}, "docs embed", stepfunctions.Succeeded},
		"abort fails":                       {script{"docs": fails("errorString"), "abort": fails("errorString")}, "docs abort", stepfunctions.Failed},
		"abort fails in passing":            {script{"docs": fails("errorString"), "abort": append(fails("Transient"), ok...)}, "docs abort abort", stepfunctions.Succeeded},
		"abort fails twice":                 {script{"docs": fails("errorString"), "abort": fails("Transient")}, "docs abort abort", stepfunctions.Failed},
		"one retry for each state, not one": {script{"docs": append(fails("Transient"), ok...), "embed": append(fails("Transient"), ok...), "finish": append(fails("Transient"), ok...)}, "docs docs embed embed finish finish", stepfunctions.Succeeded},
	}
	before := map[string]string{"docs": "", "embed": "docs ", "finish": "docs embed "}
	for function, way2 := range before {
		add := func(name string, outcomes []outcome, invokes string, status stepfunctions.Status) {
			s := script{"docs": ok, "embed": ok, "finish": ok, "abort": ok}
			s[function] = outcomes
			all[function+" "+name] = way{s, way2 + invokes, status}
		}
		rest := map[string]string{"docs": " embed finish", "embed": " finish", "finish": ""}[function]
		twice := function + " " + function
		add("fails in passing", append(fails("Transient"), ok...), twice+rest, stepfunctions.Succeeded)
		add("fails in passing twice", fails("Transient"), twice+" abort", stepfunctions.Succeeded)
		add("fails in passing, then for good", fails("Transient", "errorString"), twice+" abort", stepfunctions.Succeeded)
		add("is throttled", append(fails("Lambda.TooManyRequestsException"), ok...), twice+rest, stepfunctions.Succeeded)
		add("is throttled four times", append(fails("Lambda.TooManyRequestsException", "Lambda.TooManyRequestsException", "Lambda.ServiceException", "Lambda.TooManyRequestsException"), ok...),
			strings.Repeat(function+" ", 4)+function+rest, stepfunctions.Succeeded)
		add("fails for good", fails("Permanent"), function+" abort", stepfunctions.Succeeded)
		add("times out", fails(stepfunctions.Timeout), function+" abort", stepfunctions.Succeeded)
		add("exits", append(fails(stepfunctions.FunctionExit), ok...), twice+rest, stepfunctions.Succeeded)
		add("exits twice", fails(stepfunctions.FunctionExit), twice+" abort", stepfunctions.Succeeded)
		s := script{"docs": ok, "embed": ok, "finish": ok, "abort": []outcome{left(workflow.Postponed)}}
		s[function] = fails("Transient")
		all[function+" fails in passing twice, and is postponed"] = way{s, way2 + twice + " abort", stepfunctions.Succeeded}
	}
	return all
}

// played is the result of an execution.
type played struct {
	Invoked []string // each with its payload
	Status  stepfunctions.Status
	Error   string
	Output  any
}

func invocation(function string, payload []byte) string {
	var value any
	if err := json.Unmarshal(payload, &value); err != nil {
		panic(err)
	}
	canonical, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return function + " " + string(canonical)
}

// play runs an execution of the machine by the script.
func play(t *testing.T, m *stepfunctions.Machine, s script) played {
	t.Helper()
	e, err := m.Start(json.RawMessage(input))
	if err != nil {
		t.Fatal(err)
	}
	var p played
	for e.Status == stepfunctions.Running {
		call := e.Call()
		p.Invoked = append(p.Invoked, invocation(call.Function, call.Payload))
		o := s.next(call.Function)
		if o.err != "" {
			e.Fail(stepfunctions.Failure{Name: o.err})
			continue
		}
		answer, err := json.Marshal(o.answer)
		if err != nil {
			t.Fatal(err)
		}
		e.Succeed(answer)
	}
	p.Status, p.Error = e.Status, e.Failure.Name
	if e.Output != nil {
		if err := json.Unmarshal(e.Output, &p.Output); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func load(t *testing.T) *stepfunctions.Machine {
	t.Helper()
	m, err := stepfunctions.Load()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestExecutionInvokesTheFunctionsInTheDefinitionsOrder(t *testing.T) {
	m := load(t)
	for name, c := range scripts() {
		t.Run(name, func(t *testing.T) {
			p := play(t, m, c.script.clone())
			var functions []string
			for _, i := range p.Invoked {
				function, _, _ := strings.Cut(i, " ")
				functions = append(functions, function)
			}
			if got := strings.Join(functions, " "); got != c.invokes || p.Status != c.status {
				t.Errorf("invoked %s and ended as %s, want %s and %s", got, p.Status, c.invokes, c.status)
			}
		})
	}
}

func TestExecutionHandsAbortTheInputTheStageAndTheErrorsName(t *testing.T) {
	p := play(t, load(t), script{"docs": ok, "embed": fails("errorString"), "abort": ok})
	var got workflow.AbortInput
	if err := json.Unmarshal([]byte(strings.TrimPrefix(p.Invoked[2], "abort ")), &got); err != nil {
		t.Fatal(err)
	}
	want := workflow.AbortInput{Stage: "embed", Error: "errorString"}
	if err := json.Unmarshal([]byte(input), &want.Input); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("abort's input (-want +got):\n%s", diff)
	}
}

func TestExecutionWaitsBeforeARetryOnly(t *testing.T) {
	e, err := load(t).Start(json.RawMessage(input))
	if err != nil {
		t.Fatal(err)
	}
	if call := e.Call(); call.Wait != 0 || call.Timeout != 55*time.Second {
		t.Errorf("the first call is %+v", call)
	}
	e.Fail(stepfunctions.FailureOf(workflow.Transient{Cause: errors.New("busy")}))
	if call := e.Call(); call.Function != "docs" || call.Wait != time.Second {
		t.Errorf("the retry is %+v", call)
	}
	e.Fail(stepfunctions.FailureOf(fmt.Errorf("fetch: %w", workflow.Transient{Cause: errors.New("busy")})))
	if call := e.Call(); call.Function != "abort" || call.Wait != 0 {
		t.Errorf("a wrapped error has another name; the call after it is %+v", call)
	}
}

func TestExecutionThatTimesOutCatchesNothing(t *testing.T) {
	m := load(t)
	e, err := m.Start(json.RawMessage(input))
	if err != nil {
		t.Fatal(err)
	}
	e.TimeOut()
	if e.Status != stepfunctions.TimedOut || e.Call().Function != "" || m.Timeout != 268*time.Second {
		t.Errorf("the execution is %s after %v and calls %+v", e.Status, m.Timeout, e.Call())
	}
	e.Succeed([]byte(`{}`))
	if e.Status != stepfunctions.TimedOut {
		t.Errorf("a late answer made the execution %s", e.Status)
	}
}
