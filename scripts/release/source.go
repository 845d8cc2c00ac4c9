package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// source is the commit that a release is built from.
type source struct {
	// version is the tag, such as v0.1.0. That of a snapshot is the newest tag with the
	// commits since, or v0.0.0 with the commit.
	version string
	commit  string
	// date is the commit's, and the time of every file in an archive.
	date time.Time
	// notes are what the changelog says of the version; "" for a snapshot.
	notes string
}

// flags are what the linker writes into lore.
func (s source) flags() string {
	return fmt.Sprintf("-X main.version=%s -X main.commit=%s -X main.date=%s", s.version, s.commit, s.date.UTC().Format(time.RFC3339))
}

// number is the version without its v, as the names of files have it.
func (s source) number() string { return strings.TrimPrefix(s.version, "v") }

// semver is a version of https://semver.org with a v, without build metadata.
var semver = regexp.MustCompile(`^v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$`)

// readSource asks git and the changelog what is being released. A release needs a tree
// without changes, a tag and a changelog that agree; a snapshot needs a commit.
func readSource(ctx context.Context, root string, snapshot bool) (source, error) {
	s, err := checkedOut(ctx, root)
	if err != nil {
		return source{}, err
	}
	if snapshot {
		return s.snapshot(ctx, root)
	}
	if err := s.releasable(ctx, root); err != nil {
		return source{}, fmt.Errorf("%w (SNAPSHOT=1 builds it nevertheless, not for publishing)", err)
	}
	s.notes, err = releaseNotes(filepath.Join(root, "CHANGELOG.md"), s.number())
	return s, err
}

// checkedOut reads what scripts/version prints, so that a released lore and one of make lore
// report the same of the same commit.
func checkedOut(ctx context.Context, root string) (source, error) {
	flags, err := output(ctx, root, filepath.Join(root, "scripts", "version"))
	if err != nil {
		return source{}, err
	}
	s := source{}
	date := ""
	for field := range strings.FieldsSeq(flags) {
		name, value, _ := strings.Cut(field, "=")
		switch name {
		case "main.version":
			s.version = value
		case "main.commit":
			s.commit = value
		case "main.date":
			date = value
		}
	}
	if s.commit == "" {
		return source{}, errors.New("this is not a git checkout of Lorehook")
	}
	if s.date, err = time.Parse(time.RFC3339, date); err != nil {
		return source{}, err
	}
	return s, nil
}

// snapshot names the source so that it cannot be mistaken for a release.
func (s source) snapshot(ctx context.Context, root string) (source, error) {
	changed, err := output(ctx, root, "git", "status", "--porcelain")
	if err != nil {
		return source{}, err
	}
	if s.version == "" {
		s.version = "v0.0.0-" + s.commit[:12]
	}
	if changed != "" && !strings.HasSuffix(s.version, "-dirty") { // scripts/version does not see new files
		s.version += "-dirty"
	}
	return s, nil
}

// releasable says what keeps the source from being released.
func (s source) releasable(ctx context.Context, root string) error {
	changed, err := output(ctx, root, "git", "status", "--porcelain")
	if err != nil {
		return err
	}
	if changed != "" {
		return fmt.Errorf("the tree has changes that are not committed:\n%s", changed)
	}
	tags, err := output(ctx, root, "git", "tag", "--points-at", "HEAD")
	if err != nil {
		return err
	}
	switch here := strings.Fields(tags); {
	case len(here) == 0:
		return fmt.Errorf("commit %s has no tag", s.commit)
	case !slices.Contains(here, s.version) || !semver.MatchString(s.version):
		return fmt.Errorf("the tag %s is not a version such as v1.2.3", strings.Join(here, ", "))
	}
	return nil
}

// output runs a command in a directory and returns what it printed, without the last newline.
func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, os.Environ()
	out, err := cmd.Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			err = fmt.Errorf("%w\n%s", err, exit.Stderr)
		}
		return "", fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return strings.TrimRight(string(out), "\n"), nil
}
