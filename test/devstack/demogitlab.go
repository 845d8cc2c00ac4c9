package devstack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

const (
	demoGitLabName = "demogitlab"
	// DemoGitLabToken is the demo GitLab's access token. It protects nothing.
	DemoGitLabToken = "glpat-demo-no-secret"
	// DemoGitLabState names the state of a stack that copies the demo GitLab.
	DemoGitLabState = "demo"
)

// DemoGitLab starts the demo GitLab in the background and returns its URL. A
// running one of this checkout is reused. One that is restarted goes on with what it
// held.
func DemoGitLab(ctx context.Context, root, dir string, port int) (baseURL string, err error) {
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
	_, err = os.Stat(demoGitLabFile(dir))
	began := errors.Is(err, fs.ErrNotExist)
	server, err := startDemoGitLab(ctx, binary, dir, port)
	if err != nil {
		return "", err
	}
	record := Record{Process: server.Process, URL: server.URL, Port: server.Port, Build: build}
	if err := WriteRecord(dir, demoGitLabName, record); err != nil {
		return "", err
	}
	if !began {
		return server.URL, nil
	}
	return server.URL, touchAll(ctx, server.URL)
}

// demoGitLabFile keeps what the demo GitLab holds.
func demoGitLabFile(dir string) string { return filepath.Join(dir, demoGitLabName, "state.json") }

// touchAll sets the updated_at of every entity of a new demo GitLab to now. The store
// may have copies of an earlier one, and accepts nothing older.
func touchAll(ctx context.Context, gitlab string) error {
	for _, ref := range []surgical.EntityRef{
		fakegitlab.IssueRef(7), fakegitlab.IssueRef(8), fakegitlab.IssueRef(9), fakegitlab.MergeRequestRef(12),
	} {
		entity := url.Values{
			"project": {strconv.FormatInt(ref.ProjectID, 10)}, "type": {string(ref.Type)}, "iid": {strconv.FormatInt(ref.IID, 10)},
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, gitlab+"/_demo/edit?"+entity.Encode(), nil)
		if err != nil {
			return err
		}
		req.Header.Set("PRIVATE-TOKEN", DemoGitLabToken)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return fmt.Errorf("demo GitLab: %w", err)
		}
		_ = resp.Body.Close() // read-only
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("demo GitLab: touching %s returned %s", ref, resp.Status)
		}
	}
	return nil
}

func startDemoGitLab(ctx context.Context, binary, dir string, port int) (*Server, error) {
	l := launch{
		name: demoGitLabName,
		ready: func(ctx context.Context, base string) error {
			return answers(ctx, base+"/_demo/requests", http.StatusOK)
		},
		command: func(port int) *exec.Cmd {
			return exec.Command(binary, "-addr", "127.0.0.1:"+strconv.Itoa(port), "-token", DemoGitLabToken, "-state", demoGitLabFile(dir))
		},
	}
	o := Options{
		Dir: filepath.Join(dir, demoGitLabName), Log: filepath.Join(dir, "logs", demoGitLabName+".log"),
		Port: port, Detach: true,
	}
	server, err := start(ctx, o, l)
	if errors.Is(err, errEndedEarly) && port != 0 { // the port is taken
		o.Port = 0
		server, err = start(ctx, o, l)
	}
	return server, err
}

// servers are the names of all background servers, in the order in which they
// are stopped.
func servers() []string { return []string{consoleName, ministackName, demoGitLabName} }

// Down stops every server that was started under dir, and returns their names.
func Down(dir string) (stopped []string, err error) {
	for _, name := range servers() {
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

// Running returns the records of the servers running under dir, by name.
func Running(dir string) (map[string]Record, error) {
	running := make(map[string]Record)
	for _, name := range servers() {
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
