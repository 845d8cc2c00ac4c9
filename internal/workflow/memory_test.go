package workflow_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/workflow"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/devstack"
	"gitlab.com/lorehook/lorehook/test/engines"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
	"gitlab.com/lorehook/lorehook/test/fake/stepfunctions"
	"gitlab.com/lorehook/lorehook/test/memory"
)

func TestMain(m *testing.M) {
	os.Exit(memory.Main(engines.Main, m, map[string]memory.Task{
		"docs":  stage(func(f *cloud.Functions) *workflow.Runner { return f.Docs }),
		"embed": stage(func(f *cloud.Functions) *workflow.Runner { return f.Embed }),
		"finish": onFunctions(func(ctx context.Context, f *cloud.Functions, in workflow.Input) error {
			_, err := f.Finish.Handle(ctx, in)
			return err
		}),
		"abort": onFunctions(func(ctx context.Context, f *cloud.Functions, in workflow.Input) error {
			_, err := f.Abort.Handle(ctx, workflow.AbortInput{Input: in, Stage: "docs", Error: "States.Timeout"})
			return err
		}),
		"sweeper": onFunctions(func(ctx context.Context, f *cloud.Functions, _ workflow.Input) error {
			report, err := f.Sweeper.Handle(ctx)
			if err == nil && report.Erased != 1 {
				err = fmt.Errorf("the sweeper did not erase the entity: %+v", report)
			}
			return err
		}),
	}))
}

// stageInput is what a stage in a process of its own needs.
type stageInput struct {
	Endpoint string
	Tables   config.Tables
	Now      time.Time
	Stage    workflow.Input
}

// stage runs docs or embed for one run.
func stage(runner func(*cloud.Functions) *workflow.Runner) memory.Task {
	return onFunctions(func(ctx context.Context, f *cloud.Functions, in workflow.Input) error {
		result, err := runner(f).Handle(ctx, in)
		if err == nil && result.Outcome != workflow.Done {
			err = fmt.Errorf("the stage ended as %s", result.Outcome)
		}
		return err
	})
}

// onFunctions does something with the functions.
func onFunctions(do func(context.Context, *cloud.Functions, workflow.Input) error) memory.Task {
	return func(ctx context.Context, raw json.RawMessage) error {
		var in stageInput
		if err := json.Unmarshal(raw, &in); err != nil {
			return err
		}
		return do(ctx, cloud.Environment{
			DB: devstack.DynamoDB(in.Endpoint), Tables: in.Tables, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
			Clock: func() time.Time { return in.Now }, Embedder: wide{},
			StepFunctions: stepfunctions.Client(func(json.RawMessage) error { return nil }),
		}.Functions(), in.Stage)
	}
}

// wide answers with vectors as long as those of Titan, which differ.
type wide struct{}

func (wide) Model() string   { return "wide" }
func (wide) Dimensions() int { return 1024 }
func (wide) MaxBatch() int   { return 64 }

func (wide) Embed(_ context.Context, texts []string) ([][]float32, error) {
	vectors := make([][]float32, len(texts))
	for i := range texts {
		vectors[i] = make([]float32, 1024)
		for j := range vectors[i] {
			vectors[i][j] = rand.Float32()
		}
	}
	return vectors, nil
}

// Each stage runs in a process of its own, on a real engine, and stays within 70% of its
// memory. What embed holds depends on the longest document, not on their number.
func TestHandle_StaysWithinItsMemoryAtEveryLimit(t *testing.T) {
	for _, entity := range memory.Entities() {
		t.Run(entity.Name, func(t *testing.T) {
			engines.RunOnDynamoDBLocal(t, func(t *testing.T, e engines.Engine) {
				w := cloud.NewWorld(t, e.DynamoDB, e.Tables)
				run := entity.Commit(w, fakegitlab.IssueRef(7))
				in := stageInput{*e.AWS.BaseEndpoint, e.Tables, w.Clock.Now(), workflow.Input{RunID: run, Generation: 1}}
				stages := []string{"docs"}
				if entity.Notes > 1 {
					stages = append(stages, "embed")
				}
				for _, stage := range stages {
					memory.WithinAt(t, stage, entity, surgical.StageMemory, in)
				}
			})
		})
	}
}

// A run of as many targets as a request may have, whose documents are not all embedded.
func TestFinishAndAbort_EachStaysWithinItsMemory(t *testing.T) {
	engines.RunOnDynamoDBLocal(t, func(t *testing.T, e engines.Engine) {
		w := cloud.NewWorld(t, e.DynamoDB, e.Tables)
		var refs []surgical.EntityRef
		for iid := range int64(surgical.MaxTargets) {
			w.GitLab.SetIssue(fakegitlab.NewIssue(1000+iid, "An issue", "With a text.", fakegitlab.Time{Time: w.Clock.Now()}))
			refs = append(refs, fakegitlab.IssueRef(1000+iid))
		}
		req := w.Request(surgical.OriginManual, refs...)
		if _, err := w.Deliver(req); err != nil {
			t.Fatal(err)
		}
		in := stageInput{*e.AWS.BaseEndpoint, e.Tables, w.Clock.Now(), workflow.Input{RunID: req.RunID, Generation: 1}}
		for _, function := range []string{"finish", "abort"} {
			memory.Within(t, function, surgical.SmallMemory, in)
		}
	})
}

// The sweeper erases an entity at each limit, which the request to erase it left whole.
func TestSweeper_StaysWithinItsMemoryAtEveryLimit(t *testing.T) {
	for _, entity := range memory.Entities() {
		t.Run(entity.Name, func(t *testing.T) {
			engines.RunOnDynamoDBLocal(t, func(t *testing.T, e engines.Engine) {
				w := cloud.NewWorld(t, e.DynamoDB, e.Tables)
				entity.Commit(w, fakegitlab.IssueRef(7))
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second) // which is too short to remove anything
				defer cancel()
				if _, err := w.Eraser.Erase(ctx, fakegitlab.IssueRef(7)); err != nil && !errors.Is(err, context.DeadlineExceeded) {
					t.Fatal(err)
				}
				memory.Within(t, "sweeper", surgical.SmallMemory, stageInput{Endpoint: *e.AWS.BaseEndpoint, Tables: e.Tables, Now: w.Clock.Now().Add(surgical.EraseSettle)})
			})
		})
	}
}
