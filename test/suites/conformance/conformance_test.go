package conformance_test

import (
	"os"
	"testing"

	"gitlab.com/lorehook/lorehook/test/engines"
	fakedynamodb "gitlab.com/lorehook/lorehook/test/fake/dynamodb"
	"gitlab.com/lorehook/lorehook/test/suites/conformance"
)

func TestMain(m *testing.M) { os.Exit(engines.Main(m)) }

func TestEnginesDoWhatTheCodeReliesOn(t *testing.T) {
	t.Run("in-memory", func(t *testing.T) {
		db, tables := fakedynamodb.New()
		conformance.Run(t, conformance.Engine{DB: db.Client(), Tables: tables})
	})
	engines.RunOnEvery(t, func(t *testing.T, e engines.Engine) {
		conformance.Run(t, conformance.Engine{DB: e.DynamoDB, Tables: e.Tables, Lenient: e.Name == "ministack"})
	})
}
