package cli_test

import (
	"bytes"
	"errors"
	"fmt"
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

// logs --follow would otherwise go on for ever.
func TestRun_FailsIfTheAnswerCouldNotBeWritten(t *testing.T) {
	inStack(t, func(t *testing.T, s *stack) {
		run := s.start7("written")
		s.stdout = full{}
		for _, args := range []string{"status", "status --robot", "runs", "runs list --robot", "runs view " + run, "runs watch " + run, "changes"} {
			if got := s.run(strings.Fields(args)...); got.exit != 54 || !strings.Contains(got.errors, "no space left on device") {
				t.Errorf("lore %s: exit code %d, %q", args, got.exit, got.errors)
			}
		}
		for _, args := range []string{"doctor", "doctor --robot"} { // a check failed: that comes first
			if got := s.run(strings.Fields(args)...); got.exit != 56 {
				t.Errorf("lore %s: exit code %d, %q", args, got.exit, got.errors)
			}
		}
	})
	p := newProgram(t)
	cloudWatch(t, p, groups(p))
	p.stdout = full{}
	for _, args := range []string{"logs", "logs --json", "logs --robot", "logs --follow"} {
		if got := p.run(strings.Fields(args)...); got.exit != 54 {
			t.Errorf("lore %s: exit code %d, %q", args, got.exit, got.errors)
		}
	}
}

// start7 brings issue 7 up to date and returns the run.
func (s *stack) start7(key string) string {
	s.t.Helper()
	e, _ := s.robot("sync", "-p", "1", "--issue", "7", "--wait", "--idempotency-key", key)
	return e.field(s.t, "run_id")
}

func TestWait_NeverPrintsProgressOnStdout(t *testing.T) {
	inStack(t, func(t *testing.T, s *stack) {
		for _, terminal := range []bool{false, true} {
			s.terminal, s.env["NO_COLOR"] = terminal, "1"
			key := fmt.Sprint("progress-", terminal)
			waited := s.run("sync", "-p", "1", "--issue", "7", "--wait", "--idempotency-key", key)
			id := strings.Fields(waited.out)[1]
			view := s.run("runs", "view", id)
			if waited.out != view.out || waited.errors == "" || view.errors != "" {
				t.Errorf("sync --wait prints %q, runs view %q", waited.out, view.out)
			}
			if watched := s.run("runs", "watch", id); watched.out != view.out {
				t.Errorf("runs watch prints %q, runs view %q", watched.out, view.out)
			}
			s.crawls = true
			backfill := s.run("backfill", "-p", "1", "--idempotency-key", key)
			s.crawls = false
			if !strings.HasPrefix(backfill.out, "backfill ") || strings.ContainsAny(backfill.out, "\r\x1b") || backfill.errors == "" {
				t.Errorf("backfill prints %q and %q", backfill.out, backfill.errors)
			}
		}
	})
}

func TestRun_WithoutArgumentsPrintsItsHelp(t *testing.T) {
	p := newProgram(t)
	if bare, help := p.run(), p.run("--help"); bare != help || bare.exit != 0 || !strings.Contains(bare.out, "Usage: lore <command>") {
		t.Errorf("lore: %+v\nlore --help: %+v", bare, help)
	}
}

// The former name of the commands for runs is not advertised.
func TestHelp_LeavesOutFormerNames(t *testing.T) {
	if got := newProgram(t).run("--help"); strings.Contains(got.out, "sync-runs") || !strings.Contains(got.out, "runs watch") {
		t.Error(got.out)
	}
}
