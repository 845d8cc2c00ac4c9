package devstack

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// LocalDir is the folder under the module root that contains everything
// installed, built and written on this machine.
const LocalDir = ".local"

// ModelDir is the folder under the module root with the files of the local
// embedding model. scripts/setup minilm installs it.
const ModelDir = LocalDir + "/minilm"

// HasModel reports whether the files of the local embedding model are installed.
func HasModel(root string) bool {
	_, err := os.Stat(filepath.Join(root, ModelDir, "model.safetensors"))
	return err == nil
}

// Root returns the folder of this module's go.mod: the working directory or
// the nearest folder above it.
func Root() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("module root: %w", err)
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		} else if !errors.Is(err, os.ErrNotExist) {
			return "", fmt.Errorf("module root: %w", err)
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("module root: no go.mod in %s or above", start)
		}
	}
}
