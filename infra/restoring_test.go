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
	text := read(t, restoring)
	section := func(heading string) string {
		_, rest, _ := strings.Cut(text, "\n## "+heading+"\n")
		rest, _, _ = strings.Cut(rest, "\n## ")
		return commandsIn(rest)
	}
	all := tableOutputs(t)
	backup := section("Restore from a backup")
	loops := regexp.MustCompile(`for t in (.*); do`).FindAllStringSubmatch(backup, -1)
	if len(loops) != 3 {
		t.Fatalf("%d loops over tables", len(loops))
	}
	for i, without := range [][]string{{"FeedTable"}, {"ContentTable", "FeedTable"}, {"FeedTable"}} {
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
	kept := section("Use kept tables again")
	var got []string
	for _, m := range regexp.MustCompile(`(?m)^replace KEPT_\w+ "\$\(out (\w+)\)"$`).FindAllStringSubmatch(kept, -1) {
		got = append(got, m[1])
	}
	slices.Sort(got)
	if diff := cmp.Diff(all, got); diff != "" {
		t.Errorf("kept tables (-tables +replaced):\n%s", diff)
	}
	for name, commands := range map[string]string{"restored": backup, "kept": kept} {
		hide, content := strings.Index(commands, "lore projects hide --all"), regexp.MustCompile(`(?m)^ *replace .*\$\(out ContentTable\)"$`).FindStringIndex(commands)
		if hide < 0 || content == nil || content[0] < hide {
			t.Errorf("%s: the content table is replaced before all is hidden", name)
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
