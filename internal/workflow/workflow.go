// Package workflow is what surrounds the stages that follow a commit: starting
// an execution, and the functions that close the run at its end.
package workflow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

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

// Outcome is how a stage ended.
type Outcome string

// The outcomes.
const (
	// Done: the next stage may begin.
	Done Outcome = "done"
	// HandedOn: a new generation goes on with the rest.
	HandedOn Outcome = "handed_on"
	// Yielded: somebody else is at it, or nothing is left to do.
	Yielded Outcome = "yielded"
)

// Result is what the docs and embed functions answer.
type Result struct {
	Outcome Outcome `json:"outcome"`
	// DocumentsRegenerated counts, of the whole run, the documents whose
	// embeddings are not current.
	DocumentsRegenerated int64 `json:"documents_regenerated"`
	NoEmbed              bool  `json:"no_embed"`
	ChunksEmbedded       int64 `json:"chunks_embedded"`
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

// Launch starts an execution of the generation and records it. A crash in
// between leaves a start that the docs stage records. clean reports that nothing
// the run staged can be an orphan.
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

// Ledger is what closing a run needs of the ledger.
type Ledger interface {
	Run(ctx context.Context, runID string) (surgical.Run, error)
	Close(ctx context.Context, seen surgical.Run, ending surgical.Ending) (surgical.Run, error)
}

// Finish is the function that ends a run whose jobs are all done.
type Finish struct {
	Ledger Ledger
	Log    *slog.Logger
}

// Handle closes the run as succeeded. With open jobs it ends quietly: whoever
// holds them comes here later.
func (f *Finish) Handle(ctx context.Context, in Input) (Result, error) {
	ctx = trace.With(ctx, in.TraceParent, in.RunID)
	run, err := f.Ledger.Run(ctx, in.RunID)
	if err != nil {
		return Result{}, Transient{err}
	}
	run, err = f.Ledger.Close(ctx, run, surgical.Succeeded{})
	if errors.Is(err, surgical.ErrOpenJobs) {
		f.Log.InfoContext(ctx, "jobs_open", "run_id", in.RunID, "generation", in.Generation)
		return Result{Outcome: Yielded}, nil
	}
	if err != nil {
		return Result{}, Transient{fmt.Errorf("finish run %s: %w", in.RunID, err)}
	}
	run.LogClosed(ctx, f.Log, "generation", in.Generation)
	return Result{Outcome: Done}, nil
}

// AbortInput is what the state machine hands to abort.
type AbortInput struct {
	Input
	// Stage is the state that failed: docs, embed or finish.
	Stage string `json:"stage"`
	// Error is the error's name, such as States.Timeout.
	Error string `json:"error"`
}

// Abort is the function that ends a run whose workflow failed.
type Abort struct {
	Ledger Ledger
	Log    *slog.Logger
}

// Handle closes the run as failed and aborts its open jobs, unless a newer
// generation is at work. What was committed stays, and its dirty sources wait
// for a retry or the drain. A run whose jobs are all done succeeded, though
// nobody lived to say so: only finish failed.
func (a *Abort) Handle(ctx context.Context, in AbortInput) (Result, error) {
	ctx = trace.With(ctx, in.TraceParent, in.RunID)
	run, err := a.Ledger.Run(ctx, in.RunID)
	if err != nil {
		return Result{}, Transient{err}
	}
	if run.Generation > in.Generation {
		return Result{Outcome: Yielded}, nil
	}
	if run.Committed() {
		run, err = a.Ledger.Close(ctx, run, surgical.Succeeded{})
	}
	if !run.Committed() || errors.Is(err, surgical.ErrOpenJobs) {
		run, err = a.Ledger.Close(ctx, run, surgical.Failed{Error: StageError(in.RunID, surgical.Stage(in.Stage))})
	}
	if err != nil {
		return Result{}, Transient{fmt.Errorf("abort run %s: %w", in.RunID, err)}
	}
	run.LogClosed(ctx, a.Log, "error_name", in.Error, "generation", in.Generation)
	return Result{Outcome: Done}, nil
}

// StageError is the error of a run whose stage failed after its commit.
func StageError(runID string, stage surgical.Stage) *surgical.Error {
	code, message := surgical.CodeInternal, "the run could not be finished"
	switch stage {
	case surgical.StageDocs:
		code, message = surgical.CodeDocsFailed, "the documents could not be regenerated; the content is committed"
	case surgical.StageEmbed:
		code, message = surgical.CodeEmbedFailed, "the documents could not be embedded; the content is committed"
	}
	e := surgical.NewError(code, message)
	e.RunID = runID
	return e
}
