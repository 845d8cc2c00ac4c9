package reliability_test

import (
	"os"
	"runtime/debug"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/devstack/enginetest"
)

func TestMain(m *testing.M) {
	// Thousands of small worlds: their garbage costs more than their memory.
	debug.SetGCPercent(800)
	os.Exit(enginetest.Main(m))
}
