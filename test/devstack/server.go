package devstack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	startTimeout = 60 * time.Second
	startTries   = 5
)

// Server is a running engine.
type Server struct {
	// Name is the engine's name, as in test names and log files.
	Name string
	// URL is http://127.0.0.1:PORT, without a slash at the end.
	URL string
	// Port is the port in URL.
	Port int
	// Log is the file with its output.
	Log string
	// Process is the running process.
	Process Process
}

type launch struct {
	name    string
	command func(port int) *exec.Cmd
	ready   func(ctx context.Context, url string) error
	// within is how long it may take to become ready; 0 for [startTimeout].
	within time.Duration
}

// start starts the command and waits until it is ready. If any free port will
// do and another process takes the chosen one first, it tries another.
func start(ctx context.Context, o Options, l launch) (*Server, error) {
	for _, dir := range []string{filepath.Join(o.Dir, "tmp"), filepath.Dir(o.logFile(l.name))} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("start %s: %w", l.name, err)
		}
	}
	tries := 1
	if o.Port == 0 {
		tries = startTries
	}
	var err error
	for range tries {
		var s *Server
		if s, err = startOnce(ctx, o, l); err == nil {
			return s, nil
		}
		if !errors.Is(err, errEndedEarly) {
			break
		}
	}
	return nil, fmt.Errorf("start %s: %w", l.name, err)
}

func (o Options) logFile(name string) string {
	return cmp.Or(o.Log, filepath.Join(o.Dir, name+".log"))
}

var errEndedEarly = errors.New("ended before it was ready")

func startOnce(ctx context.Context, o Options, l launch) (*Server, error) {
	port := o.Port
	if port == 0 {
		var err error
		if port, err = FreePort(); err != nil {
			return nil, err
		}
	}
	if !free(port) { // otherwise the readiness check would reach another process
		return nil, fmt.Errorf("it %w: port %d is taken", errEndedEarly, port)
	}
	s := &Server{
		Name: l.name, Port: port, URL: fmt.Sprintf("http://127.0.0.1:%d", port),
		Log: o.logFile(l.name),
	}
	cmd := l.command(port)
	cmd.Dir = o.Dir
	var err error
	if s.Process, err = StartProcess(cmd, s.Log, o.Detach); err != nil {
		return nil, err
	}
	if err := s.awaitReady(ctx, cmp.Or(l.within, startTimeout), l.ready); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *Server) awaitReady(ctx context.Context, within time.Duration, ready func(context.Context, string) error) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		err := ready(ctx, s.URL)
		if !s.Process.Alive() { // even if something responded: it was another process
			return fmt.Errorf("it %w:\n%s", errEndedEarly, s.logTail())
		}
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w (last: %w):\n%s", ctx.Err(), err, s.logTail())
		}
	}
}

// Stop ends the process and everything it started, and returns when they have
// exited. Stopping twice is fine.
func (s *Server) Stop() error {
	if err := s.Process.Stop(); err != nil {
		return fmt.Errorf("stop %s: %w", s.Name, err)
	}
	return nil
}

func (s *Server) logTail() string {
	const lines = 20
	b, err := os.ReadFile(s.Log)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

func free(port int) bool {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	return l.Close() == nil
}

// FreePort returns a TCP port of 127.0.0.1 that nothing is listening on now.
func FreePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
