package devstack

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// stateDir holds what the local AWS keeps under a name.
func stateDir(dir, name string) string { return filepath.Join(dir, ministackName, name) }

// unsavedFile exists while the local AWS runs, and afterwards if it was killed: it
// saves its state only when it is asked to exit. Its content is when it started.
func unsavedFile(state string) string { return filepath.Join(state, "unsaved.json") }

// unsaved records that what is written from now on is not saved yet.
func unsaved(state string, now time.Time) error { return writeJSON(unsavedFile(state), now) }

// saved records that the local AWS exited as it was asked to.
func saved(state string) error {
	if err := os.Remove(unsavedFile(state)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// unsavedSince returns the time since when writes are not saved, or the zero time.
func unsavedSince(state string) (since time.Time, err error) {
	if err := readJSON(unsavedFile(state), &since); !errors.Is(err, fs.ErrNotExist) {
		return since, err
	}
	return time.Time{}, nil
}
