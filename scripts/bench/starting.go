package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
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

// startBound is how many times it may be where other processes disturb the measurement: a
// function has more code than the empty one, and so loses more of the processor's caches.
var startBound = map[string]float64{"webhook": 1.25, "worker": 2.2, "api": 2.3}

// starting measures cold starts: the processor time of a function's process until it first
// polls the runtime API of Lambda, which is a server of this process. The floor is a
// function that does nothing, compiled in the same way. Each is started in turns. The API
// also answers one request, so that work that is put off until then is seen.
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
	empty, err := emptyFunction(ctx, root, dir)
	if err != nil {
		return nil, err
	}
	environments, err := environmentsOf(ctx, root)
	if err != nil {
		return nil, err
	}
	event, stop, err := readable(ctx, environments)
	if err != nil {
		return nil, err
	}
	defer stop()
	c := coldStarts{
		empty: empty, environments: environments, events: map[string][]byte{reader: event},
		binary: func(name string) string {
			return filepath.Join(devstack.LambdaDir(root, devstack.Host()), name, "bootstrap")
		},
		took: map[string][]used{}, floors: map[string][]used{},
	}
	for round := range promisedStarts {
		for _, name := range names {
			if round >= starts && startReach[name] == 0 {
				continue
			}
			if err := c.pair(ctx, name, round%2 == 0); err != nil {
				return nil, err
			}
		}
	}
	// Those with a promise come first.
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(startReach[b], startReach[a]) })
	for _, name := range names {
		measured, err := c.figures(name)
		if err != nil {
			return nil, err
		}
		figures = append(figures, measured...)
	}
	return figures, nil
}

// emptyFunction returns the path of the empty function's binary. Like the functions that are
// compared with it, it is a copy of what the linker wrote: the system takes a quarter more
// processor time to load the linker's own file, which it keeps in smaller pieces.
func emptyFunction(ctx context.Context, root, dir string) (string, error) {
	linked, empty := filepath.Join(dir, "linked"), filepath.Join(dir, "empty")
	if err := devstack.BuildAs(ctx, root, devstack.Host(), linked, "./scripts/bench/empty"); err != nil {
		return "", err
	}
	binary, err := os.ReadFile(linked)
	if err != nil {
		return "", err
	}
	return empty, os.WriteFile(empty, binary, 0o755)
}

// coldStarts starts functions in turns with an empty one.
type coldStarts struct {
	// empty is the path of the empty function's binary, binary that of the named one's.
	empty  string
	binary func(name string) string
	// environments and events are what a function is started with; most have no event.
	environments map[string][]string
	events       map[string][]byte
	// took are the times of each function, and floors those of the empty one before.
	took, floors map[string][]used
}

// pair starts a function and the empty one. They take turns in being the first, because the
// caches of the processor are those of what ran before.
func (c coldStarts) pair(ctx context.Context, name string, emptyFirst bool) (err error) {
	var floor, value used
	for _, empty := range []bool{emptyFirst, !emptyFirst} {
		if empty {
			floor, err = start(ctx, c.empty, c.environments[name], c.events[name])
		} else {
			value, err = start(ctx, c.binary(name), c.environments[name], c.events[name])
		}
		if err != nil {
			return fmt.Errorf("%s, empty: %t: %w", name, empty, err)
		}
	}
	c.took[name], c.floors[name] = append(c.took[name], value), append(c.floors[name], floor)
	return nil
}

// figures returns the lines of a function.
func (c coldStarts) figures(name string) ([]figure, error) {
	size, err := megabytes(c.binary(name))
	if err != nil {
		return nil, err
	}
	smallest, err := megabytes(c.empty)
	if err != nil {
		return nil, err
	}
	cold := c.compared("cold start: "+name, name, func(u used) time.Duration { return u.polled })
	if startReach[name] > 0 {
		cold = cold.within(startReach[name], cold.Ratio).orDisturbed(startBound[name])
	}
	figures := []figure{cold, newFigure("  its binary", size, "MB", smallest, 0)}
	if c.events[name] != nil {
		figures = append(figures, c.compared("  start and the first answer: an issue", name, func(u used) time.Duration { return u.answered }))
	}
	return figures, nil
}

// compared compares a time of a function with that of the empty one.
func (c coldStarts) compared(line, name string, of func(used) time.Duration) figure {
	var values, floors []time.Duration
	var ratios []float64
	for i := range c.took[name] {
		value, floor := of(c.took[name][i]), of(c.floors[name][i])
		values, floors, ratios = append(values, value), append(floors, floor), append(ratios, float64(value)/float64(floor))
	}
	f := newFigure(line, milliseconds(median(values)), "ms of processor", milliseconds(median(floors)), 0)
	f.Ratio = median(ratios)
	return f
}

func megabytes(path string) (float64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return float64(info.Size()) / 1e6, nil
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
