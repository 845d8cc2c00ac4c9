package devstack

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// processAttributes gives the child a process group of its own and, unless
// detached, ends it with the thread that started it.
func processAttributes(detach bool) *syscall.SysProcAttr {
	if detach {
		return &syscall.SysProcAttr{Setsid: true}
	}
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// startOf returns when the process started, in clock ticks since boot, or ""
// if it is not there or nothing but its exit code is left of it.
func startOf(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The second field is the name in parentheses, and may itself hold spaces
	// and parentheses. After it come the state (field 3) and the start (22).
	stat := string(b)
	fields := strings.Fields(stat[strings.LastIndex(stat, ")")+1:])
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return ""
	}
	return fields[19]
}
