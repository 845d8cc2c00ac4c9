package workflow_test

import (
	"context"
	"encoding/json"
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
	return func(ctx context.Context, raw json.RawMessage) error {
		var in stageInput
		if err := json.Unmarshal(raw, &in); err != nil {
			return err
		}
		functions := cloud.Environment{
			DB: devstack.DynamoDB(in.Endpoint), Tables: in.Tables, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
			Clock: func() time.Time { return in.Now }, Embedder: wide{},
			StepFunctions: stepfunctions.Client(func(json.RawMessage) error { return nil }),
		}.Functions()
		result, err := runner(functions).Handle(ctx, in.Stage)
		if err == nil && result.Outcome != workflow.Done {
			err = fmt.Errorf("the stage ended as %s", result.Outcome)
		}
		return err
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
	memory.Wanted(t)
	const allowed = surgical.StageMemory * 70 / 100
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
					began := time.Now()
					most := memory.Peak(t, stage, surgical.StageMemory, in)
					t.Logf("%s: peak %d MB of %d MB configured, %v", stage, most, surgical.StageMemory, time.Since(began).Round(time.Millisecond))
					if most > allowed {
						t.Errorf("%s: %d MB are more than the 70%% of its memory, %d MB", stage, most, allowed)
					}
				}
			})
		})
	}
}
