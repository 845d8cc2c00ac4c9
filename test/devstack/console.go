package devstack

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
)

const consoleName = "console"

// Console starts `lore console` for the stack in the background, on the given port unless
// it is taken, and adds its address to the endpoints. A running console of this checkout
// and stack is reused.
func (s *Stack) Console(ctx context.Context, port int) error {
	root, dir := s.up.o.Root, s.up.o.Dir
	binary := filepath.Join(root, ".build", consoleName)
	cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", binary, "./cmd/lore")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build lore: %w\n%s", err, out)
	}
	build, err := hashFile(binary)
	if err != nil {
		return err
	}
	// A console of another stack reads another API.
	sum := sha256.Sum256([]byte(build + s.Endpoints.APIURL))
	build = hex.EncodeToString(sum[:])
	have, err := ReadRecord(dir, consoleName)
	if err != nil {
		return err
	}
	if !have.Alive() || have.Build != build {
		if err := have.Stop(); err != nil {
			return err
		}
		if have.Port != 0 {
			port = have.Port
		}
		server, err := startConsole(ctx, binary, dir, port, s.Endpoints.APIURL, s.up.o.Detach)
		if err != nil {
			return err
		}
		have = Record{Process: server.Process, URL: server.URL, Port: server.Port, Build: build}
		if err := WriteRecord(dir, consoleName, have); err != nil {
			return err
		}
	}
	s.Endpoints.ConsoleURL = have.URL
	return s.Endpoints.write(dir)
}

func startConsole(ctx context.Context, binary, dir string, port int, apiURL string, detach bool) (*Server, error) {
	l := launch{
		name:  consoleName,
		ready: func(ctx context.Context, base string) error { return answers(ctx, base+"/icon.svg", http.StatusOK) },
		command: func(port int) *exec.Cmd {
			return exec.Command(binary, "console", "--no-browser", "--port", strconv.Itoa(port), "--api-url", apiURL)
		},
	}
	o := Options{
		Dir: filepath.Join(dir, consoleName), Log: filepath.Join(dir, "logs", consoleName+".log"), Port: port, Detach: detach,
	}
	server, err := start(ctx, o, l)
	if errors.Is(err, errEndedEarly) && port != 0 { // the port is taken
		o.Port = 0
		server, err = start(ctx, o, l)
	}
	return server, err
}
