package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// asApp makes the test binary the CDK app that cdk.json names.
const asApp = "LOREHOOK_TEST_AS_CDK_APP"

// guides are the texts that lead to a deployed stack, with the heading above the steps.
func guides() map[string]string {
	return map[string]string{"README.md": "## Deploy to AWS", "docs/deploy.md": "## From nothing to a found issue"}
}

// A reader who follows a guide from its first command on comes to a template: what a
// command reads was written by one before it.
func TestTheStepsOfEveryGuideLeadToATemplate(t *testing.T) {
	skipIfShort(t)
	followed := map[string]bool{}
	for guide, heading := range guides() {
		commands := untilBootstrap(t, guide, heading)
		if followed[commands] {
			continue // both guides have the same
		}
		followed[commands] = true
		given := follow(t, commands)
		want := map[string]string{"gitlabBaseUrl": "https://gitlab.example.com", "projects": "42,43"}
		if diff := cmp.Diff(want, given); diff != "" {
			t.Errorf("%s: the template's settings (-want +got):\n%s", guide, diff)
		}
	}
}

// follow runs the commands without AWS and returns the settings of the template that they
// wrote.
func follow(t *testing.T, commands string) map[string]string {
	t.Helper()
	dir := emptyCheckout(t)
	shell := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", commands)
	shell.Dir = dir
	shell.Env = append(os.Environ(), asApp+"=1", "PATH="+filepath.Join(dir, "stubs")+":"+os.Getenv("PATH"),
		"AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull,
		"CDK_DISABLE_CLI_TELEMETRY=true", "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION=1")
	if out, err := shell.CombinedOutput(); err != nil {
		t.Fatalf("%v in\n%s\n%s", err, commands, out)
	}
	var template struct {
		Metadata struct {
			Lorehook struct{ Given map[string]string }
		}
	}
	if err := readJSON(filepath.Join(dir, ".build", "cdk.out", "Lorehook.template.json"), &template); err != nil {
		t.Fatal(err)
	}
	return template.Metadata.Lorehook.Given
}

// A file that a command reads or removes was made by one before it, and so was each
// variable of lore.
func TestTheGuideMakesWhatItUses(t *testing.T) {
	made := map[string]bool{}
	uses := 0
	_, steps, _ := strings.Cut(read(t, "../docs/deploy.md"), "## From nothing to a found issue\n")
	steps, _, _ = strings.Cut(steps, "\n## ")
	for _, m := range shellBlock.FindAllStringSubmatch(steps, -1) {
		for line := range strings.Lines(m[1]) {
			for _, used := range regexp.MustCompile(`file://(\S+)|\b(lore hooks) add`).FindAllStringSubmatch(line, -1) {
				uses++
				name := used[1]
				if used[2] != "" {
					name = "GITLAB_TOKEN"
				}
				if !made[name] {
					t.Errorf("nothing makes %s before %s", name, line)
				}
			}
			for _, m := range regexp.MustCompile(`> (\S+)|export (\w+)`).FindAllStringSubmatch(line, -1) {
				made[m[1]+m[2]] = true
			}
		}
	}
	if uses < 3 {
		t.Errorf("only %d uses were found: the test shows little", uses)
	}
}

// untilBootstrap returns the commands of a guide up to the first that needs AWS.
func untilBootstrap(t *testing.T, guide, heading string) string {
	t.Helper()
	_, steps, found := strings.Cut(read(t, filepath.Join("..", guide)), heading+"\n")
	if !found {
		t.Fatalf("%s has no %q", guide, heading)
	}
	var all strings.Builder
	for _, m := range shellBlock.FindAllStringSubmatch(steps, -1) {
		all.WriteString(m[1])
	}
	commands, _, found := strings.Cut(all.String(), ".local/cdk/node_modules/.bin/cdk bootstrap")
	if !found || !strings.Contains(commands, "make synth") {
		t.Fatalf("%s does not write a template and bootstrap:\n%s", guide, all.String())
	}
	return commands
}

// emptyCheckout returns a directory in which make works as in a checkout that has settings
// neither given nor left behind. The Makefile and the CDK CLI are the real ones. What
// installs and compiles is left out: the app is this test binary, and the functions are
// empty.
func emptyCheckout(t *testing.T) string {
	t.Helper()
	if _, err := os.Stat("../.local/cdk/node_modules/.bin/cdk"); err != nil {
		t.Skip("the CDK CLI is not installed: run scripts/setup cdk")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := fakeLambdas(filepath.Join(dir, ".build", "lambda")); err != nil {
		t.Fatal(err)
	}
	nothing := "#!/bin/sh\nexit 0\n"
	for name, text := range map[string]string{
		"Makefile": read(t, "../Makefile"), "cdk.json": fmt.Sprintf(`{"app": %q}`, self),
		"stubs/go": nothing, "scripts/setup": nothing, ".local/bin/local": nothing,
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, installed := range []string{"cdk", "toolchain"} {
		at, err := filepath.Abs(filepath.Join("..", ".local", installed))
		if err == nil {
			err = os.Symlink(at, filepath.Join(dir, ".local", installed))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
