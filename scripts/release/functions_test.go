package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/test/devstack"
)

// newRelease is a directory with the functions of v1.2.0 and their checksums.
func newRelease(t *testing.T, functions ...string) string {
	t.Helper()
	dir := t.TempDir()
	var sums strings.Builder
	for _, f := range functions {
		a := artifact{archive: functionArchive(f, "1.2.0"), name: bootstrap, binary: filepath.Join(dir, "program")}
		if err := os.WriteFile(a.binary, []byte("program of "+f), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := a.pack(source{version: "v1.2.0"}, nil, nil); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, a.archive), a.content, 0o644); err != nil {
			t.Fatal(err)
		}
		sums.WriteString(checksum(a.content) + "  " + a.archive + "\n")
	}
	if err := os.WriteFile(filepath.Join(dir, checksumsOf("1.2.0")), []byte(sums.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// newDeployer is a checkout with two functions.
func newDeployer(t *testing.T) repository {
	t.Helper()
	r := newRepository(t)
	for _, f := range []string{"webhook", "worker"} {
		if err := os.MkdirAll(filepath.Join(r.root, "functions", f), 0o755); err != nil {
			t.Fatal(err)
		}
		r.write("functions/"+f+"/main.go", "package main")
	}
	r.commit()
	return r
}

func TestTakeFunctions_PutsThoseOfTheReleaseWhereTheDeployExpectsThem(t *testing.T) {
	r := newDeployer(t)
	r.git("tag", "v1.2.0")
	to := devstack.LambdaDir(r.root, devstack.AWS())
	if err := os.MkdirAll(filepath.Join(to, "removed-since"), 0o755); err != nil {
		t.Fatal(err)
	}
	version, names, err := takeFunctions(t.Context(), r.root, newRelease(t, "webhook", "worker"))
	if diff := cmp.Diff([]string{"webhook", "worker"}, names); diff != "" || version != "v1.2.0" || err != nil {
		t.Fatalf("%s, error %v (-want +got):\n%s", version, err, diff)
	}
	placed, err := filepath.Glob(filepath.Join(to, "*", "*"))
	if err != nil || len(placed) != 2 {
		t.Errorf("placed are %v, error %v", placed, err)
	}
	program, err := os.ReadFile(filepath.Join(to, "worker", "bootstrap"))
	if info, _ := os.Stat(filepath.Join(to, "worker", "bootstrap")); string(program) != "program of worker" || err != nil || info.Mode() != 0o755 {
		t.Errorf("the worker is %q, error %v", program, err)
	}
}

func TestTakeFunctions_RefusesAnotherVersionAndDamagedFiles(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(r repository, dir string)
		want    string
	}{
		"no version":      {func(repository, string) {}, "check out the tag"},
		"another version": {func(r repository, _ string) { r.git("tag", "v1.3.0") }, "functions of v1.3.0, which is checked out"},
		"a commit later":  {func(r repository, _ string) { r.git("tag", "v1.2.0"); r.write("new", "1"); r.commit() }, "functions of v1.2.0-1-g"},
		"a changed tree": {func(r repository, _ string) {
			r.git("tag", "v1.2.0")
			r.write("functions/worker/main.go", "package worker")
		}, "functions of v1.2.0-dirty"},
		"a missing file": {func(r repository, dir string) {
			r.git("tag", "v1.2.0")
			os.Remove(filepath.Join(dir, functionArchive("worker", "1.2.0")))
		}, "no such file"},
		"a damaged archive": {func(r repository, dir string) {
			r.git("tag", "v1.2.0")
			damage(r, filepath.Join(dir, functionArchive("worker", "1.2.0")))
		}, "not as the checksums say"},
	} {
		t.Run(name, func(t *testing.T) {
			r, dir := newDeployer(t), newRelease(t, "webhook", "worker")
			c.prepare(r, dir)
			if _, _, err := takeFunctions(t.Context(), r.root, dir); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if _, err := os.Stat(devstack.LambdaDir(r.root, devstack.AWS())); err == nil {
				t.Error("something was placed")
			}
		})
	}
}

func damage(r repository, name string) {
	content, err := os.ReadFile(name)
	if err != nil {
		r.Fatal(err)
	}
	content[len(content)/2] ^= 1
	if err := os.WriteFile(name, content, 0o644); err != nil {
		r.Fatal(err)
	}
}
