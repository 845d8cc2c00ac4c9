package devstack

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// answerTimeout is how long an engine may take to become ready.
const answerTimeout = 5 * time.Second

// ErrNotInstalled means that an engine's files are not on this machine; the
// error's text says how to install them.
var ErrNotInstalled = errors.New("not installed")

// Options configure how an engine is started.
type Options struct {
	// Dir holds the engine's log, its temporary files and, with Persist, its
	// state. It is created if it is missing.
	Dir string
	// Log is the file for the engine's output; NAME.log in Dir if empty.
	Log string
	// Port to listen on; 0 takes a free one.
	Port int
	// Auth makes ministack enforce IAM.
	Auth bool
	// Persist makes ministack keep its state in Dir across restarts.
	Persist bool
	// Detach lets the engine outlive this process. Otherwise it ends when this
	// process does, even if that is killed (on Linux only).
	Detach bool

	root string // the module root; found from the working directory if empty
}

func (o Options) moduleRoot() (string, error) {
	if o.root != "" {
		return o.root, nil
	}
	return Root()
}

// Ministack starts the local AWS and returns when it is ready.
func Ministack(ctx context.Context, o Options) (*Server, error) {
	root, err := o.moduleRoot()
	if err != nil {
		return nil, err
	}
	python := filepath.Join(root, LocalDir, "venv", "bin", "python")
	if _, err := os.Stat(python); err != nil {
		return nil, fmt.Errorf("ministack is %w: run scripts/setup ministack", ErrNotInstalled)
	}
	return start(ctx, o, launch{
		name: "ministack",
		ready: func(ctx context.Context, url string) error {
			return answers(ctx, url+"/_ministack/ready", http.StatusOK)
		},
		command: func(port int) *exec.Cmd {
			cmd := exec.Command(python, "-m", "ministack")
			cmd.Env = ministackEnv(o, port)
			return cmd
		},
	})
}

// ministackEnv is ministack's whole environment, which its Lambdas inherit:
// the caller's own AWS settings must not leak into either.
func ministackEnv(o Options, port int) []string {
	p := strconv.Itoa(port)
	env := []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + o.Dir,
		"TMPDIR=" + filepath.Join(o.Dir, "tmp"),
		"BIND_HOST=127.0.0.1",
		"GATEWAY_PORT=" + p,
		"AWS_ENDPOINT_URL=http://127.0.0.1:" + p,
		"AWS_ACCESS_KEY_ID=" + accessKey,
		"AWS_SECRET_ACCESS_KEY=" + secretKey,
		"AWS_REGION=" + Region,
		"AWS_DEFAULT_REGION=" + Region,
		"LOG_LEVEL=WARNING",
		"PYTHONUNBUFFERED=1",
		"AUTH=" + strconv.FormatBool(o.Auth),
	}
	if o.Persist {
		env = append(env,
			"PERSIST_STATE=1", "STATE_DIR="+filepath.Join(o.Dir, "state"),
			"S3_PERSIST=1", "S3_DATA_DIR="+filepath.Join(o.Dir, "s3"))
	}
	return env
}

// DynamoDBLocal starts AWS's own emulator of DynamoDB, in memory, and returns
// when it is ready. It ignores Auth and Persist.
func DynamoDBLocal(ctx context.Context, o Options) (*Server, error) {
	root, err := o.moduleRoot()
	if err != nil {
		return nil, err
	}
	lib := filepath.Join(root, LocalDir, "dynamodblocal", "lib")
	if _, err := os.Stat(lib); err != nil {
		return nil, fmt.Errorf("DynamoDB Local is %w: install Java 17 and Maven, then run scripts/setup dynamodblocal", ErrNotInstalled)
	}
	java, err := exec.LookPath("java")
	if err != nil {
		return nil, fmt.Errorf("DynamoDB Local's Java 17 is %w: install it, then run scripts/setup dynamodblocal", ErrNotInstalled)
	}
	return start(ctx, o, launch{
		name: "dynamodb-local",
		ready: func(ctx context.Context, url string) error {
			// Any response to an unsigned request shows that it is up.
			return answers(ctx, url, http.StatusBadRequest)
		},
		command: func(port int) *exec.Cmd {
			return exec.Command(java, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.library.path="+lib, "-Djava.io.tmpdir="+filepath.Join(o.Dir, "tmp"),
				"-cp", filepath.Join(lib, "*"), "com.amazonaws.services.dynamodbv2.local.main.ServerRunner",
				"-inMemory", "-port", strconv.Itoa(port), "-disableTelemetry")
		},
	})
}

// OpenSearch starts a single OpenSearch node, over HTTP and without security, and returns
// when it is ready. It ignores Auth and Persist.
func OpenSearch(ctx context.Context, o Options) (*Server, error) {
	root, err := o.moduleRoot()
	if err != nil {
		return nil, err
	}
	lib := filepath.Join(root, LocalDir, "opensearch", "lib")
	if _, err := os.Stat(lib); err != nil {
		return nil, fmt.Errorf("OpenSearch is %w: install Java 17 and Maven, then run scripts/setup opensearch", ErrNotInstalled)
	}
	java, err := exec.LookPath("java")
	if err != nil {
		return nil, fmt.Errorf("OpenSearch's Java 17 is %w: install it, then run scripts/setup opensearch", ErrNotInstalled)
	}
	home := filepath.Join(o.Dir, "home")
	if err := os.MkdirAll(filepath.Join(home, "config"), 0o700); err != nil {
		return nil, fmt.Errorf("start opensearch: %w", err)
	}
	return start(ctx, o, launch{
		name:   "opensearch",
		within: 3 * time.Minute, // 20 s on a machine with nothing else to do
		ready: func(ctx context.Context, url string) error {
			return answers(ctx, url+"/_cluster/health?wait_for_status=yellow&timeout=1s", http.StatusOK)
		},
		command: func(port int) *exec.Cmd {
			return exec.Command(java, "-Xms512m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.io.tmpdir="+filepath.Join(o.Dir, "tmp"),
				"-cp", filepath.Join(lib, "*"), "Server", home, strconv.Itoa(port))
		},
	})
}

func answers(ctx context.Context, url string, status int) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != status {
		return fmt.Errorf("GET %s returned %s", url, resp.Status)
	}
	return nil
}
