package cli

import (
	"fmt"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/internal/duration"
)

// gaugeWidth is the width of a progress bar, in characters.
const gaugeWidth = 24

// gauge describes progress: how much is done, how fast, and how long the rest takes. It
// measures from its first use, so what was done before does not count as fast.
type gauge struct {
	// patience is how long it measures before a rate means something: zero where what is
	// done grows steadily.
	patience time.Duration

	began  time.Time
	before int64
}

// text returns the parts of one line, done of total entities. total is 0 if it is not
// known, and otherwise about right: more than total may be done.
func (g *gauge) text(done, total int64, now time.Time) string {
	if g.began.IsZero() {
		g.began, g.before = now, done
	}
	text := entities(done)
	if total > 0 {
		done = min(done, total)
		full := int(gaugeWidth * done / total)
		text = fmt.Sprintf("[%s%s] %s of %s, %d%%", strings.Repeat("#", full), strings.Repeat("-", gaugeWidth-full), thousands(done), thousands(total), 100*done/total)
	}
	measured := now.Sub(g.began)
	rate := float64(done-g.before) / max(measured.Seconds(), 1)
	if rate <= 0 || measured < g.patience {
		return text
	}
	text += fmt.Sprintf("  %.1f/s", rate)
	if total > done {
		text += "  ETA " + duration.Text(time.Duration(float64(total-done)/rate)*time.Second)
	}
	return text
}
