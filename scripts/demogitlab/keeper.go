package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"sync"

	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// keeper keeps a GitLab's state in a file.
type keeper struct {
	*fakegitlab.State
	file string

	mu sync.Mutex // guards the file
}

// load restores what the file has. Without a file, or with one that cannot be read, the
// state stays as it is.
func (k *keeper) load() error {
	f, err := os.Open(k.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open the state: %w", err)
	}
	defer f.Close()
	if err := k.Load(f); err != nil {
		slog.Error("beginning anew", "error", err)
	}
	return nil
}

// around saves the state after every request that may have changed it, before the
// response ends.
func (k *keeper) around(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r)
		if r.Method == http.MethodGet {
			return
		}
		if err := k.save(); err != nil {
			slog.Error("the change is not saved", "error", err)
		}
	})
}

// save replaces the file as a whole, so that a crash leaves the old one.
func (k *keeper) save() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	written := k.file + ".new"
	f, err := os.OpenFile(written, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("save the state: %w", err)
	}
	if err := errors.Join(k.Save(f), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(written, k.file); err != nil {
		return fmt.Errorf("save the state: %w", err)
	}
	return nil
}
