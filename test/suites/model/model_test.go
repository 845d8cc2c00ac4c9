package model

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"pgregory.net/rapid"

	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/test/devstack"
	"gitlab.com/lorehook/lorehook/test/engines"
	fakedynamodb "gitlab.com/lorehook/lorehook/test/fake/dynamodb"
	"gitlab.com/lorehook/lorehook/test/fake/stepfunctions"
)

// failed unwinds a sequence after a failed check.
type failed string

// sequence runs one random sequence on the engine.
func sequence(t *testing.T, rt *rapid.T, engine Engine, tables config.Tables, tally *Tally) {
	machine, err := stepfunctions.Load()
	if err != nil {
		t.Fatal(err)
	}
	var caught any
	var trace []string
	synctest.Test(t, func(*testing.T) {
		w := newWorld(engine, tables, machine, func(format string, args ...any) { panic(failed(fmt.Sprintf(format, args...))) })
		defer w.stop()
		defer func() {
			if caught = recover(); caught != nil {
				trace = append(w.trace, string(debug.Stack()))
			}
		}()
		x := &explorer{world: w, rt: rt}
		w.oracle.succeeded = x.appliedBy
		x.explore()
		x.calm("the sequence")
		x.accounted()
		x.unhidden()
		x.reconcile()
		x.compare()
		x.swept()
		x.expire()
		x.compare()
		x.lift()
		x.compare()
		tally.count(x)
	})
	switch {
	case caught == nil:
	case strings.HasPrefix(fmt.Sprintf("%T", caught), "rapid."):
		panic(caught) // how rapid discards a sequence
	default:
		rt.Fatalf("%v\n%s", caught, strings.Join(trace, "\n"))
	}
}

func TestMain(m *testing.M) {
	// Thousands of small worlds: collecting their garbage costs more than their
	// memory.
	debug.SetGCPercent(800)
	os.Exit(engines.Main(m))
}

const (
	// sequencesEnv and seedEnv set the number of sequences and the seed.
	sequencesEnv = "LOREHOOK_MODEL_SEQUENCES"
	seedEnv      = "LOREHOOK_MODEL_SEED"
	// Every run of the tests explores the same sequences, so that a rare
	// failure does not hit an unrelated change. This is a smoke test: .ci/run
	// explores 10,000.
	sequences = 100
	seed      = "20261125"
	// onEngine says which share of the sequences also runs on a real engine.
	onEngine = 50
)

// explored sets rapid's flags for a share of the sequences, unless they are set.
func explored(t *testing.T, share int) {
	t.Helper()
	n := sequences
	if s := os.Getenv(sequencesEnv); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil || n < 1 {
			t.Fatalf("%s must be a number of sequences, not %q", sequencesEnv, s)
		}
	}
	values := map[string]string{"rapid.checks": strconv.Itoa(max(1, n/share)), "rapid.seed": cmp.Or(os.Getenv(seedEnv), seed)}
	for name, value := range values {
		f := flag.Lookup(name)
		was := f.Value.String()
		if was != f.DefValue {
			continue // the user's
		}
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = flag.Set(name, was) })
	}
}

func TestModelOfInterleavings(t *testing.T) {
	explored(t, 1)
	var tally Tally
	done := 0
	rapid.Check(t, func(rt *rapid.T) {
		db, tables := fakedynamodb.New()
		sequence(t, rt, Client{db.Client()}, tables, &tally)
		if done++; done%500 == 0 && testing.Verbose() {
			fmt.Fprintf(os.Stderr, "  %5d sequences from seed %s\n", done, flag.Lookup("rapid.seed").Value)
		}
	})
	t.Logf("what happened:\n%s", &tally)
}

func TestModelOnDynamoDBLocal(t *testing.T) {
	engines.RunOnDynamoDBLocal(t, func(t *testing.T, e engines.Engine) {
		explored(t, onEngine)
		var tally Tally
		tries := 0
		rapid.Check(t, func(rt *rapid.T) {
			tries++
			tables, err := devstack.CreateTables(t.Context(), e.DynamoDB, fmt.Sprintf("model%d_", tries))
			if err != nil {
				t.Fatal(err)
			}
			defer drop(t, e.DynamoDB, tables)
			engine := NewOutside(Client{e.DynamoDB})
			defer engine.Close()
			sequence(t, rt, engine, tables, &tally)
		})
		t.Logf("what happened:\n%s", &tally)
	})
}

// drop deletes a sequence's tables, because the engine keeps everything in
// memory.
func drop(t *testing.T, db *dynamodb.Client, tables config.Tables) {
	t.Helper()
	for _, name := range []string{tables.Content, tables.SyncRuns, tables.SyncRunEntities, tables.DirtySources, tables.DependentQueue, tables.State, tables.Projects} {
		if _, err := db.DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: &name}); err != nil {
			t.Error(err)
		}
	}
}
