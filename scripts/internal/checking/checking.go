// Package checking is what the commands share that check the project's files: links and
// prose.
package checking

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Main checks the files and directories that the arguments name, the current directory by
// default, and ends with exit code 1 if something was found, or 2 after an error.
func Main(name string, check func(out io.Writer, roots []string) (found int, err error)) {
	roots := os.Args[1:]
	if len(roots) == 0 {
		roots = []string{"."}
	}
	found, err := check(os.Stdout, roots)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, name+":", err)
		os.Exit(2)
	case found > 0:
		os.Exit(1)
	}
}

// Files visits the files under the roots, but for those in directories that are skipped.
func Files(roots []string, skipped func(path, name string) bool, visit func(path string, entry fs.DirEntry) error) error {
	for _, root := range roots {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case !entry.IsDir():
				return visit(path, entry)
			case skipped(path, entry.Name()):
				return fs.SkipDir
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
