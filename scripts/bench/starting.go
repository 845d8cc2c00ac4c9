package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/test/cost"
	"gitlab.com/lorehook/lorehook/test/devstack"
)

// How often each function is started, odd numbers: those with a promise more often.
const starts, promisedStarts = 15, 151

// startReach is how many times an empty function's cold start that of a function is to
// take at most.
var startReach = map[string]float64{"webhook": 1.15, "worker": 2, "api": 2}

// startBound is how many times it may be while startReach is not reached.
var startBound = map[string]float64{"webhook": 1.6, "worker": 2.8, "api": 9}

// starting measures cold starts: the processor time of a function's process until it first
// polls the runtime API of Lambda, which is a server of this process. The floor is a
// function that does nothing, compiled in the same way. Each is started in turns.
func starting(ctx context.Context) (figures []figure, err error) {
	if _, err := usedBy(os.Getpid()); err != nil {
		fmt.Fprintln(os.Stderr, "Cold starts are not measured:", err)
		return nil, nil
	}
	root, err := devstack.Root()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "lorehook-bench-start-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	names, err := devstack.BuildLambdas(ctx, root, devstack.Host())
	if err != nil {
		return nil, err
	}
	empty := filepath.Join(dir, "empty")
	if err := devstack.BuildAs(ctx, root, devstack.Host(), empty, "./scripts/bench/empty"); err != nil {
		return nil, err
	}
	environments, err := environmentsOf(ctx, root)
	if err != nil {
		return nil, err
	}
	runtime, err := listen(ctx)
	if err != nil {
		return nil, err
	}
	defer runtime.close()
	binary := func(name string) string {
		return filepath.Join(devstack.LambdaDir(root, devstack.Host()), name, "bootstrap")
	}
	took, ratios, floors := map[string][]time.Duration{}, map[string][]float64{}, []time.Duration{}
	for round := range promisedStarts {
		for _, name := range names {
			if round >= starts && startReach[name] == 0 {
				continue
			}
			floor, err := runtime.start(ctx, empty, environments[name])
			if err != nil {
				return nil, fmt.Errorf("the empty function: %w", err)
			}
			value, err := runtime.start(ctx, binary(name), environments[name])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			floors, took[name], ratios[name] = append(floors, floor), append(took[name], value), append(ratios[name], float64(value)/float64(floor))
		}
	}
	smallest, err := megabytes(empty)
	if err != nil {
		return nil, err
	}
	// Those with a promise come first.
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(startReach[b], startReach[a]) })
	for _, name := range names {
		size, err := megabytes(binary(name))
		if err != nil {
			return nil, err
		}
		start := newFigure("cold start: "+name, milliseconds(median(took[name])), "ms of processor", milliseconds(median(floors)), 0)
		if start.Ratio = median(ratios[name]); startReach[name] > 0 {
			start = start.within(startReach[name], start.Ratio).notYet(startBound[name])
		}
		figures = append(figures, start, newFigure("  its binary", size, "MB", smallest, 0))
	}
	return figures, nil
}

func megabytes(path string) (float64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return float64(info.Size()) / 1e6, nil
}

// lambdaRuntime is the runtime API of Lambda, without any events.
type lambdaRuntime struct {
	server  *http.Server
	address string
	// polled has a value for each poll.
	polled chan struct{}
}

func listen(ctx context.Context) (*lambdaRuntime, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &lambdaRuntime{address: listener.Addr().String(), polled: make(chan struct{}, 1)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", func(_ http.ResponseWriter, req *http.Request) {
		r.polled <- struct{}{}
		<-req.Context().Done() // there is never an event
	})
	r.server = &http.Server{Handler: mux}
	go func() { _ = r.server.Serve(listener) }() // it fails when it is closed
	return r, nil
}

func (r *lambdaRuntime) close() { _ = r.server.Close() }

// start starts a function, waits for its first poll, ends it, and returns the processor
// time that it had used until then.
func (r *lambdaRuntime) start(ctx context.Context, binary string, environment []string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	process := exec.CommandContext(ctx, binary)
	process.Env = append(slices.Clone(environment), "AWS_LAMBDA_RUNTIME_API="+r.address)
	process.Stdout, process.Stderr = os.Stderr, os.Stderr
	if err := process.Start(); err != nil {
		return 0, err
	}
	ended, how := make(chan struct{}), error(nil)
	go func() {
		defer close(ended)
		how = process.Wait()
	}()
	select {
	case <-ended:
		return 0, fmt.Errorf("it ended before it polled: %w", errors.Join(how, ctx.Err()))
	case <-r.polled:
	}
	used, err := usedBy(process.Process.Pid)
	cancel()
	<-ended
	return used, err
}

// usedBy returns the processor time of all threads of a process, in which Go's end with it.
func usedBy(pid int) (sum time.Duration, err error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(files) == 0 {
		return 0, errors.Join(err, errors.New("the processor time of other processes cannot be read on this machine"))
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return 0, err
		}
		first, _, _ := strings.Cut(string(text), " ")
		nanoseconds, err := strconv.ParseInt(first, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(nanoseconds)
	}
	return sum, nil
}

// environmentsOf returns the environment of each function as the template and Lambda set
// it. What is only known once the stack exists has a value of the same kind.
func environmentsOf(ctx context.Context, root string) (map[string][]string, error) {
	text, err := cost.Synthesize(ctx, root)
	if err != nil {
		return nil, err
	}
	var template struct {
		Resources map[string]struct {
			Type       string
			Properties struct {
				FunctionName string
				MemorySize   int
				Environment  struct{ Variables map[string]any }
			}
		}
	}
	// Other resources have properties of these names with other types.
	if err := json.Unmarshal(text, &template); err != nil {
		if _, ok := errors.AsType[*json.UnmarshalTypeError](err); !ok {
			return nil, err
		}
	}
	environments := map[string][]string{}
	for _, r := range template.Resources {
		if r.Type != "AWS::Lambda::Function" {
			continue
		}
		name := r.Properties.FunctionName[strings.LastIndex(r.Properties.FunctionName, "-")+1:]
		environment := []string{
			"AWS_REGION=eu-central-1", "AWS_ACCESS_KEY_ID=sample", "AWS_SECRET_ACCESS_KEY=sample", "AWS_SESSION_TOKEN=sample",
			"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=" + strconv.Itoa(r.Properties.MemorySize), "LAMBDA_TASK_ROOT=/var/task",
		}
		for _, variable := range slices.Sorted(maps.Keys(r.Properties.Environment.Variables)) {
			environment = append(environment, variable+"="+valueOf(variable, r.Properties.Environment.Variables[variable]))
		}
		environments[name] = environment
	}
	return environments, nil
}

// valueOf returns a variable's value, or an example of it.
func valueOf(variable string, value any) string {
	if text, ok := value.(string); ok {
		return text
	}
	switch {
	case strings.HasSuffix(variable, "_URL"):
		return "https://sqs.eu-central-1.amazonaws.com/123456789012/lorehook"
	case strings.HasSuffix(variable, "_ARN"):
		return "arn:aws:states:eu-central-1:123456789012:stateMachine:lorehook"
	}
	return "lorehook"
}
