package surgical

import (
	"fmt"
	"slices"
	"time"

	"gitlab.com/lorehook/lorehook/internal/duration"
)

// Why is what explains the state of one entity's copy: why it is shown or not, and
// whether it is current.
type Why struct {
	Ref EntityRef
	// At is when all of it was read.
	At      time.Time
	Head    Head
	Project Project
	// Confidential is what readers see of confidential issues.
	Confidential Policy
	// Open are the runs that have not ended, Ended the last ones that have, newest
	// first.
	Open, Ended []Run
	// FollowUp is the one that is pending, Behind what is undone; nil for none.
	FollowUp *FollowUp
	Behind   *Behind
}

// Excluded explains an entity that is [Excluded] like one that
// was never announced.
func (w Why) Excluded() Why {
	return Why{Ref: w.Ref, At: w.At, Project: w.Project, Confidential: w.Confidential}
}

// Delivery returns the run of the newest delivery about the entity among the runs;
// false if there is none.
func (w Why) Delivery() (newest Run, found bool) {
	for _, runs := range [][]Run{w.Open, w.Ended} {
		for _, run := range runs {
			if run.Origin == OriginWebhook && run.EventAt.After(newest.EventAt) {
				newest, found = run, true
			}
		}
	}
	return newest, found
}

// Sentences explains the state to a person on call, the most important first. They
// contain times in UTC, and the messages of errors.
func (w Why) Sentences() []string {
	s := w.visibility()
	if w.Head.Erased() {
		return append(s, w.runs()...)
	}
	s = append(s, w.delivery()...)
	s = append(s, w.runs()...)
	if f := w.FollowUp; f != nil {
		s = append(s, fmt.Sprintf("It is fetched again %s: an earlier answer from GitLab contradicted what was known, or hid the copy.", w.due(f.NotBefore)))
	}
	s = append(s, w.documents()...)
	return append(s, w.project()...)
}

// visibility says whether readers see the copy and, if not, why and what shows it again.
func (w Why) visibility() []string {
	h := w.Head
	shown, why := Visible(h, Sight{w.Project.HiddenAt, w.Confidential})
	switch {
	case shown && h.Attributes.Confidential:
		return []string{"The copy is shown, as confidential.", w.copied()}
	case shown:
		return []string{"The copy is shown.", w.copied()}
	case why == Erased:
		return []string{fmt.Sprintf("The copy was erased at %s by request, and nothing of the entity is fetched or stored until that is lifted (lore erase --undo).", w.moment(h.ErasedAt))}
	case why == Gone:
		return []string{fmt.Sprintf("The copy is removed: in the fetch at %s, GitLab no longer showed the entity to the token, although it showed the project. It comes back with a later fetch that finds it.", w.moment(h.FetchedAt))}
	case why == Hidden:
		return []string{
			fmt.Sprintf("The copy has been hidden since %s: a delivery called the issue confidential, and the stored copy is public.", w.moment(h.HiddenSince)),
			fmt.Sprintf("A fetch that finds it confidential shows it as confidential. One that finds it public shows it only if it begins at %s or later.", w.moment(h.HiddenSince.Add(Confirmation))),
			w.copied(),
		}
	case why == ProjectHidden:
		return []string{
			fmt.Sprintf("The copy is hidden, because everything of the project that was fetched before %s is. It is shown again once it has been fetched again.", w.moment(w.Project.HiddenAt)),
			w.copied(),
		}
	case w.Ref.Type == Issue && w.Confidential != Include:
		return []string{"No copy is shown: either none is stored, or the issue is confidential, which this stack does not show (setting confidential)."}
	case !h.HiddenSince.IsZero():
		return []string{fmt.Sprintf("There is no copy. A delivery at %s called the issue confidential, so no fetch from before is stored.", w.moment(h.HiddenSince))}
	case len(w.Open)+len(w.Ended) == 0:
		return []string{"There is no copy, and no run of it is known: no delivery has announced it since the webhook was added, and no backfill has listed it. Either it does not exist, or it is older than the webhook."}
	}
	return []string{"There is no copy."}
}

func (w Why) copied() string {
	return fmt.Sprintf("It is revision %d, of run %s. Its fetch began at %s and read GitLab's updated_at %s.",
		w.Head.Revision, w.Head.RunID, w.moment(w.Head.FetchedAt), moment(w.Head.UpdatedAt))
}

// delivery says what GitLab announced last, and whether the copy shows it.
func (w Why) delivery() []string {
	run, found := w.Delivery()
	if !found {
		return []string{"None of its last runs was announced by a delivery from GitLab."}
	}
	said := fmt.Sprintf("GitLab's last delivery about it arrived at %s in run %s", w.moment(run.EventAt), run.RunID)
	if evidence := run.Evidence.describe(); evidence != "" {
		said += " and announced " + evidence
	}
	switch {
	case w.Head.HasCopy() && run.CoveredBy(w.Head):
		said += "; the copy shows it."
	case w.Head.HasCopy() && w.Head.Covers(run.EventAt):
		said += "; the copy was fetched after that, but GitLab's answer did not show it."
	case run.Status.Terminal() && !w.Head.Covers(run.EventAt):
		said += "; no copy from after that is stored."
	default:
		said += "."
	}
	return []string{said}
}

// describe lists the evidence in words; "" if there is none.
func (e Evidence) describe() string {
	var text string
	and := func(format string, args ...any) {
		if text != "" {
			text += ", "
		}
		text += fmt.Sprintf(format, args...)
	}
	if !e.UpdatedAt.IsZero() {
		and("updated_at %s", moment(e.UpdatedAt))
	}
	if e.NoteID != 0 {
		and("comment %d", e.NoteID)
	}
	if e.InternalNoteID != 0 {
		and("internal comment %d", e.InternalNoteID)
	}
	if e.Confidential {
		and("that the issue is confidential")
	}
	return text
}

// runs says what is under way, and how the last run ended.
func (w Why) runs() (s []string) {
	for _, run := range w.Open {
		s = append(s, w.open(run))
	}
	if len(w.Ended) == 0 {
		return s
	}
	last := w.Ended[0]
	text := fmt.Sprintf("The last run that ended, %s (%s), %s at %s", last.RunID, last.Origin, last.Status, w.moment(last.FinishedAt))
	switch {
	case last.Error != nil:
		text += fmt.Sprintf(": %s: %s", last.Error.Code, last.Error.Message)
	case last.CoalescedWith != "":
		text += ", because the fetch of run " + last.CoalescedWith + " already covered its event"
	case last.BehindEvent:
		text += ", but its fetch contradicted what was known"
	case last.Outcomes[w.Ref.Target].Status == EntitySkippedStale:
		text += " without storing its fetch, because the stored copy was newer"
	case last.Outcomes[w.Ref.Target].Status == EntitySkippedErased:
		text += " without fetching it, because it was erased"
	}
	s = append(s, text+".")
	failed := 0
	for _, run := range w.Ended {
		if run.Status == StatusFailed {
			failed++
		}
	}
	if failed > 1 {
		s = append(s, fmt.Sprintf("Of its last %d runs, %d failed.", len(w.Ended), failed))
	}
	return s
}

// open says what a run that has not ended is doing, or waits for.
func (w Why) open(run Run) string {
	text := fmt.Sprintf("Run %s (%s) has been %s since %s", run.RunID, run.Origin, run.Status, w.moment(run.CreatedAt))
	if run.Status == StatusRunning {
		text += fmt.Sprintf(", in attempt %d, %s", run.Attempt, run.Stage)
	}
	switch {
	case run.NotBefore.After(w.At):
		text += ", and may fetch from " + moment(run.NotBefore) + " on"
	case !run.ResumeAt.IsZero():
		text += ", and is resumed " + w.due(run.ResumeAt)
	}
	if run.Error != nil {
		text += fmt.Sprintf(". It waits: %s: %s", run.Error.Code, run.Error.Message)
	}
	return text + "."
}

// documents says whether documents and embeddings are as new as the copy.
func (w Why) documents() []string {
	b := w.Behind
	if b == nil {
		if w.Head.HasCopy() {
			return []string{"Its documents and embeddings are current."}
		}
		return nil
	}
	text := fmt.Sprintf("Its documents have been behind since %s, %s: %s (run %s)", w.moment(b.Since), b.By(), b.Reason, b.RunID)
	switch {
	case b.State == BehindHeldBack:
		text += ". They are held back until the embedder works again, or a drain is requested"
	case !b.NextAt.IsZero():
		text += ". The next try is " + w.due(b.NextAt)
	}
	return []string{text + "."}
}

// project says what the state of the whole project means for the copy.
func (w Why) project() (s []string) {
	p := w.Project
	switch {
	case p.CompleteAsOf.IsZero():
		s = append(s, "The project has not been compared with GitLab's lists completely, so what no delivery announced may be missing. A backfill fetches it.")
	default:
		text := fmt.Sprintf("Every change in the project before %s is in the copy, as far as GitLab's lists show", w.moment(p.CompleteAsOf))
		if len(p.CompleteExcept) > 0 {
			text += ", except for what could not be fetched: " + ShortTargets(p.CompleteExcept)
		}
		s = append(s, text+".")
	}
	if n := p.Unreadable.Records; n > 0 {
		s = append(s, fmt.Sprintf("GitLab's lists of the project had %s no issue or merge request, last at %s. What they stand for may be missing.", counted(n, "record that names", "records that name"), w.moment(p.Unreadable.At)))
	}
	if slices.Contains(p.CompleteExcept, w.Ref.Target) {
		s = append(s, "GitLab lists a change of this entity that could not be fetched several times in a row. It is fetched again when it changes, by a census, or by a sync.")
	}
	if !p.UnseenSince.IsZero() {
		s = append(s, fmt.Sprintf("GitLab has refused to show the project to the token since %s.", w.moment(p.UnseenSince)))
	}
	s = append(s, w.hook()...)
	if r := p.LastReconcile; r.Missed > 0 {
		s = append(s, fmt.Sprintf("The last reconcile, at %s, found %s in the project that no delivery had announced.", w.moment(r.EndedAt), counted(r.Missed, "change", "changes")))
	}
	return s
}

// hook says what the last check of the project's webhook found, unless it works.
func (w Why) hook() []string {
	h := w.Project.Hook
	switch {
	case h.State == HookWorking:
		return nil
	case h.State == "" && w.Project.Path == "":
		return []string{"The project's webhook has not been checked yet. That follows the first pass, which finds out the project's path."}
	case h.State == "":
		return []string{"The project's webhook has not been checked yet. It is checked " + w.due(w.At) + "."}
	}
	text := fmt.Sprintf("At %s the project's webhook was %s", w.moment(h.CheckedAt), h.State)
	if h.Reason != "" {
		text += ": " + h.Reason
	}
	if run, found := w.Delivery(); found && run.EventAt.After(h.CheckedAt) {
		text += fmt.Sprintf(". A delivery has arrived since, at %s", w.moment(run.EventAt))
	}
	return []string{text + ". It is checked again " + w.due(h.CheckedAt.Add(HookCheckInterval)) + "."}
}

// moment returns a time that has passed, and how long ago that was.
func (w Why) moment(t time.Time) string {
	if ago := w.At.Sub(t); ago >= time.Second {
		return moment(t) + " (" + duration.Text(ago.Truncate(time.Second)) + " ago)"
	}
	return moment(t)
}

func counted(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// due says when something happens that is due at the time.
func (w Why) due(t time.Time) string {
	if !t.After(w.At) {
		return "within a minute"
	}
	return "at " + moment(t)
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }
