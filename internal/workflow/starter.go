package workflow

import (
	"context"
	"encoding/json"
	"fmt"

	"gitlab.com/lorehook/lorehook/internal/awsapi"
	"gitlab.com/lorehook/lorehook/internal/function/trace"
)

// Input is the input of an execution, and of each function that it invokes.
type Input struct {
	RunID string `json:"run_id"`
	// Generation numbers the executions of a run: a function that runs out of time
	// hands the rest on to the next one.
	Generation int64 `json:"generation"`
	// TraceParent is the W3C traceparent of the request for the run.
	TraceParent string `json:"traceparent,omitempty"`
}

// Starter starts executions of the state machine.
type Starter struct {
	Client          *awsapi.StepFunctions
	StateMachineARN string
}

// InputOf returns the input of a run's execution, with the trace in the context.
func InputOf(ctx context.Context, runID string, generation int64) Input {
	parent, _ := trace.From(ctx)
	return Input{RunID: runID, Generation: generation, TraceParent: parent}
}

// Start starts an execution of the generation. Starting one twice is harmless.
func (s *Starter) Start(ctx context.Context, runID string, generation int64) error {
	input, err := json.Marshal(InputOf(ctx, runID, generation))
	if err != nil {
		return fmt.Errorf("encode input: %w", err)
	}
	_, err = s.Client.StartExecution(ctx, &awsapi.StartExecutionInput{StateMachineARN: s.StateMachineARN, Input: string(input)})
	if err != nil {
		return fmt.Errorf("start the workflow of run %s: %w", runID, err)
	}
	return nil
}
