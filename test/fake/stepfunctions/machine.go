package stepfunctions

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/test/devstack"
)

// lambdaInvoke is the only supported task resource.
const lambdaInvoke = "arn:aws:states:::lambda:invoke"

// anyError in ErrorEquals matches every error's name.
const anyError = "States.ALL"

// Machine is a parsed and checked definition.
type Machine struct {
	// Timeout ends an execution without a catch.
	Timeout time.Duration

	startAt string
	states  map[string]state
}

type state struct {
	kind string // Task, Choice, Succeed or Fail

	// Task
	function  string
	arguments template
	timeout   time.Duration
	retriers  []retrier
	catchers  []catcher
	output    *template
	next      string

	// Choice
	choices   []choice
	otherwise string

	// Fail, which definitions of before this version have
	failure Failure
}

type retrier struct {
	ErrorEquals     []string
	IntervalSeconds int
	MaxAttempts     int
}

type catcher struct {
	ErrorEquals []string
	output      template
	next        string
}

type choice struct {
	condition template
	next      string
}

// Load parses infra/workflow.asl.json of this module.
func Load() (*Machine, error) {
	root, err := devstack.Root()
	if err != nil {
		return nil, err
	}
	definition, err := os.ReadFile(filepath.Join(root, "infra", "workflow.asl.json"))
	if err != nil {
		return nil, fmt.Errorf("read the definition: %w", err)
	}
	return Parse(definition)
}

// Parse parses a definition. It rejects everything that the interpreter does
// not support, and transitions to states that do not exist.
func Parse(definition []byte) (*Machine, error) {
	var d struct {
		Comment, QueryLanguage, StartAt string
		TimeoutSeconds                  int
		States                          map[string]json.RawMessage
	}
	if err := decode(definition, &d); err != nil {
		return nil, fmt.Errorf("parse the definition: %w", err)
	}
	if d.QueryLanguage != "JSONata" {
		return nil, fmt.Errorf("parse the definition: query language %q is not supported", d.QueryLanguage)
	}
	if d.TimeoutSeconds <= 0 {
		return nil, errors.New("parse the definition: TimeoutSeconds is missing")
	}
	m := &Machine{Timeout: time.Duration(d.TimeoutSeconds) * time.Second, startAt: d.StartAt, states: map[string]state{}}
	for _, name := range slices.Sorted(maps.Keys(d.States)) {
		s, err := parseState(d.States[name])
		if err != nil {
			return nil, fmt.Errorf("parse state %q: %w", name, err)
		}
		m.states[name] = s
	}
	return m, m.checkTransitions()
}

// Functions lists the functions that the machine invokes, in order.
func (m *Machine) Functions() []string {
	var names []string
	for _, s := range m.states {
		if s.kind == "Task" {
			names = append(names, s.function)
		}
	}
	slices.Sort(names)
	return names
}

func (m *Machine) checkTransitions() error {
	targets := []string{m.startAt}
	for _, s := range m.states {
		switch s.kind {
		case "Task":
			targets = append(targets, s.next)
			for _, c := range s.catchers {
				targets = append(targets, c.next)
			}
		case "Choice":
			targets = append(targets, s.otherwise)
			for _, c := range s.choices {
				targets = append(targets, c.next)
			}
		}
	}
	for _, name := range targets {
		if _, ok := m.states[name]; !ok {
			return fmt.Errorf("parse the definition: a transition leads to %q, which is not a state", name)
		}
	}
	return nil
}

func parseState(raw json.RawMessage) (state, error) {
	var kind struct{ Type string }
	if err := json.Unmarshal(raw, &kind); err != nil {
		return state{}, err
	}
	switch kind.Type {
	case "Task":
		return parseTask(raw)
	case "Choice":
		return parseChoice(raw)
	case "Succeed":
		var d struct{ Comment, Type string }
		return state{kind: kind.Type}, decode(raw, &d)
	case "Fail":
		var d struct{ Comment, Type, Error, Cause string }
		err := decode(raw, &d)
		return state{kind: kind.Type, failure: Failure{Name: d.Error, Cause: d.Cause}}, err
	}
	return state{}, fmt.Errorf("type %q is not supported", kind.Type)
}

// placeholder is how the definition refers to a function: infra replaces it
// with the function's ARN.
var placeholder = regexp.MustCompile(`^\$\{([A-Z][a-z]+)FunctionArn\}$`)

func parseTask(raw json.RawMessage) (state, error) {
	var d struct {
		Comment, Type, Resource, Next string
		TimeoutSeconds                int
		Arguments                     struct {
			FunctionName string
			Payload      json.RawMessage
		}
		Retry []retrier
		Catch []struct {
			ErrorEquals []string
			Output      json.RawMessage
			Next        string
		}
		Output json.RawMessage
	}
	if err := decode(raw, &d); err != nil {
		return state{}, err
	}
	if d.Resource != lambdaInvoke {
		return state{}, fmt.Errorf("resource %q is not supported", d.Resource)
	}
	if d.TimeoutSeconds <= 0 {
		return state{}, errors.New("TimeoutSeconds is missing")
	}
	function := placeholder.FindStringSubmatch(d.Arguments.FunctionName)
	if function == nil {
		return state{}, fmt.Errorf("function name %q is not a placeholder", d.Arguments.FunctionName)
	}
	s := state{
		kind: d.Type, function: strings.ToLower(function[1]), timeout: time.Duration(d.TimeoutSeconds) * time.Second,
		retriers: d.Retry, next: d.Next,
	}
	var err error
	if s.arguments, err = parseTemplate(d.Arguments.Payload); err != nil {
		return state{}, err
	}
	if d.Output != nil {
		output, err := parseTemplate(d.Output)
		if err != nil {
			return state{}, err
		}
		s.output = &output
	}
	for _, r := range d.Retry {
		if r.IntervalSeconds < 1 || r.MaxAttempts < 1 {
			return state{}, errors.New("a retrier without IntervalSeconds and MaxAttempts is not supported")
		}
		if err := checkNames(r.ErrorEquals); err != nil {
			return state{}, err
		}
	}
	for _, c := range d.Catch {
		if err := checkNames(c.ErrorEquals); err != nil {
			return state{}, err
		}
		output, err := parseTemplate(c.Output)
		if err != nil {
			return state{}, err
		}
		s.catchers = append(s.catchers, catcher{ErrorEquals: c.ErrorEquals, output: output, next: c.Next})
	}
	return s, nil
}

// checkNames rejects names that match several errors, except States.ALL.
func checkNames(names []string) error {
	if len(names) == 0 {
		return errors.New("ErrorEquals is empty")
	}
	for _, name := range names {
		if strings.HasPrefix(name, "States.") && name != anyError {
			return fmt.Errorf("the error name %q is not supported", name)
		}
	}
	return nil
}

func parseChoice(raw json.RawMessage) (state, error) {
	var d struct {
		Comment, Type, Default string
		Choices                []struct {
			Condition json.RawMessage
			Next      string
		}
	}
	if err := decode(raw, &d); err != nil {
		return state{}, err
	}
	s := state{kind: d.Type, otherwise: d.Default}
	for _, c := range d.Choices {
		condition, err := parseTemplate(c.Condition)
		if err != nil {
			return state{}, err
		}
		s.choices = append(s.choices, choice{condition: condition, next: c.Next})
	}
	return s, nil
}

// decode rejects fields that v does not have.
func decode(raw []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	return d.Decode(v)
}
