// Package engines runs storage tests on real engines: the DynamoDB of
// ministack, and DynamoDB Local. Tests to which the engine makes no difference run on the
// one in memory, which passes the same conformance suite.
// It also starts a real OpenSearch ([OpenSearch]).
//
//	func TestMain(m *testing.M) { os.Exit(engines.Main(m)) }
//
//	func TestStore(t *testing.T) {
//		engines.Run(t, func(t *testing.T, e engines.Engine) {
//			store := content.NewStore(e.DynamoDB, e.Tables.Content)
//			…
//		})
//	}
//
// An engine starts once per test binary, at its first use, and stops with it. A
// missing engine skips its subtest, or fails it with
// LOREHOOK_REQUIRE_ENGINES=1.
package engines

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/test/devstack"
	fakedynamodb "gitlab.com/lorehook/lorehook/test/fake/dynamodb"
	"gitlab.com/lorehook/lorehook/test/sample"
)

// RequireEnv names the variable that turns a missing engine into a failure.
const RequireEnv = "LOREHOOK_REQUIRE_ENGINES"

// Engine is one engine with fresh, empty tables.
type Engine struct {
	// Name is ministack, dynamodb-local or memory.
	Name     string
	DynamoDB *dynamodb.Client
	Tables   config.Tables
	// AWS is the configuration for further clients. Only ministack has services
	// other than DynamoDB, and the engine in memory has none.
	AWS aws.Config
}

type engine struct {
	name  string
	start func() (*devstack.Server, error)
}

// All tests of a binary share the processes: that is the purpose of this
// package, and Go gives TestMain no other way to pass them on.
var shared = sync.OnceValue(func() *processes { return &processes{} })

type processes struct {
	mu      sync.Mutex
	dir     string
	servers []*devstack.Server
	engines []engine
	// opensearch starts OpenSearch once.
	opensearch func() (*devstack.Server, error)
}

// Main runs the tests and then stops the engines that they started. It
// returns the exit code.
func Main(m *testing.M) int {
	defer shared().stop()
	return m.Run()
}

// Run runs f as a subtest on a real engine, DynamoDB Local, with its own tables; on
// ministack too if [sample.All]. With -short it uses only the engine in
// memory. f may call t.Parallel.
func Run(t *testing.T, f func(t *testing.T, e Engine)) {
	t.Helper()
	switch {
	case testing.Short():
		RunOnOne(t, f)
	case sample.All():
		RunOnEvery(t, f)
	default:
		RunOnDynamoDBLocal(t, f)
	}
}

// RunOnEvery runs f as [Run] does, but on every real engine: for tests that compare them.
func RunOnEvery(t *testing.T, f func(t *testing.T, e Engine)) {
	t.Helper()
	for _, e := range shared().all() {
		e.run(t, f)
	}
}

// RunOnOne runs f as [Run] does, but only on the engine in memory: for tests to which
// the engine makes no difference.
func RunOnOne(t *testing.T, f func(t *testing.T, e Engine)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) {
		db, tables := fakedynamodb.New()
		f(t, Engine{Name: "memory", DynamoDB: db.Client(), Tables: tables})
	})
}

// RunOnMinistack runs f as [Run] does, but only on ministack: for tests of its other
// services.
func RunOnMinistack(t *testing.T, f func(t *testing.T, e Engine)) {
	t.Helper()
	shared().all()[0].run(t, f)
}

// RunOnDynamoDBLocal runs f as [Run] does, but only on DynamoDB Local: for tests that
// depend on how much one response holds.
func RunOnDynamoDBLocal(t *testing.T, f func(t *testing.T, e Engine)) {
	t.Helper()
	shared().all()[1].run(t, f)
}

func (e engine) run(t *testing.T, f func(t *testing.T, e Engine)) {
	t.Helper()
	t.Run(e.name, func(t *testing.T) {
		server, err := e.start()
		SkipMissing(t, err)
		if err != nil {
			t.Fatal(err)
		}
		client := devstack.DynamoDB(server.URL)
		tables, err := devstack.CreateTables(t.Context(), client, prefix())
		if err != nil {
			t.Fatal(err)
		}
		f(t, Engine{Name: e.name, DynamoDB: client, Tables: tables, AWS: devstack.Config(server.URL)})
	})
}

// OpenSearch returns the URL of a real OpenSearch, which all tests of the binary share:
// each has indexes of its own ([IndexName]). It takes some 20 s to start, so -short skips
// the test.
func OpenSearch(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("OpenSearch is not started with -short")
	}
	server, err := shared().openSearch()()
	SkipMissing(t, err)
	if err != nil {
		t.Fatal(err)
	}
	return server.URL
}

// IndexName returns a name that begins those of the indexes of one test.
func IndexName() string { return "t" + strings.ToLower(rand.Text()[:10]) }

func (p *processes) openSearch() func() (*devstack.Server, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.opensearch == nil {
		p.opensearch = sync.OnceValues(func() (*devstack.Server, error) { return p.start("opensearch", devstack.OpenSearch) })
	}
	return p.opensearch
}

// SkipMissing skips the test, loudly, if err says that something is not installed
// on this machine, unless [RequireEnv] makes that a failure.
func SkipMissing(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, devstack.ErrNotInstalled) && os.Getenv(RequireEnv) != "1" {
		fmt.Fprintf(os.Stderr, "\n*** SKIPPED: %s: %v\n\n", t.Name(), err)
		t.Skip(err)
	}
}

// prefix returns a table name prefix that starts with a letter and is readable
// in an engine's log.
func prefix() string { return "t" + strings.ToLower(rand.Text()[:10]) + "_" }

func (p *processes) all() []engine {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.engines == nil {
		p.engines = []engine{
			{"ministack", sync.OnceValues(func() (*devstack.Server, error) { return p.start("ministack", devstack.Ministack) })},
			{"dynamodb-local", sync.OnceValues(func() (*devstack.Server, error) { return p.start("dynamodb-local", devstack.DynamoDBLocal) })},
		}
	}
	return p.engines
}

func (p *processes) start(name string, start func(context.Context, devstack.Options) (*devstack.Server, error)) (*devstack.Server, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dir == "" {
		dir, err := os.MkdirTemp("", "lorehook-engines-")
		if err != nil {
			return nil, fmt.Errorf("start %s: %w", name, err)
		}
		p.dir = dir
	}
	// Not the first test's context, because the engine also serves later tests.
	server, err := start(context.Background(), devstack.Options{Dir: filepath.Join(p.dir, name)})
	if err != nil {
		return nil, err
	}
	p.servers = append(p.servers, server)
	return server, nil
}

func (p *processes) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.servers {
		if err := s.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	if p.dir != "" {
		_ = os.RemoveAll(p.dir) // a temporary folder; the next clean-up removes it
	}
}
