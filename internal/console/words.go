package console

import (
	"fmt"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/internal/duration"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// moment is a formatted point in time.
type moment struct {
	// ISO is for machines, Text is short, Full is exact and Ago is relative to now.
	// All are empty for the zero time.
	ISO, Text, Full, Ago string
}

func (f frame) moment(t time.Time) moment {
	if t.IsZero() {
		return moment{}
	}
	local, today := t.In(f.zone), f.now.In(f.zone)
	layout := "2 Jan 2006"
	switch {
	case local.Format(time.DateOnly) == today.Format(time.DateOnly):
		layout = time.TimeOnly
	case local.Year() == today.Year():
		layout = "2 Jan 15:04"
	}
	return moment{
		ISO: t.UTC().Format(time.RFC3339Nano), Text: local.Format(layout),
		Full: local.Format("2006-01-02 15:04:05.000") + " " + f.zoneName(), Ago: ago(f.now.Sub(t)),
	}
}

// zoneName returns the zone's name, such as "UTC", "CET" or "UTC+02:00".
func (f frame) zoneName() string {
	name, offset := f.now.In(f.zone).Zone()
	if offset == 0 {
		return "UTC"
	}
	if name != "" && !strings.ContainsAny(name, "+-0123456789") {
		return name
	}
	return "UTC" + f.now.In(f.zone).Format("-07:00")
}

// ago formats the time since something happened. A time in the future is "now",
// because clocks may differ slightly.
func ago(d time.Duration) string {
	if d < time.Second {
		return "now"
	}
	return duration.Roughly(d) + " ago"
}

// count formats a number with its noun, such as "1 run" or "2,000+ runs".
func count(n int, more bool, noun string) string {
	if n != 1 || more {
		noun = plural(noun)
	}
	return number(n, more) + " " + noun
}

func plural(noun string) string {
	if strings.HasSuffix(noun, "y") {
		return strings.TrimSuffix(noun, "y") + "ies"
	}
	return noun + "s"
}

// number formats n with thousands separators, and a plus if there are more.
func number(n int, more bool) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	if more {
		text += "+"
	}
	return text
}

// mark is a status label. Tone is a class of the style sheet and Sign a shape in
// the templates, which distinguishes the tones without colour.
type mark struct{ Word, Tone, Sign string }

func markOf(status surgical.RunStatus) mark {
	word := string(status)
	switch status {
	case surgical.StatusSucceeded:
		return mark{word, "good", "check"}
	case surgical.StatusFailed:
		return mark{word, "bad", "cross"}
	case surgical.StatusRunning:
		return mark{word, "busy", "disc"}
	case surgical.StatusQueued:
		return mark{word, "idle", "ring"}
	}
	return mark{word, "off", "bar"}
}

func markOfEntity(status surgical.EntityStatus) mark {
	switch status {
	case surgical.EntityOK:
		return mark{"ok", "good", "check"}
	case surgical.EntityFailed:
		return mark{"failed", "bad", "cross"}
	case surgical.EntitySkippedErased:
		return mark{"skipped, erased", "off", "bar"}
	}
	return mark{"skipped, newer copy exists", "off", "bar"}
}

// markOfRow is the mark of a target of a run that has ended. One that only another's
// failure kept from being stored did not fail itself.
func markOfRow(row surgical.EntityRow) mark {
	if !row.Attempted() {
		return mark{"not attempted", "off", "bar"}
	}
	return markOfEntity(row.Status)
}

func markOfJob(status surgical.JobStatus) mark {
	word := string(status)
	switch status {
	case surgical.JobDone:
		return mark{word, "good", "check"}
	case surgical.JobFailed, surgical.JobAborted:
		return mark{word, "bad", "cross"}
	case surgical.JobClaimed:
		return mark{"in progress", "busy", "disc"}
	}
	return mark{word, "idle", "ring"}
}

// named returns a target's display name, such as "Issue 7" or "Merge request 12".
func named(t surgical.Target) string {
	if t.Type == surgical.Issue {
		return fmt.Sprintf("Issue %d", t.IID)
	}
	return fmt.Sprintf("Merge request %d", t.IID)
}
