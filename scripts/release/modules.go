package main

import (
	"context"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"gitlab.com/lorehook/lorehook/test/devstack"
)

// stdlib is the name of Go's own library among the modules.
const stdlib = "stdlib"

// module is one that a program of the release contains.
type module struct {
	path, version string
	// sum is the one of go.sum, h1:…; "" for Go's library.
	sum string
	// dir has its source, and packages are the directories below it that are linked, such
	// as "zstd"; "." is dir itself.
	dir      string
	packages map[string]bool
	// texts are its licences and notices, and license is what they amount to, as an SPDX
	// expression.
	texts   []text
	license string
}

// link finds the modules of every artifact, and their licences. What a program contains,
// the program itself says; go list says only where the sources are.
func link(ctx context.Context, root string, platforms []devstack.Platform, artifacts []artifact) ([]*module, error) {
	all, err := listed(ctx, root, platforms)
	if err != nil {
		return nil, err
	}
	linked := map[string]*module{}
	for i, a := range artifacts {
		info, err := buildinfo.ReadFile(a.binary)
		if err != nil {
			return nil, err
		}
		library := all[stdlib]
		library.version = strings.TrimPrefix(info.GoVersion, "go")
		linked[stdlib] = library
		artifacts[i].modules = []*module{library}
		for _, dep := range info.Deps {
			m := all[dep.Path]
			if m == nil || m.version != dep.Version || dep.Replace != nil {
				return nil, fmt.Errorf("%s contains %s %s, which go list does not list so", a.archive, dep.Path, dep.Version)
			}
			m.sum = dep.Sum
			linked[m.path] = m
			artifacts[i].modules = append(artifacts[i].modules, m)
		}
	}
	modules := slices.SortedFunc(maps.Values(linked), func(a, b *module) int { return strings.Compare(a.path, b.path) })
	scanner, err := newScanner()
	if err != nil {
		return nil, err
	}
	var failed error
	for _, m := range modules {
		failed = errors.Join(failed, m.readLicenses(scanner))
	}
	return modules, failed
}

// listed returns the modules of lore on each platform and of the functions, by path.
func listed(ctx context.Context, root string, platforms []devstack.Platform) (map[string]*module, error) {
	goroot, err := output(ctx, root, "go", "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	all := map[string]*module{stdlib: {path: stdlib, dir: goroot, packages: map[string]bool{".": true}}}
	for _, p := range platforms {
		if err := list(ctx, root, p, all, "./cmd/lore"); err != nil {
			return nil, err
		}
	}
	return all, list(ctx, root, devstack.AWS(), all, "-tags", devstack.LambdaTags, "./functions/...")
}

// list adds the modules of some packages and everything that they import.
func list(ctx context.Context, root string, p devstack.Platform, all map[string]*module, packages ...string) error {
	cmd := exec.CommandContext(ctx, "go", append([]string{"list", "-deps", "-json=Dir,Module"}, packages...)...)
	cmd.Dir, cmd.Stderr = root, os.Stderr
	cmd.Env = append(os.Environ(), "GOOS="+p.OS, "GOARCH="+p.Arch)
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("go list: %w", err)
	}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var pkg struct {
			Dir    string
			Module *struct {
				Path, Version, Dir string
				Main               bool
			}
		}
		if err := d.Decode(&pkg); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if pkg.Module == nil || pkg.Module.Main { // Go's library, or this module
			continue
		}
		m := all[pkg.Module.Path]
		if m == nil {
			m = &module{path: pkg.Module.Path, version: pkg.Module.Version, dir: pkg.Module.Dir, packages: map[string]bool{}}
			all[m.path] = m
		}
		within, err := filepath.Rel(m.dir, pkg.Dir)
		if err != nil {
			return err
		}
		m.packages[within] = true
	}
}
