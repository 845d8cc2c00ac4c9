package main

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// shellBlock is a block of commands, indented within a list or not.
var shellBlock = regexp.MustCompile("(?ms)^ *```sh\n(.*?)^ *```")

// commandsOf are the commands of a runbook, those within its text included.
func commandsOf(t *testing.T, file string) string {
	t.Helper()
	var all []string
	for _, m := range shellBlock.FindAllStringSubmatch(read(t, file), -1) {
		all = append(all, m[1])
	}
	return strings.Join(all, "\n")
}

func allRunbooks(t *testing.T) []string {
	t.Helper()
	return append(runbookFiles(t), filepath.Join(runbooksDir, "README.md"))
}

func TestCommandsOfRunbooksAreShell(t *testing.T) {
	for _, file := range allRunbooks(t) {
		check := exec.CommandContext(t.Context(), "bash", "-n")
		check.Stdin = strings.NewReader(commandsOf(t, file))
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", file, err, out)
		}
	}
}

// What a query of a runbook asks for is in the logs.
func TestQueriesOfRunbooksNameFieldsThatLinesHave(t *testing.T) {
	ask := regexp.MustCompile(`ask ("[^"]+"|\S+) '([^']+)'`)
	asked := 0
	for _, file := range allRunbooks(t) {
		for _, m := range ask.FindAllStringSubmatch(read(t, file), -1) {
			asked++
			checkQuery(t, file, strings.ReplaceAll(m[2], `\|`, "|"))
		}
	}
	if asked < 20 {
		t.Errorf("only %d queries were found: the test shows little", asked)
	}
}

// out NAME stands for an output of the stack.
func TestRunbooksNameOutputsThatTheStackHas(t *testing.T) {
	output := regexp.MustCompile(`\bout ([A-Z]\w+)`)
	outputs := onAWS(t).Outputs
	for _, file := range allRunbooks(t) {
		for _, m := range output.FindAllStringSubmatch(read(t, file), -1) {
			if _, ok := outputs[m[1]]; !ok {
				t.Errorf("%s: the stack has no output %s", file, m[1])
			}
		}
	}
}
