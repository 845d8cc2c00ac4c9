package function_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/function"
	"gitlab.com/lorehook/lorehook/internal/function/config"
)

// inside is set in the process that runs Main.
const inside = "LOREHOOK_TEST_MAIN"

// configured is all that the webhook's configuration requires.
var configured = []string{"LOREHOOK_REQUESTS_QUEUE_URL=q", "LOREHOOK_HIDES_QUEUE_URL=h", "LOREHOOK_PROJECTS=1"}

func TestMain(m *testing.M) {
	switch os.Getenv(inside) {
	case "serve":
		function.Main(func(_ context.Context, env function.Env[config.Webhook]) (any, error) {
			env.Log.Info("built", "reason", env.Config.RequestsQueueURL+" "+env.AWS.Region)
			return func(_ context.Context, in string) (string, error) { return "served " + in, nil }, nil
		})
	case "fail":
		function.Main(func(context.Context, function.Env[config.Webhook]) (any, error) { return nil, errors.New("no client") })
	}
	os.Exit(m.Run())
}

// start runs Main in a process of its own.
func start(t *testing.T, ctx context.Context, kind string, env ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(env, inside+"="+kind)
	return cmd
}

func TestMain_LogsOneLineAndExitsWith1WhenItCannotStart(t *testing.T) {
	for name, c := range map[string]struct {
		kind, says string
		env        []string
	}{
		"a setting is missing":        {"serve", "LOREHOOK_REQUESTS_QUEUE_URL", nil},
		"the handler cannot be built": {"fail", "no client", configured},
		"and the level is above":      {"fail", "no client", append(slices.Clone(configured), "LOREHOOK_LOG_LEVEL=ERROR")},
	} {
		out, err := start(t, t.Context(), c.kind, c.env...).Output()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 1 {
			t.Errorf("%s: ended with %v", name, err)
		}
		var line struct{ Level, Msg, Error string }
		if err := json.Unmarshal(out, &line); err != nil || line.Level != "ERROR" || line.Msg != "start" || !strings.Contains(line.Error, c.says) {
			t.Errorf("%s: %v, it wrote %s", name, err, out)
		}
	}
}

func TestMain_ServesWhatWasBuilt(t *testing.T) {
	answers, events := make(chan string, 1), make(chan string, 1)
	events <- `"one"`
	runtime := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/next") {
			select {
			case event := <-events:
				w.Header().Set("Lambda-Runtime-Aws-Request-Id", "1")
				w.Header().Set("Lambda-Runtime-Deadline-Ms", "9999999999999")
				_, _ = io.WriteString(w, event)
			case <-r.Context().Done():
			}
			return
		}
		body, _ := io.ReadAll(r.Body)
		answers <- r.URL.Path + " " + string(body)
		w.WriteHeader(http.StatusAccepted)
	}))
	defer runtime.Close()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	cmd := start(t, ctx, "serve", append(slices.Clone(configured), "AWS_LAMBDA_RUNTIME_API="+strings.TrimPrefix(runtime.URL, "http://"), "AWS_REGION=eu-central-1")...)
	var out strings.Builder
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	var got string
	select {
	case got = <-answers:
		stop()
		<-ended // it was killed
	case err := <-ended:
		t.Fatalf("ended with %v before it answered, wrote %s", err, out.String())
	}
	if !strings.HasSuffix(got, `/1/response "served one"`) || !strings.Contains(out.String(), "q eu-central-1") {
		t.Errorf("answered %s, wrote %s", got, out.String())
	}
}
