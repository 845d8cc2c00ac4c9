package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/test/devstack"
	"gitlab.com/lorehook/lorehook/test/engines"
)

// Most contract tests run in one process (internal/api); these few show that
// gateway, adapter and function do not change the responses.
func TestTheDeployedAPIAnswersAsItsOwnDescriptionSays(t *testing.T) {
	s := up(t)
	var description map[string]any
	if status := s.get(t, "/openapi.json", &description); status != http.StatusOK {
		t.Fatalf("the description returned %d", status)
	}
	// The local gateway does not require signatures.
	delete(description["components"].(map[string]any), "securitySchemes")
	for _, item := range description["paths"].(map[string]any) {
		for _, operation := range item.(map[string]any) {
			delete(operation.(map[string]any), "security")
			// It finds no route for a path with a line break, and says so itself.
			if notFound, ok := operation.(map[string]any)["responses"].(map[string]any)["404"].(map[string]any); ok {
				notFound["content"].(map[string]any)["application/json"] = map[string]any{}
			}
		}
	}
	raw, err := json.Marshal(description)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "openapi.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	// Other tests need the entities of the stack.
	phases := "examples"
	if devstack.FullContract() {
		phases = "examples,fuzzing"
	}
	report, err := devstack.Schemathesis(ctx, file, s.Endpoints.APIURL, 4, "--phases", phases,
		"--exclude-operation-id", "erase-issue", "--exclude-operation-id", "erase-merge-request")
	engines.SkipMissing(t, err)
	if err != nil {
		t.Errorf("%v\n%s", err, report)
	}
}
