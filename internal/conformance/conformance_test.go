package conformance_test

import (
	"os"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/conformance"
	"gitlab.com/lorehook/lorehook/internal/devstack/enginetest"
	"gitlab.com/lorehook/lorehook/internal/memdb"
)

func TestMain(m *testing.M) { os.Exit(enginetest.Main(m)) }

func TestEnginesDoWhatTheCodeReliesOn(t *testing.T) {
	t.Run("memdb", func(t *testing.T) {
		db, tables := memdb.New()
		conformance.Run(t, conformance.Engine{DB: db.Client(), Tables: tables})
	})
	enginetest.Run(t, func(t *testing.T, e enginetest.Engine) {
		conformance.Run(t, conformance.Engine{DB: e.DynamoDB, Tables: e.Tables, Lenient: e.Name == "ministack"})
	})
}
