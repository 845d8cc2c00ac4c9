package devstack

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of times in /proc, a hundredth of a second on every
// architecture that Go supports.
const tick = 10 * time.Millisecond

// Usage lists the local AWS and the functions that it runs. Only Linux shows
// which process belongs to which function; elsewhere the error is
// [errors.ErrUnsupported].
func (s *Stack) Usage() (localAWS Usage, functions []Usage, err error) {
	parent := s.up.record.PID
	if localAWS, _, err = usage(parent); err != nil {
		return Usage{}, nil, fmt.Errorf("usage of the local AWS: %w", err)
	}
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return Usage{}, nil, err
	}
	for _, dir := range processes {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		u, itsParent, err := usage(pid)
		if err != nil || itsParent != parent {
			continue // it has exited, or is not one of ours
		}
		if u.Function, err = functionOf(pid); err == nil && u.Function != "" {
			functions = append(functions, u)
		}
	}
	return localAWS, functions, nil
}

func usage(pid int) (u Usage, parent int, err error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u, 0, err
	}
	// The fields after the command's name, which may contain anything.
	fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
	const ppid, utime, stime, rss = 1, 11, 12, 21
	if len(fields) <= rss {
		return u, 0, fmt.Errorf("process %d: %w", pid, fs.ErrNotExist)
	}
	number := func(field int) int64 {
		n, parseErr := strconv.ParseInt(fields[field], 10, 64)
		err = errors.Join(err, parseErr)
		return n
	}
	u = Usage{PID: pid, Resident: number(rss) * int64(os.Getpagesize()), CPU: time.Duration(number(utime)+number(stime)) * tick}
	return u, int(number(ppid)), err
}

// functionOf reads the function's name from the variable that Lambda sets.
func functionOf(pid int) (string, error) {
	environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return "", err
	}
	for variable := range bytes.SplitSeq(environment, []byte{0}) {
		if name, ok := strings.CutPrefix(string(variable), "AWS_LAMBDA_FUNCTION_NAME="); ok {
			return name, nil
		}
	}
	return "", nil
}
