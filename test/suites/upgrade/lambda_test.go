package upgrade_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/test/fake/stepfunctions"
)

// lambda runs one compiled function, and invokes it through Lambda's runtime API.
type lambda struct {
	invocations chan invocation
	answers     chan answer
	log         *bytes.Buffer
}

type invocation struct {
	id      int
	payload []byte
}

type answer struct {
	payload []byte
	err     error
}

// invocationLimit is the deadline of each invocation.
const invocationLimit = 50 * time.Second

func start(t *testing.T, binary string, env []string) *lambda {
	t.Helper()
	l := &lambda{invocations: make(chan invocation), answers: make(chan answer), log: &bytes.Buffer{}}
	server := httptest.NewServer(l)
	cmd := exec.Command(binary)
	cmd.Env = append(env, "AWS_LAMBDA_RUNTIME_API="+strings.TrimPrefix(server.URL, "http://"), "AWS_LAMBDA_FUNCTION_NAME="+filepath.Base(binary), "PATH="+os.Getenv("PATH"))
	cmd.Stdout, cmd.Stderr = l.log, l.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() {
		err := cmd.Wait()
		exited <- err
		close(l.answers)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-exited
		server.CloseClientConnections()
		server.Close()
		if t.Failed() {
			t.Logf("the last output of %s:\n%s", binary, tail(l.log.String(), 4000))
		}
	})
	return l
}

func tail(text string, n int) string { return text[max(0, len(text)-n):] }

// ServeHTTP implements the runtime API.
func (l *lambda) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	switch {
	case strings.HasSuffix(r.URL.Path, "/invocation/next"):
		select {
		case i := <-l.invocations:
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", strconv.Itoa(i.id))
			w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(invocationLimit).UnixMilli(), 10))
			w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:000000000000:function:upgrade")
			_, _ = w.Write(i.payload)
		case <-r.Context().Done():
		}
	case strings.HasSuffix(r.URL.Path, "/response"):
		w.WriteHeader(http.StatusAccepted)
		l.answers <- answer{payload: body}
	case strings.HasSuffix(r.URL.Path, "/error"):
		w.WriteHeader(http.StatusAccepted)
		var failure struct{ ErrorType, ErrorMessage string }
		if err := json.Unmarshal(body, &failure); err != nil {
			failure.ErrorMessage = string(body)
		}
		l.answers <- answer{err: &invocationError{failure.ErrorType, failure.ErrorMessage}}
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// invocationError is the error of a function, as Lambda reports it.
type invocationError struct{ kind, message string }

func (e *invocationError) Error() string { return e.kind + ": " + e.message }

// failure is the error as Step Functions sees it.
func (e *invocationError) failure() stepfunctions.Failure {
	return stepfunctions.Failure{Name: e.kind, Cause: e.message}
}

// invoke calls the function, one invocation at a time.
func (l *lambda) invoke(payload []byte) ([]byte, error) {
	select {
	case l.invocations <- invocation{int(time.Now().UnixNano()), payload}:
	case a, running := <-l.answers:
		return nil, fmt.Errorf("the function answered %v before it was invoked, or ended (running %t)", a, running)
	}
	a, running := <-l.answers
	if !running {
		return nil, fmt.Errorf("the function has ended")
	}
	return a.payload, a.err
}
