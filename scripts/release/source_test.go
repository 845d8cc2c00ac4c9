package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const changelog = `# Changelog

## [Unreleased]

## [1.2.0] - 2026-11-29

The second.

### Added
- Something.

## [1.1.0] - 2026-10-01

The first.
`

// repository is a checkout with scripts/version and a changelog, in one commit.
type repository struct {
	*testing.T
	root string
}

func newRepository(t *testing.T) repository {
	t.Helper()
	version, err := os.ReadFile(filepath.Join("..", "version"))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"GIT_CONFIG_GLOBAL": os.DevNull, "GIT_CONFIG_NOSYSTEM": "1",
		"GIT_AUTHOR_NAME": "Mira", "GIT_AUTHOR_EMAIL": "mira@example.com", "GIT_COMMITTER_NAME": "Mira", "GIT_COMMITTER_EMAIL": "mira@example.com",
		"GIT_AUTHOR_DATE": "2026-11-29T19:30:12+01:00", "GIT_COMMITTER_DATE": "2026-11-29T19:30:12+01:00",
	} {
		t.Setenv(name, value)
	}
	r := repository{t, writeFiles(t, map[string]string{"scripts/version": string(version), "CHANGELOG.md": changelog, ".gitignore": "/.build/\n"})}
	r.git("init", "--quiet")
	r.commit()
	return r
}

func (r repository) git(args ...string) string {
	r.Helper()
	out, err := exec.CommandContext(r.Context(), "git", append([]string{"-C", r.root}, args...)...).Output()
	if err != nil {
		r.Fatalf("git %q: %v", args, err)
	}
	return strings.TrimSpace(string(out))
}

func (r repository) commit() {
	r.Helper()
	r.git("add", ".")
	r.git("commit", "--quiet", "-m", "Change")
}

func (r repository) write(name, content string) {
	r.Helper()
	if err := os.WriteFile(filepath.Join(r.root, name), []byte(content), 0o644); err != nil {
		r.Fatal(err)
	}
}

func TestReadSource_IsTheTagWithItsNotes(t *testing.T) {
	r := newRepository(t)
	r.git("tag", "v1.2.0")
	s, err := readSource(t.Context(), r.root, false)
	if err != nil {
		t.Fatal(err)
	}
	got := []string{s.version, s.number(), s.commit, s.date.Format("2006-01-02 15:04:05 -07"), s.flags(), s.notes}
	head := r.git("rev-parse", "HEAD")
	want := []string{
		"v1.2.0", "1.2.0", head, "2026-11-29 18:30:12 +00",
		"-X main.version=v1.2.0 -X main.commit=" + head + " -X main.date=2026-11-29T18:30:12Z", "The second.\n\n### Added\n- Something.\n",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReadSource_RefusesWhatIsNotAVersion(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(repository)
		want    string
		// snapshot is the version of a snapshot of it, with the commit's first characters as COMMIT.
		snapshot string
	}{
		"no tag":             {func(repository) {}, "has no tag", "v0.0.0-COMMIT"},
		"changed, no tag":    {func(r repository) { r.write("CHANGELOG.md", changelog+"\n") }, "not committed", "v0.0.0-COMMIT-dirty"},
		"a commit later":     {func(r repository) { r.git("tag", "v1.2.0"); r.write("new", "1"); r.commit() }, "has no tag", "v1.2.0-1-gABBREVIATED"},
		"a changed file":     {func(r repository) { r.git("tag", "v1.2.0"); r.write("CHANGELOG.md", changelog+"\n") }, "not committed", "v1.2.0-dirty"},
		"a new file":         {func(r repository) { r.git("tag", "v1.2.0"); r.write("new.go", "package new") }, "not committed", "v1.2.0-dirty"},
		"another tag":        {func(r repository) { r.git("tag", "nightly") }, "not a version", "nightly"},
		"a number without v": {func(r repository) { r.git("tag", "1.2.0") }, "not a version", "1.2.0"},
		"another version":    {func(r repository) { r.git("tag", "v1.3.0") }, "newest version in CHANGELOG.md is 1.2.0, not 1.3.0", "v1.3.0"},
		"no date": {func(r repository) {
			r.write("CHANGELOG.md", strings.Replace(changelog, " - 2026-11-29", "", 1))
			r.commit()
			r.git("tag", "v1.2.0")
		}, "no date for 1.2.0", "v1.2.0"},
		"unreleased entries": {func(r repository) {
			r.write("CHANGELOG.md", strings.Replace(changelog, "[Unreleased]\n", "[Unreleased]\n\n### Added\n- Forgotten.\n", 1))
			r.commit()
			r.git("tag", "v1.2.0")
		}, "under [Unreleased]", "v1.2.0"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRepository(t)
			c.prepare(r)
			if _, err := readSource(t.Context(), r.root, false); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			s, err := readSource(t.Context(), r.root, true)
			head := r.git("rev-parse", "HEAD")
			want := strings.NewReplacer("COMMIT", head[:12], "ABBREVIATED", head[:7]).Replace(c.snapshot)
			if s.version != want || err != nil {
				t.Errorf("a snapshot is %q, error %v, want %q", s.version, err, want)
			}
		})
	}
}

func TestReadSource_NeedsACheckout(t *testing.T) {
	r := newRepository(t)
	if err := os.RemoveAll(filepath.Join(r.root, ".git")); err != nil {
		t.Fatal(err)
	}
	if _, err := readSource(t.Context(), r.root, true); err == nil || !strings.Contains(err.Error(), "not a git checkout") {
		t.Errorf("error %v", err)
	}
}
