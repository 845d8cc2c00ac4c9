package tour

import (
	"regexp"
	"strconv"
	"strings"
)

// example is a command of the README, with the output that is printed below it.
type example struct {
	command string
	output  []string
	// exit is the code that an `echo $?` shows, or -1 if the output is an error.
	exit int
}

// section returns the README's text below the heading, up to the next one of any level.
func section(readme, heading string) string {
	_, text, _ := strings.Cut(readme, "\n"+heading+"\n")
	inside := false
	var kept []string
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "```") {
			inside = !inside
		}
		if !inside && strings.HasPrefix(line, "#") {
			break
		}
		kept = append(kept, line)
	}
	return strings.Join(kept, "")
}

// blocks returns the code blocks of a language.
func blocks(text, language string) (all []string) {
	for _, found := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(text, -1) {
		all = append(all, found[1])
	}
	return all
}

// examples reads a console block: commands begin with "$ ".
func examples(block string) (all []example) {
	for line := range strings.Lines(block) {
		line = strings.TrimRight(line, "\n")
		command, is := strings.CutPrefix(line, "$ ")
		last := len(all) - 1
		switch {
		case is && command == "echo $?":
			all[last].exit = unknown
		case is:
			all = append(all, example{command: command})
		case all[last].exit == unknown:
			all[last].exit, _ = strconv.Atoi(line)
		default:
			all[last].output = append(all[last].output, line)
			if strings.HasPrefix(line, `{"ok":false`) {
				all[last].exit = failure
			}
		}
	}
	return all
}

const (
	// failure is any exit code but 0.
	failure = -1
	// unknown is a code that the next line says.
	unknown = -2
)
