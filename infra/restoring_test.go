package main

import (
	"fmt"
	"maps"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/tables"
)

const restoring = "../docs/restoring.md"

func TestCommandsOfTheGuidesAreShell(t *testing.T) {
	for _, file := range []string{"../README.md", "../docs/deploy.md", restoring, "../docs/upgrading.md"} {
		check := exec.CommandContext(t.Context(), "bash", "-n")
		check.Stdin = strings.NewReader(commandsOf(t, file))
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", file, err, out)
		}
	}
}

// tableOutputs are the outputs with names of tables.
func tableOutputs(t *testing.T) []string {
	t.Helper()
	var names []string
	for name := range onAWS(t).Outputs {
		if strings.HasSuffix(name, "Table") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// The numbers of a feed must not go back, so its table is left out where a second of the
// past is restored.
func TestRestoring_ReplacesEveryTableButTheFeedsAndTheContentsAfterAllIsHidden(t *testing.T) {
	all := tableOutputs(t)
	backup := restoringSection(t, "Restore from a backup")
	loops := regexp.MustCompile(`for t in (.*); do`).FindAllStringSubmatch(backup, -1)
	if len(loops) != 4 {
		t.Fatalf("%d loops over tables", len(loops))
	}
	for i, without := range [][]string{{"FeedTable"}, {"FeedTable"}, {"ContentTable", "FeedTable"}, {"FeedTable"}} {
		var got []string
		for name := range strings.FieldsSeq(loops[i][1]) {
			got = append(got, name+"Table")
		}
		slices.Sort(got)
		want := slices.DeleteFunc(slices.Clone(all), func(name string) bool { return slices.Contains(without, name) })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("loop %d (-tables +restored):\n%s", i+1, diff)
		}
	}
	kept := restoringSection(t, "Use kept tables again")
	var got []string
	for _, m := range regexp.MustCompile(`(?m)^replace KEPT_\w+ "\$\(out (\w+)\)"$`).FindAllStringSubmatch(kept, -1) {
		got = append(got, m[1])
	}
	slices.Sort(got)
	if diff := cmp.Diff(all, got); diff != "" {
		t.Errorf("kept tables (-tables +replaced):\n%s", diff)
	}
	content := regexp.MustCompile(`(?m)^ *replace .*\$\(out ContentTable\)"$`)
	for name, c := range map[string]struct{ commands, projects string }{
		"restored": {backup, `Projects; do\n.*\n *done`}, "kept": {kept, `replace KEPT_PROJECTS .*`},
	} {
		if !regexp.MustCompile(`writers disable.*\n *` + hideAll).MatchString(c.commands) {
			t.Errorf("%s: what has to be hidden shows while nothing writes", name)
		}
		// The table that takes the place of Projects does not know what was hidden.
		again := regexp.MustCompile(c.projects + `\n *` + hideAll).FindStringIndex(c.commands)
		if at := content.FindStringIndex(c.commands); again == nil || at == nil || at[0] < again[1] {
			t.Errorf("%s: between Projects and the content table, not all is hidden", name)
		}
	}
}

const hideAll = "lore projects hide --all"

// restoringSection returns the commands of a section of the page.
func restoringSection(t *testing.T, heading string) string {
	t.Helper()
	_, rest, found := strings.Cut(read(t, restoring), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("there is no section %q", heading)
	}
	rest, _, _ = strings.Cut(rest, "\n## ")
	return commandsIn(rest)
}

// After Projects was replaced, the list is the restored one.
func TestRestoring_KeepsTheListOfErasuresWhenNothingWasReplacedYet(t *testing.T) {
	commands := restoringSection(t, "Restore from a backup")
	list, replace := strings.Index(commands, "lore erase --list --robot > erased.json"), strings.Index(commands, "replace ")
	ready := strings.Index(commands, "ready ") // hours pass until here
	if list < ready || replace < list {
		t.Errorf("the tables are ready at %d, erasures are listed at %d, and the first table is replaced at %d", ready, list, replace)
	}
	repeat, start := strings.Index(commands, "lore erase --repeat erased.json"), strings.Index(commands, "writers enable")
	logged := strings.Index(commands, `filter msg = "erasing"`)
	if repeat < replace || logged < replace || start < max(repeat, logged) {
		t.Errorf("erased again at %d, later erasures read at %d, writers started at %d", repeat, logged, start)
	}
}

// A table that was just made refuses these for some minutes.
func TestRestoring_RepeatsWhatANewTableRefuses(t *testing.T) {
	commands := commandsOf(t, restoring)
	for _, refused := range []string{"create-backup", "update-time-to-live", "update-continuous-backups"} {
		if n, repeated := strings.Count(commands, "aws dynamodb "+refused), strings.Count(commands, "again aws dynamodb "+refused); n == 0 || n != repeated {
			t.Errorf("%d of %d calls of %s are repeated", repeated, n, refused)
		}
	}
}

// The table is made by hand only if it is lost.
func TestRestoring_MakesTheFeedTableThatTheTemplateMakes(t *testing.T) {
	feed := wantTable(tables.Feed())
	want := []string{
		fmt.Sprintf("--billing-mode %v ", feed["BillingMode"]),
		fmt.Sprintf("--sse-specification Enabled=%v ", feed["SSESpecification"].(map[string]any)["SSEEnabled"]),
	}
	for flag, list := range map[string][2]string{"attribute-definitions": {"AttributeDefinitions", "AttributeType"}, "key-schema": {"KeySchema", "KeyType"}} {
		text := "--" + flag
		for _, key := range feed[list[0]].([]any) {
			text += fmt.Sprintf(" AttributeName=%v,%s=%v", key.(map[string]any)["AttributeName"], list[1], key.(map[string]any)[list[1]])
		}
		want = append(want, text+" ")
	}
	commands := restoringSection(t, "If the feed table is lost")
	for _, set := range want {
		if !strings.Contains(commands, set) {
			t.Errorf("no command has %q:\n%s", set, commands)
		}
	}
}

// What DynamoDB does not restore is set as the template sets it.
func TestRestoring_SetsWhatTheTemplateSets(t *testing.T) {
	content := wantTable(tables.Content())
	commands := commandsOf(t, restoring)
	for _, want := range []string{
		fmt.Sprintf("StreamEnabled=true,StreamViewType=%v", content["StreamSpecification"].(map[string]any)["StreamViewType"]),
		"Enabled=true,AttributeName=" + tables.ExpiresAt,
		"PointInTimeRecoveryEnabled=true",
	} {
		if !strings.Contains(commands, want) {
			t.Errorf("no command sets %s", want)
		}
	}
}

func TestRestoring_StopsEveryMappingAndEveryRule(t *testing.T) {
	stopped := regexp.MustCompile(`for f in (.*); do`).FindAllStringSubmatch(commandsOf(t, restoring), -1)
	if len(stopped) != 2 {
		t.Fatalf("%d loops over functions", len(stopped))
	}
	mapped, scheduled := map[string]bool{}, map[string]bool{}
	for _, m := range onAWS(t).ofType("AWS::Lambda::EventSourceMapping") {
		mapped[strings.ToLower(strings.TrimSuffix(m["FunctionName"].(string), "Function"))] = true
	}
	for id := range onAWS(t).ofType("AWS::Events::Rule") {
		scheduled[strings.ToLower(strings.TrimSuffix(id, "Schedule"))] = true
	}
	for i, want := range []map[string]bool{mapped, scheduled} {
		if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(strings.FieldsSeq(stopped[i][1]))); diff != "" {
			t.Errorf("loop %d (-template +stopped):\n%s", i+1, diff)
		}
	}
}

func TestGuidesNameOutputsThatTheStackHas(t *testing.T) {
	outputs := onOpenAI(t).Outputs
	for _, file := range []string{"../README.md", "../docs/deploy.md", restoring} {
		for _, m := range regexp.MustCompile(`\bout ([A-Z]\w+)`).FindAllStringSubmatch(read(t, file), -1) {
			if _, ok := outputs[m[1]]; !ok {
				t.Errorf("%s: the stack has no output %s", file, m[1])
			}
		}
	}
}
