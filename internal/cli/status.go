package cli

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/fatih/color"

	"gitlab.com/lorehook/lorehook/internal/advice"
	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/duration"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

type statusCommand struct{}

// Help implements [kong.HelpProvider].
func (*statusCommand) Help() string {
	return `One screen: how fresh and how complete the copies are, whether webhooks arrive, how much waits, what GitLab allows, and the search index. It reads what is stored, and sends no request to GitLab.

Examples:

    lore status

    lore status --robot`
}

// Run implements the command.
func (*statusCommand) Run(ctx context.Context, s *session) error {
	client, err := s.client(ctx)
	if err != nil {
		return err
	}
	status, err := client.Status(ctx)
	if err != nil {
		return err
	}
	s.answer(status.Raw, func(p *printer) {
		p.stackStatus(status.Value, s.times())
		if next := advice.OfStatus(status.Value); len(next) > 0 {
			p.line("")
			p.next(next)
		}
	})
	return nil
}

// stackStatus prints the state of a stack.
func (p *printer) stackStatus(st apiclient.Status, at times) {
	p.pairs(
		pair("fresh", p.freshness(st.Projects, at)),
		pair("compared", p.compared(st.Projects)),
		pair("projects", p.completeness(st.Projects)),
		pair("hooks", p.hookCounts(st.Projects.Hooks)),
		pair("runs", p.runCounts(st)),
		pair("queues", p.queues(st.Queues)),
		pair("dead letters", p.deadLetters(st.Queues)),
		pair("GitLab", p.budget(st.GitLab, at)),
		pair("passes wait", p.spared(st.GitLab)),
		pair("pause", p.pause(st.GitLab)),
		pair("index", p.indexState(st.Index, at)),
	)
	p.attention(st.Projects, at)
}

func (p *printer) spared(g apiclient.StatusGitLab) cell {
	if g.PassesWaitUntil.IsZero() {
		return cell{}
	}
	return cell{"until " + moment(g.PassesWaitUntil) + ": webhooks get the rest of the budget", p.warn}
}

func (p *printer) freshness(of apiclient.StatusProjects, at times) cell {
	if of.CompleteAsOf.IsZero() {
		return cell{"not known: no project has been copied completely", p.warn}
	}
	text := "every change before " + at.text(of.CompleteAsOf) + " is copied"
	if of.Complete < of.Total {
		text += ", of the complete projects"
	} else if of.Complete > 1 {
		text += fmt.Sprintf("; oldest: project %d", of.OldestID)
	}
	return cell{text, p.good}
}

// compared says how long ago the projects were compared with GitLab's lists.
func (p *printer) compared(of apiclient.StatusProjects) cell {
	age := time.Duration(of.ReconcileAge) * time.Millisecond
	behind := time.Duration(of.ReconcileBehind) * time.Millisecond
	switch {
	case of.ReconcileAgeID == 0:
		return cell{}
	case age >= cmp.Or(behind, surgical.ReconcileBehind(surgical.ReconcileInterval)):
		return cell{fmt.Sprintf("project %d was last compared with GitLab's lists %s ago", of.ReconcileAgeID, duration.Roughly(age)), p.warn}
	}
	return cell{"every project with GitLab's lists, the longest ago " + duration.Roughly(age), p.good}
}

func (p *printer) completeness(of apiclient.StatusProjects) cell {
	text := fmt.Sprintf("%d of %d complete", of.Complete, of.Total)
	if of.Except > 0 {
		text += ", except for " + counted(of.Except, "issue or merge request", "issues and merge requests")
	}
	if of.More {
		text += ", and more that were not counted"
	}
	if of.Unseen > 0 {
		return cell{text + fmt.Sprintf(", %d not shown by GitLab", of.Unseen), p.bad}
	}
	if of.Complete < of.Total || of.Except > 0 {
		return cell{text, p.warn}
	}
	return cell{text, p.good}
}

func (p *printer) hookCounts(counts map[string]int) cell {
	var parts []string
	var colour *color.Color
	for _, state := range append(surgical.HookStates(), "unchecked") {
		if n := counts[string(state)]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, state))
			if advice.OfHook(state) {
				colour = p.bad
			}
		}
	}
	return cell{strings.Join(parts, ", "), colour}
}

func (p *printer) runCounts(st apiclient.Status) cell {
	text := fmt.Sprintf("%s queued, %s running, %s failed within 24 h", upTo(st.Runs.Queued), upTo(st.Runs.Running), upTo(st.Runs.Failed))
	if st.Runs.Failed.Count > 0 {
		return cell{text, p.warn}
	}
	return plain("%s", text)
}

func upTo(c apiclient.Count) string {
	if c.More {
		return fmt.Sprintf("more than %d", c.Count)
	}
	return fmt.Sprint(c.Count)
}

// queues describes those of the workers.
func (p *printer) queues(all []apiclient.QueueState) cell {
	var parts []string
	for _, q := range all {
		switch {
		case q.Name == "dead-letters" || q.Name == "feed-failures":
		case q.Error != "":
			parts = append(parts, q.Name+" unknown")
		default:
			text := fmt.Sprintf("%s %d", q.Name, q.Waiting)
			if q.Received > 0 {
				text += fmt.Sprintf(" and %d in work", q.Received)
			}
			parts = append(parts, text)
		}
	}
	return plain("%s", strings.Join(parts, ", "))
}

func (p *printer) deadLetters(all []apiclient.QueueState) cell {
	for _, q := range all {
		if q.Name != "dead-letters" {
			continue
		}
		switch n := q.Waiting + q.Received; {
		case q.Error != "":
			return plain("unknown: %s", q.Error)
		case n > 0:
			return cell{fmt.Sprint(n), p.bad}
		}
		return cell{"none", p.good}
	}
	return cell{}
}

func (p *printer) budget(g apiclient.StatusGitLab, at times) cell {
	if g.AnsweredAt.IsZero() {
		return cell{"has not answered the crawler yet", p.warn}
	}
	text := "answered " + at.text(g.AnsweredAt)
	if l := g.RateLimit; l != nil {
		text += fmt.Sprintf(", %s of %s requests were left", thousands(l.Remaining), thousands(l.Limit))
	}
	return plain("%s", text)
}

func (p *printer) pause(g apiclient.StatusGitLab) cell {
	if g.Pause == nil {
		return cell{"none", p.good}
	}
	return cell{fmt.Sprintf("until %s: %s", moment(g.Pause.Until), advice.PauseCause(g.Pause.Code)), p.bad}
}

func (p *printer) indexState(i apiclient.Index, at times) cell {
	if i.Status == "absent" {
		return cell{"not built yet", p.warn}
	}
	return plain("%s, with every change before %s; %s documents", strings.ReplaceAll(i.Status, "_", " "), at.text(i.AsOf), thousands(int64(i.Documents)))
}

// attention lists the projects that someone should look at.
func (p *printer) attention(of apiclient.StatusProjects, at times) {
	var rows [][]cell
	for _, a := range of.Attention {
		complete := cell{"no", p.warn}
		if !a.CompleteAsOf.IsZero() {
			complete = plain("%s", at.text(a.CompleteAsOf))
		}
		hook := cell{string(a.Hook), nil}
		if advice.OfHook(a.Hook) {
			hook.colour = p.bad
		}
		note := cell{a.HookReason, p.faint}
		if !a.UnseenSince.IsZero() {
			note = cell{"not shown by GitLab since " + moment(a.UnseenSince), p.bad}
		} else if a.Unreadable > 0 {
			note = cell{unreadable(a.Unreadable), p.bad}
		} else if len(a.Except) > 0 {
			note = cell{"except for " + surgical.ShortTargets(a.Except), p.warn}
		}
		rows = append(rows, []cell{plain("%d", a.ProjectID), plain("%s", a.Path), complete, hook, note})
	}
	if len(rows) == 0 {
		return
	}
	p.line("")
	heading := []string{"PROJECT", "PATH", "COMPLETE", "HOOK", "NOTE"}
	p.table(heading, rows)
}
