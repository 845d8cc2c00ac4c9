package awsapi

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// StepFunctions starts executions of state machines.
type StepFunctions struct{ client *client }

// NewStepFunctions returns a client with the configuration.
func NewStepFunctions(cfg aws.Config) *StepFunctions {
	return &StepFunctions{newClient(cfg, service{id: "SFN", name: "states", target: "AWSStepFunctions", version: "1.0"})}
}

// StartExecutionInput is a state machine and the JSON that it starts with.
type StartExecutionInput struct {
	StateMachineARN string `json:"stateMachineArn"`
	Input           string `json:"input,omitempty"`
}

// StartExecutionOutput is empty.
type StartExecutionOutput struct{}

// StartExecution starts an execution. If it fails, one may be under way nevertheless.
func (s *StepFunctions) StartExecution(ctx context.Context, in *StartExecutionInput) (*StartExecutionOutput, error) {
	return callJSON[StartExecutionInput, StartExecutionOutput](ctx, s.client, "StartExecution", in)
}
