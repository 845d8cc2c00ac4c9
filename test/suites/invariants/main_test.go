package invariants_test

import (
	"os"
	"testing"

	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/engines"
)

func TestMain(m *testing.M) { os.Exit(engines.Main(m)) }

// onEngines runs the test in a fresh world on every engine.
func onEngines(t *testing.T, test func(t *testing.T, w *cloud.World)) {
	t.Helper()
	engines.Run(t, func(t *testing.T, e engines.Engine) {
		test(t, cloud.NewWorld(t, e.DynamoDB, e.Tables))
	})
}
