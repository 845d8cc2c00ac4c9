package main

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"gitlab.com/lorehook/lorehook/test/devstack"
)

// bootstrap is what Lambda calls a function's program.
const bootstrap = "bootstrap"

// functionArchive is the name of a function's archive.
func functionArchive(function, number string) string {
	return fmt.Sprintf("lorehook-%s_%s_lambda_%s.zip", function, number, devstack.AWS().Architecture())
}

// takeFunctions puts the functions of a release where make deploy expects those that it
// compiles. The release must be of the version that is checked out, complete, and as its
// checksums say.
func takeFunctions(ctx context.Context, root, dir string) (version string, names []string, err error) {
	s, err := checkedOut(ctx, root)
	if err != nil {
		return "", nil, err
	}
	if s.version == "" {
		return "", nil, errors.New("the checked-out commit has no version: check out the tag of the release")
	}
	sums, err := os.ReadFile(filepath.Join(dir, checksumsOf(s.number())))
	if err != nil {
		return "", nil, fmt.Errorf("the functions of %s, which is checked out: %w", s.version, err)
	}
	if names, err = devstack.Functions(root); err != nil {
		return "", nil, err
	}
	programs := map[string][]byte{}
	for _, name := range names {
		if programs[name], err = program(dir, functionArchive(name, s.number()), string(sums)); err != nil {
			return "", nil, err
		}
	}
	to := devstack.LambdaDir(root, devstack.AWS())
	if err := os.RemoveAll(to); err != nil {
		return "", nil, err
	}
	for name, content := range programs {
		if err := os.MkdirAll(filepath.Join(to, name), 0o755); err != nil {
			return "", nil, err
		}
		if err := os.WriteFile(filepath.Join(to, name, bootstrap), content, 0o755); err != nil {
			return "", nil, err
		}
	}
	return s.version, names, nil
}

// program returns the function in an archive, if that is as the checksums say.
func program(dir, archive, sums string) ([]byte, error) {
	content, err := os.ReadFile(filepath.Join(dir, archive))
	if err != nil {
		return nil, err
	}
	if !strings.Contains("\n"+sums, "\n"+checksum(content)+"  "+archive+"\n") {
		return nil, fmt.Errorf("%s is not as the checksums say: download it again", archive)
	}
	r, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", archive, err)
	}
	f, err := r.Open(bootstrap)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", archive, err)
	}
	defer f.Close()
	return io.ReadAll(f)
}
