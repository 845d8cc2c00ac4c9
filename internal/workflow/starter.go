package workflow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"gitlab.com/lorehook/lorehook/internal/function/trace"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Input is what an execution begins with, and what it hands to each stage.
type Input struct {
	RunID string `json:"run_id"`
	// Generation numbers the executions of a run: a stage that runs out of time
	// hands the rest on to the next one.
	Generation int64 `json:"generation"`
	// TraceParent is the W3C traceparent of whoever asked for the run.
	TraceParent string `json:"traceparent,omitempty"`
}

// Workflow starts executions. Starting one twice is harmless.
type Workflow interface {
	Start(ctx context.Context, runID string, generation int64) error
}

// Launcher starts the workflow of a run and records the start in its row.
type Launcher struct {
	Workflow Workflow
	Ledger   *ledger.Ledger
}

// Launch starts an execution of the generation and records it.
func (l *Launcher) Launch(ctx context.Context, run surgical.Run, generation int64, clean bool) error {
	if err := l.Workflow.Start(ctx, run.RunID, generation); err != nil {
		return err
	}
	err := l.Ledger.WorkflowStarted(ctx, run, generation, clean)
	if errors.Is(err, surgical.ErrMoved) {
		return nil // a newer generation was recorded, or the run has ended
	}
	return err
}

// Starter implements [Workflow] with Step Functions.
type Starter struct {
	Client          *sfn.Client
	StateMachineARN string
}

// InputOf is the input of a run's execution. It takes on the trace that the
// context carries.
func InputOf(ctx context.Context, runID string, generation int64) Input {
	parent, _ := trace.From(ctx)
	return Input{RunID: runID, Generation: generation, TraceParent: parent}
}

// Start implements [Workflow].
func (s *Starter) Start(ctx context.Context, runID string, generation int64) error {
	input, err := json.Marshal(InputOf(ctx, runID, generation))
	if err != nil {
		return fmt.Errorf("encode input: %w", err)
	}
	_, err = s.Client.StartExecution(ctx, &sfn.StartExecutionInput{
		StateMachineArn: aws.String(s.StateMachineARN), Input: aws.String(string(input)),
	})
	if err != nil {
		return fmt.Errorf("start the workflow of run %s: %w", runID, err)
	}
	return nil
}
