package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"gitlab.com/lorehook/lorehook/test/devstack"
)

// outDir is the directory of the release under the root, and notesFile what the changelog
// says of it.
const (
	outDir    = ".build/release"
	notesFile = ".build/release-notes.md"
)

// released are the platforms that lore is released for.
func released() []devstack.Platform {
	var all []devstack.Platform
	for _, system := range []string{"linux", "darwin", "windows"} {
		for _, arch := range []string{"amd64", "arm64"} {
			all = append(all, devstack.Platform{OS: system, Arch: arch})
		}
	}
	return all
}

// parsePlatforms returns the named ones of [released], or all of them.
func parsePlatforms(names []string) ([]devstack.Platform, error) {
	var chosen []devstack.Platform
	for _, p := range released() {
		if len(names) == 0 || slices.Contains(names, p.OS+"/"+p.Arch) {
			chosen = append(chosen, p)
		}
	}
	if len(names) > 0 && len(chosen) != len(names) {
		return nil, fmt.Errorf("released platforms are %v, not %v", released(), names)
	}
	return chosen, nil
}

// buildEnvironment is what would change the programs if it differed between machines.
func buildEnvironment() map[string]string {
	return map[string]string{
		"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOWORK": "off", "GOEXPERIMENT": "",
		"GOAMD64": "v1", "GOARM64": "v8.0", "GOFIPS140": "off",
	}
}

// artifact is a program with the archive that it is published in.
type artifact struct {
	// archive is the name of the archive.
	archive string
	// binary is the program's file, and name what it is called in the archive.
	binary, name string
	// content is the archive.
	content []byte
	// modules are those that are linked into it, the Go library among them.
	modules []*module
}

// build writes the release of the tree to [outDir].
func build(ctx context.Context, root string, platforms []devstack.Platform, snapshot bool, out io.Writer) error {
	s, err := readSource(ctx, root, snapshot)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Lorehook %s, commit %s of %s\n", s.version, s.commit, s.date)
	artifacts, host, err := compile(ctx, root, s, platforms)
	if err != nil {
		return err
	}
	all, err := link(ctx, root, platforms, artifacts)
	if err != nil {
		return err
	}
	notices := []byte(renderNotices(s, all))
	license, err := os.ReadFile(filepath.Join(root, "LICENSE"))
	if err != nil {
		return err
	}
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		return err
	}
	legal := []file{{"LICENSE", 0o644, license}, {"THIRD_PARTY_NOTICES.txt", 0o644, notices}}
	guides, err := completionFiles(ctx, host)
	if err != nil {
		return err
	}
	guides = append(guides, file{"README.md", 0o644, readme})
	for i := range artifacts {
		if err := artifacts[i].pack(s, legal, guides); err != nil {
			return err
		}
	}
	bill, err := renderSBOM(s, artifacts, all)
	if err != nil {
		return err
	}
	files := []file{
		{"lorehook_" + s.number() + ".spdx.json", 0o644, bill},
		{"lorehook_" + s.number() + "_THIRD_PARTY_NOTICES.txt", 0o644, notices},
	}
	for _, a := range artifacts {
		files = append(files, file{a.archive, 0o644, a.content})
	}
	return write(root, s, files, out)
}

// write writes the files of the release and their checksums.
func write(root string, s source, files []file, out io.Writer) error {
	dir := filepath.Join(root, outDir)
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.name, b.name) })
	var sums strings.Builder
	for _, f := range files {
		fmt.Fprintf(&sums, "%s  %s\n", checksum(f.content), f.name)
	}
	files = append(files, file{checksumsOf(s.number()), 0o644, []byte(sums.String())})
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(dir, f.name), f.content, f.mode); err != nil {
			return err
		}
		fmt.Fprintf(out, "  %5.1f MB  %s\n", float64(len(f.content))/1e6, f.name)
	}
	if s.notes != "" {
		if err := os.WriteFile(filepath.Join(root, notesFile), []byte(s.notes), 0o644); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "%d files in %s\n", len(files), dir)
	return nil
}

// checksumsOf is the name of the file with the checksums of a version.
func checksumsOf(number string) string { return "lorehook_" + number + "_SHA256SUMS" }

func checksum(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// compile compiles lore for the platforms and the functions as make deploy does, and lore
// for this machine, which is host.
func compile(ctx context.Context, root string, s source, platforms []devstack.Platform) (all []artifact, host string, err error) {
	for _, p := range platforms {
		binary, err := compileLore(ctx, root, s, p)
		if err != nil {
			return nil, "", err
		}
		a := artifact{archive: fmt.Sprintf("lore_%s_%s_%s.tar.gz", s.number(), p.OS, p.Arch), binary: binary, name: filepath.Base(binary)}
		if p.OS == "windows" {
			a.archive = strings.TrimSuffix(a.archive, ".tar.gz") + ".zip"
		}
		all = append(all, a)
	}
	functions, err := devstack.BuildLambdas(ctx, root, devstack.AWS())
	if err != nil {
		return nil, "", err
	}
	for _, f := range functions {
		all = append(all, artifact{
			archive: functionArchive(f, s.number()), name: bootstrap,
			binary: filepath.Join(devstack.LambdaDir(root, devstack.AWS()), f, bootstrap),
		})
	}
	host, err = compileLore(ctx, root, s, devstack.Host())
	return all, host, err
}

func compileLore(ctx context.Context, root string, s source, p devstack.Platform) (string, error) {
	binary := filepath.Join(root, ".build", "lore", p.OS+"-"+p.Arch, "lore")
	if p.OS == "windows" {
		binary += ".exe"
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w "+s.flags(), "-o", binary, "./cmd/lore")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOOS="+p.OS, "GOARCH="+p.Arch)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build lore for %v: %w\n%s", p, err, out)
	}
	return binary, nil
}

// completionFiles are lore's completions as it prints them, for a lore on the PATH.
func completionFiles(ctx context.Context, lore string) ([]file, error) {
	lore, err := filepath.EvalSymlinks(lore) // as lore names itself
	if err != nil {
		return nil, err
	}
	var files []file
	for _, shell := range []string{"bash", "fish", "zsh"} {
		text, err := output(ctx, filepath.Dir(lore), lore, "completion", "-c", shell)
		if err != nil {
			return nil, err
		}
		if !strings.Contains(text, lore) {
			return nil, fmt.Errorf("the completion for %s does not call %s:\n%s", shell, lore, text)
		}
		files = append(files, file{"completions/lore." + shell, 0o644, []byte(strings.ReplaceAll(text, lore, "lore") + "\n")})
	}
	return files, nil
}

// pack makes the artifact's archive. Only those of lore have the guides.
func (a *artifact) pack(s source, legal, guides []file) error {
	program, err := os.ReadFile(a.binary)
	if err != nil {
		return err
	}
	files := append([]file{{a.name, 0o755, program}}, legal...)
	if a.name == bootstrap {
		a.content, err = zipped(files, s.date)
		return err
	}
	format := tarGz
	directory, zip := strings.CutSuffix(a.archive, ".zip")
	if zip {
		format = zipped
	}
	directory = strings.TrimSuffix(directory, ".tar.gz")
	files = append(files, guides...)
	for i := range files {
		files[i].name = directory + "/" + files[i].name
	}
	a.content, err = format(files, s.date)
	return err
}
