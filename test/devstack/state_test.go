package devstack

import (
	"errors"
	"os"
	"syscall"
	"testing"
	"time"
)

// found is the local AWS with the state in dir, running, and since when it had lost
// its writes.
func found(t *testing.T, dir string) (u *upper, lost time.Time) {
	t.Helper()
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	u = &upper{o: StackOptions{
		Root: root, Dir: dir, Name: "test", NoAuth: true, Progress: func(string) {}, Lost: func(since time.Time) { lost = since },
	}}
	err = u.find(t.Context())
	if errors.Is(err, ErrNotInstalled) && os.Getenv("LOREHOOK_REQUIRE_ENGINES") != "1" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = StopRecorded(dir, ministackName) })
	return u, lost
}

// replace stores the text in the local AWS, and returns what was there before.
func (u *upper) replace(t *testing.T, text string) string {
	t.Helper()
	before, err := readDeployment(t.Context(), u.config())
	if err == nil {
		err = deployment{Fingerprint: text}.write(t.Context(), u.config())
	}
	if err != nil {
		t.Fatal(err)
	}
	return before.Fingerprint
}

func TestFind_SaysSinceWhenTheLocalAWSLostItsWrites(t *testing.T) {
	dir := t.TempDir()
	next := func(text, before string, began, ready time.Time) *upper {
		t.Helper()
		u, lost := found(t, dir)
		if lost.IsZero() != ready.IsZero() || lost.Before(began) || lost.After(ready) {
			t.Errorf("%s: lost its writes since %v, want a time from %v to %v", text, lost, began, ready)
		}
		if got := u.replace(t, text); got != before {
			t.Errorf("%s: has %q, want %q", text, got, before)
		}
		return u
	}
	stop := func() {
		t.Helper()
		if stopped, err := StopRecorded(dir, ministackName); err != nil || !stopped {
			t.Fatal(stopped, err)
		}
	}

	var none time.Time
	next("new", "", none, none)
	next("still running", "new", none, none)
	stop()
	began := time.Now()
	u := next("stopped and started", "still running", none, none)
	ready := time.Now()
	if err := syscall.Kill(-u.record.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if !await(5*time.Second, func() bool { return !u.record.Alive() }) {
		t.Fatal("it survived")
	}
	next("killed", "still running", began, ready)
	stop()
	next("stopped after that", "killed", none, none)
}
