package cli_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/cli"
)

// full is a disk without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestRun_FailsIfItsOutputCouldNotBeWritten(t *testing.T) {
	for _, args := range [][]string{{"version"}, {"version", "--robot"}, {"help", "exit-codes"}, {"--help"}, {}} {
		var errs bytes.Buffer
		exit := cli.Run(t.Context(), cli.Env{
			Args: args, Stdout: full{}, Stderr: &errs, LookupEnv: func(string) (string, bool) { return "", false }, Clock: time.Now,
		})
		if exit != 54 || !strings.Contains(errs.String(), "no space left on device") {
			t.Errorf("lore %v: exit code %d, %q", args, exit, errs.String())
		}
	}
}

func TestRun_WithoutArgumentsPrintsItsHelp(t *testing.T) {
	p := newProgram(t)
	if bare, help := p.run(), p.run("--help"); bare != help || bare.exit != 0 || !strings.Contains(bare.out, "Usage: lore <command>") {
		t.Errorf("lore: %+v\nlore --help: %+v", bare, help)
	}
}
