package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	schema "gitlab.com/lorehook/lorehook/internal/tables"
	"gitlab.com/lorehook/lorehook/test/devstack"
)

// rig is a local AWS, the real CDK CLI, and the compiled app.
type rig struct {
	t *testing.T
	operation
	// app is the compiled ./infra.
	app     string
	printed bytes.Buffer
	waited  []time.Duration
	cfg     aws.Config
	stack   cloud
}

func newRig(t *testing.T) *rig {
	t.Helper()
	if os.Getenv(fullDeploy) == "" {
		t.Skipf("compiles the CDK app and deploys it again and again, which takes minutes: set %s, or run make deploy-test", fullDeploy)
	}
	root, err := devstack.Root()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	server, err := devstack.Ministack(t.Context(), devstack.Options{Dir: filepath.Join(dir, "ministack")})
	if errors.Is(err, devstack.ErrNotInstalled) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "") // restores it in the end
			os.Unsetenv(name)
		}
	}
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": server.URL, "AWS_REGION": devstack.Region, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
	} {
		t.Setenv(name, value)
	}
	r := &rig{t: t, cfg: devstack.Config(server.URL), stack: cloud{stack: "lorehook"}}
	r.stack.cloudFormation, r.stack.dynamoDB = cloudformation.NewFromConfig(r.cfg), dynamodb.NewFromConfig(r.cfg)
	r.app = compile(t, root, dir)
	r.operation = operation{
		cdk: cdk{
			bin: filepath.Join(root, devstack.LocalDir, "cdk", "node_modules", ".bin", "cdk"), dir: dir,
			app: r.app, assembly: filepath.Join(dir, "cdk.out"), out: &r.printed,
			context: []string{"-c", "projects=42", "-c", "lambdaDir=" + binaries(t, root, dir)},
		},
		in: bufio.NewReader(strings.NewReader("")), out: &r.printed, clock: time.Now,
		wait: func(_ context.Context, d time.Duration) error { r.waited = append(r.waited, d); return nil },
	}
	if _, err := os.Stat(r.cdk.bin); err != nil {
		t.Skip("the CDK CLI is not installed: run scripts/setup cdk")
	}
	if _, err := r.cdk.synth(t.Context(), false); err != nil {
		t.Fatalf("%v\n%s", err, &r.printed)
	}
	if err := r.cdk.run(t.Context(), "bootstrap", "aws://"+devstack.AccountID+"/"+devstack.Region, "--app", r.cdk.assembly); err != nil {
		t.Fatalf("%v\n%s", err, &r.printed)
	}
	return r
}

func compile(t *testing.T, root, dir string) string {
	t.Helper()
	app := filepath.Join(dir, "infra")
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-ldflags=-s -w", "-o", app, "./infra")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return app
}

// binaries writes a file for each function: nothing is invoked here.
func binaries(t *testing.T, root, dir string) string {
	t.Helper()
	mains, err := filepath.Glob(filepath.Join(root, "functions", "*", "main.go"))
	if err != nil || len(mains) == 0 {
		t.Fatal(mains, err)
	}
	for _, main := range mains {
		at := filepath.Join(dir, "lambda", "arm64", filepath.Base(filepath.Dir(main)))
		if err := os.MkdirAll(at, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(at, "bootstrap"), []byte(at), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "lambda")
}

// brokenApp names the app that [brokenMain] breaks.
const brokenApp = "LOREHOOK_TEST_BROKEN_APP"

// fullDeploy is the environment variable that asks for deployments to the local AWS.
const fullDeploy = "LOREHOOK_FULL_DEPLOY"

func TestMain(m *testing.M) {
	if app := os.Getenv(brokenApp); app != "" && os.Getenv("CDK_OUTDIR") != "" {
		if err := brokenMain(app, os.Getenv("CDK_OUTDIR")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// brokenMain is an app whose stack fails once its tables exist: the app's, with a
// resource that no AWS accepts.
func brokenMain(app, dir string) error {
	cmd := exec.Command(app)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return err
	}
	file := filepath.Join(dir, "Lorehook.template.json")
	var template map[string]any
	if err := readJSON(file, &template); err != nil {
		return err
	}
	resources := template["Resources"].(map[string]any)
	var tables []string
	for id, r := range resources {
		if r.(map[string]any)["Type"] == "AWS::DynamoDB::Table" {
			tables = append(tables, id)
		}
	}
	resources["Broken"] = map[string]any{
		"Type": "AWS::Lambda::EventInvokeConfig", "DependsOn": tables,
		"Properties": map[string]any{"FunctionName": "no-such-function", "Qualifier": "$LATEST"},
	}
	text, err := json.Marshal(template)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		return err
	}
	return renameTemplate(dir, fmt.Sprintf("%x", sha256.Sum256(text)))
}

// renameTemplate gives the template's asset a new hash: the CLI uploads a hash once.
func renameTemplate(dir, hash string) error {
	var assets struct {
		Files map[string]struct{ Source struct{ Path string } }
	}
	file := filepath.Join(dir, "Lorehook.assets.json")
	if err := readJSON(file, &assets); err != nil {
		return err
	}
	for old, asset := range assets.Files {
		if asset.Source.Path != "Lorehook.template.json" {
			continue
		}
		for _, name := range []string{file, filepath.Join(dir, "manifest.json")} {
			text, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			if err := os.WriteFile(name, bytes.ReplaceAll(text, []byte(old), []byte(hash)), 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

// breakApp lets [brokenMain] run instead of the app, or no longer.
func (r *rig) breakApp(broken bool) {
	r.t.Helper()
	if !broken {
		r.cdk.app = r.app
		os.Unsetenv(brokenApp)
		return
	}
	self, err := os.Executable()
	if err != nil {
		r.t.Fatal(err)
	}
	r.cdk.app = self
	r.t.Setenv(brokenApp, r.app)
}

// mustUp deploys and returns what was printed.
func (r *rig) mustUp() string {
	r.t.Helper()
	text, err := r.up()
	if err != nil {
		r.t.Fatalf("%v\n%s", err, text)
	}
	return text
}

// up deploys and returns what was printed.
func (r *rig) up() (string, error) {
	r.printed.Reset()
	err := r.operation.up(r.t.Context())
	return r.printed.String(), err
}

func (r *rig) down() (string, error) {
	r.printed.Reset()
	err := r.operation.down(r.t.Context())
	return r.printed.String(), err
}

// onTerminal lets somebody type.
func (r *rig) onTerminal(typed string) {
	r.terminal, r.in = true, bufio.NewReader(strings.NewReader(typed))
}

func (r *rig) state() state {
	r.t.Helper()
	s, err := r.stack.state(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

// expect compares the stack's status, its protection, and its tables' protection.
func (r *rig) expect(status types.StackStatus, protected bool) {
	r.t.Helper()
	if s := r.state(); s.status != status || s.protected != protected {
		r.t.Errorf("the stack is %s, protected %v; want %s, %v", s.status, s.protected, status, protected)
	}
	for name, on := range r.tableProtection() {
		if on != protected {
			r.t.Errorf("table %s is protected: %v, want %v", name, on, protected)
		}
	}
}

// tableProtection tells for every table on this AWS whether it is protected.
func (r *rig) tableProtection() map[string]bool {
	r.t.Helper()
	all, err := r.stack.dynamoDB.ListTables(r.t.Context(), &dynamodb.ListTablesInput{})
	if err != nil {
		r.t.Fatal(err)
	}
	found := map[string]bool{}
	for _, name := range all.TableNames {
		if !strings.HasPrefix(name, "lorehook-") {
			continue
		}
		table, err := r.stack.dynamoDB.DescribeTable(r.t.Context(), &dynamodb.DescribeTableInput{TableName: &name})
		if err != nil {
			r.t.Fatal(err)
		}
		found[name] = aws.ToBool(table.Table.DeletionProtectionEnabled)
	}
	return found
}

func says(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("nothing says %q:\n%s", part, text)
		}
	}
}

// The life of a stack, with the real CDK CLI and without a terminal: its first
// creation fails, it is repeated, updated, and deleted.
func TestDeploy_CanBeRepeatedWhateverHappenedBefore(t *testing.T) {
	r := newRig(t)

	r.breakApp(true)
	text, err := r.up()
	if err == nil {
		t.Fatalf("the broken stack was deployed:\n%s", text)
	}
	r.expect(types.StackStatusRollbackComplete, false)
	if tables := r.tableProtection(); len(tables) > 0 {
		t.Errorf("tables are left: %v", tables)
	}

	// Former versions protected the stack before it existed.
	if err := r.stack.setTerminationProtection(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	failed := r.state().changed
	r.clock = func() time.Time { return failed.Add(20 * time.Second) }
	r.breakApp(false)
	text = r.mustUp()
	says(t, text, "Stack lorehook in account 000000000000, region us-east-1: ROLLBACK_COMPLETE",
		"Settings:\n  projects                     42\n", "Defaults:\n", "  gitlabBaseUrl                https://gitlab.com\n",
		"Changes:\n", "AWS::DynamoDB::Table", "are protected from deletion")
	if len(r.waited) != 1 || r.waited[0] != 40*time.Second {
		t.Errorf("waited for %v for the names of queues, want the rest of a minute", r.waited)
	}
	r.expect(types.StackStatusCreateComplete, true)

	r.cdk.context = append(r.cdk.context, "-c", "logLevel=warn")
	says(t, r.mustUp(), "CREATE_COMPLETE", "  logLevel                     warn\n", "LOREHOOK_LOG_LEVEL")
	r.expect(types.StackStatusUpdateComplete, true)
	if len(r.waited) != 1 {
		t.Errorf("waited again: %v", r.waited)
	}

	// Protected also while an update runs, and after one that failed.
	r.breakApp(true)
	if text, err = r.up(); err == nil {
		t.Errorf("the broken update was deployed:\n%s", text)
	}
	r.expect(types.StackStatusUpdateRollbackComplete, true)
	r.breakApp(false)

	if text, err = r.down(); err == nil || !strings.Contains(err.Error(), "CONFIRM=lorehook") {
		t.Errorf("deleted without being asked to: %v\n%s", err, text)
	}
	r.confirmed = "team-a"
	if text, err = r.down(); err == nil {
		t.Errorf("deleted under another name:\n%s", text)
	}
	r.expect(types.StackStatusUpdateRollbackComplete, true)
	r.confirmed = "lorehook"
	if text, err = r.down(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if s := r.state(); s.status != "" {
		t.Errorf("the stack is %s", s.status)
	}
	tables := r.tableProtection()
	if len(tables) != len(schema.All()) {
		t.Errorf("%d tables are left, want %d", len(tables), len(schema.All()))
	}
	for name, protected := range tables {
		says(t, text, name)
		if !protected {
			t.Errorf("table %s is not protected", name)
		}
	}
}

func TestDeploy_AsksOnATerminal(t *testing.T) {
	r := newRig(t)
	r.onTerminal("n\n")
	text, err := r.up()
	if err == nil || !strings.Contains(err.Error(), "nothing was deployed") {
		t.Errorf("%v\n%s", err, text)
	}
	if s := r.state(); s.status != "" {
		t.Errorf("the stack is %s", s.status)
	}
	r.onTerminal("y\n")
	says(t, r.mustUp(), "Deploy this to account 000000000000, region us-east-1? [y/N]")
	r.expect(types.StackStatusCreateComplete, true)
	r.onTerminal("lorehok\n")
	if text, err := r.down(); err == nil {
		t.Errorf("deleted under another name:\n%s", text)
	}
	r.onTerminal("lorehook\n")
	if text, err := r.down(); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
}

func TestContextArguments_AcceptsContextValuesOnly(t *testing.T) {
	for _, args := range [][]string{nil, {"-c", "a=b"}, {"--context", "a=b", "-c", "c=d"}, {"--context=a=b"}} {
		if got, err := contextArguments(args); err != nil || len(got) != len(args) {
			t.Errorf("%q: %q, %v", args, got, err)
		}
	}
	for _, args := range [][]string{{"--profile", "production"}, {"-c"}, {"--force"}, {"-c", "a=b", "Lorehook"}} {
		if _, err := contextArguments(args); err == nil {
			t.Errorf("%q: accepted", args)
		}
	}
}

func TestState_OnlyAStackThatWasCreatedIsUpdated(t *testing.T) {
	for status, want := range map[types.StackStatus][2]bool{ // created, failed creation
		"":                                    {false, false},
		types.StackStatusReviewInProgress:     {false, false},
		types.StackStatusCreateInProgress:     {false, false},
		types.StackStatusRollbackComplete:     {false, true},
		types.StackStatusRollbackFailed:       {false, true},
		types.StackStatusDeleteFailed:         {false, false},
		types.StackStatusCreateComplete:       {true, false},
		types.StackStatusUpdateComplete:       {true, false},
		types.StackStatusUpdateRollbackFailed: {true, false},
		types.StackStatusUpdateInProgress:     {true, false},
	} {
		s := state{status: status}
		if got := [2]bool{s.created(), s.failedCreation()}; got != want {
			t.Errorf("%s: created and failed %v, want %v", status, got, want)
		}
	}
}
