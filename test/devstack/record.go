package devstack

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Record is what is kept of a server in the background, so that a later
// process finds it, and stops it and nothing else.
type Record struct {
	Process
	URL  string `json:"url"`
	Port int    `json:"port"`
	// State names the state that ministack has.
	State string `json:"state,omitempty"`
	// Auth is whether ministack enforces IAM.
	Auth bool `json:"auth,omitempty"`
	// Build tells one build of the server from another.
	Build string `json:"build,omitempty"`
}

// RecordFile returns the record of the named server under dir.
func RecordFile(dir, name string) string { return filepath.Join(dir, "run", name+".pid") }

// ReadRecord reads the record of the named server; the zero one, which is not
// alive, if there is none.
func ReadRecord(dir, name string) (Record, error) {
	var r Record
	if err := readJSON(RecordFile(dir, name), &r); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Record{}, err
	}
	return r, nil
}

// WriteRecord keeps the record of the named server.
func WriteRecord(dir, name string, r Record) error { return writeJSON(RecordFile(dir, name), r) }

// StopRecorded stops the named server if it runs, and reports whether it did.
// Its record stays, for the port that it takes again.
func StopRecorded(dir, name string) (stopped bool, err error) {
	r, err := ReadRecord(dir, name)
	if err != nil {
		return false, err
	}
	stopped = r.Alive()
	if err := r.Stop(); err != nil {
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
	// Never half a file under the final name.
	if err := os.WriteFile(path+".new", append(b, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
