package devstack

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
)

func TestAStateKeepsItsPortWhileItCan(t *testing.T) {
	dir := t.TempDir()
	first, err := statePort(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	again, err := statePort(dir, 0)
	if err != nil || again != first {
		t.Errorf("got port %d, %v; it had %d", again, err, first)
	}
}

func TestAStateMovesWhenSomebodyElseHasItsPort(t *testing.T) {
	dir := t.TempDir()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	had := taken.Addr().(*net.TCPAddr).Port
	if err := writeJSON(filepath.Join(dir, "port.json"), had); err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(dir, "state", "sqs.json")
	if err := writeJSON(state, map[string]string{"url": fmt.Sprintf("http://localhost:%d/0/q.fifo", had)}); err != nil {
		t.Fatal(err)
	}

	port, err := statePort(dir, had)
	if err != nil {
		t.Fatal(err)
	}
	if port == had {
		t.Fatalf("got port %d, which is taken", port)
	}
	var moved map[string]string
	if err := readJSON(state, &moved); err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("http://localhost:%d/0/q.fifo", port); moved["url"] != want {
		t.Errorf("the state says %s, want %s", moved["url"], want)
	}
}

func TestAMissingEngineSaysHowToGetIt(t *testing.T) {
	_, err := Ministack(t.Context(), Options{Dir: t.TempDir(), root: t.TempDir()})
	if !errors.Is(err, ErrNotInstalled) || !strings.Contains(err.Error(), "scripts/setup ministack") {
		t.Errorf("got %v", err)
	}
}
