package invoke

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/awsapi"
	"gitlab.com/lorehook/lorehook/internal/outage"
)

// Answer invokes the function, waits for it, and decodes what it returned into out. If the
// function ran out of its time, the error is
// [surgical.CodeDependencyUnavailable].
func Answer(ctx context.Context, client *awsapi.Lambda, function string, in, out any) error {
	payload, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("encode the request to the function %s: %w", function, err)
	}
	answer, err := client.Invoke(ctx, &awsapi.InvokeInput{Function: function, Payload: payload})
	if err != nil {
		return fmt.Errorf("invoke the function %s: %w", function, err)
	}
	if answer.FunctionError != "" {
		return failed(function, answer.Payload)
	}
	if err := json.Unmarshal(answer.Payload, out); err != nil {
		return fmt.Errorf("decode the answer of the function %s: %w", function, err)
	}
	return nil
}

// failed returns the failure that Lambda describes. The message is left out: it may quote
// the request.
func failed(function string, payload []byte) error {
	var said struct {
		Type    string `json:"errorType"`
		Message string `json:"errorMessage"`
	}
	if err := json.Unmarshal(payload, &said); err != nil {
		return fmt.Errorf("the function %s failed", function)
	}
	err := fmt.Errorf("the function %s failed with %s", function, said.Type)
	// Lambda does not name the type in every region.
	if said.Type == "Sandbox.Timedout" || said.Type == "" && strings.Contains(said.Message, "Task timed out after") {
		return outage.Unavailable(err, "the answer took longer than it may; try again in a few seconds")
	}
	return err
}
