package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/advice"
	"gitlab.com/lorehook/lorehook/internal/cli"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/engines"
)

func TestMain(m *testing.M) { os.Exit(engines.Main(m)) }

// program runs lore in isolation: only the environment in env, only the files in
// dir, and a clock that only waiting advances.
type program struct {
	t      *testing.T
	dir    string
	env    map[string]string
	clock  time.Time
	keys   int
	http   http.RoundTripper
	aws    func(context.Context) (aws.Config, error)
	paused func(ctx context.Context)
	// config is the directory with profiles, and awsProfile and awsRegion are what the AWS
	// configuration was asked for.
	config, awsProfile, awsRegion string
	// terminal makes stdin, stdout and stderr terminals, and stdin is what is typed.
	terminal bool
	stdin    string
	// columns is the terminal's width, 0 if that is not known.
	columns int
	// stdout replaces the buffer that the output is written to.
	stdout io.Writer
	// browsed are the URLs that were opened; visit is called with each, unless it is nil.
	browsed []string
	visit   func(url string)
}

func newProgram(t *testing.T) *program {
	return &program{
		t: t, dir: t.TempDir(), env: map[string]string{}, clock: time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC),
		config: filepath.Join(t.TempDir(), "config"),
		http:   loopbackOnly{},
		aws:    func(context.Context) (aws.Config, error) { return aws.Config{}, errors.New("no AWS in this test") },
	}
}

// loopbackOnly fails requests to any other machine.
type loopbackOnly struct{}

func (loopbackOnly) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Hostname() != "127.0.0.1" {
		return nil, fmt.Errorf("a request to %s", r.URL.Host)
	}
	return http.DefaultTransport.RoundTrip(r)
}

type printed struct {
	exit        int
	out, errors string
}

func (p *program) run(args ...string) printed {
	p.t.Helper()
	return p.runContext(p.t.Context(), args...)
}

func (p *program) runContext(ctx context.Context, args ...string) printed {
	p.t.Helper()
	var out, errs bytes.Buffer
	var stdout io.Writer = &out
	if p.stdout != nil {
		stdout = p.stdout
	}
	exit := cli.Run(ctx, cli.Env{
		Args: args, Stdin: strings.NewReader(p.stdin), StdinTerminal: p.terminal, Stdout: stdout, Stderr: &errs, StdoutTerminal: p.terminal, StderrTerminal: p.terminal, Columns: p.columns,
		LookupEnv: func(name string) (string, bool) { v, ok := p.env[name]; return v, ok },
		Dir:       p.dir, ConfigDir: p.config, Build: cli.Build{Version: "v0.0.0-test"}, Clock: func() time.Time { return p.clock },
		Pause: func(ctx context.Context, d time.Duration) error {
			p.clock = p.clock.Add(d)
			if p.paused != nil {
				p.paused(ctx)
			}
			return ctx.Err()
		},
		NewKey: func() string { p.keys++; return fmt.Sprintf("key-%d", p.keys) },
		Browse: func(url string) error {
			p.browsed = append(p.browsed, url)
			if p.visit != nil {
				p.visit(url)
			}
			return nil
		},
		HTTP: p.http,
		AWS: func(ctx context.Context, profile, region string) (aws.Config, error) {
			p.awsProfile, p.awsRegion = profile, region
			return p.aws(ctx)
		},
	})
	return printed{exit, out.String(), errs.String()}
}

// checked is one check of lore doctor.
type checked struct {
	Name    string       `json:"name"`
	State   string       `json:"state"`
	Message string       `json:"message"`
	Next    *advice.Step `json:"next"`
}

// envelope is what --robot prints.
type envelope struct {
	OK    *bool           `json:"ok"`
	Data  json.RawMessage `json:"data"`
	Error *struct {
		surgical.Error
		RetryAfter int64         `json:"retry_after"`
		Candidates []string      `json:"candidates"`
		Checks     []checked     `json:"checks"`
		Next       []advice.Step `json:"next"`
	} `json:"error"`
	Meta *struct {
		ElapsedMS *int64 `json:"elapsed_ms"`
	} `json:"meta"`
}

// robot runs the command with --robot, and checks that stdout is a single envelope
// that matches the exit code.
func (p *program) robot(args ...string) (envelope, printed) {
	p.t.Helper()
	got := p.run(append(args, "--robot")...)
	return p.envelope(got), got
}

func (p *program) envelope(got printed) envelope {
	p.t.Helper()
	var e envelope
	d := json.NewDecoder(strings.NewReader(got.out))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil || strings.Count(got.out, "\n") != 1 || !strings.HasSuffix(got.out, "\n") {
		p.t.Fatalf("stdout is not one envelope (%v):\n%s\nstderr:\n%s", err, got.out, got.errors)
	}
	if e.OK == nil || *e.OK != (got.exit == 0) || *e.OK != (e.Error == nil) || *e.OK == (e.Data == nil) || e.Meta == nil || e.Meta.ElapsedMS == nil {
		p.t.Fatalf("exit %d with the envelope %s", got.exit, got.out)
	}
	return e
}

// code is the failure's code, or "ok".
func (e envelope) code() surgical.Code {
	if e.Error == nil {
		return "ok"
	}
	return e.Error.Code
}

// field returns a string from the data.
func (e envelope) field(t *testing.T, name string) string {
	t.Helper()
	var data map[string]any
	if err := json.Unmarshal(e.Data, &data); err != nil {
		t.Fatal(err)
	}
	text, ok := data[name].(string)
	if !ok {
		t.Fatalf("no %s in %s", name, e.Data)
	}
	return text
}

// local writes the endpoints file of a local stack.
func (p *program) local(endpoints map[string]string) {
	p.t.Helper()
	raw, err := json.Marshal(endpoints)
	if err == nil {
		err = os.MkdirAll(filepath.Join(p.dir, ".local"), 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(p.dir, ".local", "endpoints.json"), raw, 0o600)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

const signingToken = "whsec_bm90LWEtcmVhbC1rZXktbm90LWEtcmVhbC1rZXkh"

var update = flag.Bool("update", false, "write the golden files")

// golden compares got with testdata/name. It masks what varies: times, which depend
// on how often the clock is read, addresses, and which of the five requests of a
// fetch failed first.
func golden(t *testing.T, name, got string) {
	t.Helper()
	for pattern, with := range map[string]string{
		`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z`:               "TIME",
		`http://127\.0\.0\.1:\d+`:                                  "http://HOST",
		`(discussions|resource_[a-z]+_events) of (project \d+)`:    "$2",
		`gitlab requests \d+`:                                      "gitlab requests N",
		`"gitlab_requests": \d+`:                                   `"gitlab_requests": 0`,
		`\b(preflight|ingest|docs|embed|total) \d+(\.\d+)? (ms|s)`: "$1 TIME",
	} {
		got = regexp.MustCompile(pattern).ReplaceAllString(got, with)
	}
	got = regexp.MustCompile(`(?s)"timings_ms": \{.*?\}`).ReplaceAllStringFunc(got, func(timings string) string {
		return regexp.MustCompile(`\d+`).ReplaceAllString(timings, "0")
	})
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// goldens runs a repeatable command twice, with --robot and without, and compares
// both outputs.
func (p *program) goldens(name string, exit int, args ...string) envelope {
	p.t.Helper()
	e, got := p.robot(args...)
	if got.exit != exit {
		p.t.Errorf("%v: exit %d, want %d: %s", args, got.exit, exit, got.out)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, []byte(got.out), "", "  "); err != nil {
		p.t.Fatal(err)
	}
	golden(p.t, name+".json", indented.String())
	people := p.run(args...)
	if people.exit != exit {
		p.t.Errorf("%v for people: exit %d, want %d", args, people.exit, exit)
	}
	text := "$ lore " + strings.Join(args, " ") + "\n" + people.out
	if people.errors != "" {
		text += "--- stderr\n" + people.errors
	}
	golden(p.t, name+".txt", text+fmt.Sprintf("--- exit %d\n", people.exit))
	return e
}
