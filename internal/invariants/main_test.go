package invariants_test

import (
	"os"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/devstack/enginetest"
	"gitlab.com/lorehook/lorehook/internal/pipelinetest"
)

func TestMain(m *testing.M) { os.Exit(enginetest.Main(m)) }

// onEngines runs the test in a fresh world on every engine.
func onEngines(t *testing.T, test func(t *testing.T, w *pipelinetest.World)) {
	t.Helper()
	enginetest.Run(t, func(t *testing.T, e enginetest.Engine) {
		test(t, pipelinetest.New(t, e.DynamoDB, e.Tables))
	})
}
