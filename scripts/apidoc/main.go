// Command apidoc writes docs/api.md from the API's OpenAPI description.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"gitlab.com/lorehook/lorehook/internal/api"
	"gitlab.com/lorehook/lorehook/test/devstack"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "apidoc:", err)
		os.Exit(1)
	}
}

func run() error {
	root, err := devstack.Root()
	if err != nil {
		return err
	}
	description, err := api.Description()
	if err != nil {
		return err
	}
	page, err := Render(description)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(root, "docs", "api.md"), page, 0o644)
}
