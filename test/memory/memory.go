// Package memory measures how much memory a task of a function needs, in a process of
// its own that holds nothing else. The process is another run of the test binary:
//
//	func TestMain(m *testing.M) { os.Exit(memory.Main(engines.Main, m, tasks())) }
//
//	func TestHandle_StaysWithinItsMemory(t *testing.T) {
//		memory.Within(t, "docs", 512, input)
//	}
package memory

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// taskEnv names the task of a process that [Peak] started, and sizeEnv its memory in
// MB.
const (
	taskEnv = "LOREHOOK_MEMORY_TASK"
	sizeEnv = "LOREHOOK_MEMORY_SIZE"
)

// Task does what is measured, with the input that [Peak] was given, as JSON.
type Task func(ctx context.Context, input json.RawMessage) error

// Main runs the tests and returns the exit code. In a process that [Peak] started, it
// runs the task instead.
func Main(run func(*testing.M) int, m *testing.M, tasks map[string]Task) int {
	name := os.Getenv(taskEnv)
	if name == "" {
		return run(m)
	}
	if err := measure(tasks[name]); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		return 1
	}
	return 0
}

// measure runs the task as a function runs its handler, and prints the peak in MB.
func measure(task Task) error {
	if task == nil {
		return errors.New("there is no such task")
	}
	megabytes, err := strconv.ParseInt(os.Getenv(sizeEnv), 10, 64)
	if err != nil {
		return fmt.Errorf("%s: %w", sizeEnv, err)
	}
	debug.SetMemoryLimit(megabytes << 20 / 100 * surgical.GoMemoryPercent)
	var input json.RawMessage
	if err := json.NewDecoder(os.Stdin).Decode(&input); err != nil {
		return fmt.Errorf("read the input: %w", err)
	}
	if err := task(context.Background(), input); err != nil {
		return err
	}
	peak, err := resident()
	if err != nil {
		return err
	}
	fmt.Println(peak)
	return nil
}

// resident returns the most memory that this process has had, in MB.
func resident() (int, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	_, rest, found := strings.Cut(string(status), "VmHWM:")
	if !found {
		return 0, errors.New("the system does not report the peak of a process")
	}
	kilobytes, err := strconv.Atoi(strings.Fields(rest)[0])
	return kilobytes >> 10, err
}

// Percent is the part of what is configured that a function may need, at every limit. The
// rest is for what a real function has beside the measured one.
const Percent = 70

// Within is [Peak] and [Check].
func Within(t *testing.T, task string, megabytes int, input any) {
	t.Helper()
	began := time.Now()
	peak := Peak(t, task, megabytes, input)
	Check(t, task, peak, megabytes)
	t.Logf("%s took %v", task, time.Since(began).Round(time.Millisecond))
}

// Check logs the peak of what was measured, and fails the test if it is more than
// [Percent] of the memory of its function. Both are in MB.
func Check(t *testing.T, what string, peak, megabytes int) {
	t.Helper()
	t.Logf("%s: peak %d MB of %d MB configured, %d%%", what, peak, megabytes, 100*peak/megabytes)
	if allowed := megabytes * Percent / 100; peak > allowed {
		t.Errorf("%s: %d MB are more than the %d%% of its memory, %d MB", what, peak, Percent, allowed)
	}
}

// Peak runs the task in a process of its own, whose garbage collector has the limit of
// a function with so many megabytes, and returns the most memory that was resident, in
// MB. It skips the test on systems without /proc.
func Peak(t *testing.T, task string, megabytes int, input any) int {
	t.Helper()
	if _, err := resident(); err != nil {
		t.Skip(err)
	}
	in, err := json.Marshal(input)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	process := exec.CommandContext(t.Context(), self)
	process.Env = append(os.Environ(), taskEnv+"="+task, sizeEnv+"="+strconv.Itoa(megabytes))
	var failure bytes.Buffer
	process.Stdin, process.Stderr = bytes.NewReader(in), &failure
	out, err := process.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", task, err, failure.String())
	}
	lines := strings.Fields(string(out))
	peak, err := strconv.Atoi(lines[len(lines)-1])
	if err != nil {
		t.Fatalf("%s: %v", task, err)
	}
	return peak
}
