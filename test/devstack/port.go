package devstack

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// statePort chooses the port for the local AWS whose state is in dir: its
// previous port, the preferred one, or any. Queue URLs contain the port and are
// part of the state, so a state with another port is moved.
func statePort(dir string, preferred int) (int, error) {
	kept := filepath.Join(dir, "port.json")
	var had int
	if err := readJSON(kept, &had); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	if had != 0 && free(had) {
		return had, nil
	}
	port := preferred
	if port == 0 || !free(port) {
		var err error
		if port, err = FreePort(); err != nil {
			return 0, err
		}
	}
	if had != 0 {
		if err := moveState(filepath.Join(dir, "state"), had, port); err != nil {
			return 0, fmt.Errorf("move the local AWS from port %d to %d: %w", had, port, err)
		}
	}
	return port, writeJSON(kept, port)
}

// moveState rewrites the URLs in a state.
func moveState(dir string, from, to int) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return err
	}
	old, now := fmt.Appendf(nil, "localhost:%d", from), fmt.Appendf(nil, "localhost:%d", to)
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if !bytes.Contains(b, old) {
			continue
		}
		if err := os.WriteFile(file, bytes.ReplaceAll(b, old, now), 0o600); err != nil {
			return err
		}
	}
	return nil
}
