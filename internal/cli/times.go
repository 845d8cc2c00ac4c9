package cli

import (
	"time"

	"gitlab.com/lorehook/lorehook/internal/duration"
)

// times says how times are shown: on a terminal by how long ago they were.
type times struct {
	now      time.Time
	relative bool
}

func (s *session) times() times { return times{s.Clock(), s.StdoutTerminal} }

// short is [times.text] for a column, where nothing stands for an unknown time.
func (t times) short(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return t.text(at)
}

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
