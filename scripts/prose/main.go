// Command prose checks the project's English against its word list (words.go):
// comments and text in Go files, Markdown outside of code, HTML templates,
// scripts and configuration. It prints each finding as
//
//	file:line: "words" -> what to write instead
//
// and the number of findings, and ends with exit code 1 if there are any.
// Arguments are files or directories; the default is the current directory.
package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"gitlab.com/lorehook/lorehook/scripts/internal/checking"
)

func main() { checking.Main("prose", check) }

// check prints the findings under the roots, and returns how many there are.
func check(out io.Writer, roots []string) (int, error) {
	var all []finding
	err := checking.Files(roots, skipped, func(path string, entry fs.DirEntry) error {
		if !entry.Type().IsRegular() || entry.Name() == "LICENSE" { // not our words
			return nil
		}
		found, err := checkFile(path)
		all = append(all, found...)
		return err
	})
	if err != nil {
		return 0, err
	}
	for _, f := range all {
		if _, err := fmt.Fprintf(out, "%s:%d: %q -> %s\n", f.file, f.line, f.words, f.instead); err != nil {
			return 0, err
		}
	}
	_, err = fmt.Fprintf(out, "%d findings\n", len(all))
	return len(all), err
}

// skipped reports whether a directory holds no prose of the project. This
// package quotes the words that it looks for.
func skipped(path, name string) bool {
	switch name {
	case ".", "..", ".ci":
		return false
	case "node_modules", "testdata", "cdk.out":
		return true
	}
	return strings.HasPrefix(name, ".") || strings.HasSuffix(filepath.ToSlash(path), "scripts/prose")
}

type finding struct {
	file           string
	line           int
	words, instead string
}

func checkFile(path string) ([]finding, error) {
	read := readerOf(path)
	if read == nil {
		return nil, nil
	}
	source, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	parts, err := read(path, source)
	if err != nil {
		return nil, err
	}
	var found []finding
	for _, p := range parts {
		for _, r := range rules {
			for _, at := range r.find(p.text) {
				words := p.text[at[0]:at[1]]
				line := p.line + strings.Count(p.text[:at[0]], "\n")
				found = append(found, finding{path, line, strings.Join(strings.Fields(words), " "), r.instead})
			}
		}
	}
	return found, nil
}
