package webhook_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	awsevents "github.com/aws/aws-lambda-go/events"

	"gitlab.com/lorehook/lorehook/internal/function/gateway"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/memory"
)

func TestMain(m *testing.M) {
	os.Exit(memory.Main((*testing.M).Run, m, map[string]memory.Task{"webhook": handleLargest}))
}

// handleLargest handles some deliveries of the largest size, as Lambda invokes the function.
func handleLargest(ctx context.Context, _ json.RawMessage) error {
	const before, after = `{"object_kind":"issue","project":{"id":1},"object_attributes":{"iid":7,"description":"`, `"}}`
	body := before + strings.Repeat("x", surgical.MaxWebhookBody-len(before)-len(after)) + after
	event, err := json.Marshal(encoded(request("Issue Hook", body)))
	if err != nil {
		return err
	}
	handle := gateway.Adapt(newFixture())
	for i := range 10 {
		var req awsevents.APIGatewayV2HTTPRequest
		if err := json.Unmarshal(event, &req); err != nil {
			return err
		}
		req.Headers["idempotency-key"] = fmt.Sprint(i)
		answer, err := handle(ctx, req)
		if err != nil {
			return err
		}
		if answer.StatusCode != 202 {
			return fmt.Errorf("answered with %d: %.300s", answer.StatusCode, answer.Body)
		}
	}
	return nil
}

// Ten of the largest deliveries, one after another in one process, stay within 70% of
// the function's memory.
func TestHandler_StaysWithinItsMemoryAtTheLimitOfABody(t *testing.T) {
	if testing.Short() {
		t.Skip("a process of its own: not with -short")
	}
	memory.Within(t, "webhook", surgical.SmallMemory, nil)
}
