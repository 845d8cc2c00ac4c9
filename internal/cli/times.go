package cli

import (
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/internal/duration"
)

// times says how times are shown: on a terminal by how long ago they were.
type times struct {
	now      time.Time
	relative bool
}

func (s *session) times() times { return times{s.Clock(), s.StdoutTerminal} }

func (t times) text(at time.Time) string {
	switch ago := t.now.Sub(at); {
	case at.IsZero():
		return "at an unknown time"
	case !t.relative || ago < 0:
		return moment(at)
	case ago < time.Second:
		return "now"
	default:
		return duration.Roughly(ago) + " ago"
	}
}

// wrapped breaks the lines of a text at spaces so that none is longer than the width,
// except where there is no space. Lines that begin with a space, and those in fences,
// stay as they are.
func wrapped(text string, width int) []string {
	var lines []string
	fenced := false
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(line, "```") || strings.HasPrefix(line, "~~~") {
			fenced = !fenced
		}
		if fenced || strings.HasPrefix(line, " ") {
			lines = append(lines, line)
		} else {
			lines = append(lines, folded(line, width)...)
		}
	}
	return lines
}

// folded breaks one line as [wrapped] does. What it returns is the line without the spaces
// between its parts.
func folded(line string, width int) (parts []string) {
	for wide(line) > width {
		end := breakAt(line, width)
		if end < 0 {
			break
		}
		parts, line = append(parts, line[:end]), line[end+1:]
	}
	return append(parts, line)
}

// breakAt returns the place of the space to break a line at, or -1.
func breakAt(line string, width int) int {
	last, characters := -1, 0
	for at, r := range line {
		if r == ' ' && at > 0 {
			if characters > width && last >= 0 {
				return last
			}
			last = at
			if characters >= width {
				return last
			}
		}
		characters += terminal().RuneWidth(r)
	}
	return last
}
