package devstack

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
)

const (
	demoGitLabName = "demogitlab"
	// DemoGitLabToken is what the demo GitLab asks for. It protects nothing.
	DemoGitLabToken = "glpat-demo-no-secret"
	// DemoGitLabState is the state's name of a stack that copies it.
	DemoGitLabState = "demo"
)

// DemoGitLab brings up the demo GitLab in the background and returns its URL.
// One that runs already, and is the one of this checkout, is taken as it is:
// it holds its data in memory.
func DemoGitLab(ctx context.Context, root, dir string, port int) (url string, err error) {
	binary := filepath.Join(root, ".build", demoGitLabName)
	cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", binary, "./scripts/demogitlab")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the demo GitLab: %w\n%s", err, out)
	}
	build, err := hashFile(binary)
	if err != nil {
		return "", err
	}
	have, err := ReadRecord(dir, demoGitLabName)
	if err != nil {
		return "", err
	}
	if have.Alive() && have.Build == build {
		return have.URL, nil
	}
	if err := have.Stop(); err != nil {
		return "", err
	}
	if have.Port != 0 {
		port = have.Port
	}
	server, err := startDemoGitLab(ctx, binary, dir, port)
	if err != nil {
		return "", err
	}
	return server.URL, WriteRecord(dir, demoGitLabName,
		Record{Process: server.Process, URL: server.URL, Port: server.Port, Build: build})
}

func startDemoGitLab(ctx context.Context, binary, dir string, port int) (*Server, error) {
	l := launch{
		name: demoGitLabName,
		ready: func(ctx context.Context, url string) error {
			return answers(ctx, url+"/_demo/requests", http.StatusOK)
		},
		command: func(port int) *exec.Cmd {
			return exec.Command(binary, "-addr", "127.0.0.1:"+strconv.Itoa(port), "-token", DemoGitLabToken)
		},
	}
	o := Options{
		Dir: filepath.Join(dir, demoGitLabName), Log: filepath.Join(dir, "logs", demoGitLabName+".log"),
		Port: port, Detach: true,
	}
	server, err := start(ctx, o, l)
	if errors.Is(err, errEndedEarly) && port != 0 { // somebody else has the port
		o.Port = 0
		server, err = start(ctx, o, l)
	}
	return server, err
}

// Down stops whatever was brought up under dir, and names it.
func Down(dir string) (stopped []string, err error) {
	for _, name := range []string{ministackName, demoGitLabName} {
		did, err := StopRecorded(dir, name)
		if err != nil {
			return stopped, err
		}
		if did {
			stopped = append(stopped, name)
		}
	}
	return stopped, nil
}

// Running returns the records of what runs under dir, by name.
func Running(dir string) (map[string]Record, error) {
	running := make(map[string]Record)
	for _, name := range []string{ministackName, demoGitLabName} {
		r, err := ReadRecord(dir, name)
		if err != nil {
			return nil, err
		}
		if r.Alive() {
			running[name] = r
		}
	}
	return running, nil
}
