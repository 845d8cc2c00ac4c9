// Package modelfiles finds the installed files of the local model for tests.
package modelfiles

import (
	"os"
	"path/filepath"
	"testing"

	"gitlab.com/lorehook/lorehook/test/devstack"
)

// RequireEnv makes a missing model a failure instead of a skip.
const RequireEnv = "LOREHOOK_REQUIRE_MODEL"

// Dir returns the directory with the model's files. It skips the test if they are
// not installed.
func Dir(t testing.TB) string {
	t.Helper()
	root, err := devstack.Root()
	if err != nil {
		t.Fatal(err)
	}
	if devstack.HasModel(root) {
		return filepath.Join(root, devstack.ModelDir)
	}
	const missing = "the local model is not installed: run scripts/setup minilm"
	if os.Getenv(RequireEnv) != "" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}
