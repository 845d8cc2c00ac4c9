package devstack

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// processAttributes gives the child its own process group and, unless detached,
// ends it with the thread that started it.
func processAttributes(detach bool) *syscall.SysProcAttr {
	if detach {
		return &syscall.SysProcAttr{Setsid: true}
	}
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// startOf returns when the process started, in clock ticks since boot, or "" if
// it does not exist or is a zombie.
func startOf(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The second field is the name in parentheses, which may itself contain
	// spaces and parentheses. The state is field 3 and the start field 22.
	stat := string(b)
	fields := strings.Fields(stat[strings.LastIndex(stat, ")")+1:])
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return ""
	}
	return fields[19]
}
