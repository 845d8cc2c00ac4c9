package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/workflow"
	"gitlab.com/lorehook/lorehook/test/engines"
)

// evaluation is a template and what $states is in it.
type evaluation struct {
	Template any `json:"template"`
	States   any `json:"states"`
}

// evaluated is the result; Error is also set if an expression had no value.
type evaluated struct {
	Value any
	Error string
}

// askReference checks the definition against the language's JSON schema and
// evaluates JSONata with its reference implementation.
func askReference(t *testing.T, evaluations ...evaluation) (faults []string, results []evaluated) {
	t.Helper()
	modules, err := filepath.Abs("../.local/cdk/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(modules, "asl-validator")); err != nil {
		if os.Getenv(engines.RequireEnv) == "1" {
			t.Fatal("the checker of state machines is not installed")
		}
		fmt.Fprintf(os.Stderr, "\n*** SKIPPED: %s: the checker of state machines is not installed: run scripts/setup cdk\n\n", t.Name())
		t.Skip("not installed")
	}
	input, err := json.Marshal(map[string]any{"definition": json.RawMessage(workflowDefinition), "evaluations": evaluations})
	if err != nil {
		t.Fatal(err)
	}
	node := exec.CommandContext(t.Context(), "node", "testdata/asl.cjs")
	node.Env = append(os.Environ(), "NODE_PATH="+modules)
	node.Stdin = bytes.NewReader(input)
	var stderr bytes.Buffer
	node.Stderr = &stderr
	output, err := node.Output()
	if err != nil {
		t.Fatalf("node: %v\n%s", err, stderr.Bytes())
	}
	var answer struct {
		Errors  []string
		Results []evaluated
	}
	if err := json.Unmarshal(output, &answer); err != nil {
		t.Fatalf("node answered %s: %v", output, err)
	}
	if len(answer.Results) != len(evaluations) {
		t.Fatalf("%d results of %d evaluations", len(answer.Results), len(evaluations))
	}
	return answer.Errors, answer.Results
}

func TestTheDefinitionIsValidByTheLanguagesSchema(t *testing.T) {
	faults, _ := askReference(t)
	for _, fault := range faults {
		t.Error(fault)
	}
}

// Embed runs only if documents were regenerated and the run allows it. A result
// other than that of a finished stage leads to neither embed nor finish.
func TestTheAnswerOfAStageDecidesWhatFollows(t *testing.T) {
	const left = "Left to another execution"
	cases := []struct {
		state  string
		answer any
		next   string
	}{
		{"Documents regenerated?", workflow.Result{Outcome: workflow.Done, DocumentsRegenerated: 3}, "Embed"},
		{"Documents regenerated?", workflow.Result{Outcome: workflow.Done, DocumentsRegenerated: 3, NoEmbed: true}, "Finish"},
		{"Documents regenerated?", workflow.Result{Outcome: workflow.Done}, "Finish"},
		{"Documents regenerated?", workflow.Result{Outcome: workflow.Done, NoEmbed: true}, "Finish"},
		{"Documents regenerated?", workflow.Result{Outcome: workflow.Closed}, "Closed"},
		{"Documents regenerated?", workflow.Result{Outcome: workflow.Closed, ChunksEmbedded: 2}, "Closed"},
		{"Documents regenerated?", workflow.Result{Outcome: workflow.Closed, DocumentsRegenerated: 3, NoEmbed: true}, "Closed"},
		{"Documents regenerated?", workflow.Result{Outcome: workflow.HandedOn, DocumentsRegenerated: 3}, left},
		{"Documents regenerated?", workflow.Result{Outcome: workflow.Yielded, DocumentsRegenerated: 3}, left},
		{"Documents regenerated?", workflow.Result{}, left},
		{"Documents regenerated?", map[string]any{}, left},
		{"Documents regenerated?", map[string]any{"outcome": "done"}, left},
		{"Documents regenerated?", map[string]any{"outcome": "done", "no_embed": false}, left},
		{"Documents regenerated?", map[string]any{"outcome": "done", "documents_regenerated": 3}, left},
		{"Documents regenerated?", map[string]any{"no_embed": false, "documents_regenerated": 3}, left},
		{"Embedded?", workflow.Result{Outcome: workflow.Done, DocumentsRegenerated: 3, ChunksEmbedded: 5}, "Finish"},
		{"Embedded?", workflow.Result{Outcome: workflow.HandedOn, DocumentsRegenerated: 3}, left},
		{"Embedded?", workflow.Result{Outcome: workflow.Yielded}, left},
		{"Embedded?", map[string]any{}, left},
	}
	m := definition(t)
	var evaluations []evaluation
	for _, c := range cases {
		for _, choice := range m.States[c.state].Choices {
			evaluations = append(evaluations, evaluation{choice.Condition, map[string]any{"input": c.answer}})
		}
	}
	_, results := askReference(t, evaluations...)
	for _, c := range cases {
		s := m.States[c.state]
		next := s.Default
		for _, choice := range s.Choices {
			result := results[0]
			results = results[1:]
			// AWS fails an execution whose condition is anything but a boolean.
			holds, ok := result.Value.(bool)
			if !ok {
				t.Errorf("%s of %+v: %s is %v %s, no boolean", c.state, c.answer, choice.Condition, result.Value, result.Error)
			}
			if holds && next == s.Default {
				next = choice.Next
			}
		}
		if next != c.next {
			t.Errorf("%s of %+v leads to %s, want %s", c.state, c.answer, next, c.next)
		}
	}
}

// What the state machine hands over is what it was started with, and nothing
// else: also by a worker of before the trace, whose input lacks it.
func TestFunctionsAreHandedWhatTheyDecode(t *testing.T) {
	for name, input := range map[string]workflow.Input{
		"with a trace": {RunID: "run-1", Generation: 4, TraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
		"without":      {RunID: "run-1", Generation: 4},
	} {
		t.Run(name, func(t *testing.T) { handed(t, input) })
	}
}

func handed(t *testing.T, input workflow.Input) {
	t.Helper()
	m := definition(t)
	execution := map[string]any{"Execution": map[string]any{"Input": input}}
	failed := map[string]any{"context": execution, "errorOutput": map[string]any{"Error": "States.Timeout"}}
	stages := []string{"Docs", "Embed", "Finish"}

	var caught []evaluation
	for _, name := range stages {
		caught = append(caught, evaluation{m.States[name].Catch[0].Output, failed})
	}
	_, failures := askReference(t, caught...)
	var handed []evaluation
	for i, name := range stages {
		handed = append(handed,
			evaluation{m.States[name].Arguments.Payload, map[string]any{"context": execution, "input": map[string]any{}}},
			evaluation{m.States["Abort"].Arguments.Payload, map[string]any{"context": execution, "input": failures[i].Value}})
	}
	_, payloads := askReference(t, handed...)
	for i, name := range stages {
		got, err := decode[workflow.Input](payloads[2*i])
		if diff := cmp.Diff(input, got); err != nil || diff != "" {
			t.Errorf("%s (-want +got), %v:\n%s", name, err, diff)
		}
		abort, err := decode[workflow.AbortInput](payloads[2*i+1])
		stage := map[string]string{"Docs": "docs", "Embed": "embed", "Finish": "finish"}[name]
		if diff := cmp.Diff(workflow.AbortInput{Input: input, Stage: stage, Error: "States.Timeout"}, abort); err != nil || diff != "" {
			t.Errorf("Abort after %s (-want +got), %v:\n%s", name, err, diff)
		}
	}
}

// A stage's answer reaches the choice as the function gave it.
func TestAStageHandsOnItsFunctionsAnswer(t *testing.T) {
	m := definition(t)
	want := workflow.Result{Outcome: workflow.Done, DocumentsRegenerated: 3, ChunksEmbedded: 5}
	states := map[string]any{"result": map[string]any{"StatusCode": 200, "Payload": want}}
	_, results := askReference(t, evaluation{m.States["Docs"].Output, states}, evaluation{m.States["Embed"].Output, states})
	for i, name := range []string{"Docs", "Embed"} {
		got, err := decode[workflow.Result](results[i])
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s (-want +got), %v:\n%s", name, err, diff)
		}
	}
}

// decode refuses fields that T does not know.
func decode[T any](r evaluated) (T, error) {
	var v T
	if r.Error != "" {
		return v, fmt.Errorf("evaluate: %s", r.Error)
	}
	text, err := json.Marshal(r.Value)
	if err != nil {
		return v, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	return v, d.Decode(&v)
}
