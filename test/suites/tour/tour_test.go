package tour

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/test/devstack"
)

// full names the variable that starts the tour: it takes minutes, and installs everything.
const full = "LOREHOOK_FULL_TOUR"

// tourist follows the README in a clone of her own.
type tourist struct {
	*testing.T
	dir string
	env []string
	// ids are the runs that took the places of the README's.
	ids map[string]string
}

func TestTheReadmeAndTheRunbooksCanBeFollowedInAFreshCloneWithAnEmptyHome(t *testing.T) {
	if os.Getenv(full) == "" {
		t.Skip("the README is followed by make tour only")
	}
	v := newTourist(t)
	t.Cleanup(func() { v.shell(context.Background(), "make down") })
	raw, err := os.ReadFile(filepath.Join(v.dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	readme := string(raw)
	first := blocks(readme[:strings.Index(readme, "## How it compares")], "sh")[0]
	clone, rest, _ := strings.Cut(first, "\n")
	if !strings.HasPrefix(clone, "git clone ") {
		t.Errorf("the first screen begins with %q", clone) // newTourist has cloned
	}
	demo, search, _ := strings.Cut(rest, "\n")
	v.must(demo)
	if found := v.must(search); !strings.Contains(found, "sounds: off") {
		t.Errorf("the search of the first screen does not find the answer:\n%s", found)
	}
	for _, heading := range []string{"## Try it", "### Look around"} {
		for _, block := range blocks(section(readme, heading), "sh") {
			v.block(block)
		}
	}
	for _, block := range blocks(section(readme, "### On the command line"), "console") {
		for _, e := range examples(block) {
			v.example(e)
		}
	}
	v.runbooks()
}

// ofThisHome matches the variables that would lead a tourist back to this checkout, or to
// what is installed in this home.
var ofThisHome = regexp.MustCompile(`^(LOREHOOK_.*|XDG_.*|HOME|GOFLAGS|GOCACHE|GOMODCACHE|MAKEFLAGS|MAKELEVEL)$`)

// newTourist clones the last commit.
func newTourist(t *testing.T) *tourist {
	root, err := devstack.Root()
	if err != nil {
		t.Fatal(err)
	}
	v := &tourist{T: t, dir: filepath.Join(t.TempDir(), "lorehook"), ids: map[string]string{}}
	home := t.TempDir()
	// Settings of the machine stay: which registries it uses, and where its tools are.
	for _, e := range os.Environ() {
		name, _, _ := strings.Cut(e, "=")
		if !ofThisHome.MatchString(name) {
			v.env = append(v.env, e)
		}
	}
	v.env = append(v.env, "HOME="+home, "PATH="+filepath.Join(v.dir, ".local", "bin")+":"+os.Getenv("PATH"))
	if out, err := exec.CommandContext(t.Context(), "git", "clone", "--quiet", "file://"+root, v.dir).CombinedOutput(); err != nil {
		t.Fatalf("git clone: %v\n%s", err, out)
	}
	// Go's module cache is read-only, which the removal of the directory would trip over.
	t.Cleanup(func() { v.shell(context.Background(), "chmod -R u+w \"$HOME\"") })
	return v
}

// shell runs the commands as bash would from a script, and returns what they print.
func (v *tourist) shell(ctx context.Context, commands string) (out string, exit int) {
	v.Helper()
	began := time.Now()
	var printed bytes.Buffer
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", commands)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = v.dir, v.env, &printed, &printed
	cmd.WaitDelay = time.Minute // what it started in the background keeps the pipe
	err := cmd.Run()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		exit = failed.ExitCode()
	} else if err != nil {
		v.Errorf("%s: %v", commands, err)
	}
	fmt.Fprintf(os.Stderr, "tour: %5.1f s  %s\n", time.Since(began).Seconds(), strings.ReplaceAll(strings.TrimSpace(commands), "\n", "; "))
	return printed.String(), exit
}

// must runs commands that succeed.
func (v *tourist) must(commands string) string {
	v.Helper()
	out, exit := v.shell(v.Context(), commands)
	if exit != 0 {
		v.Fatalf("%s\nexit code %d, output:\n%s", commands, exit, out)
	}
	return out
}

// block runs the lines of a shell block, of which each may use the variables of those before.
func (v *tourist) block(lines string) {
	v.Helper()
	before := ""
	for line := range strings.Lines(strings.ReplaceAll(lines, "curl -s", "curl --fail -sS")) {
		if regexp.MustCompile(`^[A-Z]+=`).MatchString(line) {
			before += line
			continue
		}
		if strings.Contains(line, "RUN_ID") {
			line = strings.ReplaceAll(line, "RUN_ID", v.newestRun())
		}
		if strings.TrimSpace(line) != "" {
			v.must(before + line)
		}
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

// example runs a command of a console block: with the same exit code, and with lines that
// begin as the README's do, in their order.
func (v *tourist) example(e example) {
	v.Helper()
	command := e.command
	for shown, real := range v.ids {
		command = strings.ReplaceAll(command, shown, real)
		command = strings.ReplaceAll(command, shown[:8], real[:8])
	}
	out, exit := v.shell(v.Context(), command)
	if exit != e.exit && (e.exit != failure || exit == 0) {
		v.Errorf("%s: exit code %d, in the README %d; output:\n%s", command, exit, e.exit, out)
	}
	lines := strings.Split(out, "\n")
	for _, shown := range e.output {
		if beginning(shown) == "" || shown == "…" || strings.HasPrefix(shown, " ") {
			continue // left out, or a text that is broken into lines elsewhere
		}
		for len(lines) > 0 && beginning(lines[0]) != beginning(shown) {
			lines = lines[1:]
		}
		if len(lines) == 0 {
			v.Errorf("%s: no line like the README's %q; output:\n%s", command, shown, out)
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
