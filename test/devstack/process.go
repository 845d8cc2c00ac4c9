package devstack

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

const (
	stopTimeout  = 15 * time.Second
	pollInterval = 20 * time.Millisecond
)

// Process is a process that this project started, the leader of its own process
// group. Its start time distinguishes it from a later process with the same id.
type Process struct {
	PID int `json:"pid"`
	// Started is when it started, in the system's own terms.
	Started string `json:"started"`
}

// StartProcess starts the command in its own process group, with its output in
// the log. Unless detached, it ends with this process.
func StartProcess(cmd *exec.Cmd, log string, detach bool) (Process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return Process{}, err
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = processAttributes(detach)

	started := make(chan error, 1)
	go func() {
		// The kernel ends the child when the thread that started it ends, so
		// this goroutine keeps its thread until the child has exited.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // its log says how it ended
		}
	}()
	if err := <-started; err != nil {
		return Process{}, err
	}
	pid := cmd.Process.Pid
	// Empty if it has already exited; then Alive reports false.
	return Process{PID: pid, Started: startOf(pid)}, nil
}

// Alive reports whether the process still runs.
func (p Process) Alive() bool { return p.PID > 0 && p.Started != "" && startOf(p.PID) == p.Started }

// Stop asks the process to exit, kills what is left of its group, and returns
// when all have exited. It does nothing if the process is not alive.
func (p Process) Stop() error {
	_, err := p.stop(stopTimeout)
	return err
}

// stop does what Stop does, and reports whether the process exited by itself when
// it was asked to.
func (p Process) stop(patience time.Duration) (orderly bool, err error) {
	if !p.Alive() {
		return false, nil
	}
	if err := syscall.Kill(p.PID, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
		return false, fmt.Errorf("process %d: %w", p.PID, err)
	}
	orderly = await(patience, func() bool { return !p.Alive() })
	// Children that it left behind, or the whole group if it ignored the
	// signal. While any member lives, no other group can get this id.
	if err := syscall.Kill(-p.PID, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return orderly, fmt.Errorf("process group %d: %w", p.PID, err)
	}
	if !await(stopTimeout, func() bool { return !p.Alive() }) {
		return false, fmt.Errorf("process %d does not exit", p.PID)
	}
	await(time.Second, func() bool { return errors.Is(syscall.Kill(-p.PID, 0), syscall.ESRCH) })
	return orderly, nil
}

// await polls until the condition holds, and reports whether it held in time.
func await(timeout time.Duration, condition func() bool) bool {
	deadline := time.NewTimer(timeout)
	defer deadline.Stop()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline.C:
			return condition()
		}
	}
	return true
}
