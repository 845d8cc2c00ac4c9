package tour

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"gitlab.com/lorehook/lorehook/test/devstack"
)

// fullRunbooks names the variable that starts the runbooks without the rest of the tour.
const fullRunbooks = "LOREHOOK_FULL_DEPLOY"

// The commands of the AWS CLI need no copy, so lore and GitLab are left out.
func TestTheAWSCommandsOfTheRunbooksRunOnALocalStack(t *testing.T) {
	v, _ := onLocalStack(t, "runbooks")
	v.followRunbooks()
}

func TestTheAWSCommandsOfRestoringRunOnALocalStack(t *testing.T) {
	v, stack := onLocalStack(t, "restoring")
	v.followRestoring(stack.Endpoints.AWSEndpointURL)
}

// onLocalStack returns an operator of a stack of her own, where lore, make and curl do
// nothing.
func onLocalStack(t *testing.T, name string) (*tourist, *devstack.Stack) {
	t.Helper()
	if os.Getenv(fullRunbooks) == "" {
		t.Skip("deploys a local stack: make deploy-test runs it")
	}
	root, err := devstack.Root()
	if err != nil {
		t.Fatal(err)
	}
	cli := filepath.Join(root, devstack.LocalDir, "awscli", "bin", "aws")
	if _, err := os.Stat(cli); err != nil {
		t.Skip("the AWS CLI is not installed: run scripts/setup awscli")
	}
	dir := t.TempDir()
	stack, err := devstack.Up(t.Context(), devstack.StackOptions{
		Root: root, Dir: filepath.Join(dir, "stack"), Name: name, GitLabBaseURL: "http://127.0.0.1:1", GitLabToken: devstack.DemoGitLabToken, NoAuth: true,
	})
	if errors.Is(err, devstack.ErrNotInstalled) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stack.Stop() })
	if err := stack.Rest(t.Context(), "sweeper", "crawler", "indexer"); err != nil {
		t.Fatal(err)
	}
	v := &tourist{T: t, dir: dir, ids: map[string]string{"RUN_ID": "wxxxxxxxxxxxxxxxxxxxxxxxxxxx", "whsec_…": "unused"}}
	nothing := "#!/bin/sh\n"
	for name, text := range map[string]string{
		"bin/aws":  "#!/bin/sh\nexec " + cli + " --endpoint-url " + stack.Endpoints.AWSEndpointURL + " \"$@\"\n",
		"bin/lore": nothing, "bin/curl": nothing, "bin/make": nothing,
	} {
		v.write(name, text)
	}
	v.must("mkdir operator && ln -s " + filepath.Join(root, "docs") + " docs")
	v.env = append(os.Environ(), "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"), "GITLAB_BASE_URL=http://127.0.0.1:1", "AWS_PAGER=",
		"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_REGION="+devstack.Region, "AWS_DEFAULT_REGION="+devstack.Region)
	return v, stack
}
