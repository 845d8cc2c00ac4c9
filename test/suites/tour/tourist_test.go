package tour

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// tourist follows texts in a clone of her own.
type tourist struct {
	*testing.T
	dir string
	env []string
	// ids are the runs that took the places of the README's.
	ids map[string]string
	// session is a file with what a shell knows from one command to the next.
	session string
	log     *itinerary
}

// shell runs the commands as bash would from a script, with the standard input, and
// returns what they print.
func (v *tourist) shell(ctx context.Context, commands, input string) (out string, exit int) {
	v.Helper()
	return v.run(ctx, commands, commands, input)
}

func (v *tourist) run(ctx context.Context, shown, commands, input string) (out string, exit int) {
	v.Helper()
	began := time.Now()
	var printed bytes.Buffer
	both := io.MultiWriter(&printed, v.log)
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", commands)
	cmd.Dir, cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = v.dir, v.env, strings.NewReader(input), both, both
	cmd.WaitDelay = time.Minute // what it started in the background keeps the pipe
	err := cmd.Run()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		exit = failed.ExitCode()
	} else if err != nil {
		v.Errorf("%s: %v", shown, err)
	}
	line := strings.ReplaceAll(strings.TrimSpace(shown), "\n", "; ")
	if at := strings.LastIndex(line, "; # "); at > 0 {
		line = line[at+len("; # "):] // after what every runbook begins with
	}
	fmt.Fprintf(os.Stderr, "tour: %6.1f s  %.150s\n", time.Since(began).Seconds(), line)
	return printed.String(), exit
}

// must runs commands that succeed.
func (v *tourist) must(commands string) string {
	v.Helper()
	out, exit := v.shell(v.Context(), commands, "")
	if exit != 0 {
		v.Fatalf("%s\nexit code %d, output:\n%s", commands, exit, out)
	}
	return out
}

// begin opens a shell, in which v types.
func (v *tourist) begin() { v.session = filepath.Join(v.TempDir(), "session") }

// types types a command into the shell that was opened last, and what the command asks
// for. What it defines, exports or changes is there for the next command.
func (v *tourist) types(command, input string) string {
	v.Helper()
	out, exit := v.run(v.Context(), command, fmt.Sprintf(`
[ ! -f %[1]s ] || . %[1]s
%[2]s
{ declare -f; declare -p | grep -vE '^declare -[a-zA-Z]*r'; umask -p; printf 'cd %%q\n' "$PWD"; } >%[1]s`, v.session, command), input)
	if exit != 0 {
		v.Fatalf("%s\nexit code %d, output:\n%s", command, exit, out)
	}
	return out
}

// example runs a command whose output is shown: with the same exit code, and with lines
// that begin as those do, in their order.
func (v *tourist) example(c command) {
	v.Helper()
	typed := c.text
	for shown, real := range v.ids {
		typed = strings.ReplaceAll(typed, shown, real)
		typed = strings.ReplaceAll(typed, shown[:8], real[:8])
	}
	out, exit := v.shell(v.Context(), typed, "")
	if exit != c.exit && (c.exit != failure || exit == 0) {
		v.Errorf("%s: exit code %d, in the README %d; output:\n%s", typed, exit, c.exit, out)
	}
	lines := strings.Split(out, "\n")
	for _, shown := range c.output {
		if beginning(shown) == "" || shown == "…" || strings.HasPrefix(shown, " ") {
			continue // left out, or a text that is broken into lines elsewhere
		}
		for len(lines) > 0 && beginning(lines[0]) != beginning(shown) {
			lines = lines[1:]
		}
		if len(lines) == 0 {
			v.Errorf("%s: no line like the README's %q; output:\n%s", typed, shown, out)
			return
		}
		v.know(shown, lines[0])
		lines = lines[1:]
	}
}

var (
	runID  = regexp.MustCompile(`\b[a-z][a-z2-7]{26}\b`)
	varies = regexp.MustCompile(`^([a-z][a-z2-7]{26}|[a-z][a-z2-7]{7}|#[0-9]+|[0-9]+)$`)
)

// beginning is a line's first word, or what kind of thing it is if it differs each time.
func beginning(line string) string {
	words := strings.Fields(line)
	if len(words) == 0 {
		return ""
	}
	if strings.HasPrefix(words[0], "{") {
		return words[0][:5]
	}
	return varies.ReplaceAllString(words[0], "?")
}

// know notes which run took the place of the README's.
func (v *tourist) know(shown, printed string) {
	a, b := runID.FindString(shown), runID.FindString(printed)
	if a != "" && b != "" {
		v.ids[a] = b
	}
}

// newestRun is the run that a reader would pick from a list.
func (v *tourist) newestRun() string {
	out := v.must("lore --robot runs list --limit 1")
	found := regexp.MustCompile(`"run_id":"([a-z2-7]{27})"`).FindStringSubmatch(out)
	if found == nil {
		v.Fatalf("no run in %s", out)
	}
	return found[1]
}

// endpoint is an address of the local stack, or its signing token.
func (v *tourist) endpoint(name string) string {
	v.Helper()
	raw, err := os.ReadFile(filepath.Join(v.dir, ".local", "endpoints.json"))
	if err != nil {
		v.Fatal(err)
	}
	var all map[string]string
	if err := json.Unmarshal(raw, &all); err != nil || all[name] == "" {
		v.Fatalf("the stack has no %s: %s, %v", name, raw, err)
	}
	return all[name]
}

func (v *tourist) write(name, text string) {
	v.Helper()
	file := filepath.Join(v.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		v.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
		v.Fatal(err)
	}
}
