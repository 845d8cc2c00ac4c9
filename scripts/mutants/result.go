package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// result records which tests caught one mutation.
type result struct {
	Name string `json:"name"`
	// Packages own the mutated files.
	Packages []string `json:"packages"`
	// Own reports whether the tests of those packages caught it.
	Own bool `json:"own"`
	// Suite is the first suite that caught it, or "".
	Suite string `json:"suite,omitempty"`
	// Fast results did not run the suites, because Own is set.
	Fast    bool    `json:"fast,omitempty"`
	Seconds float64 `json:"seconds"`
	// Broken is the reason why the mutation could not be tried.
	Broken string `json:"broken,omitempty"`
}

func (r result) caught() bool { return r.Broken == "" && (r.Own || r.Suite != "") }

func (r result) line() string {
	own, suite := "no", "no suite"
	switch {
	case r.Broken != "":
		return fmt.Sprintf("%-82s BROKEN", r.Name)
	case r.Suite != "":
		suite = r.Suite
	case r.Fast:
		suite = "not run"
	case !r.caught():
		suite = "SURVIVED"
	}
	if r.Own {
		own = "yes"
	}
	return fmt.Sprintf("%-82s own package: %-3s  suite: %-11s  %4.0f s", r.Name, own, suite, r.Seconds)
}

// store saves the results for one state of the sources in a file. It is safe for
// concurrent use.
type store struct {
	path string

	mu   sync.Mutex
	data saved
}

type saved struct {
	// Sources is the hash of the tree that the results are for.
	Sources string            `json:"sources"`
	Sound   map[string]bool   `json:"sound"`
	Results map[string]result `json:"results"`
}

// open reads the results of an earlier run, unless the sources have changed or
// the caller wants to start over.
func open(path, root string, again bool) (*store, error) {
	sources, err := hashOf(root)
	if err != nil {
		return nil, err
	}
	s := &store{path: path, data: saved{Sources: sources, Sound: map[string]bool{}, Results: map[string]result{}}}
	if again {
		return s, nil
	}
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	var earlier saved
	if err := json.Unmarshal(raw, &earlier); err == nil && earlier.Sources == sources && earlier.Sound != nil && earlier.Results != nil {
		s.data = earlier
	}
	return s, nil
}

// result returns a saved result. A result without the suites is returned to a
// fast run only.
func (s *store) result(name string, fast bool) (result, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.data.Results[name]
	return r, ok && (fast || !r.Fast)
}

// keep saves a result. A broken mutation is not saved: the cause may be outside
// the sources.
func (s *store) keep(r result) error {
	if r.Broken != "" {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data.Results[r.Name] = r
	return s.write()
}

// sound reports whether the tests are known to pass without a mutation.
func (s *store) sound(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.data.Sound[name]
}

func (s *store) keepSound(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data.Sound[name] = true
	return s.write()
}

func (s *store) write() error {
	raw, err := json.MarshalIndent(s.data, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(s.path), 0o755); err != nil {
		return err
	}
	next := s.path + ".next"
	if err := os.WriteFile(next, append(raw, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(next, s.path)
}

// hashOf hashes every file under root that a test could depend on: all but
// node_modules and hidden directories, which contain build output and installed
// tools.
func hashOf(root string) (string, error) {
	sum := sha256.New()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		name := entry.Name()
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "node_modules" || name == "cdk.out"):
			return fs.SkipDir
		case !entry.Type().IsRegular() || strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".test"):
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		content := sha256.New()
		if _, err := io.Copy(content, file); err != nil {
			return err
		}
		_, err = fmt.Fprintf(sum, "%s %x\n", rel, content.Sum(nil))
		return err
	})
	return hex.EncodeToString(sum.Sum(nil)), err
}
