package devstack

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func sleeper(t *testing.T, script string) (Process, string) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log")
	p, err := StartProcess(exec.Command("sh", "-c", script), log, true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Stop() })
	return p, log
}

func TestStopEndsTheProcessAndWhatItStarted(t *testing.T) {
	p, log := sleeper(t, "sleep 600 & echo $!; wait")
	var child int
	if !await(5*time.Second, func() bool {
		b, _ := os.ReadFile(log)
		child, _ = strconv.Atoi(strings.TrimSpace(string(b)))
		return child != 0
	}) {
		t.Fatal("the child did not start")
	}
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	if p.Alive() {
		t.Error("the process is alive after Stop")
	}
	if !await(5*time.Second, func() bool { return startOf(child) == "" }) {
		t.Errorf("its child %d is alive after Stop", child)
	}
}

func TestStopEndsAProcessThatIgnoresTheRequest(t *testing.T) {
	p, log := sleeper(t, "trap '' TERM; echo ready; while :; do sleep 1; done")
	await(5*time.Second, func() bool { b, _ := os.ReadFile(log); return len(b) > 0 })
	if orderly, err := p.stop(100 * time.Millisecond); err != nil || orderly {
		t.Fatalf("orderly: %v, error: %v", orderly, err)
	}
	if p.Alive() {
		t.Error("the process is alive after Stop")
	}
}

func TestStopLeavesALaterProcessWithTheSameIDAlone(t *testing.T) {
	p, _ := sleeper(t, "sleep 600")
	earlier := Process{PID: p.PID, Started: p.Started + "0"}
	if earlier.Alive() {
		t.Error("a process with another start time counts as this one")
	}
	if err := earlier.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(p.PID, 0); err != nil || !p.Alive() {
		t.Errorf("the other process was stopped: %v", err)
	}
}

func TestTheZeroRecordIsNotAliveAndStopsNothing(t *testing.T) {
	dir := t.TempDir()
	r, err := ReadRecord(dir, "nothing")
	if err != nil || r.Alive() {
		t.Errorf("got %+v, %v", r, err)
	}
	if stopped, err := StopRecorded(dir, "nothing"); stopped || err != nil {
		t.Errorf("stopped %v, %v", stopped, err)
	}
}
