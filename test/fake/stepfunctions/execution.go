package stepfunctions

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"time"
)

// Status is the status of an execution.
type Status string

// The statuses, as Step Functions names them.
const (
	Running   Status = "RUNNING"
	Succeeded Status = "SUCCEEDED"
	Failed    Status = "FAILED"
	TimedOut  Status = "TIMED_OUT"
)

// Names of errors that Step Functions and Lambda themselves report.
const (
	// Timeout is reported when a task exceeds its TimeoutSeconds.
	Timeout = "States.Timeout"
	// FunctionTimeout is reported when a function exceeds its own timeout.
	FunctionTimeout = "Sandbox.Timedout"
	// FunctionExit is reported when a function's process exits before it
	// responds.
	FunctionExit = "Runtime.ExitError"

	queryEvaluation = "States.QueryEvaluationError"
)

// Failure is an error as Step Functions represents it.
type Failure struct{ Name, Cause string }

// FailureOf returns what Step Functions receives when a Go function returns
// err. Its name is that of the error's type.
func FailureOf(err error) Failure {
	kind := reflect.TypeOf(err)
	if kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	return Failure{Name: kind.Name(), Cause: err.Error()}
}

// Call is one invocation of a function.
type Call struct {
	// State is the state that makes the call.
	State string
	// Function is the function's name, in lower case: docs for
	// ${DocsFunctionArn}.
	Function string
	Payload  json.RawMessage
	// Timeout is the state's timeout.
	Timeout time.Duration
	// Wait is how long to wait before the call: the interval of a retry.
	Wait time.Duration
}

// Execution is one execution of a machine. It is not safe for concurrent use.
type Execution struct {
	Status Status
	// Failure is the reason why a Failed execution failed.
	Failure Failure
	// Output is the output of a Succeeded execution.
	Output json.RawMessage

	machine  *Machine
	context  map[string]any
	current  string
	input    any
	attempts map[int]int // by the place of the retrier
	call     Call
}

// Start starts an execution and runs it up to its first call.
func (m *Machine) Start(input json.RawMessage) (*Execution, error) {
	var value any
	if err := json.Unmarshal(input, &value); err != nil {
		return nil, fmt.Errorf("input of the execution: %w", err)
	}
	e := &Execution{
		Status: Running, machine: m,
		context: map[string]any{"Execution": map[string]any{"Input": value}},
	}
	e.enter(m.startAt, value)
	return e, nil
}

// Call returns the invocation that a Running execution is waiting for.
func (e *Execution) Call() Call { return e.call }

// Succeed continues with the function's response.
func (e *Execution) Succeed(payload json.RawMessage) {
	if e.Status != Running {
		return
	}
	var value any
	if err := json.Unmarshal(payload, &value); err != nil {
		e.Fail(Failure{"Lambda.Unknown", fmt.Sprintf("the response is not JSON: %v", err)})
		return
	}
	s := e.machine.states[e.current]
	result := map[string]any{"Payload": value, "StatusCode": float64(200)}
	var output any = result
	if s.output != nil {
		var err error
		if output, err = s.output.evaluate(e.states("result", result)); err != nil {
			e.catch(Failure{queryEvaluation, err.Error()})
			return
		}
	}
	e.enter(s.next, output)
}

// Fail continues after the function failed: with a retry, a catch, or the end.
func (e *Execution) Fail(f Failure) {
	if e.Status != Running {
		return
	}
	for i, r := range e.machine.states[e.current].retriers {
		if !matches(r.ErrorEquals, f.Name) {
			continue
		}
		if e.attempts[i] < r.MaxAttempts {
			// The default BackoffRate is 2.
			e.call.Wait = time.Duration(r.IntervalSeconds) * time.Second << e.attempts[i]
			e.attempts[i]++
			return
		}
		break
	}
	e.catch(f)
}

// catch continues after a failure that is not retried.
func (e *Execution) catch(f Failure) {
	for _, c := range e.machine.states[e.current].catchers {
		if !matches(c.ErrorEquals, f.Name) {
			continue
		}
		output, err := c.output.evaluate(e.states("errorOutput", map[string]any{"Error": f.Name, "Cause": f.Cause}))
		if err != nil {
			e.end(Failed, Failure{queryEvaluation, err.Error()})
			return
		}
		e.enter(c.next, output)
		return
	}
	e.end(Failed, f)
}

// TimeOut ends the execution as its own timeout does: nothing catches it.
func (e *Execution) TimeOut() {
	if e.Status == Running {
		e.end(TimedOut, Failure{Name: Timeout})
	}
}

func matches(names []string, name string) bool {
	return slices.Contains(names, name) || slices.Contains(names, anyError)
}

// states returns $states with one more value.
func (e *Execution) states(name string, value any) states {
	return states{"input": e.input, "context": e.context, name: value}
}

// enter moves from state to state up to the next task, or the end.
func (e *Execution) enter(name string, input any) {
	for e.Status == Running {
		e.current, e.input, e.attempts = name, input, map[int]int{}
		s := e.machine.states[name]
		switch s.kind {
		case "Task":
			e.prepare(s)
			return
		case "Choice":
			next, err := e.choose(s)
			if err != nil {
				e.end(Failed, Failure{queryEvaluation, err.Error()})
				return
			}
			name = next
		case "Succeed":
			e.end(Succeeded, Failure{})
			e.Output = encode(input)
		case "Fail":
			e.end(Failed, s.failure)
		}
	}
}

func (e *Execution) prepare(s state) {
	e.call = Call{State: e.current, Function: s.function, Timeout: s.timeout}
	payload, err := s.arguments.evaluate(states{"input": e.input, "context": e.context})
	if err != nil {
		e.catch(Failure{queryEvaluation, err.Error()})
		return
	}
	e.call.Payload = encode(payload)
}

func (e *Execution) choose(s state) (next string, err error) {
	for _, c := range s.choices {
		value, err := c.condition.evaluate(states{"input": e.input, "context": e.context})
		if err != nil {
			return "", err
		}
		holds, ok := value.(bool)
		if !ok {
			return "", fmt.Errorf("the condition %v is %v, which is not a boolean", c.condition.value, value)
		}
		if holds {
			return c.next, nil
		}
	}
	return s.otherwise, nil
}

func (e *Execution) end(status Status, f Failure) {
	e.Status, e.Failure, e.call = status, f, Call{}
}

// encode encodes a value that was decoded from JSON, which cannot fail.
func encode(value any) json.RawMessage {
	raw, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return raw
}
