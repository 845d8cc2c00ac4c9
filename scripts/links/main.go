// Command links checks the links of the project's Markdown files to each other: that the
// file or the directory exists, and the heading that an anchor names. It prints each dead
// link as
//
//	file:line: target: what is missing
//
// and the number of links, and ends with exit code 1 if one is dead. Links with a scheme,
// such as https, are not followed. Arguments are directories; the default is the current
// one.
package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"gitlab.com/lorehook/lorehook/scripts/internal/checking"
)

func main() { checking.Main("links", check) }

// check prints the dead links under the roots, and returns how many there are.
func check(out io.Writer, roots []string) (dead int, err error) {
	pages := pages{}
	links := 0
	err = checking.Files(roots, skipped, func(path string, _ fs.DirEntry) error {
		if filepath.Ext(path) != ".md" {
			return nil
		}
		p, err := pages.read(path)
		if err != nil {
			return err
		}
		links += len(p.links)
		for _, l := range p.links {
			missing, err := pages.missing(path, l.target)
			if err != nil {
				return err
			}
			if missing != "" {
				dead++
				fmt.Fprintf(out, "%s:%d: %s: %s\n", path, l.line, l.target, missing)
			}
		}
		return nil
	})
	if err != nil {
		return dead, err
	}
	_, err = fmt.Fprintf(out, "%d links, %d dead\n", links, dead)
	return dead, err
}

// skipped reports whether a directory has no Markdown of the project.
func skipped(_, name string) bool {
	return name == "node_modules" || name == "testdata" || strings.HasPrefix(name, ".") && name != "." && name != ".."
}

// pages are the files that were read, by their cleaned paths.
type pages map[string]page

func (p pages) read(path string) (page, error) {
	path = filepath.Clean(path)
	if known, ok := p[path]; ok {
		return known, nil
	}
	source, err := os.ReadFile(path)
	if err != nil {
		return page{}, err
	}
	p[path] = parse(source)
	return p[path], nil
}

// missing returns what a link of the file leads to and does not exist, or "".
func (p pages) missing(file, target string) (string, error) {
	path, anchor, _ := strings.Cut(target, "#")
	if strings.Contains(path, ":") {
		return "", nil // it has a scheme
	}
	at := file
	if path != "" {
		at = filepath.Join(filepath.Dir(file), filepath.FromSlash(path))
	}
	info, err := os.Stat(at)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "no such file", nil
	case err != nil:
		return "", err
	case anchor == "":
		return "", nil
	case info.IsDir() || filepath.Ext(at) != ".md":
		return "only Markdown has headings", nil
	}
	to, err := p.read(at)
	if err != nil || to.anchors[anchor] {
		return "", err
	}
	return "no such heading", nil
}
