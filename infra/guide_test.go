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
	out, err := shell.CombinedOutput()
	if err != nil {
		t.Fatalf("%v in\n%s\n%s", err, commands, out)
	}
	if strings.Contains(string(out), "feature flags") {
		t.Errorf("the CDK warns of what is nothing to do:\n%s", out)
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

// What a command of a guide takes from its shell was made there by one before it.
func TestTheGuidesMakeWhatTheyUse(t *testing.T) {
	makes := map[string]*regexp.Regexp{
		"out":               regexp.MustCompile(`^ *out\(\) `),
		"GITLAB_TOKEN":      regexp.MustCompile(`export GITLAB_TOKEN\b`),
		"AWS_ACCESS_KEY_ID": regexp.MustCompile(`eval "\$\(aws configure export-credentials --format env\)"`),
	}
	uses := map[string]*regexp.Regexp{
		"out":               regexp.MustCompile(`\$\(out `),
		"GITLAB_TOKEN":      regexp.MustCompile(`\blore hooks add\b`),
		"AWS_ACCESS_KEY_ID": regexp.MustCompile(`\$AWS_ACCESS_KEY_ID\b`),
	}
	used := map[string]bool{}
	for guide, heading := range guides() {
		made := map[string]bool{}
		for line := range strings.Lines(commandsIn(stepsOf(t, guide, heading))) {
			for name, use := range uses {
				made[name] = made[name] || makes[name].MatchString(line)
				if !use.MatchString(line) {
					continue
				}
				used[name] = true
				if !made[name] {
					t.Errorf("%s: nothing makes %s before %s", guide, name, line)
				}
			}
		}
	}
	if len(used) < len(uses) {
		t.Errorf("only %v is used: the test shows little", used)
	}
}

// A file that a command gives to AWS holds a secret: the section makes it before, readable
// by nobody else, and removes it afterwards.
func TestFilesWithSecretsAreMadeAndRemoved(t *testing.T) {
	given := 0
	for _, file := range append(allRunbooks(t), "../README.md", "../docs/deploy.md") {
		for section := range strings.SplitSeq(read(t, file), "\n## ") {
			given += checkSecretFiles(t, file, commandsIn(section))
		}
	}
	if given < 6 {
		t.Errorf("only %d files were found: the test shows little", given)
	}
}

// checkSecretFiles returns how many files the commands give to AWS.
func checkSecretFiles(t *testing.T, file, commands string) (given int) {
	t.Helper()
	made, left, private := map[string]bool{}, map[string]bool{}, false
	for line := range strings.Lines(commands) {
		private = private || strings.Contains(line, "umask 077")
		for _, m := range regexp.MustCompile(`> (\S+)`).FindAllStringSubmatch(line, -1) {
			made[m[1]] = private
		}
		for _, m := range regexp.MustCompile(`file://(\S+)`).FindAllStringSubmatch(line, -1) {
			given++
			left[m[1]] = true
			if !made[m[1]] {
				t.Errorf("%s: nothing makes %s, after umask 077, before %s", file, m[1], line)
			}
		}
		if removed, is := strings.CutPrefix(strings.TrimSpace(line), "rm "); is {
			for name := range strings.FieldsSeq(removed) {
				delete(left, name)
			}
		}
	}
	for name := range left {
		t.Errorf("%s: %s is not removed", file, name)
	}
	return given
}

// stepsOf is the section of a guide with the heading.
func stepsOf(t *testing.T, guide, heading string) string {
	t.Helper()
	_, steps, found := strings.Cut(read(t, filepath.Join("..", guide)), heading+"\n")
	if !found {
		t.Fatalf("%s has no %q", guide, heading)
	}
	steps, _, _ = strings.Cut(steps, "\n## ")
	return steps
}

// untilBootstrap returns the commands of a guide up to the first that needs AWS.
func untilBootstrap(t *testing.T, guide, heading string) string {
	t.Helper()
	all := commandsIn(stepsOf(t, guide, heading))
	commands, _, found := strings.Cut(all, ".local/cdk/node_modules/.bin/cdk bootstrap")
	if !found || !strings.Contains(commands, "make synth") {
		t.Fatalf("%s does not write a template and bootstrap:\n%s", guide, all)
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
		"stubs/go": nothing, "stubs/aws": nothing, "scripts/setup": nothing, ".local/bin/local": nothing,
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
