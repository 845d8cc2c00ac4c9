package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/fatih/color"
	"github.com/mattn/go-isatty"

	"gitlab.com/lorehook/lorehook/internal/duration"
)

// terminal prints for people: on a terminal, progress rewritten in place and a
// little colour; otherwise plain lines.
type terminal struct {
	mu    sync.Mutex
	file  io.Writer
	live  bool
	shown bool // a live line is displayed and must be cleared first

	good, bad, faint, strong *color.Color

	// turn is the terminal that shows what this one keeps, nil if it keeps nothing. waits
	// are the kept lines, until open.
	turn  *terminal
	waits []string
	open  bool
}

func newTerminal(f *os.File) *terminal {
	t := &terminal{
		file: f, live: isatty.IsTerminal(f.Fd()) && os.Getenv("TERM") != "dumb",
		good: color.New(color.FgGreen), bad: color.New(color.FgRed, color.Bold),
		faint: color.New(color.Faint), strong: color.New(color.Bold),
	}
	if _, plain := os.LookupEnv("NO_COLOR"); plain || !t.live {
		for _, c := range []*color.Color{t.good, t.bad, t.faint, t.strong} {
			c.DisableColor()
		}
	}
	return t
}

// kept returns a terminal whose lines are kept until its show.
func (t *terminal) kept() *terminal {
	return &terminal{live: t.live, good: t.good, bad: t.bad, faint: t.faint, strong: t.strong, turn: t}
}

// show prints the kept lines; from then on, lines are printed at once.
func (t *terminal) show() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, line := range t.waits {
		t.turn.line("%s", line)
	}
	t.waits, t.open = nil, true
}

// line prints a permanent line.
func (t *terminal) line(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.turn == nil:
		t.clear()
		fmt.Fprintf(t.file, format+"\n", args...)
	case t.open:
		t.turn.line(format, args...)
	default:
		t.waits = append(t.waits, fmt.Sprintf(format, args...))
	}
}

// passing shows current progress; the next line replaces it. It prints nothing
// if the output is not a terminal.
func (t *terminal) passing(format string, args ...any) {
	if !t.live {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.turn != nil {
		if t.open {
			t.turn.passing(format, args...)
		}
		return
	}
	t.clear()
	fmt.Fprint(t.file, t.faint.Sprintf(format, args...))
	t.shown = true
}

func (t *terminal) clear() {
	if t.shown {
		fmt.Fprint(t.file, "\r\x1b[K")
		t.shown = false
	}
}

// heading prints a title after an empty line.
func (t *terminal) heading(text string) { t.line("\n%s", t.strong.Sprint(text)) }

// row prints a label and its value, aligned with the other rows.
func (t *terminal) row(label, value string) {
	t.line("     %s %s", t.faint.Sprintf("%-9s", label), value)
}

// until looks again and again until look says that what it waits for has happened.
func (t *terminal) until(ctx context.Context, timeout time.Duration, what string, look func() (done bool, state string, err error)) error {
	began := time.Now()
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		done, state, err := look()
		switch {
		case err != nil || done:
			return err
		case time.Since(began) > timeout:
			return fmt.Errorf("%s did not end within %s: %s", what, duration.Text(timeout), state)
		}
		t.passing("   %s %s  %s  %s", spinner(i), what, state, duration.Text(time.Since(began)))
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// steps shows a series of steps, each with the time it took.
type steps struct {
	out     *terminal
	current string
	began   time.Time
	stop    chan struct{}
	done    sync.WaitGroup
}

// patience is how often plain output reports that a step is still in progress.
const patience = 15 * time.Second

// begin completes the previous step successfully and shows the next one in
// progress.
func (s *steps) begin(step string) {
	s.end()
	s.current, s.began, s.stop = step, time.Now(), make(chan struct{})
	s.done.Go(func() {
		tick, slow := time.NewTicker(100*time.Millisecond), time.NewTicker(patience)
		defer tick.Stop()
		defer slow.Stop()
		for i := 0; ; i++ {
			s.out.passing("  %s %s  %s", spinner(i), step, duration.Text(time.Since(s.began)))
			select {
			case <-tick.C:
			case <-slow.C:
				if !s.out.live {
					s.out.line("  · %s: %s so far", step, duration.Text(time.Since(s.began)))
				}
			case <-s.stop:
				return
			}
		}
	})
}

// lost warns that the local AWS was killed, and says how to copy everything again.
func (s *steps) lost(since time.Time) {
	s.end()
	s.out.line("  %s The local AWS was killed, and everything that it stored since %s is lost.", s.out.bad.Sprint("!"), since.Format(time.DateTime))
	s.out.line("    Once it runs, lore backfill --all copies everything again. make down saves the state.")
}

// end completes the current step successfully; without one it does nothing.
func (s *steps) end() { s.finish(s.out.good.Sprint("✓")) }

// fail marks the current step as failed.
func (s *steps) fail() { s.finish(s.out.bad.Sprint("✗")) }

func (s *steps) finish(mark string) {
	if s.current == "" {
		return
	}
	close(s.stop)
	s.done.Wait()
	s.out.line("  %s %-44s %s", mark, s.current, s.out.faint.Sprintf("%8s", duration.Text(time.Since(s.began))))
	s.current = ""
}

func spinner(i int) string {
	frames := []string{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"}
	return frames[i%len(frames)]
}

// count formats "1 document", "2 documents".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %s", n, strings.TrimSuffix(noun, "y")+map[bool]string{true: "ies", false: "s"}[strings.HasSuffix(noun, "y")])
}
