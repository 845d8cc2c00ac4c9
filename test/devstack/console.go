package devstack

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/tables"
)

const consoleName = "console"

// Console starts the stack's operations console in the background, on the given
// port unless it is taken, and adds its address to the endpoints. A running
// console of this checkout and stack is reused.
func (s *Stack) Console(ctx context.Context, port int) error {
	root, dir := s.up.o.Root, s.up.o.Dir
	binary := filepath.Join(root, ".build", consoleName)
	cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", binary, "./scripts/console")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the operations console: %w\n%s", err, out)
	}
	env := s.consoleEnv()
	build, err := hashFile(binary)
	if err != nil {
		return err
	}
	// A console of another stack reads other tables.
	sum := sha256.Sum256([]byte(build + strings.Join(env, "\n")))
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
		server, err := startConsole(ctx, binary, dir, port, env, s.up.o.Detach)
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

// consoleEnv is the console's whole environment, except for the time zone.
func (s *Stack) consoleEnv() []string {
	env := []string{
		"AWS_ENDPOINT_URL=" + s.Endpoints.AWSEndpointURL, "AWS_REGION=" + Region,
		"AWS_ACCESS_KEY_ID=" + accessKey, "AWS_SECRET_ACCESS_KEY=" + secretKey,
	}
	for _, t := range tables.All() {
		for name, value := range s.Outputs {
			if strings.EqualFold(name, strings.ReplaceAll(t.Name, "_", "")+"Table") {
				env = append(env, t.Env+"="+value)
			}
		}
	}
	slices.Sort(env)
	return env
}

func startConsole(ctx context.Context, binary, dir string, port int, env []string, detach bool) (*Server, error) {
	l := launch{
		name:  consoleName,
		ready: func(ctx context.Context, base string) error { return answers(ctx, base+"/icon.svg", http.StatusOK) },
		command: func(port int) *exec.Cmd {
			cmd := exec.Command(binary, "-addr", "127.0.0.1:"+strconv.Itoa(port))
			cmd.Env = env
			if zone, ok := os.LookupEnv("TZ"); ok {
				cmd.Env = append(slices.Clone(env), "TZ="+zone)
			}
			return cmd
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
