// Command apidoc writes the pages of docs/api from the API's OpenAPI description, or the
// description itself to a file:
//
//	go run ./scripts/apidoc [openapi FILE]
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/danielgtaylor/huma/v2"

	"gitlab.com/lorehook/lorehook/internal/api"
	"gitlab.com/lorehook/lorehook/test/devstack"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "apidoc:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	description, err := api.Description()
	if err != nil {
		return err
	}
	switch {
	case len(args) == 0:
		root, err := devstack.Root()
		if err != nil {
			return err
		}
		return write(description, filepath.Join(root, "docs", "api"))
	case len(args) == 2 && args[0] == "openapi":
		raw, err := json.MarshalIndent(description, "", "  ")
		if err != nil {
			return err
		}
		return os.WriteFile(args[1], raw, 0o644)
	default:
		return fmt.Errorf("unknown arguments %q: go run ./scripts/apidoc [openapi FILE]", args)
	}
}

// write replaces the generated pages in the directory. The others are written by hand.
func write(description *huma.OpenAPI, dir string) error {
	pages, err := Render(description)
	if err != nil {
		return err
	}
	old, err := generated(dir)
	if err != nil {
		return err
	}
	for name := range old {
		if pages[name] == nil {
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				return err
			}
		}
	}
	for name, page := range pages {
		if err := os.WriteFile(filepath.Join(dir, name), page, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// generated reads the generated pages in the directory.
func generated(dir string) (map[string][]byte, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.md"))
	if err != nil {
		return nil, err
	}
	pages := map[string][]byte{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if bytes.HasPrefix(text, []byte(marker)) {
			pages[filepath.Base(file)] = text
		}
	}
	return pages, nil
}
