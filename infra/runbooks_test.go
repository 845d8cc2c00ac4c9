package main

import (
	"maps"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// shellBlock is a block of commands, indented within a list or not.
var shellBlock = regexp.MustCompile("(?ms)^ *```sh\n(.*?)^ *```")

// commandsOf are the commands of a runbook.
func commandsOf(t *testing.T, file string) string {
	t.Helper()
	return commandsIn(read(t, file))
}

// commandsIn are the commands in a text's shell blocks.
func commandsIn(text string) string {
	var all []string
	for _, m := range shellBlock.FindAllStringSubmatch(text, -1) {
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

// Runbooks are read on Macs too, whose date and sed are not GNU's.
func TestCommandsOfRunbooksDoWithoutGNU(t *testing.T) {
	gnu := regexp.MustCompile(`\bdate (-u )?(-d|--date)|\bsed -i |\breadlink -f|\bgrep -[a-zA-Z]*P`)
	for _, file := range allRunbooks(t) {
		for _, found := range gnu.FindAllString(commandsOf(t, file), -1) {
			t.Errorf("%s: %q is GNU's alone", file, found)
		}
	}
}

// Without a time to start at, a log is searched from its first line on.
func TestRunbooksSearchLogsFromATimeOn(t *testing.T) {
	searches := 0
	for _, file := range allRunbooks(t) {
		commands := strings.ReplaceAll(commandsOf(t, file), "\\\n", " ")
		for line := range strings.Lines(commands) {
			if !strings.Contains(line, "filter-log-events") {
				continue
			}
			if searches++; !strings.Contains(line, "--start-time ") {
				t.Errorf("%s: no --start-time in %s", file, line)
			}
		}
	}
	if searches < 4 {
		t.Errorf("only %d searches were found: the test shows little", searches)
	}
}

// lore hooks asks GitLab, which nothing of the stack names.
func TestTheShellOfRunbooksKnowsGitLab(t *testing.T) {
	shell := commandsOf(t, filepath.Join(runbooksDir, "README.md"))
	for _, want := range []string{"export GITLAB_BASE_URL=", "export GITLAB_TOKEN="} {
		if !strings.Contains(shell, want) {
			t.Errorf("the shell functions lack %q", want)
		}
	}
}

// The main suspect of throttling is an index, which DynamoDB counts apart.
func TestTheRunbookOfThrottlingLooksAtIndexes(t *testing.T) {
	commands := commandsOf(t, filepath.Join(runbooksDir, "throttled-tables.md"))
	for _, want := range []string{"Name=TableName,", "Name=GlobalSecondaryIndexName,"} {
		if !strings.Contains(commands, want) {
			t.Errorf("no command names %s", want)
		}
	}
}

// A query of a runbook names functions of the stack, and fields of their logs.
func TestQueriesOfRunbooksNameFunctionsAndFieldsThatExist(t *testing.T) {
	ask := regexp.MustCompile(`ask ("[^"]+"|\S+) '([^']+)'`)
	asked := 0
	for _, file := range allRunbooks(t) {
		for _, m := range ask.FindAllStringSubmatch(read(t, file), -1) {
			asked++
			checkFunctions(t, file, strings.Trim(m[1], `"`))
			checkQuery(t, file, strings.ReplaceAll(m[2], `\|`, "|"))
		}
	}
	if asked < 20 {
		t.Errorf("only %d queries were found: the test shows little", asked)
	}
}

// checkFunctions checks that ask names functions, separated by spaces: it would take
// webhook,worker for a single one, whose logs do not exist.
func checkFunctions(t *testing.T, file, names string) {
	t.Helper()
	known := timeouts()
	for _, name := range strings.Fields(names) {
		if _, ok := known[name]; !ok && name != "$f" && name != "$everything" {
			t.Errorf("%s: ask names %q, which is not a function", file, name)
		}
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

// A table of functions says something of each.
func TestRunbooksThatListFunctionsNameAllOfThem(t *testing.T) {
	want := slices.Sorted(maps.Keys(timeouts()))
	header := regexp.MustCompile(`(?m)^\| function \|.*\n\|[-|]+\n((?:\|.*\n)+)`)
	listed := 0
	for _, file := range runbookFiles(t) {
		for _, table := range header.FindAllStringSubmatch(read(t, file), -1) {
			listed++
			var got []string
			for row := range strings.Lines(table[1]) {
				for name := range strings.SplitSeq(strings.Split(row, "|")[1], ",") {
					got = append(got, strings.Trim(name, " `"))
				}
			}
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-functions +listed):\n%s", file, diff)
			}
		}
	}
	if listed < 3 {
		t.Errorf("only %d tables were found: the test shows little", listed)
	}
	everything := regexp.MustCompile(`everything="(.*)"`).FindStringSubmatch(read(t, filepath.Join(runbooksDir, "README.md")))
	if everything == nil {
		t.Fatal("no function of the shell asks all functions")
	}
	if diff := cmp.Diff(want, slices.Sorted(strings.FieldsSeq(everything[1]))); diff != "" {
		t.Errorf("$everything (-functions +asked):\n%s", diff)
	}
}

func TestTheRunbookOfThrottlingNamesEveryTable(t *testing.T) {
	text := read(t, filepath.Join(runbooksDir, "throttled-tables.md"))
	for output := range onAWS(t).Outputs {
		if strings.HasSuffix(output, "Table") && !strings.Contains(text, "`"+output+"`") && !strings.Contains(text, "out "+output) {
			t.Errorf("it does not name %s", output)
		}
	}
}

// With an embedder whose key is a secret, the most functions read secrets.
func TestTheRunbookOfSecretsAsksEveryFunctionThatReadsOne(t *testing.T) {
	var want []string
	for role, granted := range roleGrants(t, onOpenAI(t)) {
		for _, actions := range granted {
			if strings.Contains(actions, "secretsmanager:GetSecretValue") {
				want = append(want, strings.ToLower(strings.TrimSuffix(role, "Role")))
			}
		}
	}
	asked := regexp.MustCompile(`ask "(.*)" 'filter msg = "secret_failed"`).FindStringSubmatch(read(t, filepath.Join(runbooksDir, "secrets.md")))
	if asked == nil {
		t.Fatal("it asks no function")
	}
	if diff := cmp.Diff(union(want), slices.Sorted(strings.FieldsSeq(asked[1]))); diff != "" {
		t.Errorf("functions (-that read a secret +asked):\n%s", diff)
	}
}

// A shell like zsh takes brackets for a pattern of file names.
func TestCommandsOfRunbooksQuoteBrackets(t *testing.T) {
	unquoted := regexp.MustCompile(`--query [^'"\s]*[\[\]*?]\S*`)
	for _, file := range append(allRunbooks(t), "../README.md", "../docs/deploy.md") {
		for _, found := range unquoted.FindAllString(commandsOf(t, file), -1) {
			t.Errorf("%s: %q is not quoted", file, found)
		}
	}
}
