package reliability_test

import (
	"os"
	"runtime/debug"
	"testing"

	"gitlab.com/lorehook/lorehook/test/engines"
)

func TestMain(m *testing.M) {
	// Thousands of small worlds: collecting their garbage costs more than their
	// memory.
	debug.SetGCPercent(800)
	os.Exit(engines.Main(m))
}
