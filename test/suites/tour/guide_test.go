package tour

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// command is something that a text tells its reader to type.
type command struct {
	// heading is that of the section, without its number signs.
	heading string
	text    string
	// example is set if what the command prints is shown below it: its lines, and the exit
	// code that an `echo $?` shows, or failure if they are those of an error.
	example bool
	output  []string
	exit    int
}

const (
	// failure is any exit code but 0.
	failure = -1
	// unknown is a code that the next line says.
	unknown = -2
)

// commandsOf returns the commands in the blocks of a text in Markdown, those in lists
// included, in their order. A line that ends with a backslash goes on in the next one.
// languages are those of all its blocks.
func commandsOf(markdown string) (all []command, languages map[string]bool) {
	languages = map[string]bool{}
	heading, language, inside, goesOn := "", "", false, false
	for line := range strings.Lines(markdown) {
		line = strings.TrimRight(line, "\n")
		if fence, is := strings.CutPrefix(strings.TrimSpace(line), "```"); is {
			if inside = !inside; inside {
				language, goesOn = fence, false
				languages[language] = true
			}
			continue
		}
		last := len(all) - 1
		switch {
		case !inside:
			if title, is := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); is && strings.HasPrefix(line, "#") {
				heading = title
			}
		case language == "console":
			all = example(all, heading, line)
		case language != "sh" || !goesOn && strings.TrimSpace(line) == "":
		case goesOn:
			all[last].text += "\n" + line
		default:
			all = append(all, command{heading: heading, text: strings.TrimSpace(line)})
		}
		goesOn = inside && language == "sh" && strings.HasSuffix(line, `\`)
	}
	return all, languages
}

// example adds a line of a console block, in which commands begin with "$ ".
func example(all []command, heading, line string) []command {
	typed, is := strings.CutPrefix(line, "$ ")
	if is && typed != "echo $?" {
		return append(all, command{heading: heading, text: typed, example: true})
	}
	last := &all[len(all)-1]
	switch {
	case is:
		last.exit = unknown
	case last.exit == unknown:
		last.exit, _ = strconv.Atoi(line)
	default:
		last.output = append(last.output, line)
		if strings.HasPrefix(line, `{"ok":false`) {
			last.exit = failure
		}
	}
	return all
}

// section returns a text from the heading up to the next one of its level or above.
func section(markdown, heading string) string {
	level, _, _ := strings.Cut(heading, " ")
	_, text, _ := strings.Cut(markdown, "\n"+heading+"\n")
	inside := false
	kept := []string{heading, "\n"}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "```") {
			inside = !inside
		}
		if title := strings.TrimLeft(line, "#"); !inside && strings.HasPrefix(title, " ") && len(line) > len(title) && len(line)-len(title) <= len(level) {
			break
		}
		kept = append(kept, line)
	}
	return strings.Join(kept, "")
}

// mentioned returns the calls of lore within a text, outside of its blocks.
func mentioned(markdown string) []string {
	outside := regexp.MustCompile("(?ms)^ *```.*?^ *```$").ReplaceAllString(markdown, "")
	all := map[string]bool{}
	for _, m := range regexp.MustCompile("`(lore [a-z][^`]*)`").FindAllStringSubmatch(outside, -1) {
		all[strings.ReplaceAll(m[1], `\|`, "|")] = true
	}
	return slices.Sorted(maps.Keys(all))
}

func TestCommandsOf_FindsThemInListsAndWithWhatTheyPrint(t *testing.T) {
	got, languages := commandsOf("# A\ntext `lore no`\n```sh\none \\\n  more\n\ntwo  # why\n```\n## B\n1. a list\n   ```sh\n   three\n   ```\n" +
		"```json\n{}\n```\n```console\n$ four\nout\n$ echo $?\n30\n$ five\n{\"ok\":false}\n```\n")
	want := []command{
		{heading: "A", text: "one \\\n  more"}, {heading: "A", text: "two  # why"}, {heading: "B", text: "three"},
		{heading: "B", text: "four", example: true, output: []string{"out"}, exit: 30},
		{heading: "B", text: "five", example: true, output: []string{`{"ok":false}`}, exit: failure},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(command{})); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]bool{"sh": true, "json": true, "console": true}, languages); diff != "" {
		t.Errorf("languages (-want +got):\n%s", diff)
	}
}

func TestSection_EndsBeforeTheNextOfItsLevel(t *testing.T) {
	got := section("# A\n## B\none\n```sh\n# no heading\n```\n### C\ntwo\n## D\nthree\n", "## B")
	if want := "## B\none\n```sh\n# no heading\n```\n### C\ntwo\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
