package devstack

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Record identifies a background server, so that a later process can find it
// and stop exactly that one.
type Record struct {
	Process
	URL  string `json:"url"`
	Port int    `json:"port"`
	// State names ministack's state.
	State string `json:"state,omitempty"`
	// Auth says whether ministack enforces IAM.
	Auth bool `json:"auth,omitempty"`
	// Build identifies the server's build.
	Build string `json:"build,omitempty"`
}

// RecordFile returns the path of the named server's record under dir.
func RecordFile(dir, name string) string { return filepath.Join(dir, "run", name+".pid") }

// ReadRecord reads the named server's record. If there is none, it returns the
// zero Record, which is not alive.
func ReadRecord(dir, name string) (Record, error) {
	var r Record
	if err := readJSON(RecordFile(dir, name), &r); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Record{}, err
	}
	return r, nil
}

// WriteRecord writes the named server's record.
func WriteRecord(dir, name string, r Record) error { return writeJSON(RecordFile(dir, name), r) }

// StopRecorded stops the named server if it is running, and reports whether it
// was. The record stays, so that the server gets the same port again.
func StopRecorded(dir, name string) (stopped bool, err error) {
	r, err := ReadRecord(dir, name)
	if err != nil {
		return false, err
	}
	stopped = r.Alive()
	orderly, err := r.stop(stopTimeout)
	if err == nil && orderly && r.State != "" {
		err = saved(stateDir(dir, r.State))
	}
	if err != nil {
		return false, fmt.Errorf("stop %s: %w", name, err)
	}
	return stopped, nil
}

func readJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func writeJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	// Rename, so that the final name never refers to a partial file.
	if err := os.WriteFile(path+".new", append(b, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
