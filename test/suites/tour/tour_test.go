package tour

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gitlab.com/lorehook/lorehook/test/devstack"
)

// full names the variable that starts the tour: it takes minutes, and installs everything.
const full = "LOREHOOK_FULL_TOUR"

func TestTheReadmeAndTheRunbooksCanBeFollowedInAFreshCloneWithAnEmptyHome(t *testing.T) {
	if os.Getenv(full) == "" {
		t.Skip("the README is followed by make tour only")
	}
	v := newTourist(t)
	t.Cleanup(func() { v.log.print(os.Stderr) })
	t.Cleanup(func() { v.shell(context.Background(), "make down", "") })
	v.readme()
	if took := v.log.reached(threadRead); took > patience {
		t.Errorf("it takes %s from the clone to a thread that was read, more than %s", took, patience)
	}
	v.guide()
	v.log.stage("runbooks")
	v.runbooks()
}

// ofThisHome matches the variables that would lead a tourist back to this checkout, or to
// what is installed in this home.
var ofThisHome = regexp.MustCompile(`^(LOREHOOK_.*|XDG_.*|AWS_.*|GITLAB_.*|HOME|GOFLAGS|GOCACHE|GOMODCACHE|MAKEFLAGS|MAKELEVEL)$`)

// newTourist clones the last commit.
func newTourist(t *testing.T) *tourist {
	root, err := devstack.Root()
	if err != nil {
		t.Fatal(err)
	}
	v := &tourist{T: t, dir: filepath.Join(t.TempDir(), "lorehook"), ids: map[string]string{}, log: newItinerary()}
	home := t.TempDir()
	// Settings of the machine stay: which registries it uses, and where its tools are.
	for _, e := range os.Environ() {
		name, _, _ := strings.Cut(e, "=")
		if !ofThisHome.MatchString(name) {
			v.env = append(v.env, e)
		}
	}
	v.env = append(v.env, "HOME="+home, "PATH="+filepath.Join(v.dir, ".local", "bin")+":"+os.Getenv("PATH"))
	v.log.stage("git clone")
	if out, err := exec.CommandContext(t.Context(), "git", "clone", "--quiet", "file://"+root, v.dir).CombinedOutput(); err != nil {
		t.Fatalf("git clone: %v\n%s", err, out)
	}
	// Go's module cache is read-only, which the removal of the directory would trip over.
	t.Cleanup(func() { v.shell(context.Background(), "chmod -R u+w \"$HOME\"", "") })
	return v
}
