package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	spdxjson "github.com/spdx/tools-golang/json"

	"gitlab.com/lorehook/lorehook/test/devstack"
)

// fullRelease is the environment variable that asks for real builds.
const fullRelease = "LOREHOOK_FULL_RELEASE"

// Two checkouts of one commit, elsewhere and later, give the same bytes. Only this
// machine's lore is built, and all functions.
func TestBuild_IsTheSameInAnotherDirectoryAtAnotherTime(t *testing.T) {
	if os.Getenv(fullRelease) == "" {
		t.Skipf("builds two releases: set %s, or run make release-test", fullRelease)
	}
	for name, value := range buildEnvironment() {
		t.Setenv(name, value)
	}
	platforms, err := parsePlatforms([]string{devstack.Host().OS + "/" + devstack.Host().Arch})
	if err != nil {
		t.Fatal(err)
	}
	root, err := devstack.Root()
	if err != nil {
		t.Fatal(err)
	}
	first := buildClone(t, root, platforms)
	t.Setenv("TZ", "Asia/Kolkata")
	second := buildClone(t, filepath.Join(first, "..", ".."), platforms)
	for _, name := range readNames(t, first) {
		if a, b := read(t, first, name), read(t, second, name); !bytes.Equal(a, b) {
			t.Errorf("%s differs: %d bytes with %s, %d with %s", name, len(a), checksum(a), len(b), checksum(b))
		}
	}
	t.Run("the checksums are right", func(t *testing.T) { checkSums(t, first) })
	t.Run("lore runs", func(t *testing.T) { checkLore(t, first) })
	t.Run("the SBOM names what is linked", func(t *testing.T) { checkSBOM(t, first) })
	t.Run("the functions can be deployed", func(t *testing.T) {
		root := filepath.Dir(filepath.Dir(second))
		want := read(t, devstack.LambdaDir(root, devstack.AWS()), filepath.Join("worker", bootstrap))
		tag := exec.CommandContext(t.Context(), "git", "-C", root, "tag", "--force", versionOf(t, first))
		if out, err := tag.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		_, names, err := takeFunctions(t.Context(), root, first)
		if err != nil || len(names) < 13 {
			t.Fatalf("%d functions, error %v", len(names), err)
		}
		if got := read(t, devstack.LambdaDir(root, devstack.AWS()), filepath.Join("worker", bootstrap)); !bytes.Equal(got, want) {
			t.Error("the worker of the release is not the one that make deploy builds")
		}
	})
}

// buildClone builds a snapshot of what is committed in root, in a checkout of its own.
func buildClone(t *testing.T, root string, platforms []devstack.Platform) string {
	t.Helper()
	clone := filepath.Join(t.TempDir(), "lorehook")
	if out, err := exec.CommandContext(t.Context(), "git", "clone", "--quiet", "--shared", root, clone).CombinedOutput(); err != nil {
		t.Fatalf("git clone: %v\n%s", err, out)
	}
	var printed bytes.Buffer
	if err := build(t.Context(), clone, platforms, true, &printed); err != nil {
		t.Fatalf("%v\n%s", err, &printed)
	}
	return filepath.Join(clone, outDir)
}

func readNames(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) < 17 { // 13 functions, lore, SBOM, notices, checksums
		t.Fatalf("%d files, error %v", len(entries), err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func read(t *testing.T, dir, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// only is the name of the one file that matches.
func only(t *testing.T, dir, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s matches %v, error %v", pattern, found, err)
	}
	return filepath.Base(found[0])
}

func versionOf(t *testing.T, dir string) string {
	t.Helper()
	return "v" + strings.TrimSuffix(strings.TrimPrefix(only(t, dir, "*.spdx.json"), "lorehook_"), ".spdx.json")
}

func checkSums(t *testing.T, dir string) {
	sums := strings.Fields(string(read(t, dir, only(t, dir, "*_SHA256SUMS"))))
	if len(sums) != 2*(len(readNames(t, dir))-1) {
		t.Errorf("%d words for %d files", len(sums), len(readNames(t, dir))-1)
	}
	for i := 0; i < len(sums); i += 2 {
		if got := checksum(read(t, dir, sums[i+1])); got != sums[i] {
			t.Errorf("%s is %s", sums[i+1], got)
		}
	}
}

// checkLore unpacks lore and runs it.
func checkLore(t *testing.T, dir string) {
	archive := only(t, dir, "lore_*.tar.gz")
	to := t.TempDir()
	var names []string
	plain, err := gzip.NewReader(bytes.NewReader(read(t, dir, archive)))
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(plain); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, filepath.Base(h.Name))
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, filepath.Base(h.Name)), content, h.FileInfo().Mode()); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"lore", "LICENSE", "README.md", "THIRD_PARTY_NOTICES.txt", "lore.bash", "lore.fish", "lore.zsh"} {
		if !slices.Contains(names, want) {
			t.Errorf("%s lacks %s", archive, want)
		}
	}
	out, err := exec.CommandContext(t.Context(), filepath.Join(to, "lore"), "--robot", "version").Output()
	var envelope struct {
		Data struct {
			Version, Commit string
			Date            time.Time
		}
	}
	if err == nil {
		err = json.Unmarshal(out, &envelope)
	}
	if got := envelope.Data; err != nil || got.Version != versionOf(t, dir) || len(got.Commit) != 40 || got.Date.IsZero() {
		t.Errorf("lore version: %s, error %v", out, err)
	}
	for _, shell := range []string{"bash", "fish", "zsh"} {
		if text := string(read(t, to, "lore."+shell)); strings.Contains(text, "/") || !strings.Contains(text, "lore") {
			t.Errorf("the completion for %s depends on a path:\n%s", shell, text)
		}
	}
}

// checkSBOM compares the document with a program, and has SPDX's own tools validate it.
func checkSBOM(t *testing.T, dir string) {
	name := only(t, dir, "*.spdx.json")
	doc, err := spdxjson.Read(bytes.NewReader(read(t, dir, name)))
	if err != nil {
		t.Fatal(err)
	}
	linked := map[string]bool{}
	names := map[string]string{}
	for _, p := range doc.Packages {
		names[string(p.PackageSPDXIdentifier)] = p.PackageName + "@" + p.PackageVersion
	}
	for _, r := range doc.Relationships {
		if strings.HasPrefix(names[string(r.RefA.ElementRefID)], "lore_") {
			linked[names[string(r.RefB.ElementRefID)]] = true
		}
	}
	root := filepath.Dir(filepath.Dir(dir))
	info, err := buildinfo.ReadFile(filepath.Join(root, ".build", "lore", devstack.Host().OS+"-"+devstack.Host().Arch, "lore"))
	if err != nil {
		t.Fatal(err)
	}
	for _, dep := range info.Deps {
		if !linked[dep.Path+"@"+dep.Version] {
			t.Errorf("%s %s is linked into lore, but not in the SBOM", dep.Path, dep.Version)
		}
	}
	if len(linked) != len(info.Deps)+1 || len(linked) < 40 { // and Go's library
		t.Errorf("%d modules in the SBOM, %d are linked into lore", len(linked), len(info.Deps))
	}
	here, err := devstack.Root()
	if err != nil {
		t.Fatal(err)
	}
	tool := filepath.Join(here, devstack.LocalDir, "spdx", "bin", "pyspdxtools")
	if _, err := os.Stat(tool); err != nil {
		t.Fatal("SPDX's tools are not installed: run scripts/setup spdx")
	}
	if out, err := exec.CommandContext(t.Context(), tool, "--infile", filepath.Join(dir, name)).CombinedOutput(); err != nil {
		t.Errorf("the SBOM is not valid: %v\n%s", err, out)
	}
}
